#include "notify/notification.h"

#include <gmock/gmock.h>

#include "codec/resources.h"

namespace gopacer {
namespace {

const Time kNow = parse_time("2026-05-01T10:00:00Z").value();

Event event(const std::string& reason, const std::string& note = "A sentence.") {
  return {resources::kProfiles, "shop", "checkout", "uid-1", true, reason, note, "Observe"};
}

TEST(Notification, IsMadeOfTheEventsOfFourKinds) {
  EXPECT_EQ(notification_of(event("Promoted"), kNow)->kind, NotificationKind::kPromoted);
  EXPECT_EQ(notification_of(event("RolledBack"), kNow)->kind, NotificationKind::kRolledBack);
  EXPECT_EQ(notification_of(event("SteppedDown"), kNow)->kind, NotificationKind::kRolledBack);
  EXPECT_EQ(notification_of(event("NeedsMemory"), kNow)->kind, NotificationKind::kNeedsMemory);
  EXPECT_EQ(notification_of(event("FieldConflict"), kNow)->kind, NotificationKind::kBlocked);
  EXPECT_EQ(notification_of(event("FieldConflict"), kNow)->reason, "FieldConflict");
}

TEST(Notification, IsMadeOfNothingElse) {
  for (const char* const reason : {"TrialStarted", "TrialStepCompleted", "RecommendationUpdated", "Undone", ""}) {
    EXPECT_FALSE(notification_of(event(reason), kNow)) << reason;
  }
  Event of_the_trial = event("Promoted");
  of_the_trial.type = resources::kTrials;
  EXPECT_FALSE(notification_of(of_the_trial, kNow)) << "its profile has the same";
}

TEST(Notification, NamesTheTrialThatTheNoteBeginsWith) {
  EXPECT_EQ(notification_of(event("Promoted", "Trial checkout-12: All pods run it."), kNow)->trial, "checkout-12");
  for (const char* const other : {"Trial checkout-: x", "Trial cart-1: x", "Trial checkout-1x: y", "Trial checkout-1",
                                  "The trial checkout-1: x", ""}) {
    EXPECT_EQ(notification_of(event("Promoted", other), kNow)->trial, "") << other;
  }
}

TEST(Notification, KeepsOfAStrangersTextWhatCanBeShown) {
  EXPECT_EQ(notification_of(event("FieldConflict", "owned by a\nb\xFF\x1b[31m"), kNow)->message, "owned by a.b..[31m");
  EXPECT_EQ(notification_of(event("FieldConflict", std::string(5000, 'x')), kNow)->message,
            std::string(kLongestNotification, 'x') + "...");
}

TEST(Notification, KindsAreWrittenAsTheyAreRead) {
  for (const NotificationKind kind : kNotificationKinds) EXPECT_EQ(parse_notification_kind(to_string(kind)), kind);
  EXPECT_FALSE(parse_notification_kind("promoted"));
}

}  // namespace
}  // namespace gopacer
