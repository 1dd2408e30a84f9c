#include "control/observation_feed.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "fakes/fake_clock.h"
#include "fakes/scripted_fetcher.h"
#include "observe/scraper.h"
#include "source_dir.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::IsEmpty;

const ObjectKey kKey{"shop", "checkout"};

class ObservationFeedTest : public testing::Test {
 protected:
  ObservationFeedTest() {
    ScraperOptions options;
    options.random = [] { return 0.0; };
    scraper_ = std::make_unique<Scraper>(fetcher_, clock_, nullptr, nullptr, options);
    feed_ = std::make_unique<ObservationFeed>(*scraper_);
    std::ifstream file(in_source("tests/data/go/go1.26.vars.json"), std::ios::binary);
    fetcher_.on("10.0.0.1/debug/vars", {std::string(std::istreambuf_iterator<char>(file), {})});

    Pod pod;
    pod.key = {"shop", "checkout-1"};
    pod.uid = "p1";
    pod.ip = "10.0.0.1";
    pod.phase = "Running";
    pod.containers.emplace_back();
    pod.containers.back().name = "app";
    desired_.key = kKey;
    desired_.profile = std::make_shared<Profile>();
    desired_.container = "app";
    desired_.pods = {{std::make_shared<Pod>(pod), Track::kStable}};
  }

  void pass(Duration time) {
    clock_.advance(time);
    scraper_->run_due();
    fetcher_.answer_all();
  }
  Observation observe() const { return feed_->snapshot(kKey, clock_.now()); }

