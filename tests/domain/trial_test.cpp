#include "gopacer/domain/trial.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

TEST(TrialWords, ReadBackTheSame) {
  for (const auto phase : {TrialPhase::kPending, TrialPhase::kWarmUp, TrialPhase::kMeasuring, TrialPhase::kPromoting,
                           TrialPhase::kWatching, TrialPhase::kRollingBack, TrialPhase::kEnded}) {
    EXPECT_EQ(parse_trial_phase(to_string(phase)), phase);
  }
  for (const auto verdict : {TrialVerdict::kNone, TrialVerdict::kPromote, TrialVerdict::kRollBack,
                             TrialVerdict::kInconclusive, TrialVerdict::kSuperseded, TrialVerdict::kAborted}) {
    EXPECT_EQ(parse_trial_verdict(to_string(verdict)), verdict);
  }
  EXPECT_FALSE(parse_trial_phase("Sleeping"));
  EXPECT_FALSE(parse_trial_verdict("Maybe"));
}

TEST(TrialNames, SayProfileAndNumber) {
  EXPECT_EQ(trial_name("checkout", 7), "checkout-7");
  EXPECT_EQ(track_deployment_name("checkout", Track::kCanary), "checkout-gopacer-canary");
  EXPECT_EQ(track_deployment_name("checkout", Track::kBaseline), "checkout-gopacer-baseline");
}

TEST(TrialNames, StayShortAndApartHoweverLongTheTargets) {
  const std::string first(200, 'a');
  const std::string second = std::string(199, 'a') + "b";
  EXPECT_LE(label_value(first).size(), 63u);
  EXPECT_NE(label_value(first), label_value(second));
  EXPECT_EQ(label_value("checkout"), "checkout");
  EXPECT_LE(track_deployment_name(first, Track::kBaseline).size(), 47u);
  EXPECT_NE(track_deployment_name(first, Track::kCanary), track_deployment_name(second, Track::kCanary));
  EXPECT_LE(trial_name(std::string(253, 'p'), 123456).size(), 253u);
}

}  // namespace
}  // namespace gopacer
