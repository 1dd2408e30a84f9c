#include "gopacer/simulate/process.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <vector>

namespace gopacer {
namespace {

using simulate::Cycle;
using simulate::Load;
using simulate::Process;
using simulate::Service;

const Settings kDefaults;

struct Story {
  std::vector<Cycle> cycles;
  double limited = 0;
  bool killed = false;
};

Story run(const Service& service, const Settings& settings, const Load& load, double seconds,
          std::optional<Bytes> memory_limit = std::nullopt) {
  Process process(service, settings, std::nullopt, memory_limit);
  Story result;
  process.on_cycle([&](const Cycle& cycle) { result.cycles.push_back(cycle); });
  process.run(seconds, load);
  result.limited = process.limited_seconds();
  result.killed = process.killed();
  return result;
}

TEST(VirtualProcess, SettlesAtTheGoalThatGogcSets) {
  const Story found = run({}, {Gogc(150), std::nullopt}, {400, mib(80), {}}, 120);
  ASSERT_GT(found.cycles.size(), 10u);
  const Cycle& last = found.cycles.back();
  const Cycle& before = found.cycles[found.cycles.size() - 2];
  const Service service;
  const double scanned = before.marked + (service.stack_scan + service.globals).value();
  EXPECT_NEAR(last.goal, before.marked + 1.5 * scanned, 2);
  EXPECT_LE(last.peak, last.goal * 1.001);
}

TEST(VirtualProcess, CollectsEveryTwoMinutesWhenItIsIdle) {
  const Story found = run({}, kDefaults, {0.01, mib(20), {}}, 1000);
  ASSERT_GE(found.cycles.size(), 4u);
  for (std::size_t i = found.cycles.size() - 3; i < found.cycles.size(); ++i) {
    EXPECT_TRUE(found.cycles[i].forced);
    EXPECT_NEAR(found.cycles[i].begin - found.cycles[i - 1].end, 120, 1e-3);
  }
}

TEST(VirtualProcess, DoesNotCollectOnTimeWithGogcOff) {
  EXPECT_TRUE(run({}, {Gogc::off(), gib(1)}, {0.01, mib(20), {}}, 1000).cycles.empty());
}

TEST(VirtualProcess, BreachesItsMemoryLimitOnlyWhenTheCpuLimiterIsOn) {
  // As much lives as the limit allows: it collects without end, until the limiter stops requests from helping.
  const Story tight = run({}, {Gogc(100), mib(85)}, {600, mib(75), {}}, 120);
  EXPECT_GT(tight.limited, 1);
  const Story roomy = run({}, {Gogc(400), mib(200)}, {600, mib(75), {}}, 120);
  EXPECT_EQ(roomy.limited, 0);
}

TEST(VirtualProcess, IsKilledWhenItsContainerIsTooSmall) {
  const Story found = run({}, {Gogc(400), std::nullopt}, {400, mib(80), {}}, 300, mib(250));
  EXPECT_TRUE(found.killed);
  EXPECT_FALSE(run({}, {Gogc(400), mib(200)}, {400, mib(80), {}}, 300, mib(250)).killed);
}

TEST(VirtualProcess, IsKilledByMemoryThatGoDoesNotCount) {
  EXPECT_FALSE(run({}, {Gogc(400), mib(200)}, {400, mib(80), {}}, 300, mib(250)).killed);
  EXPECT_TRUE(run({}, {Gogc(400), mib(200)}, {400, mib(80), mib(60)}, 300, mib(250)).killed);
}

TEST(VirtualProcess, GivesMemoryBackWhenItsHeapShrinks) {
  Process process({}, {Gogc(100), std::nullopt}, std::nullopt, std::nullopt);
  process.run(120, {400, mib(200), {}});
  const double before = process.mapped();
  process.run(300, {400, mib(50), {}});
  EXPECT_LT(process.mapped(), before * 0.5);
}

Service any_service() {
  Service service;
  service.max_procs = *rc::gen::inRange(1, 17);
  service.bytes_per_request = *rc::gen::inRange(1, 1000) * 1024.0;
  service.cpu_per_request = *rc::gen::inRange(50, 5000) * 1e-6;
  service.pointers = *rc::gen::inRange(0, 101) / 100.0;
  service.mark_seconds_per_byte = *rc::gen::inRange(2, 30) * 1e-10;
  service.idle_marking = *rc::gen::inRange(0, 101) / 100.0;
  service.mark_jitter = *rc::gen::inRange(0, 80) / 100.0;
  service.fragmentation = *rc::gen::inRange(0, 30) / 100.0;
  return service;
}

Load any_load(const Service& service) {
  const double utilization = *rc::gen::inRange(1, 150) / 100.0;
  return {utilization * service.max_procs / service.cpu_per_request, mib(*rc::gen::inRange(1, 400)), {}};
}

Settings any_settings() {
  Settings settings;
  settings.gogc = Gogc(*rc::gen::inRange(10, 800));
  if (*rc::gen::arbitrary<bool>()) settings.go_mem_limit = mib(*rc::gen::inRange(64, 1500));
  return settings;
}

RC_GTEST_PROP(VirtualProcessProperty, KeepsItsBooks, ()) {
  const Service service = any_service();
  RC_ASSERT(simulate::check(service).has_value());
  const Load load = any_load(service);
  Process process(service, any_settings(), std::nullopt, std::nullopt, *rc::gen::arbitrary<std::uint32_t>());
  double marked = 0;
  std::uint32_t seen = 0;
  process.on_cycle([&](const Cycle& cycle) {
    ++seen;
    RC_ASSERT(cycle.trigger >= marked * (1 - 1e-9));
    RC_ASSERT(cycle.peak >= cycle.trigger);
    RC_ASSERT(cycle.marked <= cycle.peak);
    RC_ASSERT(cycle.end >= cycle.begin);
    RC_ASSERT(cycle.cpu_seconds > 0);
    RC_ASSERT(std::isfinite(cycle.goal));
    marked = cycle.marked;
  });
  const double seconds = 20;
  process.run(seconds, load);
  RC_ASSERT(std::abs(process.age() - seconds) < 1e-3);
  RC_ASSERT(seen == process.cycles());
  RC_ASSERT(process.heap_live() <= process.total_alloc() + 1);
  RC_ASSERT(process.in_use() <= process.retained() + 1);
  RC_ASSERT(process.retained() <= process.reserved() + 1);
  // Nobody uses more CPU than there is, nor serves more requests than came.
  RC_ASSERT(process.cpu_seconds() <= service.max_procs * seconds * 1.01 + 1);
  RC_ASSERT(process.requests() <= load.request_rate * seconds * 1.000001);
}

RC_GTEST_PROP(VirtualProcessProperty, StaysBelowItsHardGoalUnlessTheLimiterIsOn, ()) {
  Service service = any_service();
  service.mark_jitter = 0;
  Load load = any_load(service);
  load.request_rate /= 4;
  const Settings settings{Gogc(*rc::gen::inRange(50, 800)), std::nullopt};
  Process process(service, settings, std::nullopt, std::nullopt);
  process.run(60, load);
  process.on_cycle([&](const Cycle& cycle) {
    const double hard = cycle.goal * (1 + settings.gamma()) * 1.1;
    if (!cycle.limited) RC_ASSERT(cycle.peak <= hard + mib(1).value());
  });
  process.run(60, load);
}

RC_GTEST_PROP(VirtualProcessProperty, CollectsLessOftenWithAHigherGogc, ()) {
  const Service service = any_service();
  Load load = any_load(service);
  load.request_rate /= 4;
  const int low = *rc::gen::inRange(30, 400);
  const auto cycles_at = [&](int gogc) { return run(service, {Gogc(gogc), std::nullopt}, load, 200).cycles.size(); };
  // One more or less is where the count begins; and no two runs have the same luck.
  const double often = static_cast<double>(cycles_at(low));
  RC_ASSERT(static_cast<double>(cycles_at(low * 2)) <= often * 1.05 + 1);
}

RC_GTEST_PROP(VirtualProcessProperty, DoesTheSameInOneStepAsInMany, ()) {
  const Service service = any_service();
  Load load = any_load(service);
  load.request_rate /= 4;
  const Settings settings{Gogc(*rc::gen::inRange(50, 800)), std::nullopt};
  Process once(service, settings, std::nullopt, std::nullopt, 7);
  Process often(service, settings, std::nullopt, std::nullopt, 7);
  // The live heap grows over the first step.
  once.run(1, load);
  often.run(1, load);
  once.run(20, load);
  for (int i = 0; i < 80; ++i) often.run(0.25, load);
  RC_ASSERT(std::abs(once.total_alloc() - often.total_alloc()) <= 0.02 * once.total_alloc() + 1e6);
  const double cycles = once.cycles();
  RC_ASSERT(std::abs(cycles - often.cycles()) <= 0.05 * cycles + 3);
}

}  // namespace
}  // namespace gopacer
