#include "judge/hard_stops.h"

#include <gmock/gmock.h>

#include "judge/trial_pods.h"

namespace gopacer::judging {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using testing::kStart;

PodSeries pod_named(const std::string& name) {
  PodSeries pod;
  pod.pod = name;
  pod.memory_limit = mib(1000);
  return pod;
}

/// A target that never restarted, watched for an hour.
const UsualRestarts kNone{0, std::chrono::hours(1)};

PodSeries restarted(const std::string& name, int times) {
  PodSeries pod = pod_named(name);
  pod.restarts = times;
  return pod;
}

TEST(Killed, NamesThePodAndItsLimit) {
  PodSeries well = pod_named("well");
  PodSeries dead = pod_named("dead");
  dead.oom_killed = true;
  dead.settings.gogc = Gogc(300);
  const auto stop = killed({&well, &dead}, {}, kNone);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, "OOMKilled");
  EXPECT_THAT(stop->message, HasSubstr("Pod dead was killed"));
  EXPECT_THAT(stop->message, HasSubstr("(limit 1000.0MiB) with GOGC=300"));
  dead.memory_limit.reset();
  EXPECT_THAT(killed({&dead}, {}, kNone)->message, Not(HasSubstr("limit")));
}

TEST(Killed, HoldsNoMemoryAgainstOneArmThatTheOtherLacksAsWell) {
  PodSeries dead = pod_named("dead");
  dead.oom_killed = true;
  EXPECT_TRUE(killed({&dead}, {}, kNone));
  EXPECT_FALSE(killed({&dead}, {&dead}, kNone));
}

TEST(Killed, TakesAStrayRestartForNoHarm) {
  const PodSeries never = restarted("never", 0);
  const PodSeries once = restarted("once", 1);
  const PodSeries twice = restarted("twice", 2);
  EXPECT_FALSE(killed({&never}, {}, kNone));
  EXPECT_FALSE(killed({&once}, {}, kNone));
  EXPECT_FALSE(killed({&once, &never}, {&never}, kNone));
  const auto stop = killed({&twice}, {}, kNone);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, "Restarted");
  EXPECT_THAT(stop->message, HasSubstr("Pods restarted 2 times"));
  EXPECT_THAT(stop->message, HasSubstr("twice most often"));
}

TEST(Killed, ComparesWithTheOtherArmAndWithWhatTheTargetIsUsedTo) {
  const PodSeries thrice = restarted("thrice", 3);
  EXPECT_TRUE(killed({&thrice}, {}, kNone));
  EXPECT_FALSE(killed({&thrice}, {&thrice}, kNone));
  EXPECT_FALSE(killed({&thrice}, {}, {24, hours(1)})) << "one an hour is usual";
  EXPECT_FALSE(killed({&thrice}, {}, {0, hours(24)})) << "one a day and pod is chance";
}

TEST(Killed, ExpectsOfEachPodWhatBefellThoseOfTheOtherArm) {
  const PodSeries never = restarted("never", 0);
  const PodSeries once = restarted("once", 1);
  const PodSeries twice = restarted("twice", 2);
  const PodSeries often = restarted("often", 6);
  EXPECT_TRUE(killed({&twice}, {&never}, kNone));
  EXPECT_FALSE(killed({&twice}, {&once}, kNone)) << "an outage ends both again and again";
  EXPECT_TRUE(killed({&often}, {&once}, kNone));
  const Arm large(40, &once);
  EXPECT_FALSE(killed(large, {&once}, kNone)) << "an outage ended each of them once";
  EXPECT_TRUE(killed(large, {&never}, kNone));
  EXPECT_TRUE(killed(large, {&once, &never, &never, &never}, kNone)) << "of the others it ended one in four";
}

TEST(Killed, ExcusesNothingByWhatHappensWhileTheOtherArmStartsUp) {
  PodSeries starting = restarted("starting", 9);
  starting.created = Time(hours(1));
  starting.started = starting.created + minutes(1);
  PodSeries thrice = restarted("thrice", 3);
  thrice.created = starting.created;
  thrice.started = thrice.created + minutes(10);
  UsualRestarts usual = kNone;
  usual.start_up = minutes(2);
  EXPECT_TRUE(killed({&thrice}, {&starting}, usual));
  starting.started = Time{};
  EXPECT_FALSE(killed({&thrice}, {&starting}, usual)) << "it waits for its next restart";
}

TEST(Killed, AddsRestartsThatThePodsDoNotShow) {
  const PodSeries once = restarted("once", 1);
  UsualRestarts usual = kNone;
  usual.before = 1;
  const auto stop = killed({&once}, {}, usual);
  ASSERT_TRUE(stop);
  EXPECT_THAT(stop->message, HasSubstr("Pods restarted 2 times"));
  EXPECT_FALSE(killed({}, {}, usual)) << "nobody is there who could be blamed";
}

