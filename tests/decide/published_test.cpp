#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "decide/go_service.h"
#include "decide/guards.h"
#include "decide/signals.h"
#include "gopacer/decide/decision.h"

namespace gopacer {
namespace {

using testing::GoService;
using ::testing::HasSubstr;
using testing::kNow;
using Kind = Decision::Kind;

/// `rate` requests a second to each pod, all of them between 40 and 60 ms.
void serve(DecideInput& input, double rate) {
  Slo slo;
  slo.name = "latency";
  input.spec.slos = {slo};
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) {
      const double count = 1e6 + rate * to_seconds(sample.at - (kNow - std::chrono::hours(1)));
      const double infinity = std::numeric_limits<double>::infinity();
      sample.latency["latency"] = Histogram({{0.04, 0}, {0.06, count}, {infinity, count}}, count * 0.05);
    });
  }
}

DecideInput input_for(Strategy strategy, const GoService& service = {}) {
  DecideInput input = service.input(kNow);
  input.spec.strategy = strategy;
  input.spec.bounds.min_gogc = 10;
  return input;
}

/// Of PauseFeedback, whose GOGC is 200 here, for pauses far below 5 ms: heaps neither grow nor shrink between the last
/// two readings.
DecideInput pausing(const GoService& service) {
  DecideInput input = input_for(Strategy::kPauseFeedback, service);
  for (PodSeries& pod : input.observed.pods) {
    const Bytes before = pod.samples[pod.samples.size() - 2].mem->heap_alloc;
    pod.samples.change_last([&](Sample& sample) { sample.mem->heap_alloc = before; });
  }
  return input;
}

TEST(LatencyMemoryRate, TakesP99FromTheSloAndGrowthFromTheHeap) {
  DecideInput input = input_for(Strategy::kLatencyMemoryRate);
  serve(input, 200);
  const deciding::Signals signals = deciding::read_signals(input, kNow);
  // All requests lie evenly between 40 and 60 ms.
  EXPECT_NEAR(*signals.p99_ms, 59.8, 1e-6);
  const Sample& last = input.observed.pods[0].samples.back();
  const Sample& before = input.observed.pods[0].samples[input.observed.pods[0].samples.size() - 13];
  EXPECT_EQ(last.at - before.at, std::chrono::seconds(60));
  EXPECT_NEAR(*signals.minute_growth, (last.mem->heap_alloc - before.mem->heap_alloc).value() / 60e6, 1e-9);

  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc->percent(),
            std::lround(deciding::latency_memory_rate(*signals.minute_growth, *signals.p99_ms)));
  EXPECT_FALSE(decision.settings.go_mem_limit);
  EXPECT_EQ(decision.binding, "strategy");
  EXPECT_THAT(decision.message, HasSubstr("p99 59.8 ms"));
}

TEST(LatencyMemoryRate, SaysThatItNeedsAHistogram) {
  const Decision decision = decide(input_for(Strategy::kLatencyMemoryRate), kNow);
  EXPECT_EQ(decision.kind, Kind::kNoData);
  EXPECT_EQ(decision.reason, "StrategyInputMissing");
  EXPECT_THAT(decision.message, HasSubstr("spec.slos[].podHistogram"));
}

TEST(LatencyMemoryRate, NeedsAMinuteOfReadings) {
  GoService service;
  service.seen_for = std::chrono::seconds(30);
  DecideInput input = input_for(Strategy::kLatencyMemoryRate, service);
  serve(input, 200);
  const Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kNoData);
  EXPECT_THAT(decision.message, HasSubstr("growth over 60 s"));
}

TEST(TwoFactor, TakesRequestsPerSecondOfOnePod) {
  DecideInput input = input_for(Strategy::kTwoFactor);
  serve(input, 250);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) { sample.mem->heap_objects = 1000; });
  }
  const deciding::Signals signals = deciding::read_signals(input, kNow);
  EXPECT_NEAR(*signals.requests_per_second, 250, 1e-6);
  const MemStats& mem = *input.observed.pods[0].samples.back().mem;
  EXPECT_NEAR(*signals.heap_utilization, mem.heap_in_use / mem.heap_sys, 1e-9);
  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc->percent(), std::lround(deciding::two_factor(250, *signals.heap_utilization)));
  EXPECT_THAT(decision.message, HasSubstr("forecast of the next pause 0.10 ms"));
}

