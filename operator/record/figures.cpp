#include "record/figures.h"

#include <algorithm>
#include <cmath>

namespace gopacer::record {
namespace {

/// The least that is left of collection's CPU after a promotion, against what it was: less is a slip of measuring.
constexpr double kLeastLeft = 0.05;

class Figures {
 public:
  /// Nothing where it is no number, or one without end.
  void add(const char* family, double value, ProfileFigure::Labels labels = {}) {
    if (std::isfinite(value)) put(family, value, std::move(labels));
  }
  void put(const char* family, double value, ProfileFigure::Labels labels = {}) {
    all_.push_back({family, std::move(labels), value});
  }
  void add(const char* family, std::optional<double> value) {
    if (value) add(family, *value);
  }
  std::vector<ProfileFigure> take() { return std::move(all_); }

 private:
  std::vector<ProfileFigure> all_;
};

std::optional<double> busiest_pod(const Observation& observed) {
  std::optional<double> highest;
  for (const PodSeries& pod : observed.pods) {
    if (pod.track != Track::kStable || pod.samples.size() < 2) continue;
    const Sample& last = pod.samples.back();
    const Sample& before = pod.samples[pod.samples.size() - 2];
    const double seconds = to_seconds(last.at - before.at);
    if (!last.mem || !before.mem || seconds <= 0 || last.mem->num_gc < before.mem->num_gc) continue;
    highest = std::max(highest.value_or(0), (last.mem->num_gc - before.mem->num_gc) / seconds);
  }
  return highest;
}

void add_pods(const Observation& observed, Figures& figures) {
  int read = 0;
  int failed = 0;
  for (const PodSeries& pod : observed.pods) {
    if (pod.track != Track::kStable) continue;
    if (!pod.error.empty()) ++failed;
    if (pod.error.empty() && !pod.samples.empty()) ++read;
  }
  figures.add("gopacer_target_pods", read, {{"result", "read"}});
  figures.add("gopacer_target_pods", failed, {{"result", "failed"}});
}

void add_target(const Pass& pass, Figures& figures) {
  const Facts& facts = pass.facts;
  add_pods(facts.observed, figures);
  // Prometheus has a word for what is off: +Inf.
  figures.put("gopacer_target_gogc_percent", facts.desired.current.gamma() * 100);
  figures.add("gopacer_target_gomemlimit_bytes", facts.desired.current.go_mem_limit.value_or(Bytes(0)).value());
  figures.add("gopacer_target_collections_per_second", busiest_pod(facts.observed));
  figures.add("gopacer_target_heap_in_use_ratio", fullest_heap(facts.observed, Duration(0)));
  figures.add("gopacer_saved_cores", saved_cores(facts));
  if (!facts.decision.estimate) return;
  const Estimate& estimate = *facts.decision.estimate;
  const int replicas = facts.desired.target ? std::max(1, facts.desired.target->replicas) : 1;
  figures.add("gopacer_target_gc_cpu_ratio", estimate.gc_cpu_fraction);
  figures.add("gopacer_target_cpu_cores", estimate.cpu * replicas);
  if (estimate.container_limit) {
    figures.add("gopacer_target_peak_memory_ratio", estimate.peak_memory / *estimate.container_limit);
  }
  const Settings* const settings = recommended(facts.decision);
  if (settings == nullptr) return;
  figures.add("gopacer_recommended_gogc_percent", settings->gamma() * 100);
  figures.add("gopacer_recommended_gomemlimit_bytes", settings->go_mem_limit.value_or(Bytes(0)).value());
  if (!facts.decision.predicted) return;
  figures.add("gopacer_recommended_saving_ratio", facts.decision.predicted->saving);
  figures.add("gopacer_recommended_saving_cores", facts.decision.predicted->saving * estimate.cpu * replicas);
}

void add_metric(const MetricEvidence& metric, Figures& figures) {
  const ProfileFigure::Labels name{{"metric", metric.name}};
  const auto with = [&](const char* label, const char* value) {
    ProfileFigure::Labels labels = name;
    labels[label] = value;
    return labels;
  };
  const auto as_change = [&](double x) { return metric.relative ? std::expm1(x) : x; };
  if (metric.stats.n == 0) return;
  figures.add("gopacer_trial_value", metric.canary, with("arm", "canary"));
  figures.add("gopacer_trial_value", metric.baseline, with("arm", "baseline"));
  figures.add("gopacer_trial_change_ratio", as_change(metric.stats.mean), with("bound", "mean"));
  figures.add("gopacer_trial_threshold_ratio", as_change(metric.threshold), name);
  // Both are 0 until there are enough windows for an interval.
  if (!(metric.low < metric.high)) return;
  figures.add("gopacer_trial_change_ratio", as_change(metric.low), with("bound", "low"));
  figures.add("gopacer_trial_change_ratio", as_change(metric.high), with("bound", "high"));
}

void add_trial(const Pass& pass, Figures& figures) {
  const auto& trial = pass.facts.desired.trial;
  if (!trial) return;
  // A step that was not taken is not written either.
  const TrialStatus& status = pass.step.trial && !pass.error ? *pass.step.trial : trial->status;
  if (status.phase == TrialPhase::kEnded) return;
  figures.add("gopacer_trial_info", 1,
              {{"trial", trial->key.name},
               {"phase", to_string(status.phase)},
               {"apply", trial->spec.live ? "Live" : "Restart"}});
  const Evidence& evidence = status.phase == TrialPhase::kWatching ? status.watch_evidence : status.evidence;
  figures.add("gopacer_trial_windows", evidence.windows);
  figures.add("gopacer_trial_requests", static_cast<double>(evidence.canary_requests), {{"arm", "canary"}});
  figures.add("gopacer_trial_requests", static_cast<double>(evidence.baseline_requests), {{"arm", "baseline"}});
  for (const MetricEvidence& metric : evidence.metrics) add_metric(metric, figures);
}

}  // namespace

std::optional<double> fullest_heap(const Observation& observed, Duration within) {
  std::optional<double> highest;
  for (const PodSeries& pod : observed.pods) {
    if (pod.track != Track::kStable || pod.samples.empty()) continue;
    const Time latest = pod.samples.back().at;
    for (auto sample = pod.samples.rbegin(); sample != pod.samples.rend() && latest - sample->at <= within; ++sample) {
      const auto told = sample->process ? sample->process->go_mem_limit : std::nullopt;
      const std::optional<Bytes> limit = told ? told : pod.settings.go_mem_limit;
      if (!sample->mem || !limit || *limit <= Bytes(0)) continue;
      highest = std::max(highest.value_or(0), sample->mem->heap_in_use / *limit);
    }
  }
  return highest;
}

std::vector<ProfileFigure> figures_of(const Pass& pass, const std::vector<Condition>& conditions) {
  const Desired& desired = pass.facts.desired;
  if (!desired.profile) return {};
  const ProfileSpec& spec = desired.profile->spec;
  Figures figures;
  bool ready = false;
  std::string reason;
  for (const Condition& condition : conditions) {
    if (condition.type != "Ready") continue;
    ready = condition.status;
    reason = condition.reason;
  }
  figures.add("gopacer_profile_info", 1,
              {{"target", spec.target},
               {"mode", to_string(spec.update_mode)},
               {"phase", phase(pass)},
               {"reason", reason},
               {"objective", to_string(spec.objective)},
               {"strategy", to_string(spec.strategy)}});
  figures.add("gopacer_profile_ready", ready ? 1 : 0);
  add_target(pass, figures);
  add_trial(pass, figures);
  return figures.take();
}

std::optional<double> saved_cores(const Facts& facts) {
  if (!facts.decision.estimate || !facts.desired.target) return std::nullopt;
  Settings settings = facts.desired.profile && facts.desired.profile->memory.applied
                          ? *facts.desired.profile->memory.applied
                          : facts.desired.current;
  double left = 1;  // of collection's CPU, against what it was before the first of them
  bool any = false;
  const auto& ended = facts.desired.ended_trials;
  for (auto trial = ended.rbegin(); trial != ended.rend(); ++trial) {
    const bool led_here = (*trial)->status.verdict == TrialVerdict::kPromote && (*trial)->spec.to == settings;
    if (!led_here || !(*trial)->status.gc_change) continue;
    left *= std::max(kLeastLeft, 1 + *(*trial)->status.gc_change);
    settings = (*trial)->spec.from;
    any = true;
  }
  if (!any) return std::nullopt;
  return facts.decision.estimate->gc_cpu * std::max(1, facts.desired.target->replicas) * (1 / left - 1);
}

PauseCount new_pauses(const Observation& observed, const std::map<std::string, Time>& read) {
  PauseCount count;
  for (const PodSeries& pod : observed.pods) {
    if (pod.track != Track::kStable || pod.samples.empty()) continue;
    const auto known = read.find(pod.uid);
    const bool is_new = known == read.end();
    // The end of the latest pause that was counted, or was known. Where the history has given the known reading up, its
    // time has to do, though pauses end by the pod's clock.
    Time counted = is_new ? Time{} : known->second;
    for (const Sample& sample : pod.samples) {
      if (!sample.mem || sample.mem->pauses.empty()) continue;
      const std::vector<GcPause>& pauses = sample.mem->pauses;
      const bool is_old = is_new ? &sample != &pod.samples.back() : sample.at <= known->second;
      if (is_old || (is_new && pauses.size() > 1)) counted = is_old ? pauses.back().end : pauses[pauses.size() - 2].end;
      if (is_old) continue;
      for (const GcPause& pause : pauses) {
        if (pause.end <= counted) continue;
        ++count.all;
        if (pause.pause >= kLongJitter) ++count.long_ones;
      }
      counted = pauses.back().end;
    }
  }
  return count;
}

}  // namespace gopacer::record