  FakeClock clock_{Time(seconds(1'800'000'000))};
  ScriptedFetcher fetcher_;
  std::unique_ptr<Scraper> scraper_;
  std::unique_ptr<ObservationFeed> feed_;
  Desired desired_;
};

TEST_F(ObservationFeedTest, KeepsWhatTheGuardLooksBackOn) {
  Profile profile;
  Slo slo;
  slo.max_for = std::chrono::hours(1);
  profile.spec.slos = {slo};
  desired_.profile = std::make_shared<Profile>(profile);
  EXPECT_EQ(scrape_plan(desired_).keep, kShortestHistory);
  profile.spec.rollback.guard = true;
  desired_.profile = std::make_shared<Profile>(profile);
  EXPECT_EQ(scrape_plan(desired_).keep, kShortestHistory) << "there is no promise";
  profile.spec.slos[0].max = 1;
  desired_.profile = std::make_shared<Profile>(profile);
  EXPECT_EQ(scrape_plan(desired_).keep, minutes(80));
}

TEST_F(ObservationFeedTest, ReadsThePodsOfAProfile) {
  feed_->follow(desired_);
  pass(seconds(0));
  ASSERT_EQ(observe().pods.size(), 1U);
  EXPECT_EQ(observe().pods[0].samples.size(), 1U);
}

TEST_F(ObservationFeedTest, AsksNothingOfANodeUnlessTheProfileSaysSo) {
  Pod pod = *desired_.pods[0].pod;
  pod.host_network = true;
  desired_.pods[0].pod = std::make_shared<Pod>(pod);
  Profile profile = *desired_.profile;
  profile.spec.slos.resize(1);
  desired_.profile = std::make_shared<Profile>(profile);
  feed_->follow(desired_);
  pass(seconds(15));
  EXPECT_THAT(fetcher_.log, IsEmpty());
  ASSERT_EQ(observe().pods.size(), 1U);
  EXPECT_THAT(observe().pods[0].error, testing::HasSubstr("shop/checkout-1 uses its node's network"));
  EXPECT_THAT(observe().pods[0].error, testing::HasSubstr("spec.runtimeMetrics.allowHostNetwork: true"));

  auto allowed = std::make_shared<Profile>(*desired_.profile);
  allowed->spec.metrics.allow_host_network = true;
  desired_.profile = allowed;
  feed_->follow(desired_);
  pass(seconds(15));
  EXPECT_EQ(observe().pods[0].samples.size(), 1U);
  EXPECT_EQ(observe().pods[0].error, "");
}

TEST_F(ObservationFeedTest, ReadsNothingForAProfileWhoseTargetIsAnothers) {
  feed_->follow(desired_);
  pass(seconds(0));
  const std::size_t before = fetcher_.log.size();
  desired_.rival = std::make_shared<Profile>();
  feed_->follow(desired_);
  pass(seconds(15));
  EXPECT_EQ(fetcher_.log.size(), before);
  EXPECT_THAT(observe().pods, IsEmpty());
  EXPECT_EQ(scraper_->probe().history_bytes, 0U);
}

TEST_F(ObservationFeedTest, GoesOnReadingForATrialWhoseProfileLostItsTarget) {
  auto trial = std::make_shared<Trial>();
  desired_.trial = trial;
  desired_.rival = std::make_shared<Profile>();
  feed_->follow(desired_);
  pass(seconds(0));
  EXPECT_EQ(observe().pods.size(), 1U);
}

TEST_F(ObservationFeedTest, KeepsAPointOfTheLongRowEveryTenMinutes) {
  feed_->follow(desired_);
  EXPECT_EQ(observe().long_row, nullptr);
  for (int i = 0; i < 4 * 35; ++i) {
    pass(seconds(15));
    observe();
  }
  const auto row = observe().long_row;
  ASSERT_EQ(row->size(), 4U);
  EXPECT_EQ((*row)[1].at - (*row)[0].at, minutes(10));
  EXPECT_GT(*(*row)[0].heap_goal, 0);
  feed_->forget(kKey);
  EXPECT_EQ(observe().long_row, nullptr);
}

TEST_F(ObservationFeedTest, AsksTheAgentWhereSettingsAreSetLive) {
  Profile profile;
  const auto plan = [&] {
    desired_.profile = std::make_shared<Profile>(profile);
    return scrape_plan(desired_);
  };
  EXPECT_EQ(plan().endpoint.source, RuntimeSource::kPages);
  EXPECT_NE(plan().profiling, Profiling::kNever);
  profile.spec.metrics.source = RuntimeSource::kAgent;
  EXPECT_EQ(plan().endpoint.source, RuntimeSource::kAgent);
  EXPECT_EQ(plan().profiling, Profiling::kBackground) << "which is welcome where the program serves it";
  profile.spec.metrics.source = RuntimeSource::kPages;
  profile.spec.apply = ApplyMode::kLive;
  EXPECT_EQ(plan().endpoint.source, RuntimeSource::kAgent);
  desired_.trial = std::make_shared<Trial>();
  EXPECT_EQ(plan().profiling, Profiling::kNever);
}

TEST_F(ObservationFeedTest, ReadsSeveralTimesInEachBlockThoseThatTakeTurns) {
  Profile profile;
  profile.spec.apply = ApplyMode::kLive;
  profile.spec.metrics.interval = seconds(15);
  desired_.profile = std::make_shared<Profile>(profile);
  const std::string uid = desired_.pods.front().pod->uid;
  const auto every = [&](Duration block, const std::string& takes_part) {
    Trial trial;
    trial.spec.live = LivePlan{block};
    trial.spec.canary.interval = 2 * block;
    trial.spec.container = desired_.container;
    trial.status.arm_pods = {takes_part};
    desired_.trial = std::make_shared<Trial>(trial);
    return scrape_plan(desired_).pods.front().every;
  };
  EXPECT_EQ(every(seconds(16), uid), seconds(2));
  EXPECT_EQ(every(seconds(16), uid + "#2"), seconds(2)) << "it was restarted before";
  EXPECT_EQ(every(seconds(1), uid), kShortestTurn);
  EXPECT_EQ(every(seconds(16), "another"), seconds(0));
}

TEST_F(ObservationFeedTest, KnowsWhatTheAgentsKeepInForce) {
  Profile profile;
  profile.spec.apply = ApplyMode::kLive;
  profile.memory.applied = Settings{Gogc(200), std::nullopt};
  profile.memory.applied_beside = Settings{};
  profile.memory.applied_uid = "target-uid";
  profile.memory.applied_container = "app";
  auto target = std::make_shared<Workload>();
  target->uid = "target-uid";
  desired_.target = target;
  const auto settings = [&] {
    desired_.profile = std::make_shared<Profile>(profile);
    return scrape_plan(desired_).pods.at(0).settings;
  };
  EXPECT_EQ(settings(), *profile.memory.applied);
  profile.memory.applied_container = "sidecar";
  EXPECT_EQ(settings(), Settings{});
  profile.memory.applied_container = "app";
  profile.memory.applied_beside = Settings{Gogc(80), std::nullopt};
  EXPECT_EQ(settings(), Settings{}) << "the pod was started with another template";
  profile.memory.applied_beside = Settings{};
  profile.spec.apply = ApplyMode::kRestart;
  profile.spec.metrics.source = RuntimeSource::kAgent;
  EXPECT_EQ(settings(), Settings{}) << "the agents set nothing";
}

TEST(ScrapePlan, KeepsSamplesForTheWindowsOfATrial) {
  Desired desired;
  EXPECT_EQ(scrape_plan(desired).keep, kShortestHistory);
  auto trial = std::make_shared<Trial>();
  trial->spec.canary.interval = minutes(10);
  desired.trial = trial;
  EXPECT_EQ(scrape_plan(desired).keep, minutes(40));
}

}  // namespace
}  // namespace gopacer
