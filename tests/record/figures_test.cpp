#include "record/figures.h"

#include <gmock/gmock.h>

#include "record/pass_scene.h"

namespace gopacer::record {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// The page that a pass shows.
std::string page(PassScene& scene) {
  OperatorMetrics metrics;
  const Pass pass = scene.pass();
  metrics.show({"shop", "checkout"}, figures_of(pass, conditions(pass)));
  return metrics.text();
}

std::string line(const std::string& family, const std::string& labels, const std::string& value) {
  return family + "{" + labels + (labels.empty() ? "" : ",") + "namespace=\"shop\",profile=\"checkout\"} " + value;
}

MetricEvidence latency() {
  MetricEvidence metric;
  metric.name = "latency-p99";
  metric.relative = true;
  metric.stats.add(0.1);
  metric.stats.add(0.1);
  metric.canary = 0.011;
  metric.baseline = 0.01;
  metric.threshold = std::log(1.2);
  return metric;
}

TEST(Figures, SayWhatTheProfileAsksFor) {
  PassScene scene;
  EXPECT_THAT(page(scene), AllOf(HasSubstr("gopacer_profile_info{"), HasSubstr("target=\"checkout\""),
                                 HasSubstr("phase=\"Tuned\""), HasSubstr("gopacer_profile_ready{")));
}

TEST(Figures, AreOfTheTargetAndWhatIsRecommendedForIt) {
  PassScene scene;
  scene.target.replicas = 4;
  scene.decision.kind = Decision::Kind::kChange;
  scene.decision.settings = Settings{Gogc(200), mib(100)};
  scene.decision.estimate.emplace();
  scene.decision.estimate->cpu = 0.5;
  scene.decision.estimate->peak_memory = mib(64);
  scene.decision.estimate->container_limit = mib(256);
  scene.decision.predicted.emplace();
  scene.decision.predicted->saving = 0.1;
  EXPECT_THAT(page(scene), AllOf(HasSubstr(line("gopacer_target_cpu_cores", "", "2")),
                                 HasSubstr(line("gopacer_target_peak_memory_ratio", "", "0.25")),
                                 HasSubstr(line("gopacer_recommended_gogc_percent", "", "200")),
                                 HasSubstr(line("gopacer_recommended_saving_cores", "", "0.2"))));
  scene.decision = builders::keep();
  EXPECT_THAT(page(scene), Not(HasSubstr("gopacer_recommended_gogc_percent{")));
}

TEST(Figures, AreOfARunningTrialOnly) {
  PassScene scene;
  scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kMeasuring);
  scene.step.trial->evidence.metrics = {latency()};
  scene.step.trial->evidence.windows = 12;
  EXPECT_THAT(page(scene), AllOf(HasSubstr("trial=\"checkout-1\""), HasSubstr("gopacer_trial_windows{"),
                                 HasSubstr("arm=\"canary\",metric=\"latency-p99\""), HasSubstr(" 0.011\n"),
                                 HasSubstr("bound=\"mean\""), Not(HasSubstr("bound=\"low\""))))
      << "there is no interval yet";
  scene.step.trial->evidence.metrics[0].low = -0.1;
  scene.step.trial->evidence.metrics[0].high = 0.3;
  EXPECT_THAT(page(scene), AllOf(HasSubstr("bound=\"low\""), HasSubstr("bound=\"high\"")));
  scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  EXPECT_THAT(page(scene), Not(HasSubstr("gopacer_trial_info{")));
}

TEST(Figures, OfATrialAreThoseOfStepsThatWereTaken) {
  PassScene scene;
  scene.run_trial(TrialPhase::kMeasuring, TrialPhase::kEnded);
  scene.error = Error{ErrorKind::kRetriable, "refused"};
  EXPECT_THAT(page(scene), AllOf(HasSubstr("gopacer_trial_info{"), HasSubstr("phase=\"Measuring\"")));
}

TEST(Figures, OfTheWatchAreThoseOfItsOwnComparison) {
  PassScene scene;
  scene.run_trial(TrialPhase::kWatching, TrialPhase::kWatching);
  scene.step.trial->evidence.windows = 12;
  scene.step.trial->watch_evidence.windows = 3;
  EXPECT_THAT(page(scene), HasSubstr(line("gopacer_trial_windows", "", "3")));
}

/// A pod of the target that collected `collections` times within ten seconds.
PodSeries pod(const std::string& uid, std::uint32_t collections) {
  PodSeries series;
  series.uid = uid;
  for (const int at : {0, 10}) {
    Sample sample;
    sample.at = builders::kStart + seconds(at);
    sample.mem.emplace();
    sample.mem->num_gc = at == 0 ? 100 : 100 + collections;
    sample.mem->heap_in_use = mib(80);
    series.samples.push_back(std::move(sample));
  }
  return series;
}