TEST(Killed, CountsNoExitsWhileAPodStartsUp) {
  PodSeries pod = restarted("waits-for-its-proxy", 3);
  pod.created = Time(hours(1));
  pod.started = pod.created + minutes(2) - seconds(1);
  UsualRestarts usual = kNone;
  EXPECT_TRUE(killed({&pod}, {}, usual));
  usual.start_up = minutes(2);
  EXPECT_FALSE(killed({&pod}, {}, usual));
  pod.started += seconds(1);
  EXPECT_TRUE(killed({&pod}, {}, usual)) << "it still does not come up";
}

TEST(Killed, TakesForChanceWhatHappensOnceInAHundredTimes) {
  // Two or more where 0.125 are to be expected: 0.7 %; where 0.167 are: 1.2 %.
  const PodSeries twice = restarted("twice", 2);
  EXPECT_TRUE(killed({&twice}, {}, {0, hours(3)}));
  EXPECT_FALSE(killed({&twice}, {}, {0, hours(4)}));
  EXPECT_TRUE(killed({&twice}, {}, {2, hours(1)}));
  EXPECT_FALSE(killed({&twice}, {}, {3, hours(1)}));
}

TEST(Killed, CountsTheFirstMinutesForAnHour) {
  const PodSeries twice = restarted("twice", 2);
  EXPECT_TRUE(killed({&twice}, {}, {2, seconds(1)})) << "0.125 are to be expected in an hour";
  EXPECT_FALSE(killed({&twice}, {}, {3, seconds(1)})) << "and here 0.167";
}

TEST(Killed, SaysHowManyRestartsWereToBeExpectedOfAllPods) {
  const PodSeries often = restarted("often", 12);
  const PodSeries never = restarted("never", 0);
  const auto stop = killed({&never, &often}, {&never}, {0.5, hours(24)});
  ASSERT_TRUE(stop);
  EXPECT_THAT(stop->message, HasSubstr("Pods restarted 12 times"));
  EXPECT_THAT(stop->message, HasSubstr("often most often, where 3.0 were to be expected; see kubectl logs"));
}

TEST(Killed, SeesOnePodThatNeverComesUpAmongManyThatDo) {
  std::vector<PodSeries> pods(50, restarted("well", 0));
  const auto stop = [&] {
    Arm arm;
    for (const PodSeries& pod : pods) arm.push_back(&pod);
    return killed(arm, {}, kNone);
  };
  for (std::size_t i = 0; i < 3; ++i) pods[i].restarts = 1;
  EXPECT_FALSE(stop()) << "of fifty pods in an hour, two are to be expected";
  pods[0].restarts = 4;
  EXPECT_TRUE(stop());
  for (PodSeries& pod : pods) pod.restarts = 0;
  pods[0].restarts = 2;
  EXPECT_FALSE(stop()) << "of fifty pods, one or another does so by chance in one hour of twenty-four";
}

Sample using_memory(Time at, std::optional<Bytes> anonymous, Bytes working_set, std::optional<Bytes> limit) {
  Sample sample;
  sample.at = at;
  sample.usage.emplace();
  sample.usage->anonymous = anonymous;
  sample.usage->working_set = working_set;
  sample.usage->limit = limit;
  return sample;
}

TEST(MemoryNearTheLimit, IsTheLatestAnonymousMemoryAboveNinetyThreePercent) {
  PodSeries pod = pod_named("p");
  pod.samples.push_back(using_memory(kStart, mib(930), mib(999), {}));
  EXPECT_FALSE(near_memory_limit({&pod}, 0)) << "at 93 %, however large the page cache is";
  pod.samples.push_back(using_memory(kStart + seconds(5), mib(931), mib(999), {}));
  const auto stop = near_memory_limit({&pod}, 0);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, "MemoryNearLimit");
  EXPECT_THAT(stop->message,
              HasSubstr("931.0MiB of memory that can't be given back, 93.1 % of its container's limit of 1000.0MiB"));
  pod.samples.push_back({});
  EXPECT_TRUE(near_memory_limit({&pod}, 0)) << "a reading without memory takes nothing back";
  pod.samples.push_back(using_memory(kStart + seconds(10), mib(500), mib(999), {}));
  EXPECT_FALSE(near_memory_limit({&pod}, 0));
}

TEST(MemoryNearTheLimit, GoesByTheWorkingSetWhereThatIsAllThereIs) {
  PodSeries pod = pod_named("p");
  pod.samples.push_back(using_memory(kStart, {}, mib(940), {}));
  const auto stop = near_memory_limit({&pod}, 0);
  ASSERT_TRUE(stop);
  EXPECT_THAT(stop->message, HasSubstr("940.0MiB of memory (working set), 94.0 %"));
}