TEST(PauseFeedback, StartsFromTheGogcInForceAndPutsALimitBehindMoreThan100) {
  GoService service;
  service.settings.gogc = Gogc(110);
  const DecideInput input = pausing(service);
  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc, Gogc(200));  // 220, cut to 200
  EXPECT_EQ(decision.settings.go_mem_limit, mib(460));
}

/// Of WaterLevel: a node of whose memory so much is in use, and requests of 40 to 60 ms.
DecideInput on_a_node(double share, const GoService& service = {}) {
  DecideInput input = input_for(Strategy::kWaterLevel, service);
  serve(input, 200);
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) {
      if (sample.usage) sample.usage->node_share = share;
    });
  }
  return input;
}

TEST(WaterLevel, TightensTheLimitWhereTheNodesMemoryRunsShort) {
  GoService service;
  service.settings.gogc = Gogc(100);
  const Decision first = decide(on_a_node(0.9, service), kNow);
  ASSERT_EQ(first.kind, Kind::kChange) << first.message;
  EXPECT_EQ(first.settings, (Settings{Gogc(100), mib(460)})) << "90 % of 512 MiB, as safe as it may be";
  EXPECT_THAT(first.message, HasSubstr("WaterLevel wants GOGC=100.0 and GOMEMLIMIT at 90% of the container (p99 59.8 "
                                       "ms, 90 % of the node's memory in use)"));
  service.settings = first.settings;
  EXPECT_EQ(decide(on_a_node(0.9, service), kNow).settings.go_mem_limit, mib(384));
  const Decision between = decide(on_a_node(0.8, service), kNow);
  EXPECT_EQ(between.kind, Kind::kKeep) << between.message;
  service.settings.go_mem_limit = mib(384);
  EXPECT_EQ(decide(on_a_node(0.5, service), kNow).settings.go_mem_limit, mib(460));
}

TEST(WaterLevel, LeavesWhatLivesItsMemory) {
  GoService service;
  service.live = mib(300);
  service.settings = {Gogc(100), mib(409)};
  const Decision decision = decide(on_a_node(0.9, service), kNow);
  EXPECT_EQ(decision.settings.go_mem_limit.value_or(mib(409)), mib(409)) << decision.message;
  EXPECT_THAT(decision.message, HasSubstr("and what lives needs its GOMEMLIMIT"));
}

TEST(WaterLevel, SetsNoLimitWhereTheContainerHasNone) {
  GoService service;
  service.settings.gogc = Gogc(30);
  service.container.reset();
  const Decision decision = decide(on_a_node(0.9, service), kNow);
  EXPECT_EQ(decision.settings.gogc, Gogc(100)) << decision.message;
  EXPECT_FALSE(decision.settings.go_mem_limit);
}

TEST(WaterLevel, WaitsUntilTheNodeWasReadWithTheSettingsThatThePodsRun) {
  GoService service;
  service.settings = {Gogc(100), mib(460)};
  service.process_metrics = true;
  DecideInput input = on_a_node(0.9, service);
  ASSERT_TRUE(deciding::read_signals(input, kNow).node_share);
  for (PodSeries& pod : input.observed.pods) {
    // They have had others until the latest reading, and the kubelet has looked before that.
    for (std::size_t i = 0; i + 1 < pod.samples.size(); ++i) {
      pod.samples.change(i, [](Sample& sample) { sample.process->go_mem_limit = mib(470); });
    }
    pod.samples.change_last([](Sample& sample) { sample.usage->at = sample.at - std::chrono::seconds(10); });
  }
  EXPECT_FALSE(deciding::read_signals(input, kNow).node_share);
}

TEST(WaterLevel, GoesByTheFullestNode) {
  DecideInput input = on_a_node(0.5);
  input.observed.pods[1].samples.change_last([](Sample& sample) { sample.usage->node_share = 0.87; });
  EXPECT_EQ(deciding::read_signals(input, kNow).node_share, 0.87);
}