TEST(Figures, AreOfThePodThatIsWorstOff) {
  PassScene scene;
  scene.observed.pods = {pod("a", 5), pod("b", 20)};
  scene.observed.pods[0].settings.go_mem_limit = mib(100);
  EXPECT_THAT(page(scene), AllOf(HasSubstr(line("gopacer_target_collections_per_second", "", "2")),
                                 HasSubstr(line("gopacer_target_heap_in_use_ratio", "", "0.8"))));
  scene.observed.pods[0].track = Track::kCanary;
  EXPECT_THAT(page(scene), Not(HasSubstr("gopacer_target_heap_in_use_ratio{"))) << "a trial's pod is none of its own";
}

std::shared_ptr<const Trial> promoted(int number, const Settings& from, const Settings& to, double gc_change) {
  Trial trial = builders::trial(TrialPhase::kEnded);
  trial.spec.number = number;
  trial.spec.from = from;
  trial.spec.to = to;
  trial.status.verdict = TrialVerdict::kPromote;
  trial.status.gc_change = gc_change;
  return std::make_shared<const Trial>(std::move(trial));
}

TEST(SavedCores, AreWhatEachStepOnTheWayHasSaved) {
  PassScene scene;
  const Settings first{Gogc(100), std::nullopt};
  const Settings second{Gogc(200), std::nullopt};
  const Settings third{Gogc(400), std::nullopt};
  scene.target.replicas = 2;
  scene.desired.current = third;
  scene.decision.estimate.emplace();
  scene.decision.estimate->gc_cpu = 0.1;
  EXPECT_EQ(saved_cores(scene.pass().facts), std::nullopt) << "nothing was promoted";
  scene.desired.ended_trials = {promoted(1, first, second, -0.5), promoted(2, second, third, -0.5)};
  // A quarter is left of what was 0.8 cores.
  EXPECT_NEAR(*saved_cores(scene.pass().facts), 0.6, 1e-12);
  EXPECT_THAT(page(scene), HasSubstr("gopacer_saved_cores{"));
  scene.desired.current = Settings{Gogc(50), std::nullopt};
  EXPECT_EQ(saved_cores(scene.pass().facts), std::nullopt) << "a person has set something else";
}

TEST(NewPauses, CountEachOnce) {
  Observation observed;
  observed.pods = {pod("a", 1)};
  const auto pause = [](int at, Duration length) { return GcPause{builders::kStart + seconds(at), length}; };
  observed.pods[0].samples.change(
      0, [&](Sample& sample) { sample.mem->pauses = {pause(-2, milliseconds(9)), pause(-1, milliseconds(1))}; });
  observed.pods[0].samples.change(1, [&](Sample& sample) {
    sample.mem->pauses = {pause(-1, milliseconds(1)), pause(3, milliseconds(7)), pause(5, milliseconds(1))};
  });
  const PauseCount count = new_pauses(observed, {{"a", builders::kStart}});
  EXPECT_EQ(count.all, 2);
  EXPECT_EQ(count.long_ones, 1);
  EXPECT_EQ(new_pauses(observed, {{"a", builders::kStart + seconds(10)}}).all, 0) << "there is no later reading";
  EXPECT_EQ(new_pauses(observed, {}).all, 1) << "of a new pod the latest one";
}

TEST(NewPauses, AreNoneFromBeforeTheKnownReadingThoughThatIsGone) {
  Observation observed;
  observed.pods = {pod("a", 1)};
  observed.pods[0].samples.pop_front();
  const auto pause = [](int at) { return GcPause{builders::kStart + seconds(at), milliseconds(7)}; };
  observed.pods[0].samples.change_last([&](Sample& sample) { sample.mem->pauses = {pause(-9), pause(-1), pause(3)}; });
  EXPECT_EQ(new_pauses(observed, {{"a", builders::kStart}}).all, 1);
}

TEST(ShownFigures, HaveOneSeriesForWhatAProfileIs) {
  OperatorMetrics metrics;
  for (const char* const phase : {"Trial", "Watching", "Tuned"}) {
    metrics.show({"shop", "checkout"}, {{"gopacer_profile_info", {{"phase", phase}}, 1}});
  }
  EXPECT_THAT(metrics.text(), AllOf(HasSubstr("phase=\"Tuned\""), Not(HasSubstr("phase=\"Trial\"")),
                                    Not(HasSubstr("phase=\"Watching\""))));
}

TEST(ShownFigures, AreGoneWhenTheyAreNotShownAgain) {
  OperatorMetrics metrics;
  const ObjectKey checkout{"shop", "checkout"};
  metrics.show(checkout, {{"gopacer_trial_value", {{"metric", "a\"b\n"}, {"arm", "canary"}}, 1},
                          {"gopacer_trial_windows", {}, 5}});
  EXPECT_THAT(metrics.text(), HasSubstr("metric=\"a\\\"b\\n\"")) << "whatever an SLO is called";
  metrics.show(checkout, {{"gopacer_trial_windows", {}, 6}});
  EXPECT_THAT(metrics.text(), AllOf(HasSubstr(line("gopacer_trial_windows", "", "6")), Not(HasSubstr("canary"))));
  metrics.pauses(checkout, 3, 1);
  EXPECT_THAT(metrics.text(), HasSubstr(line("gopacer_gc_pauses_total", "", "3")));
  metrics.forget(checkout);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("profile=\"checkout\"")));
}

}  // namespace
}  // namespace gopacer::record
