#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <string>
#include <vector>

#include "simulate/recording.h"

// The virtual process against a real one, collection by collection. What is known of the service comes from one
// recording of it; what other settings do has to come out by itself. The table in docs/simulate.md is what these tests
// print.

namespace gopacer {
namespace {

using simulate::Cycle;
using simulate::Load;
using simulate::Process;
using simulate::Service;
using testing::Recording;

/// Of collections, on average.
struct Figures {
  double gc_rate = 0;
  double gc_share = 0;
  double goal = 0;
  double peak_heap = 0;
  double limited_seconds = 0;
};

Figures simulated(const Service& service, const Settings& settings, const Load& load) {
  Process process(service, settings, std::nullopt, std::nullopt);
  process.run(30, load);
  Figures found;
  int cycles = 0;
  process.on_cycle([&](const Cycle& cycle) {
    ++cycles;
    found.goal += cycle.goal;
    found.peak_heap += cycle.peak;
  });
  constexpr double kSeconds = 1000;
  const double cpu = process.cpu_seconds(), gc = process.gc_cpu_seconds();
  process.run(kSeconds, load);
  found.limited_seconds = process.limited_seconds();
  found.gc_rate = cycles / kSeconds;
  found.gc_share = (process.gc_cpu_seconds() - gc) / (process.cpu_seconds() - cpu);
  found.goal /= cycles;
  found.peak_heap /= cycles;
  return found;
}

struct Case {
  const char* base;  ///< the recording that describes the service
  const char* name;  ///< the one to be foretold
  bool limiter = false;
};

void PrintTo(const Case& tested, std::ostream* out) { *out << tested.name << " from " << tested.base; }

class Validation : public ::testing::TestWithParam<Case> {};

TEST_P(Validation, TheVirtualProcessDoesWhatTheRealOneDid) {
  const Recording base = testing::read_recording(GetParam().base);
  const Recording seen = testing::read_recording(GetParam().name);
  const double live = testing::live_heap_of(base);
  const Figures found = simulated(testing::on_machine_of(seen, testing::calibrate(base, live)), seen.settings,
                                  {seen.request_rate, Bytes::of(live), Bytes(0)});
  const double goal = seen.mean(&Recording::Cycle::goal);
  const double peak = seen.mean(&Recording::Cycle::end);
  const auto error = [](double virtually, double really) { return 100 * (virtually / really - 1); };
  std::printf("| %-16s | %6.2f | %+5.1f %% | %4.1f ± %.1f %% | %+5.1f %% | %6.1f | %+5.1f %% | %6.1f | %+5.1f %% |\n",
              GetParam().name, seen.gc_rate(), error(found.gc_rate, seen.gc_rate()), 100 * seen.gc_share,
              100 * seen.gc_share * seen.gc_share_error, error(found.gc_share, seen.gc_share), goal / 1048576,
              error(found.goal, goal), peak / 1048576, error(found.peak_heap, peak));
  if (GetParam().limiter) {
    // When the limiter is on depends on the machine's neighbours more than on the settings.
    EXPECT_GT(found.limited_seconds, 0);
    return;
  }
  EXPECT_EQ(found.limited_seconds, 0);
  EXPECT_NEAR(found.goal / goal, 1, 0.06);
  EXPECT_NEAR(found.peak_heap / peak, 1, 0.08);
  EXPECT_NEAR(found.gc_rate / seen.gc_rate(), 1, 0.12);
  // The profiles that it is compared with, and made from, are samples themselves.
  const double noise = std::hypot(base.gc_share_error, seen.gc_share_error);
  EXPECT_NEAR(found.gc_share / seen.gc_share, 1, 0.10 + 1.5 * noise);
}

INSTANTIATE_TEST_SUITE_P(
    Recorded, Validation,
    ::testing::Values(Case{"gogc100", "gogc100"}, Case{"gogc100", "gogc100-again"}, Case{"gogc100", "gogc50"},
                      Case{"gogc100", "gogc200"}, Case{"gogc100", "gogc400"}, Case{"gogc100", "gogc400-limit200"},
                      Case{"gogc100", "off-limit300"}, Case{"gogc100", "offheap-limit250"},
                      Case{"gogc100", "limiter", true}, Case{"procs1-gogc100", "procs1-gogc100"},
                      Case{"procs1-gogc100", "procs1-gogc300"}, Case{"small-gogc100", "small-gogc100"},
                      Case{"small-gogc100", "small-gogc400"}, Case{"cache-gogc100", "cache-gogc100"},
                      Case{"cache-gogc100", "cache-gogc50"}),
    [](const auto& tested) {
      std::string name = tested.param.name;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace gopacer
