#include "record/recorder.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "fakes/objects.h"
#include "fakes/recorded_events.h"
#include "record/operator_metrics.h"
#include "record/pass_scene.h"

namespace gopacer {
namespace {

using builders::change;
using builders::new_settings;
using nlohmann::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* kProfileWrite = "patch GoRuntimeProfile shop/checkout";
constexpr const char* kTrialWrite = "patch GoRuntimeTrial shop/checkout-1";

/// A recorder over an API server in memory that has the profile and, once asked for, the trial of the scene.
struct Desk {
  FakeApiServer api;
  RecordedEvents events;
  OperatorMetrics metrics;
  std::unique_ptr<Recorder> recorder = std::make_unique<Recorder>(api, events, metrics);
  PassScene scene;

  Desk() {
    if (!api.create(resources::kProfiles, "shop", objects::profile_object())) throw std::logic_error("no profile");
    api.forget_writes();
  }

  void run_trial(TrialPhase before, TrialPhase after) {
    objects::put_trial(api, builders::trial(before));
    scene.run_trial(before, after);
    api.forget_writes();
  }

  /// Writes with what a watch would show just before.
  Result<void> write() {
    refresh();
    return write_as_it_is();
  }
  Result<void> write_as_it_is() { return recorder->write(scene.pass()); }
  void refresh() {
    const json profile = api.peek(objects::profile_path());
    if (!profile.is_null()) {
      const ProfileSpec spec = scene.profile.spec;
      scene.profile = *codec::decode_profile(profile);
      scene.profile.spec = spec;
    }
    if (scene.desired.trial) {
      const json trial = api.peek(objects::trial_path(scene.desired.trial->key));
      if (!trial.is_null()) scene.desired.trial = std::make_shared<Trial>(*codec::decode_trial(trial));
    }
  }
};

TEST(Recorder, WritesTheFirstPass) {
  Desk desk;
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), ElementsAre(kProfileWrite));
  EXPECT_EQ(desk.api.peek(objects::profile_path())["status"]["phase"], "Tuned");
}

TEST(Recorder, WritesNothingWhenNothingChanged) {
  Desk desk;
  ASSERT_TRUE(desk.write());
  desk.api.forget_writes();
  for (int i = 0; i < 20; ++i) {
    desk.scene.now += seconds(5);
    ASSERT_TRUE(desk.write());
  }
  EXPECT_THAT(desk.api.writes(), IsEmpty());
}

TEST(Recorder, WritesDriftingFiguresOnlyEachMinuteAndOnlyWhenAPersonWouldNotice) {
  Desk desk;
  desk.scene.decision.estimate.emplace();
  desk.scene.decision.estimate->alloc_rate = 1e6;
  ASSERT_TRUE(desk.write());
  desk.api.forget_writes();
  for (int second = 1; second <= 180; ++second) {
    desk.scene.now += seconds(1);
    desk.scene.decision.estimate->alloc_rate = 1e6 * (1 + second);
    ASSERT_TRUE(desk.write());
  }
  EXPECT_THAT(desk.api.writes(), SizeIs(3));
  desk.api.forget_writes();
  for (int second = 1; second <= 180; ++second) {
    desk.scene.now += seconds(1);
    desk.scene.decision.estimate->alloc_rate = 181e6 * (1 + 0.05 * (second % 2));
    ASSERT_TRUE(desk.write());
  }
  EXPECT_THAT(desk.api.writes(), IsEmpty());
}

TEST(Recorder, WritesWhatIsNewAboutATroubleWithinAMinute) {
  Desk desk;
  desk.scene.observed.pods.resize(1);
  desk.scene.observed.pods[0].error = "connection refused";
  ASSERT_TRUE(desk.write());
  desk.api.forget_writes();
  desk.scene.observed.pods[0].error = "HTTP 404";
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), IsEmpty());
  desk.scene.now += seconds(60);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), SizeIs(1));
}