TEST(MemoryNearTheLimit, GoesByTheLimitThatTheContainerReallyHas) {
  PodSeries pod = pod_named("p");
  pod.samples.push_back(using_memory(kStart, mib(600), mib(600), mib(640)));
  EXPECT_TRUE(near_memory_limit({&pod}, 0)) << "93.75 % of 640 MiB";
  pod.samples.change_last([](Sample& sample) { sample.usage->limit.reset(); });
  EXPECT_FALSE(near_memory_limit({&pod}, 0)) << "60 % of what the spec has";
  pod.memory_limit.reset();
  EXPECT_FALSE(near_memory_limit({&pod}, 0)) << "without a limit nothing is near it";
  pod.memory_limit = Bytes(0);
  EXPECT_FALSE(near_memory_limit({&pod}, 0));
}

TEST(MemoryNearTheLimit, IsNoHarmWhereAnyOtherHasAsMuch) {
  PodSeries full = pod_named("full");
  full.samples.push_back(using_memory(kStart, mib(950), mib(950), {}));
  PodSeries small = pod_named("small");
  small.samples.push_back(using_memory(kStart, mib(300), mib(300), {}));
  EXPECT_TRUE(near_memory_limit({&small, &full}, memory_share({&small})));
  EXPECT_FALSE(near_memory_limit({&full}, memory_share({&small, &full})));
  PodSeries fuller = pod_named("fuller");
  fuller.samples.push_back(using_memory(kStart, mib(965), mib(965), {}));
  EXPECT_TRUE(near_memory_limit({&fuller}, memory_share({&full})));
}

TEST(MemoryNearLimit, IsNotWhatTwoReadingsOfEqualPodsDifferBy) {
  PodSeries usual = pod_named("usual");
  usual.samples.push_back(using_memory(kStart, mib(937), mib(937), {}));
  const double share = memory_share({&usual});
  PodSeries noisy = pod_named("noisy");
  noisy.samples.push_back(using_memory(kStart, mib(946), mib(946), {}));
  EXPECT_FALSE(near_memory_limit({&noisy}, share));
  PodSeries fuller = pod_named("fuller");
  fuller.samples.push_back(using_memory(kStart, mib(960), mib(960), {}));
  EXPECT_TRUE(near_memory_limit({&fuller}, share));
}

/// Two readings with `collections` between them, each after `volume` bytes, over a live heap of `live`.
PodSeries collecting(const std::string& name, std::uint32_t collections, Bytes volume, Bytes live) {
  PodSeries pod = pod_named(name);
  Sample sample;
  sample.at = kStart;
  sample.mem.emplace();
  sample.mem->num_gc = 10;
  sample.mem->next_gc = live + volume;
  pod.samples.push_back(sample);
  sample.at = kStart + seconds(10);
  sample.mem->num_gc = 10 + collections;
  sample.mem->total_alloc = volume * collections;
  pod.samples.push_back(sample);
  return pod;
}

TEST(RunawayCollection, IsNoneWhereTheLiveHeapHasChanged) {
  const Window window{kStart, kStart + seconds(10)};
  // GOGC=50 throughout, and a live heap of 100 MiB before and 200 MiB after, or the other way round.
  PodSeries grown = collecting("grown", 10, mib(60), mib(90));
  grown.samples.change_last([](Sample& sample) { sample.mem->next_gc = mib(300); });
  EXPECT_FALSE(collection_runs_away({&grown}, {}, window));
  PodSeries shrunk = collecting("shrunk", 10, mib(60), mib(240));
  shrunk.samples.change_last([](Sample& sample) { sample.mem->next_gc = mib(150); });
  EXPECT_FALSE(collection_runs_away({&shrunk}, {}, window));
}

TEST(RunawayCollection, IsWhereCyclesAreShorterThanThreeTenthsOfWhatLives) {
  const Window window{kStart, kStart + seconds(10)};
  const PodSeries at = collecting("at", 10, mib(30), mib(100));
  const PodSeries below = collecting("below", 10, mib(29), mib(100));
  EXPECT_FALSE(collection_runs_away({&at}, {}, window));
  const auto stop = collection_runs_away({&at, &below}, {&at}, window);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->reason, "GcTooFrequent");
  EXPECT_THAT(stop->message, HasSubstr("Pod below collects garbage each time that 29.0MiB were allocated, only 0.29 of "
                                       "its live heap of 100.0MiB"));
  EXPECT_THAT(stop->message, HasSubstr("; below 0.3 collecting runs away."));
  EXPECT_FALSE(collection_runs_away({&below}, {&at, &below}, window)) << "it is so with the old settings too";
  const PodSeries unread = pod_named("unread");
  EXPECT_FALSE(collection_runs_away({&unread}, {}, window));
  EXPECT_TRUE(collection_runs_away({&unread, &below}, {&unread}, window));
}

