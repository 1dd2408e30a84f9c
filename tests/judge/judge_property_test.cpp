#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <numeric>
#include <set>

#include "judge/recorded_trial.h"

namespace gopacer {
namespace {

using testing::any_story;
using testing::metric;
using testing::record;
using testing::RecordedTrial;
using testing::tell;
using testing::TrialStory;

double first(const std::vector<double>& values, int count) {
  return std::accumulate(values.begin(), values.begin() + count, 0.0);
}

/// What "better" promises, by the pods' own account of what they did.
void expect_better_is_deserved(const RecordedTrial& trial, const Verdict& verdict) {
  const Evidence& evidence = verdict.evidence;
  const int windows = static_cast<int>((*evidence.until - testing::kStart) / trial.plan.interval);
  RC_ASSERT(evidence.windows >= 20);
  RC_ASSERT(windows >= 20);
  RC_ASSERT(first(trial.canary_requests, windows) >= trial.plan.min_samples);
  RC_ASSERT(first(trial.baseline_requests, windows) >= trial.plan.min_samples);
  RC_ASSERT(static_cast<double>(evidence.canary_requests) <= first(trial.canary_requests, windows));
  RC_ASSERT(static_cast<double>(evidence.baseline_requests) <= first(trial.baseline_requests, windows));
  std::vector<std::string> required{kGcCpuMetric};
  for (const Slo& slo : trial.plan.slos) required.push_back(slo.name);
  for (const std::string& name : required) {
    const MetricEvidence& shown = metric(evidence, name);
    RC_ASSERT(shown.state == MetricState::kPass);
    RC_ASSERT(shown.stats.n >= 20);
    RC_ASSERT(shown.high < shown.threshold);
    RC_ASSERT(shown.low <= shown.stats.mean && shown.stats.mean <= shown.high);
  }
  // The thresholds are those that the profile asked for.
  for (const Slo& slo : trial.plan.slos) {
    RC_ASSERT(std::exp(metric(evidence, slo.name).stats.mean) < 1 + slo.max_regression_percent / 100.0);
  }
  RC_ASSERT(metric(evidence, kGcCpuMetric).stats.mean < -trial.plan.min_saving);
}

RC_GTEST_PROP(AnyTrialJudged, IsBetterOnlyWithEnoughWindowsAndRequestsAndEverySloPassed, ()) {
  const TrialStory story = any_story();
  tell(story);
  const RecordedTrial trial = record(story);
  const Verdict verdict = trial.judged();
  RC_TAG(verdict.reason);
  if (verdict.outcome == Outcome::kBetter) expect_better_is_deserved(trial, verdict);
}

RC_GTEST_PROP(AnyTrialJudged, DoesNotDependOnTheOrderOfThePods, ()) {
  TrialStory story = any_story();
  story.pods = 3;
  tell(story);
  RecordedTrial trial = record(story);
  const Verdict verdict = trial.judged();
  std::mt19937_64 random(story.seed);
  std::shuffle(trial.pods.begin(), trial.pods.end(), random);
  const Verdict shuffled = trial.judged();
  RC_ASSERT(shuffled.outcome == verdict.outcome);
  RC_ASSERT(shuffled.reason == verdict.reason);
  RC_ASSERT(shuffled.evidence.windows == verdict.evidence.windows);
  RC_ASSERT(shuffled.evidence.canary_requests == verdict.evidence.canary_requests);
  RC_ASSERT(shuffled.evidence.baseline_requests == verdict.evidence.baseline_requests);
}

RC_GTEST_PROP(AnyTrialJudged, DoesNotDependOnHowOftenOneLooks, ()) {
  const TrialStory story = any_story();
  tell(story);
  const RecordedTrial trial = record(story);
  const Verdict once = trial.judged();

  Evidence evidence;
  Verdict often;
  const int looks = *rc::gen::inRange(2, 5);
  const auto decided = [&] { return often.outcome == Outcome::kBetter || often.outcome == Outcome::kWorse; };
  for (int window = 1; window <= trial.windows && !decided(); ++window) {
    for (int look = 1; look <= looks && !decided(); ++look) {
      const Time now = trial.end_of(window - 1) + look * trial.plan.interval / looks;
      often = judge(trial.plan, evidence, trial.seen_at(now), now);
      evidence = often.evidence;
    }
  }
  RC_ASSERT(often.outcome == once.outcome);
  RC_ASSERT(often.reason == once.reason);
  RC_ASSERT(often.evidence.windows == once.evidence.windows);
  RC_ASSERT(often.evidence.canary_requests == once.evidence.canary_requests);
  for (const MetricEvidence& counted : once.evidence.metrics) {
    RC_ASSERT(metric(often.evidence, counted.name).stats == counted.stats);
  }
}

RC_GTEST_PROP(AnyTrialJudged, ComesToTheSameAfterAnOperatorWasAwayForAFewWindows, ()) {
  const TrialStory story = any_story();
  tell(story);
  RecordedTrial trial = record(story);
  trial.kept = 16;  // few requests are added up over eight windows
  Evidence each;
  Evidence late;
  // Stops short of an outcome in between: an operator that looks later may only hear of it later.
  const int away = *rc::gen::inRange(2, 5);
  for (int window = 1; window <= trial.windows; ++window) {
    const Time now = trial.end_of(window);
    const Verdict verdict = judge(trial.plan, each, trial.seen_at(now), now);
    if (verdict.outcome == Outcome::kWorse || verdict.outcome == Outcome::kBetter) return;
    each = verdict.evidence;
    if (window % away == 0) late = judge(trial.plan, late, trial.seen_at(now), now).evidence;
    if (window % away != 0) continue;
    RC_ASSERT(late.windows == each.windows);
    RC_ASSERT(late.canary_requests == each.canary_requests);
    for (const MetricEvidence& counted : each.metrics) {
      RC_ASSERT(metric(late, counted.name).stats == counted.stats);
      RC_ASSERT(metric(late, counted.name).violations == counted.violations);
    }
  }
}

/// By its latency, its collection or both.
TrialStory a_worse_canary() {
  TrialStory story = any_story();
  story.windows = 40;
  story.requests_per_second = 60;
  story.canary_traffic = 1;
  const bool slow = *rc::gen::arbitrary<bool>();
  story.canary_slowness = slow ? *rc::gen::element(1.4, 1.7, 2.5) : 1;
  if (!slow || *rc::gen::arbitrary<bool>()) story.canary_gc = 0.2;
  return story;
}

RC_GTEST_PROP(AnyTrialJudged, IsNoBetterForASlowerCanary, ()) {
  TrialStory story = a_worse_canary();
  tell(story);
  const Verdict verdict = record(story).judged();
  RC_PRE(verdict.outcome == Outcome::kWorse);
  story.canary_slowness *= *rc::gen::element(1.02, 1.1, 1.3, 2.0, 10.0);
  RC_ASSERT(record(story).judged().outcome != Outcome::kBetter);
}

RC_GTEST_PROP(AnyTrialJudged, IsNoBetterForACanaryThatCollectsMore, ()) {
  TrialStory story = a_worse_canary();
  tell(story);
  const Verdict verdict = record(story).judged();
  RC_PRE(verdict.outcome == Outcome::kWorse);
  story.canary_gc = std::min(0.9, story.canary_gc * *rc::gen::element(1.1, 1.5, 3.0));
  RC_ASSERT(record(story).judged().outcome != Outcome::kBetter);
}

/// What can be wrong with a reading.
enum class Fault { kNotANumber, kInfinite, kNegative, kReset, kMissing, kNoLatency, kNoProcess, kNone };

/// From this sample on, as after a restart that nobody noticed.
void reset(PodSeries& pod, std::size_t from) {
  const Sample before = pod.samples[from];
  for (std::size_t i = from; i < pod.samples.size(); ++i) {
    pod.samples.change(i, [&](Sample& sample) {
      for (auto& [name, histogram] : sample.latency) {
        const std::vector<double>& counts = before.latency.at(name).counts;
        for (std::size_t k = 0; k < histogram.counts.size(); ++k) histogram.counts[k] -= counts[k];
      }
      *sample.process->cpu_seconds -= *before.process->cpu_seconds;
      *sample.process->gc_cpu_seconds -= *before.process->gc_cpu_seconds;
    });
  }
}

void spoil(PodSeries& pod, std::size_t at, Fault fault) {
  const auto put = [&](double value) {
    pod.samples.change(at, [&](Sample& sample) {
      for (auto& [name, histogram] : sample.latency) {
        for (double& count : histogram.counts) count = value;
        histogram.sum = value;
      }
      sample.process->cpu_seconds = value;
      sample.process->gc_cpu_seconds = value;
    });
  };
  switch (fault) {
    case Fault::kNotANumber:
      return put(std::numeric_limits<double>::quiet_NaN());
    case Fault::kInfinite:
      return put(std::numeric_limits<double>::infinity());
    case Fault::kNegative:
      return put(-1e9);
    case Fault::kReset:
      return reset(pod, at);
    case Fault::kMissing:
      return pod.samples.change(at, [](Sample& sample) {
        sample.latency.clear();
        sample.process.reset();
        sample.mem.reset();
      });
    case Fault::kNoLatency:
      return pod.samples.change(at, [](Sample& sample) { sample.latency.clear(); });
    case Fault::kNoProcess:
      return pod.samples.change(at, [](Sample& sample) { sample.process.reset(); });
    case Fault::kNone:
      return;
  }
}

TrialStory a_better_canary() {
  TrialStory story;
  story.windows = 60;
  story.max_regression_percent = 60;
  story.requests_per_second = 80;
  story.second_slo = *rc::gen::arbitrary<bool>();
  story.seed = static_cast<std::uint64_t>(*rc::gen::inRange(1, 1 << 20));
  return story;
}

Fault any_fault() {
  return *rc::gen::element(Fault::kNotANumber, Fault::kInfinite, Fault::kNegative, Fault::kReset, Fault::kMissing,
                           Fault::kNoLatency, Fault::kNoProcess);
}

TEST(RecordedTrials, AreBetterWhereNothingIsWrongWithThem) {
  // Or the two properties below would hold whatever the judge did.
  TrialStory story;
  story.max_regression_percent = 60;
  story.requests_per_second = 80;
  for (const bool second_slo : {false, true}) {
    story.second_slo = second_slo;
    const Verdict verdict = record(story).judged();
    EXPECT_EQ(verdict.outcome, Outcome::kBetter) << verdict.message;
    EXPECT_EQ(verdict.evidence.windows, 20) << "as soon as it may";
  }
}

RC_GTEST_PROP(AnyTrialJudged, IsNeverBetterOnReadingsThatAreNone, ()) {
  const TrialStory story = a_better_canary();
  tell(story);
  RecordedTrial trial = record(story);
  const Fault fault = any_fault();
  const Track track = *rc::gen::element(Track::kCanary, Track::kBaseline);
  RC_LOG() << "fault " << static_cast<int>(fault) << " of " << static_cast<int>(track) << "\n";
  for (PodSeries* pod : trial.arm(track)) {
    for (std::size_t i = 0; i < pod->samples.size(); ++i) {
      // A counter that is reset each time shows the little that came since: here nothing.
      if (fault != Fault::kReset) spoil(*pod, i, fault);
      if (fault == Fault::kReset && i > 0) {
        const Sample other = pod->samples[i % 2 == 0 ? 2 : 1];
        pod->samples.change(i, [&](Sample& sample) { sample = other; });
        reset(*pod, i);
      }
      pod->samples.change(i, [&](Sample& sample) { sample.at = trial.end_of(static_cast<int>(i)); });
    }
  }
  const Verdict verdict = trial.judged();
  RC_TAG(verdict.reason);
  RC_ASSERT(verdict.outcome != Outcome::kBetter);
}

RC_GTEST_PROP(AnyTrialJudged, CountsOnlyWindowsWithGoodReadingsOnBothSides, ()) {
  const TrialStory story = a_better_canary();
  tell(story);
  RecordedTrial trial = record(story);
  // A fault at one of a window's ends, on either side, leaves nothing that the window could say.
  std::set<std::size_t> bad;
  std::string told;
  const int faults = *rc::gen::inRange(1, 30);
  for (int i = 0; i < faults; ++i) {
    const auto at = static_cast<std::size_t>(*rc::gen::inRange(1, trial.windows));
    const Fault fault = *rc::gen::element(Fault::kNotANumber, Fault::kInfinite, Fault::kReset, Fault::kMissing);
    const Track track = *rc::gen::element(Track::kCanary, Track::kBaseline);
    told += std::to_string(at) + ":" + std::to_string(static_cast<int>(fault)) + " ";
    // One that is spoilt already has no counters that could be reset.
    if (!bad.insert(at).second) continue;
    for (PodSeries* pod : trial.arm(track)) {
      if (fault == Fault::kReset) {
        bool clean = true;
        for (std::size_t j = at; j < pod->samples.size(); ++j) {
          clean = clean && pod->samples[j].process && std::isfinite(*pod->samples[j].process->cpu_seconds);
        }
        if (!clean) continue;
      }
      spoil(*pod, at, fault);
    }
  }
  RC_LOG() << told << "\n";
  const Verdict verdict = trial.judged();
  const auto& gc = metric(verdict.evidence, kGcCpuMetric).stats;
  RC_ASSERT(std::isfinite(gc.mean) && std::isfinite(gc.m2));
  RC_ASSERT(std::isfinite(metric(verdict.evidence, "p99").stats.mean));
  RC_ASSERT(gc.mean < 0 && gc.mean > -0.2);
  if (verdict.outcome == Outcome::kBetter) expect_better_is_deserved(trial, verdict);
  RC_ASSERT(verdict.outcome != Outcome::kWorse);
}

}  // namespace
}  // namespace gopacer