std::vector<std::string> told(const RecordedEvents& events) {
  std::vector<std::string> texts;
  for (const Event& event : events.all) texts.push_back(event.reason + ": " + event.note);
  return texts;
}

/// A reading with so many collections since the program began, the latest of them with that pause.
Sample reading(Time at, int collections, Duration last_pause) {
  Sample sample;
  sample.at = at;
  MemStats& mem = sample.mem.emplace();
  mem.num_gc = static_cast<std::uint32_t>(collections);
  for (int i = std::max(0, collections - 256); i < collections; ++i) {
    mem.pauses.push_back({Time{} + i * seconds(1), i + 1 < collections ? microseconds(100) : last_pause});
  }
  return sample;
}

/// A reading that tells no more than the number of collections.
Sample counted(Time at, int collections) {
  Sample sample;
  sample.at = at;
  sample.mem.emplace().num_gc = static_cast<std::uint32_t>(collections);
  return sample;
}

TEST(Recorder, TellsOfLongPausesOnceInTenMinutes) {
  Desk desk;
  desk.scene.observed.pods.resize(2);
  int collections = 200;
  const auto pause = [&](const std::string& pod, Duration length) {
    PodSeries& series = desk.scene.observed.pods[pod == "a" ? 0 : 1];
    series.pod = series.uid = pod;
    series.samples = {reading(desk.scene.now, collections, microseconds(100)),
                      reading(desk.scene.now + seconds(1), collections + 1, length)};
    ++collections;
  };
  pause("a", milliseconds(5));
  pause("b", milliseconds(8));
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Contains(HasSubstr("LongPause: Pod b: A collection stopped it for 8ms")));
  EXPECT_THAT(told(desk.events), Not(Contains(HasSubstr("Pod a"))));
  desk.events.all.clear();
  desk.scene.now += minutes(10) - seconds(1);
  pause("a", milliseconds(9));
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Not(Contains(HasSubstr("LongPause"))));
  desk.scene.now += seconds(1);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Not(Contains(HasSubstr("LongPause")))) << "of the same reading";
  desk.scene.now += seconds(1);
  pause("a", milliseconds(9));
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Contains(HasSubstr("LongPause: Pod a: A collection stopped it for 9ms")));
}

TEST(Recorder, TellsOfAStormWhereItBegins) {
  Desk desk;
  desk.scene.observed.pods.resize(1);
  PodSeries& series = desk.scene.observed.pods[0];
  series.pod = "a";
  const auto read = [&](int after, int collections) {
    series.samples.push_back(counted(desk.scene.now + seconds(after), collections));
  };
  read(0, 10);
  read(10, 12);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Not(Contains(HasSubstr("AllocationStorm"))));
  read(20, 32);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Contains(HasSubstr("AllocationStorm: Pod a: 20 collections within 10s")));
}

TEST(Recorder, TellsOfAStormAfterWhichAnotherReadingCameBeforeThePass) {
  Desk desk;
  desk.scene.observed.pods.resize(1);
  PodSeries& series = desk.scene.observed.pods[0];
  series.pod = series.uid = "a";
  const auto read = [&](int after, int collections) {
    series.samples.push_back(counted(desk.scene.now + seconds(after), collections));
  };
  read(0, 10);
  read(10, 12);
  ASSERT_TRUE(desk.write());
  read(20, 32);  // a profile was captured after it, so that it came late
  read(30, 52);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Contains(HasSubstr("AllocationStorm: Pod a: 20 collections within 10s")));
  desk.events.all.clear();
  desk.scene.now += minutes(20);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(told(desk.events), Not(Contains(HasSubstr("AllocationStorm")))) << "nothing was read since";
}

TEST(Recorder, WritesWhatLastsAtOnce) {
  Desk desk;
  ASSERT_TRUE(desk.write());
  desk.api.forget_writes();
  desk.scene.decision = change();
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), ElementsAre(kProfileWrite));
}

