#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "observe/history_budget.h"

namespace gopacer {

/// The kinds of pages that are fetched.
enum class PageKind { kHeap, kVars, kMetrics, kCpuProfile, kCadvisor, kQuery, kAgent };
inline constexpr std::size_t kPageKinds = 7;
/// For a metric's label: "heap", "vars", "metrics", "cpu_profile", "cadvisor", "query", "agent".
std::string to_string(PageKind kind);

/// Why a page gave nothing.
enum class PageFailure {
  kNone,
  kRefused,
  kUnreachable,
  kTimedOut,
  kTooLong,
  kRedirected,
  kNotHttp,
  kNoAnswer,
  kCutOff,
  kTls,
  kStatus,
  kContent
};
inline constexpr std::size_t kPageFailures = 12;
/// For a metric's label: "none", "refused", "unreachable", …
std::string to_string(PageFailure failure);

/// What the scraper did since it began. Counters unless said otherwise.
struct ScraperProbe {
  struct Pages {
    std::array<std::uint64_t, kPageFailures> outcomes{};  ///< by PageFailure
    std::uint64_t bytes = 0;
    double seconds = 0;  ///< from the fetch's start to its end, all together
  };
  std::array<Pages, kPageKinds> pages{};  ///< by PageKind
  std::uint64_t cycles = 0;
  std::uint64_t samples = 0;
  std::uint64_t long_pauses = 0;  ///< readings with one
  std::uint64_t storms = 0;       ///< that began
  std::uint64_t skipped = 0;      ///< cycles that fell out because the one before took too long
  std::size_t pods = 0;           ///< now
  std::size_t in_flight = 0;      ///< fetches now
  std::size_t waiting = 0;        ///< fetches that wait for a free place now
  std::size_t kept_samples = 0;   ///< now
  std::size_t history_bytes = 0;  ///< that they take, now
  std::size_t history_limit = 0;
  HistoryShed shed;
};

}  // namespace gopacer
