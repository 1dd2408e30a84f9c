#include "gc_probe/gc_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <thread>

#include "gc_probe/entry_points.h"
#include "runtime_memory/churn.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::Churn;
using ::testing::HasSubstr;
using testing::Told;

/// Polls until it holds; ends the test when it never does.
void until(const std::string& what, const std::function<bool()>& holds) {
  const auto deadline = steady_clock::now() + seconds(60);
  while (!holds()) {
    if (steady_clock::now() > deadline) throw std::runtime_error("waited in vain: " + what);
    std::this_thread::sleep_for(milliseconds(2));
  }
}

double in_seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

/// What the probe and the program itself say at one moment.
struct Both {
  Told told;
  Pauses pauses;
};

class GcProbeTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto opened = GcProbe::open();
    if (!opened) GTEST_SKIP() << opened.error().message;
    probe_.emplace(std::move(*opened));
  }

  void watch(int pid) {
    const auto watched = probe_->watch(pid);
    ASSERT_TRUE(watched) << watched.error().message;
  }

  Pauses read(int pid) const {
    const auto pauses = probe_->read(pid);
    if (!pauses) throw std::runtime_error(pauses.error().message);
    return *pauses;
  }

  /// No collection begins or ends between the two, as far as the program knows.
  Both both(Churn& churn) const {
    std::optional<Both> found;
    until("no collection while it is asked", [&] {
      const Told before = churn.tell();
      const Pauses pauses = read(churn.pid());
      const Told after = churn.tell();
      if (before.pauses == after.pauses && before.collections == after.collections) found = Both{after, pauses};
      return found.has_value();
    });
    return *found;
  }

  std::optional<GcProbe> probe_;
};

class GcProbeOf : public GcProbeTest {};

/// 10 collections a second or so.
const std::vector<std::string> kSteady{"-live=1048576", "-rate=40000000"};

TEST_P(GcProbeOf, SeesThePausesThatTheRuntimeCounts) {
  Churn churn(GetParam(), kSteady);
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  const Both begin = both(churn);
  until("40 collections", [&] { return read(churn.pid()).collections() >= begin.pauses.collections() + 40; });
  const Both end = both(churn);
  const Pauses seen = since(end.pauses, begin.pauses);
  const PauseHistogram collector = seen.of_collector();
  EXPECT_NEAR(static_cast<double>(seen.collections()), end.told.collections - begin.told.collections, 1);
  EXPECT_NEAR(static_cast<double>(collector.count()), end.told.pauses - begin.told.pauses, 1);
  EXPECT_GE(seen.mark_termination.count() + 1, seen.sweep_termination.count());

  const double own = end.told.pause_seconds - begin.told.pause_seconds;
  const auto micros = [](std::optional<std::chrono::nanoseconds> time) { return in_seconds(*time) * 1e6; };
  std::cout << GetParam() << ": " << seen.collections() << " collections, paused for "
            << in_seconds(collector.sum) * 1e3 << " ms (the runtime: " << own * 1e3 << "), median "
            << micros(collector.quantile(0.5)) << " us (up to " << end.told.pause_median * 1e6 << "), p99 "
            << micros(collector.quantile(0.99)) << " us (up to " << end.told.pause_p99 * 1e6 << "), longest "
            << micros(collector.longest) << " us\n";
}

INSTANTIATE_TEST_SUITE_P(AllWays, GcProbeOf, ::testing::Values("static", "symbols", "pie", "cgo", "cgo-pie"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace gopacer