TEST(Recorder, WritesNothingOfATargetThatIsAnotherProfiles) {
  Desk desk;
  desk.scene.desired.rival = std::make_shared<Profile>(builders::profile());
  ASSERT_TRUE(desk.write());
  const json written = desk.api.peek(objects::profile_path());
  desk.scene.desired.current = new_settings();
  desk.scene.desired.container = "other";
  desk.scene.target.env_owners = {{"other", "GOGC", "kubectl"}};
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.api.peek(objects::profile_path()), written);
  EXPECT_FALSE(written["status"].contains("current"));
}

TEST(Recorder, DoesNotOverwriteAStatusThatItHasNotSeen) {
  Desk desk;
  desk.refresh();
  const json other{{"status", {{"trialCount", 9}}}};
  ASSERT_TRUE(desk.api.merge_patch(objects::profile_path(), other, "status"));
  const Result<void> written = desk.write_as_it_is();
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(desk.api.peek(objects::profile_path())["status"]["trialCount"], 9);
  EXPECT_TRUE(desk.write());
  EXPECT_EQ(desk.api.peek(objects::profile_path())["status"]["trialCount"], 9);
}

TEST(Recorder, WritesAgainAfterAFailure) {
  Desk desk;
  ASSERT_TRUE(desk.write());
  desk.scene.decision = change();
  desk.api.fail_next("patch", {ErrorKind::kRetriable, "too busy"});
  EXPECT_FALSE(desk.write());
  EXPECT_TRUE(desk.write());
  EXPECT_EQ(desk.api.peek(objects::profile_path())["status"]["phase"], "Recommended");
}

TEST(Recorder, WritesTheProfileBeforeTheTrial) {
  // A trial that has ended is no longer looked at: what it taught must be kept by then.
  Desk desk;
  desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  desk.scene.step.memory.emplace();
  desk.scene.step.memory->trial_count = 1;
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), ElementsAre(kProfileWrite, kTrialWrite));
}

TEST(Recorder, LeavesTheTrialOpenWhenTheProfileCouldNotBeWritten) {
  Desk desk;
  desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  desk.api.fail_next("patch", {ErrorKind::kRetriable, "too busy"}, 1, "goruntimeprofiles");
  EXPECT_FALSE(desk.write());
  EXPECT_EQ(desk.api.peek(objects::trial_path({"shop", "checkout-1"}))["status"]["phase"], "Measuring");
  EXPECT_THAT(desk.events.all, IsEmpty());
}

TEST(Recorder, DoesNotWriteATrialsStepThatWasNotTaken) {
  Desk desk;
  desk.run_trial(TrialPhase::kPromoting, TrialPhase::kWatching);
  desk.scene.error = Error{ErrorKind::kRetriable, "refused"};
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), ElementsAre(kProfileWrite));
  EXPECT_EQ(desk.events.count("Promoted", "GoRuntimeTrial"), 0);
}

TEST(Recorder, TakesAwayWhatATrialThatBeganAnewHasNoLonger) {
  Desk desk;
  desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kPending);
  const auto in_cluster = [&] {
    return codec::decode_trial(desk.api.peek(objects::trial_path({"shop", "checkout-1"})))->status;
  };
  TrialStatus& status = *desk.scene.step.trial;
  status.warm_until = status.measuring_since = status.unavailable_since = desk.scene.now;
  status.arm_pods = {"canary", "baseline"};
  status.verdict = TrialVerdict::kPromote;
  status.evidence.until = desk.scene.now;
  status.evidence.baseline_memory = 0.5;
  status.watching_since = desk.scene.now;
  status.watch_evidence.until = desk.scene.now;
  ASSERT_TRUE(desk.write());
  EXPECT_TRUE(in_cluster().evidence.until);
  EXPECT_TRUE(in_cluster().watch_evidence.until);
  status.warm_until.reset();
  status.measuring_since.reset();
  status.unavailable_since.reset();
  status.arm_pods.clear();
  status.verdict = TrialVerdict::kNone;
  status.evidence = Evidence();
  status.watch_evidence.until.reset();
  ASSERT_TRUE(desk.write());
  const TrialStatus after = in_cluster();
  EXPECT_FALSE(after.warm_until);
  EXPECT_FALSE(after.measuring_since) << "or cold pods would be judged";
  EXPECT_FALSE(after.unavailable_since);
  EXPECT_THAT(after.arm_pods, IsEmpty());
  EXPECT_EQ(after.verdict, TrialVerdict::kNone) << "a watch takes a promotion's verdict back";
  EXPECT_FALSE(after.evidence.until) << "or the warm-up would count as measured";
  EXPECT_EQ(after.evidence.baseline_memory, 0);
  EXPECT_TRUE(after.watching_since);
  EXPECT_FALSE(after.watch_evidence.until);
  status.watching_since.reset();
  ASSERT_TRUE(desk.write());
  EXPECT_FALSE(in_cluster().watching_since);
  EXPECT_FALSE(desk.api.peek(objects::trial_path({"shop", "checkout-1"}))["status"].contains("watch"));
}

