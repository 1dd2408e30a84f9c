#include "gopacer/domain/trial.h"

#include <array>
#include <cstdint>
#include <cstdio>
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

/// FNV-1a, 32 bits: only to keep shortened names apart.
std::string short_hash(const std::string& text) {
  std::uint32_t hash = 2166136261U;
  for (const unsigned char c : text) hash = (hash ^ c) * 16777619U;
  std::array<char, 16> out{};
  std::snprintf(out.data(), out.size(), "%08x", hash);
  return out.data();
}

std::string shortened(const std::string& name, std::size_t most) {
  if (name.size() <= most) return name;
  const std::string hash = short_hash(name);
  return name.substr(0, most - hash.size() - 1) + "-" + hash;
}

}  // namespace

std::string to_string(TrialPhase phase) { return name_of(kPhases, phase); }
std::string to_string(TrialVerdict verdict) { return name_of(kVerdicts, verdict); }
std::optional<TrialPhase> parse_trial_phase(const std::string& text) { return value_of(kPhases, text); }
std::optional<TrialVerdict> parse_trial_verdict(const std::string& text) { return value_of(kVerdicts, text); }

std::string label_value(const std::string& name) { return shortened(name, 63); }

std::string trial_name(const std::string& profile, int number) {
  // Object names may have 253 characters.
  return shortened(profile, 240) + "-" + std::to_string(number);
}

std::string track_deployment_name(const std::string& target, Track track) {
  // Short enough that the pods' names, made of it and two suffixes, stay host names.
  return shortened(target, 30) + (track == Track::kBaseline ? "-gopacer-baseline" : "-gopacer-canary");
}

}  // namespace gopacer
