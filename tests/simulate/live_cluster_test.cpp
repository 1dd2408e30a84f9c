// Node agents and the processes that they set, in simulation.
#include <gmock/gmock.h>

#include <cmath>

#include "simulate/api_server.h"
#include "simulate/cluster.h"

namespace gopacer::simulating {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const Time kBegin{hours(24 * 365 * 54)};
const Settings kTried{Gogc(300), mib(400)};

/// One pod, and a trial whose turn it is.
struct LivePod {
  RolloutWorld world = one_pod();
  Random random{1};
  Cluster cluster{world, random};
  ApiServer api;

  LivePod() {
    Profile profile;
    profile.key = {"shop", "checkout"};
    profile.uid = "profile";
    profile.spec.target = "checkout";
    profile.spec.update_mode = UpdateMode::kCanary;
    profile.spec.apply = ApplyMode::kLive;
    profile.memory.active_trial = trial_name("checkout", 1);
    api.objects.profile = std::make_shared<const Profile>(profile);
    api.objects.target = std::make_shared<const Workload>(new_workload("checkout", "target-1", 1));
    cluster.settle(api, kBegin);
    TrialSpec spec;
    spec.profile = "checkout";
    spec.profile_uid = "profile";
    spec.container = "app";
    spec.number = 1;
    spec.to = kTried;
    spec.live = LivePlan{seconds(8)};
    EXPECT_TRUE(api.create_trial(spec, kBegin));
    has_turn(true);
  }

  static RolloutWorld one_pod() {
    RolloutWorld world;
    world.placement = Placement::kWithinPods;
    world.replicas = 1;
    return world;
  }

  void has_turn(bool now) {
    TrialStatus status;
    status.phase = TrialPhase::kMeasuring;
    status.live = LiveTurn{kBegin, 0, {}, kBegin};
    if (now) status.live->pods = {pod().series().uid};
    EXPECT_TRUE(api.write_status(api.objects.trials.back(), status));
  }

  const ServingPod& pod() const { return cluster.pods().front().pod; }
  Settings after(Duration time) {
    cluster.obey(api.objects, kBegin + time);
    return pod().runs();
  }
};

TEST(SimulatedAgent, SetsWhoseTurnItIs) {
  LivePod live;
  EXPECT_EQ(live.after(seconds(3)), kTried);
  EXPECT_EQ(live.pod().series().settings, Settings{}) << "the template stays as it is";
  live.has_turn(false);
  EXPECT_EQ(live.after(seconds(4)), Settings{});
}

TEST(SimulatedAgent, TakesBackWhatNobodyCaresFor) {
  LivePod live;
  EXPECT_EQ(live.after(seconds(3)), kTried);
  EXPECT_EQ(live.after(seconds(10)), kTried);
  EXPECT_EQ(live.after(seconds(14)), Settings{}) << "the lease is over";
}

TEST(SimulatedAgent, TakesBackWhatItHearsNothingOf) {
  LivePod live;
  EXPECT_EQ(live.after(seconds(3)), kTried);
  live.cluster.deafen_agent(kBegin + seconds(60));
  live.has_turn(true);
  EXPECT_EQ(live.after(seconds(14)), Settings{});
}

TEST(SimulatedAgent, LeavesWhatItHadSetWhenItIsKilled) {
  LivePod live;
  EXPECT_EQ(live.after(seconds(3)), kTried);
  live.cluster.lose_agent(kBegin + seconds(60), false);
  EXPECT_EQ(live.after(seconds(50)), kTried);
  live.has_turn(false);
  EXPECT_EQ(live.after(seconds(61)), Settings{}) << "its successor takes it back";
}

TEST(SimulatedAgent, PutsBackWhatPodsHadBeforeItEnds) {
  LivePod live;
  EXPECT_EQ(live.after(seconds(3)), kTried);
  live.cluster.lose_agent(kBegin + seconds(60), true);
  EXPECT_EQ(live.after(seconds(4)), Settings{});
}

TEST(SimulatedAgent, FindsTheNextProcessOfAContainer) {
  LivePod live;
  EXPECT_EQ(live.after(seconds(3)), kTried);
  live.cluster.restart(Track::kStable, kBegin + seconds(4), false);
  EXPECT_EQ(live.after(seconds(4)), Settings{}) << "it has not found the process yet";
  EXPECT_EQ(live.after(seconds(7)), kTried);
}

TEST(ServingPod, EndsTheCycleThatRunsAsItBegan) {
  Random random(1);
  ServingPod pod("pod-1", Track::kStable, {}, kBegin, "node-1");
  const double old_volume = cycle_volume({});
  ASSERT_GT(cycle_volume(kTried), 2 * old_volume);
  const auto allocate = [&](double cycles) {
    Serving serving;
    serving.requests = cycles * old_volume / kAllocatedPerRequest;
    serving.median_latency = 0.02;
    serving.cpu_of_request = 0.004;
    serving.gc_share = 0.15;
    serving.one_by_one = true;
    pod.serve(kBegin, serving, random);
    return pod.series().samples.back().mem->num_gc;
  };
  const auto before = allocate(20.5);
  pod.set(kTried);
  EXPECT_EQ(pod.series().samples.back().process->gogc, Gogc(100));
  EXPECT_EQ(allocate(1.5), before + 1) << "the one that ran, and none of the new, larger ones";
  EXPECT_EQ(pod.series().samples.back().process->gogc, Gogc(300)) << "which is in force all the same";
}

TEST(FineNoise, ShowsTheSameInWindows) {
  const double autocorrelation = 0.3;
  const FineNoise noise = finer(autocorrelation, seconds(15));
  Random random(1);
  std::normal_distribution<double> normal;
  constexpr int kSteps = 60;  // of a window
  const double rho = std::exp(-15.0 / kSteps / noise.seconds);
  double moment = 0;
  double last = 0;
  double squares = 0;
  double products = 0;
  constexpr int kWindows = 20'000;
  for (int window = 0; window < kWindows; ++window) {
    double mean = 0;
    for (int i = 0; i < kSteps; ++i) {
      moment = rho * moment + std::sqrt(1 - rho * rho) * noise.spread * normal(random);
      mean += moment / kSteps;
    }
    squares += mean * mean;
    products += mean * last;
    last = mean;
  }
  EXPECT_NEAR(std::sqrt(squares / kWindows), 1, 0.03);
  EXPECT_NEAR(products / squares, autocorrelation, 0.03);
}

}  // namespace
}  // namespace gopacer::simulating