TEST(RunawayCollection, IsWhereTheRuntimeHoldsOnlyThisArmBack) {
  const Window window{kStart, kStart + seconds(10)};
  const auto pod = [](const std::string& name, double limited_cycle) {
    PodSeries out = pod_named(name);
    Sample sample;
    sample.process.emplace();
    for (const double cycle : {0.0, limited_cycle}) {
      sample.at = kStart + (out.samples.empty() ? seconds(0) : seconds(10));
      sample.process->limited_cycle = cycle;
      out.samples.push_back(sample);
    }
    return out;
  };
  const PodSeries limited = pod("limited", 9);
  const PodSeries free = pod("free", 0);
  EXPECT_EQ(collection_runs_away({&free, &limited}, {&free}, window).value().reason, "GcLimited");
  EXPECT_FALSE(collection_runs_away({&free}, {&free}, window));
  EXPECT_FALSE(collection_runs_away({&free}, {&limited}, window));
  EXPECT_FALSE(collection_runs_away({&limited}, {&free, &limited}, window)) << "it is so with the old settings too";
}

TEST(SelfTuned, IsAPodWhoseLatestWordIsOfOtherSettings) {
  const auto pod = [](Settings has, Settings runs) {
    PodSeries out = pod_named("p");
    out.settings = has;
    Sample sample;
    sample.process.emplace();
    sample.process->gogc = runs.gogc;
    sample.process->go_mem_limit = runs.go_mem_limit;
    out.samples.push_back(sample);
    sample.process->gogc.reset();  // a page that leaves it out says nothing
    out.samples.push_back(sample);
    out.samples.push_back({});
    return out;
  };
  const PodSeries heeds = pod({Gogc(200), mib(300)}, {Gogc(200), mib(300)});
  const PodSeries own_gogc = pod({Gogc(200), mib(300)}, {Gogc(100), mib(300)});
  const PodSeries own_limit = pod({Gogc(200), mib(300)}, {Gogc(200), mib(400)});
  const PodSeries no_word = pod({Gogc(200), mib(300)}, {Gogc(200), std::nullopt});
  const PodSeries not_asked = pod({}, {Gogc(100), mib(300)});
  EXPECT_EQ(self_tuned({&heeds, &no_word, &not_asked}), "");
  EXPECT_THAT(self_tuned({&heeds, &own_gogc}), HasSubstr("GOGC=200 GOMEMLIMIT=300MiB and runs GOGC=100"));
  EXPECT_THAT(self_tuned({&own_limit}), HasSubstr("GOMEMLIMIT=400MiB"));
  PodSeries silent = pod_named("silent");
  silent.settings.gogc = Gogc(200);
  EXPECT_EQ(self_tuned({&silent}), "");
}

TEST(RunawayCollection, IsNotSeenInASmallHeap) {
  const Window window{kStart, kStart + seconds(10)};
  const PodSeries small = collecting("small", 10, mib(1), mib(15));
  const PodSeries enough = collecting("enough", 10, mib(1), mib(16));
  EXPECT_FALSE(collection_runs_away({&small}, {}, window));
  EXPECT_TRUE(collection_runs_away({&enough}, {}, window));
}

TEST(HighGcShare, IsAboveAQuarterByMoreThanTwoStandardErrors) {
  EXPECT_FALSE(gc_share_too_high({0.25, 0}, {}));
  EXPECT_TRUE(gc_share_too_high({0.26, 0}, {}));
  EXPECT_FALSE(gc_share_too_high({0.30, 0.026}, {}));
  EXPECT_TRUE(gc_share_too_high({0.30, 0.024}, {}));
}

TEST(HighGcShare, IsATenthAboveTheUsualOne) {
  EXPECT_TRUE(gc_share_too_high({0.30, 0}, 0.10));
  EXPECT_TRUE(gc_share_too_high({0.27, 0}, 0.24));
  EXPECT_FALSE(gc_share_too_high({0.26, 0}, 0.24));
}

TEST(HighGcShare, IsAQuarterAboveWhereEvenTheUsualOneIsHigh) {
  EXPECT_TRUE(gc_share_too_high({0.28, 0}, 0.25)) << "a quarter is not high yet";
  EXPECT_FALSE(gc_share_too_high({0.37, 0}, 0.30));
  EXPECT_TRUE(gc_share_too_high({0.38, 0}, 0.30));
}

}  // namespace
}  // namespace gopacer::judging
