#include "gopacer/domain/profile.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

using std::chrono::hours;

const Time kTried{hours(1000)};

TEST(BannedUntil, IsADayWhereOneTrialAloneSawWhatMayComeFromAnywhere) {
  for (const char* const reason : {"CpuRegression", "Restarted", "NoBenefit"}) {
    EXPECT_EQ(banned_until({{}, "hash", reason, kTried, 1}), kTried + hours(24)) << reason;
    EXPECT_EQ(banned_until({{}, "hash", reason, kTried, 2}), std::nullopt) << reason << ", twice";
  }
}

TEST(BannedUntil, IsForGoodWhatOnlyTheSettingsExplain) {
  for (const char* const reason : {"OOMKilled", "LatencyRegression", "SloViolated", "GcShare", "SettingsChanged"}) {
    EXPECT_EQ(banned_until({{}, "hash", reason, kTried, 1}), std::nullopt) << reason;
  }
}

}  // namespace
}  // namespace gopacer