TEST(PublishedFormulas, CountALimitAboveTheContainersForNone) {
  GoService service;
  service.settings = {Gogc(110), mib(600)};
  const DecideInput input = pausing(service);
  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc, Gogc(200));
  EXPECT_EQ(decision.settings.go_mem_limit, mib(460)) << "and not the 600 MiB of a time when there were more";
}

TEST(PublishedFormulas, DoNotWaitWhereTheLimitInForceCannotHold) {
  const auto in_cool_down = [](double limit) {
    GoService service;
    service.settings = {Gogc(150), mib(limit)};
    DecideInput input = pausing(service);
    input.memory.cool_down_until = kNow + std::chrono::hours(5);
    return decide(input, kNow);
  };
  for (const double too_high : {600, 490}) {
    const Decision decision = in_cool_down(too_high);
    EXPECT_EQ(decision.kind, Kind::kChange) << decision.message;
    EXPECT_TRUE(decision.urgent);
    EXPECT_EQ(decision.settings.go_mem_limit, mib(460));
    EXPECT_THAT(decision.message, HasSubstr("so nothing stops the heap in time."));
  }
  EXPECT_EQ(in_cool_down(460).reason, "CoolDown");
}

TEST(PublishedFormulas, KeepWithinThePersonsBounds) {
  DecideInput input = input_for(Strategy::kTwoFactor);
  input.spec.bounds.min_gogc = 50;
  serve(input, 10);
  const Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.settings.gogc, Gogc(50));
  EXPECT_EQ(decision.binding, "bounds.minAllowed.gogc");
}

TEST(PublishedFormulas, KeepTheLimitWithinThePersonsBounds) {
  GoService service;
  service.settings = {Gogc(110), mib(440)};
  DecideInput input = pausing(service);
  input.spec.bounds.max_go_mem_limit_percent = 50;
  Decision decision = decide(input, kNow);
  EXPECT_EQ(describe(decision.settings), "GOGC=200 GOMEMLIMIT=256MiB") << decision.message;
  EXPECT_FALSE(decision.urgent) << "the container could hold it";

  service.settings.go_mem_limit = mib(200);
  input = pausing(service);
  input.spec.bounds.min_go_mem_limit = mib(300);
  decision = decide(input, kNow);
  EXPECT_EQ(describe(decision.settings), "GOGC=200 GOMEMLIMIT=300MiB") << decision.message;
  input.spec.bounds.min_go_mem_limit = mib(461);
  decision = decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "BoundsUnsatisfiable");
  EXPECT_EQ(decision.settings, service.settings);
  EXPECT_THAT(decision.message, HasSubstr("safe in this container is 460MiB"));
}

TEST(PublishedFormulas, KeepALimitThatNoneCanTakeThePlaceOf) {
  GoService service;
  service.container = mib(240);
  service.settings = {Gogc(110), mib(180)};
  DecideInput input = pausing(service);
  input.spec.bounds.max_go_mem_limit_percent = 25;  // 60 MiB, and 64 live
  const Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "NeedsMemory");
  EXPECT_EQ(decision.settings, service.settings);
  EXPECT_GT(decision.needs_memory, mib(240));
}

TEST(PublishedFormulas, GiveNoGogcAbove100WithoutALimit) {
  GoService service;
  service.container.reset();
  service.settings.gogc = Gogc(60);
  const DecideInput input = pausing(service);
  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc, Gogc(100));
  EXPECT_FALSE(decision.settings.go_mem_limit);
  EXPECT_EQ(decision.binding, "no memory limit on the container");
}

TEST(PublishedFormulas, AreNotTriedAgainWhereATrialFailed) {
  DecideInput input = input_for(Strategy::kTwoFactor);
  serve(input, 10);
  const Decision first = decide(input, kNow);
  ASSERT_EQ(first.kind, Kind::kChange);
  input.memory.banned.push_back({first.settings, "aaaa", "LatencyRegression", kNow});
  EXPECT_EQ(decide(input, kNow).reason, "Banned");
}