TEST(Recorder, WritesATrialOnlyWhenItChanged) {
  Desk desk;
  desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kMeasuring);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), ElementsAre(kProfileWrite));
}

TEST(Recorder, GoesOnWithoutATrialThatAPersonDeleted) {
  Desk desk;
  desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kPromoting);
  objects::drop_trial(desk.api, {"shop", "checkout-1"});
  EXPECT_TRUE(desk.write());
}

TEST(Recorder, LetsARollbackBeginWhateverIsTheMatterWithTheProfile) {
  Desk desk;
  desk.run_trial(TrialPhase::kWatching, TrialPhase::kRollingBack);
  desk.scene.step.memory.reset();
  desk.api.fail_next("patch", {ErrorKind::kTerminal, "an older definition refuses a value"});
  EXPECT_FALSE(desk.write()) << "it is still an error";
  EXPECT_EQ(desk.api.peek(objects::trial_path({"shop", "checkout-1"}))["status"]["phase"], "RollingBack");
}

TEST(Recorder, GoesOnWithATrialWhoseProfileIsGone) {
  Desk desk;
  desk.run_trial(TrialPhase::kRollingBack, TrialPhase::kEnded);
  desk.refresh();
  ASSERT_FALSE(desk.scene.desired.profile);
  ASSERT_TRUE(desk.recorder->write({desk.scene.facts, desk.scene.step, desk.scene.error}));
  EXPECT_THAT(desk.api.writes(), ElementsAre(kTrialWrite));
}

// Events

TEST(Events, OfATrialComeOnceForEachNewPhaseOnTrialAndProfile) {
  const std::vector<std::tuple<TrialPhase, TrialPhase, const char*>> transitions = {
      {TrialPhase::kPending, TrialPhase::kWarmUp, "TrialStepCompleted"},
      {TrialPhase::kWarmUp, TrialPhase::kMeasuring, "TrialStepCompleted"},
      {TrialPhase::kMeasuring, TrialPhase::kPromoting, "TrialStepCompleted"},
      {TrialPhase::kPromoting, TrialPhase::kWatching, "Promoted"},
      {TrialPhase::kWatching, TrialPhase::kRollingBack, "RollbackStarted"},
  };
  for (const auto& [before, after, reason] : transitions) {
    Desk desk;
    desk.run_trial(before, after);
    ASSERT_TRUE(desk.write());
    ASSERT_TRUE(desk.write());
    EXPECT_EQ(desk.events.count(reason, "GoRuntimeTrial"), 1) << to_string(after);
    EXPECT_EQ(desk.events.count(reason, "GoRuntimeProfile"), 1) << to_string(after);
    EXPECT_THAT(desk.events.all, SizeIs(2)) << to_string(after);
  }
}

