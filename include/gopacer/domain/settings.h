#pragma once

#include <optional>
#include <string>

#include "gopacer/base/units.h"

namespace gopacer {

/// A value of GOGC: a percentage or "off".
class Gogc {
 public:
  /// Go's own default, in force when GOGC is not set.
  static constexpr int kDefaultPercent = 100;

  constexpr explicit Gogc(int percent) : percent_(percent) {}
  static constexpr Gogc off() { return Gogc(-1); }

  constexpr bool is_off() const { return percent_ < 0; }
  /// The percentage; meaningless when off.
  constexpr int percent() const { return percent_; }
  constexpr bool operator==(const Gogc&) const = default;

 private:
  int percent_;
};

/// The two settings that gopacer owns. An empty member means that the environment variable is not set.
struct Settings {
  std::optional<Gogc> gogc;
  std::optional<Bytes> go_mem_limit;

  bool operator==(const Settings&) const = default;

  /// Neither variable lets the heap grow further than that of `other`.
  bool bounded_by(const Settings& other) const;

  /// γ of the pacer's model: GOGC/100, Go's default when unset. Infinite when off.
  double gamma() const;
};

/// The text of the two environment variables, exactly as a pod template holds them.
struct EnvText {
  std::optional<std::string> gogc;
  std::optional<std::string> go_mem_limit;

  bool operator==(const EnvText&) const = default;
};

/// Reads the variables as Go's runtime does ("off" is legal for both; an empty value counts as unset).
/// The error names the variable and what Go would accept.
Result<Settings> parse_settings(const EnvText& env);

/// The same, variable by variable: one that Go can't read counts as unset, and does not hide the other.
Settings readable_settings(const EnvText& env);

/// The variables' text in Go's syntax.
EnvText to_env(const Settings& settings);

/// Settings that are within so much of each other are the same to a trial.
inline constexpr double kAboutEqual = 0.05;
/// Both variables are; an unset GOGC is Go's 100. A limit that only one of them has is a difference.
bool about_equal(const Settings& a, const Settings& b);

/// Between the two, as the geometric mean of GOGC and of GOMEMLIMIT. Where only one of them has a finite GOGC, that of
/// `safe`. Where only one of them has a GOMEMLIMIT, that one: a larger heap is not to be without a bound on the way.
/// All of `safe` where that is about the same.
Settings halfway(const Settings& safe, const Settings& other);

/// For people: "GOGC=180 GOMEMLIMIT=430MiB", "GOGC=50", "Go's defaults".
std::string describe(const Settings& settings);

/// The environment variables' names.
inline constexpr const char* kGogcVariable = "GOGC";
inline constexpr const char* kGoMemLimitVariable = "GOMEMLIMIT";

}  // namespace gopacer