TEST(PublishedFormulas, AreNotTriedWhereTheyWouldDoubleTheCpu) {
  GoService service;
  service.settings = {Gogc(400), mib(460)};
  service.gc_seconds_per_cycle = 0.3;
  DecideInput input = input_for(Strategy::kTwoFactor, service);
  serve(input, 10);
  const Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep) << decision.message;
  EXPECT_EQ(decision.reason, "NotWorthIt");
  EXPECT_EQ(decision.settings, service.settings);
  EXPECT_THAT(decision.message, HasSubstr("% more CPU than is used now. Raise bounds.minAllowed.gogc"));
}

TEST(PublishedFormulas, CoolDownLikeTheOthers) {
  DecideInput input = input_for(Strategy::kTwoFactor);
  serve(input, 10);
  input.memory.cool_down_until = kNow + std::chrono::hours(1);
  const Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.reason, "CoolDown");
  EXPECT_TRUE(decision.recommended);
}

TEST(GoVersion, KnowsSinceWhenThereIsAMemoryLimit) {
  for (const char* const old : {"go1.18", "go1.18.10", "go1.9", "go1.17.3 X:foo"}) {
    EXPECT_FALSE(deciding::knows_memory_limit(old)) << old;
  }
  for (const char* const current : {"go1.19", "go1.19.2", "go1.26rc1", "", "devel go1.27-abc", "go2.0"}) {
    EXPECT_TRUE(deciding::knows_memory_limit(current)) << current;
  }
}

class OldGo : public ::testing::Test {
 protected:
  static DecideInput input_of(GoService service) {
    service.process_metrics = true;
    DecideInput input = service.input(kNow);
    for (PodSeries& pod : input.observed.pods) {
      pod.samples.change_each([&](Sample& sample) {
        sample.process->go_version = "go1.18.4";
        sample.process->gogc.reset();
        sample.process->go_mem_limit.reset();
      });
    }
    return input;
  }
};

TEST_F(OldGo, GetsNoGomemlimit) {
  GoService service;
  service.settings.gogc = Gogc(50);
  const Decision decision = decide(input_of(service), kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(decision.settings.gogc, Gogc(100));
  EXPECT_FALSE(decision.settings.go_mem_limit);
  EXPECT_EQ(decision.binding, "Go older than 1.19");
}

TEST_F(OldGo, IsToldWhatWouldHelp) {
  const Decision decision = decide(input_of(GoService{}), kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_THAT(decision.message, HasSubstr("build the program with Go 1.19 or later"));
}

TEST_F(OldGo, KeepsAGogcThatNothingStops) {
  GoService service;
  service.settings.gogc = Gogc(300);
  const Decision decision = decide(input_of(service), kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "NoMemoryLimit");
  EXPECT_EQ(decision.message,
            "Nothing is behind GOGC=300 that would stop the heap: build the program with Go 1.19 or later, which has "
            "GOMEMLIMIT. Until then nothing is changed.");
}

TEST_F(OldGo, IsRefusedAFixedGomemlimit) {
  DecideInput input = input_of(GoService{});
  input.spec.strategy = Strategy::kFixed;
  input.spec.fixed.go_mem_limit = mib(400);
  const Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_THAT(decision.message, HasSubstr("go1.18.4, which has no GOMEMLIMIT"));
}

TEST_F(OldGo, IsNotThoughtToHeedTheVariable) {
  GoService service;
  service.settings.go_mem_limit = mib(100);  // would rule if it were known
  DecideInput input = input_of(service);
  GoService without;
  const DecideInput real = input_of(without);
  for (std::size_t i = 0; i < input.observed.pods.size(); ++i)
    input.observed.pods[i].samples = real.observed.pods[i].samples;
  const Decision decision = decide(input, kNow);
  ASSERT_TRUE(decision.estimate);
  EXPECT_FALSE(decision.estimate->limit_rules);
  EXPECT_EQ(decision.settings.go_mem_limit, mib(100));
}

}  // namespace
}  // namespace gopacer