TEST(Events, OfATrialsEndTellItsVerdict) {
  const std::vector<std::pair<TrialVerdict, const char*>> ends = {
      {TrialVerdict::kPromote, "TrialSucceeded"},         {TrialVerdict::kRollBack, "RolledBack"},
      {TrialVerdict::kInconclusive, "TrialInconclusive"}, {TrialVerdict::kSuperseded, "TrialSuperseded"},
      {TrialVerdict::kAborted, "TrialAborted"},
  };
  for (const auto& [verdict, reason] : ends) {
    Desk desk;
    desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
    desk.scene.step.trial->verdict = verdict;
    ASSERT_TRUE(desk.write());
    EXPECT_EQ(desk.events.count(reason, "GoRuntimeTrial"), 1);
    EXPECT_THAT(desk.metrics.text(), HasSubstr("verdict=\"" + to_string(verdict) + "\"} 1"));
  }
}

TEST(Events, AreNotToldOfAPhaseThatCouldNotBeWritten) {
  Desk desk;
  desk.run_trial(TrialPhase::kMeasuring, TrialPhase::kPromoting);
  desk.api.fail_next("patch", {ErrorKind::kConflict, "changed"}, 1, "goruntimetrials");
  EXPECT_FALSE(desk.write());
  EXPECT_THAT(desk.events.all, IsEmpty());
  EXPECT_TRUE(desk.write());
  EXPECT_THAT(desk.events.all, SizeIs(2));
}

TEST(Events, OfARecommendationComeWhenItIsNotablyAnother) {
  Desk desk;
  desk.scene.decision = change(builders::settings(200));
  ASSERT_TRUE(desk.write());
  desk.scene.decision = change(builders::settings(210));
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("RecommendationUpdated", "GoRuntimeProfile"), 1);
  desk.scene.decision = change(builders::settings(260));
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("RecommendationUpdated", "GoRuntimeProfile"), 2);
  desk.scene.decision = change(builders::settings(260, mib(400)));
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("RecommendationUpdated", "GoRuntimeProfile"), 3);
}

TEST(Events, OfAConflictComeWhenItBegins) {
  Desk desk;
  desk.scene.target.env_owners = {{"app", "GOGC", "kubectl-set"}};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("FieldConflict", "GoRuntimeProfile"), 1);
  desk.scene.target.env_owners.clear();
  ASSERT_TRUE(desk.write());
  desk.scene.target.env_owners = {{"app", "GOGC", "kubectl-set"}};
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("FieldConflict", "GoRuntimeProfile"), 2);
}

TEST(Events, OfATargetThatIsNotThereComeWhenItBegins) {
  Desk desk;
  ASSERT_TRUE(desk.write());
  desk.scene.target_is_there = false;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("TargetNotFound", "GoRuntimeProfile"), 1);
  desk.scene.target_is_there = true;
  desk.scene.target.rollout.paused = true;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("TargetPaused", "GoRuntimeProfile"), 1);
}

TEST(Events, OfWhatTheFiguresAskOfAPersonComeWhenItBegins) {
  Desk desk;
  desk.scene.decision.reason = "NeedsMemory";
  desk.scene.decision.message = "256.0MiB would do.";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(desk.write());
  ASSERT_EQ(desk.events.count("NeedsMemory", "GoRuntimeProfile"), 1);
  EXPECT_THAT(desk.events.all.back().note, HasSubstr("256.0MiB would do."));
  desk.scene.decision.kind = Decision::Kind::kRefuse;
  desk.scene.decision.reason = "SelfTuned";
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("SelfTuned", "GoRuntimeProfile"), 1);
  EXPECT_EQ(desk.events.count("NeedsMemory", "GoRuntimeProfile"), 1);
}

TEST(Events, OfAPromotionAndARollbackTellTheProfileBetweenWhichSettings) {
  const std::string from = describe(builders::old_settings());
  Desk promoted;
  promoted.run_trial(TrialPhase::kPromoting, TrialPhase::kWatching);
  ASSERT_TRUE(promoted.write());
  EXPECT_THAT(promoted.events.all.back().note, HasSubstr("It was " + from + " before. The canary is better."));
  Desk ended;
  ended.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  ended.scene.step.trial->verdict = TrialVerdict::kRollBack;
  ASSERT_TRUE(ended.write());
  EXPECT_THAT(ended.events.all.back().note,
              HasSubstr("Tried was " + describe(new_settings()) + " instead of " + from + "."));
}

