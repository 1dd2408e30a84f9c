#include "notify/bodies.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gopacer {
namespace {

using nlohmann::json;

Notification rolled_back() {
  return {NotificationKind::kRolledBack,
          "RolledBack",
          "shop",
          "checkout",
          "checkout-3",
          "Trial checkout-3: latency-p99 rose by 12 %.",
          parse_time("2026-05-01T10:00:00Z").value()};
}

TEST(SlackBody, IsOneLineThatBeginsWithTheProfile) {
  EXPECT_EQ(json::parse(body_for(ReceiverType::kSlack, rolled_back(), 0, "1.2.3")),
            (json{{"text", "*shop/checkout* was rolled back: Trial checkout-3: latency-p99 rose by 12 %."}}));
}

TEST(SlackBody, NamesTheReasonWhereItSaysMoreThanTheKind) {
  Notification what = rolled_back();
  what.kind = NotificationKind::kBlocked;
  what.reason = "FieldConflict";
  what.message = "kubectl-set owns GOGC.";
  EXPECT_EQ(json::parse(body_for(ReceiverType::kSlack, what, 0, ""))["text"],
            "*shop/checkout* is blocked (FieldConflict): kubectl-set owns GOGC.");
}

TEST(SlackBody, TellsHowManyMoreThereWere) {
  const std::string text = json::parse(body_for(ReceiverType::kSlack, rolled_back(), 7, ""))["text"];
  EXPECT_TRUE(text.ends_with(" (7 more were not sent.)")) << text;
}

TEST(SlackBody, CallsNobodyWhateverStrangersWrite) {
  Notification what = rolled_back();
  what.message = "<!channel> \"x\" & <http://a|b>";
  const std::string text = json::parse(body_for(ReceiverType::kSlack, what, 0, ""))["text"];
  EXPECT_TRUE(text.ends_with("&lt;!channel&gt; \"x\" &amp; &lt;http://a|b&gt;")) << text;
}

TEST(WebhookBody, HasWhatIsDocumented) {
  EXPECT_EQ(json::parse(body_for(ReceiverType::kWebhook, rolled_back(), 2, "1.2.3")),
            (json{{"version", "1"},
                  {"kind", "RolledBack"},
                  {"reason", "RolledBack"},
                  {"namespace", "shop"},
                  {"profile", "checkout"},
                  {"trial", "checkout-3"},
                  {"message", "Trial checkout-3: latency-p99 rose by 12 %."},
                  {"time", "2026-05-01T10:00:00Z"},
                  {"notSent", 2},
                  {"gopacer", "1.2.3"}}));
}

TEST(WebhookBody, HasNoTrialWhereItIsAboutNone) {
  Notification what = rolled_back();
  what.trial.clear();
  EXPECT_TRUE(json::parse(body_for(ReceiverType::kWebhook, what, 0, ""))["trial"].is_null());
}

TEST(WebhookBody, IsJsonWhateverBytesThereAre) {
  Notification what = rolled_back();
  what.message = "\xFF\xC3 \"\\ \x01";
  const json body = json::parse(body_for(ReceiverType::kWebhook, what, 0, ""), nullptr, false);
  ASSERT_TRUE(body.is_object());
  EXPECT_EQ(body["profile"], "checkout");
}

TEST(AlertmanagerBody, IsAnAlertThatEndsByItself) {
  EXPECT_EQ(json::parse(body_for(ReceiverType::kAlertmanager, rolled_back(), 0, "1.2.3")),
            json::array({json{{"labels",
                               {{"alertname", "GopacerRolledBack"},
                                {"namespace", "shop"},
                                {"profile", "checkout"},
                                {"severity", "warning"}}},
                              {"annotations",
                               {{"summary", "shop/checkout was rolled back"},
                                {"description", "Trial checkout-3: latency-p99 rose by 12 %."},
                                {"reason", "RolledBack"},
                                {"trial", "checkout-3"}}},
                              {"startsAt", "2026-05-01T10:00:00Z"},
                              {"endsAt", "2026-05-01T11:00:00Z"}}}));
}

TEST(AlertmanagerBody, HasTextsOnlyAndTakesAPromotionForGoodNews) {
  Notification what = rolled_back();
  what.kind = NotificationKind::kPromoted;
  what.reason = "Promoted";
  const json alert = json::parse(body_for(ReceiverType::kAlertmanager, what, 7, ""))[0];
  EXPECT_EQ(alert["labels"]["alertname"], "GopacerPromoted");
  EXPECT_EQ(alert["labels"]["severity"], "info");
  EXPECT_EQ(alert["annotations"]["notSent"], "7");
}

}  // namespace
}  // namespace gopacer
