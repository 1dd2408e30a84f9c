#include "gopacer/domain/trial.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace gopacer {
namespace {

/// A name that the API server would take for a Deployment or a profile: DNS-1123 labels with dots between them.
std::string legal_name(std::size_t longest) {
  const auto edge = rc::gen::elementOf(std::string("abcxyz0189"));
  const auto inner = rc::gen::elementOf(std::string("ab09---..."));
  const auto length = *rc::gen::inRange<std::size_t>(1, longest + 1);
  std::string name(1, *edge);
  while (name.size() + 1 < length) {
    const char next = *inner;
    // Each part of the name begins and ends with a letter or a digit.
    const bool joint = next == '.' || name.back() == '.';
    const bool both_marks = joint && (next == '-' || name.back() == '-' || next == name.back());
    name += both_marks ? 'm' : next;
  }
  if (name.size() < length) name += *edge;
  return name;
}

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// As the API server checks names of objects (RFC 1123): parts with dots between them, each of lower-case letters,
/// digits and dashes, with a letter or a digit at both ends.
bool is_dns_name(const std::string& name, std::size_t most) {
  if (name.empty() || name.size() > most || !is_letter_or_digit(name.front()) || !is_letter_or_digit(name.back())) {
    return false;
  }
  for (std::size_t i = 1; i < name.size(); ++i) {
    if (!is_letter_or_digit(name[i]) && name[i] != '-' && name[i] != '.') return false;
    const bool at_edge_of_part = name[i] == '.' || name[i - 1] == '.';
    const char other = name[i] == '.' ? name[i - 1] : name[i];
    if (at_edge_of_part && !is_letter_or_digit(other)) return false;
  }
  return true;
}

/// What it lets labels say, of the characters that names have.
bool is_label_value(const std::string& value) {
  return !value.empty() && value.size() <= 63 && is_letter_or_digit(value.front()) && is_letter_or_digit(value.back());
}

TEST(Entered, IsTheBeginOfThePhaseAndNotWhatElseWasNotedInIt) {
  const auto at = [](int minute) { return Time(std::chrono::minutes(minute)); };
  TrialStatus status;
  EXPECT_FALSE(entered(status, TrialPhase::kWatching));
  status.steps = {{at(1), TrialPhase::kPending, ""},   {at(2), TrialPhase::kMeasuring, ""},
                  {at(3), TrialPhase::kPending, ""},   {at(4), TrialPhase::kMeasuring, ""},
                  {at(5), TrialPhase::kPromoting, ""}, {at(6), TrialPhase::kPromoting, ""}};
  EXPECT_EQ(entered(status, TrialPhase::kPending), at(3)) << "the latest time";
  EXPECT_EQ(entered(status, TrialPhase::kMeasuring), at(4));
  EXPECT_EQ(entered(status, TrialPhase::kPromoting), at(5));
}

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

RC_GTEST_PROP(TrialNames, AreLegalWhateverTheProfileAndTheTargetAreCalled, ()) {
  const std::string name = legal_name(253);
  RC_PRE(is_dns_name(name, 253));
  const int number = *rc::gen::inRange(1, 1'000'000'001);
  RC_ASSERT(is_label_value(label_value(name)));
  RC_ASSERT(is_dns_name(trial_name(name, number), 253));
  RC_ASSERT(is_label_value(label_value(trial_name(name, number))));
  for (const Track track : {Track::kCanary, Track::kBaseline}) {
    // "-" and the template's hash, "-" and five characters: still a host name.
    RC_ASSERT(is_dns_name(track_deployment_name(name, track) + "-6b8f7d9c5f-x7k2p", 63));
  }
}

RC_GTEST_PROP(TrialNames, AreCutBehindALetterOrADigit, ()) {
  // The cut falls on each place in turn, so it falls behind a dot and behind a dash.
  const auto before = *rc::gen::inRange<std::size_t>(1, 62);
  const std::string name =
      std::string(before, 'a') + *rc::gen::elementOf(std::vector<std::string>{".", "-", "--"}) + std::string(100, 'b');
  RC_ASSERT(is_dns_name(label_value(name), 63));
  RC_ASSERT(is_dns_name(track_deployment_name(name, Track::kCanary), 46));
}

TEST(TrialNames, ShortOnesAreKeptAsTheyAre) {
  EXPECT_EQ(label_value("checkout"), "checkout");
  EXPECT_EQ(label_value(std::string(63, 'a')), std::string(63, 'a'));
  EXPECT_EQ(track_deployment_name(std::string(29, 'a'), Track::kBaseline), std::string(29, 'a') + "-gopacer-baseline");
}

TEST(TrialNames, StayApartHoweverLongTheTargets) {
  // Two names that a hash of 32 bits (FNV-1a) would take for one.
  const std::string long_part(40, 'a');
  EXPECT_NE(label_value(std::string(199, 'a') + "a"), label_value(std::string(199, 'a') + "b"));
  EXPECT_NE(track_deployment_name(long_part + "kzykmo", Track::kCanary),
            track_deployment_name(long_part + "iheruz", Track::kCanary));
}

}  // namespace
}  // namespace gopacer
