#include "gopacer/domain/trial.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

namespace gopacer {
namespace {

template <typename Enum, std::size_t N>
using Names = std::array<std::pair<Enum, const char*>, N>;

constexpr Names<TrialPhase, 7> kPhases{{{TrialPhase::kPending, "Pending"},
                                        {TrialPhase::kWarmUp, "WarmUp"},
                                        {TrialPhase::kMeasuring, "Measuring"},
                                        {TrialPhase::kPromoting, "Promoting"},
                                        {TrialPhase::kWatching, "Watching"},
                                        {TrialPhase::kRollingBack, "RollingBack"},
                                        {TrialPhase::kEnded, "Ended"}}};

constexpr Names<TrialVerdict, 6> kVerdicts{{{TrialVerdict::kNone, ""},
                                            {TrialVerdict::kPromote, "Promote"},
                                            {TrialVerdict::kRollBack, "RollBack"},
                                            {TrialVerdict::kInconclusive, "Inconclusive"},
                                            {TrialVerdict::kSuperseded, "Superseded"},
                                            {TrialVerdict::kAborted, "Aborted"}}};

template <typename Enum, std::size_t N>
std::string name_of(const Names<Enum, N>& names, Enum value) {
  for (const auto& [known, name] : names) {
    if (known == value) return name;
  }
  return {};
}

template <typename Enum, std::size_t N>
std::optional<Enum> value_of(const Names<Enum, N>& names, const std::string& text) {
  for (const auto& [value, name] : names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

constexpr std::size_t kLongestObjectName = 253;
constexpr std::size_t kLongestLabel = 63;
/// What the Deployment's and the ReplicaSet's controllers put behind a Deployment's name: "-" and ten characters, "-"
/// and five.
constexpr std::size_t kPodSuffix = 17;

/// FNV-1a, 64 bits, in letters and digits: only to keep shortened names apart.
std::string name_hash(const std::string& text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const unsigned char c : text) hash = (hash ^ c) * 1099511628211U;
  std::string out;
  for (int bits = 0; bits < 64; bits += 5) out += "0123456789abcdefghijklmnopqrstuv"[(hash >> bits) & 31U];
  return out;
}

/// At most `most` characters. What is cut off begins anew with a letter or digit after "-": a "." or "-" before it
/// would make an empty part of a DNS name.
std::string shortened(const std::string& name, std::size_t most) {
  if (name.size() <= most) return name;
  const std::string hash = name_hash(name);
  std::string kept = name.substr(0, most - hash.size() - 1);
  while (!kept.empty() && (kept.back() == '.' || kept.back() == '-')) kept.pop_back();
  return kept + "-" + hash;
}

}  // namespace

int arm_size(int wanted, int replicas) { return std::max(1, std::min(wanted, replicas / 4)); }

int arm_at(int percent, int replicas) { return std::clamp((replicas * percent + 99) / 100, 1, kMostArmReplicas); }

int largest_arm(const CanaryPlan& plan, int replicas) {
  return plan.steps.empty() ? arm_size(plan.replicas, replicas) : arm_at(plan.steps.back().percent, replicas);
}

bool before_promotion(TrialPhase phase) {
  switch (phase) {
    case TrialPhase::kPending:
    case TrialPhase::kWarmUp:
    case TrialPhase::kMeasuring:
      return true;
    case TrialPhase::kPromoting:
    case TrialPhase::kWatching:
    case TrialPhase::kRollingBack:
    case TrialPhase::kEnded:
      break;
  }
  return false;
}

std::string to_string(TrialPhase phase) { return name_of(kPhases, phase); }
std::string to_string(TrialVerdict verdict) { return name_of(kVerdicts, verdict); }
std::optional<TrialPhase> parse_trial_phase(const std::string& text) { return value_of(kPhases, text); }
std::optional<TrialVerdict> parse_trial_verdict(const std::string& text) { return value_of(kVerdicts, text); }

std::string pod_of(const std::string& process) { return process.substr(0, process.find('#')); }

std::map<std::string, int> restarts_of(const std::vector<std::string>& processes) {
  std::map<std::string, int> restarts;
  for (const std::string& process : processes) {
    const std::size_t end = process.find('#');
    int& count = restarts[pod_of(process)] = 0;
    if (end != std::string::npos) std::from_chars(process.data() + end + 1, process.data() + process.size(), count);
  }
  return restarts;
}

std::optional<Time> entered(const TrialStatus& status, TrialPhase phase) {
  const auto is_of_it = [&](const TrialStep& step) { return step.phase == phase; };
  const auto last = std::find_if(status.steps.rbegin(), status.steps.rend(), is_of_it);
  if (last == status.steps.rend()) return std::nullopt;
  // What else was noted in the phase came after that.
  const auto before = std::find_if_not(last, status.steps.rend(), is_of_it);
  return std::prev(before)->at;
}

int Trial::arm_replicas() const {
  if (spec.steps.empty()) return spec.canary.replicas;
  const int last = static_cast<int>(spec.steps.size()) - 1;
  return spec.steps[static_cast<std::size_t>(std::clamp(status.step, 0, last))].replicas;
}

std::string label_value(const std::string& name) { return shortened(name, kLongestLabel); }

std::string trial_name(const std::string& profile, int number) {
  const std::string suffix = "-" + std::to_string(number);
  return shortened(profile, kLongestObjectName - suffix.size()) + suffix;
}

std::string track_deployment_name(const std::string& target, Track track) {
  // Both tracks keep as much of the name, and the pods' names stay host names.
  constexpr std::string_view kLongestSuffix = "-gopacer-baseline";
  return shortened(target, kLongestLabel - kPodSuffix - kLongestSuffix.size()) +
         (track == Track::kBaseline ? "-gopacer-baseline" : "-gopacer-canary");
}

}  // namespace gopacer