TEST(Events, OfPodsThatCannotBeReadComeWhenItBegins) {
  Desk desk;
  desk.scene.observed.pods.clear();
  desk.scene.add_pod("checkout-a", "HTTP 404");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("MetricsUnavailable", "GoRuntimeProfile"), 1);
}

TEST(Events, DoNotComeBeforeThereWasAnythingToRead) {
  Desk desk;
  desk.scene.observed.pods.clear();
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("MetricsUnavailable", "GoRuntimeProfile"), 0);
  desk.scene.add_pod("checkout-a", "HTTP 404");
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("MetricsUnavailable", "GoRuntimeProfile"), 1) << "false as before, and now it is bad";
}

TEST(Events, TellThatTheStatusIsRefusedWhichCannotSayItItself) {
  Desk desk;
  desk.api.fail_next("patch", {ErrorKind::kRetriable, "the API server is away"});
  ASSERT_FALSE(desk.write());
  EXPECT_EQ(desk.events.count("StatusRefused", "GoRuntimeProfile"), 0) << "that goes by";
  const std::string words = "written by gopacer (system:serviceaccount:other:gopacer) only";
  desk.api.fail_next("patch", {ErrorKind::kTerminal, words});
  ASSERT_FALSE(desk.write());
  ASSERT_EQ(desk.events.count("StatusRefused", "GoRuntimeProfile"), 1);
  EXPECT_TRUE(desk.events.all.back().warning);
  EXPECT_THAT(desk.events.all.back().note, HasSubstr(words));
  EXPECT_THAT(desk.events.all.back().note, HasSubstr("watchNamespace"));
  ASSERT_TRUE(desk.write()) << "goes on as soon as the other one is gone";
}

TEST(Events, OfANewTrialNameIt) {
  Desk desk;
  desk.scene.step.kind = StepKind::kStartTrial;
  desk.scene.step.start = builders::trial(TrialPhase::kPending).spec;
  ASSERT_TRUE(desk.write());
  ASSERT_EQ(desk.events.count("TrialStarted", "GoRuntimeProfile"), 1);
  EXPECT_THAT(desk.events.all.back().note, HasSubstr("checkout-1"));
}

TEST(Events, TellOfAnUndoOnceItIsDone) {
  Desk desk;
  desk.scene.step.kind = StepKind::kPutBack;
  desk.scene.step.reason = "Undone";
  desk.scene.step.message = "Putting the settings of trial checkout-3 back.";
  desk.scene.error = Error{ErrorKind::kOwned, "kubectl-set owns GOGC"};
  desk.write();
  EXPECT_EQ(desk.events.count("Undone", "GoRuntimeProfile"), 0);
  desk.scene.error.reset();
  ASSERT_TRUE(desk.write());
  EXPECT_EQ(desk.events.count("Undone", "GoRuntimeProfile"), 1);
  EXPECT_THAT(desk.events.all.back().note, HasSubstr("checkout-3"));
}

TEST(Events, WarnOfABrokenPromiseOnceTheOldSettingsAreThere) {
  Desk desk;
  desk.scene.step.kind = StepKind::kPutBack;
  desk.scene.step.reason = "SteppedDown";
  desk.scene.step.message = "latency-p99 was above 50ms.";
  ASSERT_TRUE(desk.write());
  ASSERT_EQ(desk.events.count("SteppedDown", "GoRuntimeProfile"), 1);
  EXPECT_TRUE(desk.events.all.back().warning);
}

TEST(Events, AreAboutTheObjectsAsTheyAreInTheCluster) {
  Desk desk;
  desk.run_trial(TrialPhase::kPending, TrialPhase::kWarmUp);
  ASSERT_TRUE(desk.write());
  for (const Event& event : desk.events.all) {
    const bool trial = event.type.kind == "GoRuntimeTrial";
    const json object = desk.api.peek(trial ? objects::trial_path({"shop", "checkout-1"}) : objects::profile_path());
    EXPECT_EQ(json(event.uid), object["metadata"]["uid"]);
    EXPECT_EQ(json(event.name), object["metadata"]["name"]);
  }
}

// History

std::shared_ptr<const Trial> ended_trial(Desk& desk, int number, TrialVerdict verdict) {
  Trial trial = builders::trial(TrialPhase::kEnded);
  trial.key.name = "checkout-" + std::to_string(number);
  trial.spec.number = number;
  trial.status.verdict = verdict;
  objects::put_trial(desk.api, trial);
  return std::make_shared<Trial>(*codec::decode_trial(desk.api.peek(objects::trial_path(trial.key))));
}

TEST(History, KeepsTheLatestTrialsOfEachKind) {
  Desk desk;
  desk.scene.profile.spec.history = {2, 1};
  int number = 0;
  for (const TrialVerdict verdict : {TrialVerdict::kPromote, TrialVerdict::kRollBack, TrialVerdict::kPromote,
                                     TrialVerdict::kInconclusive, TrialVerdict::kPromote, TrialVerdict::kSuperseded}) {
    desk.scene.desired.ended_trials.push_back(ended_trial(desk, ++number, verdict));
  }
  desk.api.forget_writes();
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(),
              ElementsAre(kProfileWrite, "delete GoRuntimeTrial shop/checkout-1",
                          "delete GoRuntimeTrial shop/checkout-2", "delete GoRuntimeTrial shop/checkout-4"));
}

TEST(History, MayBeEmpty) {
  Desk desk;
  desk.scene.profile.spec.history = {0, 0};
  desk.scene.desired.ended_trials = {ended_trial(desk, 1, TrialVerdict::kPromote),
                                     ended_trial(desk, 2, TrialVerdict::kAborted)};
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), testing::IsSupersetOf({"delete GoRuntimeTrial shop/checkout-1",
                                                        "delete GoRuntimeTrial shop/checkout-2"}));
}

/// A trial beyond the history's limits stays while the annotation names it, until the status has it as well.
void expect_kept_for_a_wish(const char* annotation, const char* fulfilled, TrialVerdict verdict) {
  Desk desk;
  desk.scene.profile.spec.history = {0, 0};
  desk.scene.desired.ended_trials = {ended_trial(desk, 1, verdict)};
  const json asks{{"metadata", {{"annotations", {{annotation, "checkout-1"}}}}}};
  ASSERT_TRUE(desk.api.merge_patch(objects::profile_path(), asks, ""));
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), testing::Not(testing::Contains("delete GoRuntimeTrial shop/checkout-1")));
  ASSERT_TRUE(desk.api.merge_patch(objects::profile_path(), {{"status", {{fulfilled, "checkout-1"}}}}, "status"));
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.api.writes(), testing::Contains("delete GoRuntimeTrial shop/checkout-1"));
}

TEST(History, KeepsTheTrialWhoseSettingsAPersonWantsBack) {
  expect_kept_for_a_wish(kUndoAnnotation, "undoneTo", TrialVerdict::kPromote);
}

TEST(History, KeepsTheTrialThatIsToBeRetried) {
  expect_kept_for_a_wish(kRetryAnnotation, "retried", TrialVerdict::kRollBack);
}

TEST(History, KeepsTheTrialThatTheGuardGoesBy) {
  for (const bool guards : {true, false}) {
    Desk desk;
    desk.scene.profile.spec.history = {0, 0};
    desk.scene.profile.spec.rollback.guard = guards;
    desk.scene.desired.ended_trials = {ended_trial(desk, 1, TrialVerdict::kPromote),
                                       ended_trial(desk, 2, TrialVerdict::kPromote)};
    desk.refresh();
    desk.scene.profile.memory.applied = desk.scene.desired.ended_trials[1]->spec.to;
    ASSERT_TRUE(desk.write_as_it_is());
    EXPECT_THAT(desk.api.writes(), testing::Contains("delete GoRuntimeTrial shop/checkout-1"));
    const auto deletes = testing::Contains("delete GoRuntimeTrial shop/checkout-2");
    if (guards) {
      EXPECT_THAT(desk.api.writes(), testing::Not(deletes)) << "it knows which promises the baseline broke";
    } else {
      EXPECT_THAT(desk.api.writes(), deletes);
    }
  }
}

TEST(History, ThatCannotBePrunedIsNoReasonToRepeatThePass) {
  Desk desk;
  desk.scene.profile.spec.history = {0, 0};
  desk.scene.desired.ended_trials = {ended_trial(desk, 1, TrialVerdict::kPromote)};
  desk.api.fail_next("delete", {ErrorKind::kTerminal, "forbidden"});
  EXPECT_TRUE(desk.write());
}

TEST(Recorder, CountsThePodsOfTheTargetThatFailThoughNoneWasEverRead) {
  Desk desk;
  desk.scene.observed.pods.resize(3);
  desk.scene.observed.pods[0].error = "answered 404";
  desk.scene.observed.pods[1].error = "answered 404";
  desk.scene.observed.pods[1].track = Track::kCanary;
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(),
              HasSubstr(R"(gopacer_target_pods{namespace="shop",profile="checkout",result="failed"} 1)"));
  EXPECT_THAT(desk.metrics.text(), testing::Not(HasSubstr("gopacer_target_gc_cpu_ratio{")));
}

TEST(Recorder, ShowsNoShareOfCollectionThatIsNotKnownAnyMore) {
  Desk desk;
  desk.scene.decision.estimate.emplace();
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(), HasSubstr("gopacer_target_gc_cpu_ratio{"));
  desk.scene.decision.estimate.reset();
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(), testing::Not(HasSubstr("gopacer_target_gc_cpu_ratio{")));
}

TEST(Recorder, CountsEachPauseOnce) {
  Desk desk;
  desk.scene.observed.pods.resize(1);
  PodSeries& series = desk.scene.observed.pods[0];
  series.pod = series.uid = "a";
  series.samples = {reading(desk.scene.now, 200, microseconds(100))};
  ASSERT_TRUE(desk.write());
  const std::string of_it = R"({namespace="shop",profile="checkout"} )";
  EXPECT_THAT(desk.metrics.text(), HasSubstr("gopacer_gc_pauses_total" + of_it + "1\n")) << "the latest of a new pod";
  series.samples.push_back(reading(desk.scene.now + seconds(10), 203, milliseconds(7)));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(), HasSubstr("gopacer_gc_pauses_total" + of_it + "4\n"));
  EXPECT_THAT(desk.metrics.text(), HasSubstr("gopacer_gc_pauses_long_total" + of_it + "1\n"));
}

TEST(Recorder, ShowsATrialsFiguresUntilItHasEnded) {
  Desk desk;
  desk.run_trial(TrialPhase::kWarmUp, TrialPhase::kMeasuring);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(), HasSubstr("gopacer_trial_info{"));
  desk.scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(),
              testing::AllOf(Not(HasSubstr("gopacer_trial_info{")), Not(HasSubstr("gopacer_trial_windows{"))));
}

TEST(Recorder, ForgetsAProfileThatIsGone) {
  Desk desk;
  desk.scene.decision.estimate.emplace();
  ASSERT_TRUE(desk.write());
  EXPECT_THAT(desk.metrics.text(), HasSubstr("gopacer_target_gc_cpu_ratio{"));
  desk.recorder->forget(desk.scene.desired.key);
  EXPECT_THAT(desk.metrics.text(), testing::Not(HasSubstr("profile=\"checkout\"")));
}

}  // namespace
}  // namespace gopacer
