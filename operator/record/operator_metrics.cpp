#include "record/operator_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <mutex>
#include <set>
#include <utility>

namespace gopacer {
namespace {

using Labels = std::map<std::string, std::string>;

void raise(prometheus::Counter& counter, double to) { counter.Increment(to - counter.Value()); }

/// Of show(): names and help texts.
constexpr std::array<std::pair<const char*, const char*>, 21> kProfileFamilies{{
    {"gopacer_profile_info", "1; the labels say what the profile asks for and what is done for it"},
    {"gopacer_profile_ready", "Whether the profile works as asked"},
    {"gopacer_target_pods", "Pods of the target, by whether they could be read"},
    {"gopacer_target_gogc_percent", "GOGC in the target's pod template"},
    {"gopacer_target_gomemlimit_bytes", "GOMEMLIMIT in the target's pod template; 0 when it is not set"},
    {"gopacer_target_gc_cpu_ratio", "Share of the target's CPU that garbage collection takes"},
    {"gopacer_target_cpu_cores", "CPU that all pods of the target use"},
    {"gopacer_target_peak_memory_ratio", "Highest memory of a container of the target, of its limit"},
    {"gopacer_target_collections_per_second", "Collections of the pod that collects most often"},
    {"gopacer_target_heap_in_use_ratio", "Heap in use of the pod that is nearest to its GOMEMLIMIT, of that"},
    {"gopacer_saved_cores", "What the settings save against those before gopacer's, as their trials measured it"},
    {"gopacer_recommended_gogc_percent", "GOGC that is recommended"},
    {"gopacer_recommended_gomemlimit_bytes", "GOMEMLIMIT that is recommended; 0 when it is none"},
    {"gopacer_recommended_saving_ratio", "Share of the target's CPU that the recommendation is expected to save"},
    {"gopacer_recommended_saving_cores", "The same in cores, over all pods"},
    {"gopacer_trial_info", "1 while a trial runs"},
    {"gopacer_trial_value", "Mean of a figure that the running trial compares, in its own unit"},
    {"gopacer_trial_change_ratio", "Change of the figure from baseline to canary, with its interval"},
    {"gopacer_trial_threshold_ratio", "The change that the interval has to be below"},
    {"gopacer_trial_windows", "Windows that the running trial has compared"},
    {"gopacer_trial_requests", "Requests that were counted in them"},
}};

Labels of(const ObjectKey& profile) { return {{"namespace", profile.ns}, {"profile", profile.name}}; }

}  // namespace

struct OperatorMetrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Histogram>& pass_seconds = prometheus::BuildHistogram()
                                                                .Name("gopacer_reconcile_duration_seconds")
                                                                .Help("Time that one pass over one profile took")
                                                                .Register(registry);
  prometheus::Family<prometheus::Counter>& failed_passes = prometheus::BuildCounter()
                                                               .Name("gopacer_reconcile_errors_total")
                                                               .Help("Passes that failed and were repeated")
                                                               .Register(registry);
  prometheus::Family<prometheus::Counter>& steps =
      prometheus::BuildCounter().Name("gopacer_steps_total").Help("Steps taken, by kind").Register(registry);
  prometheus::Family<prometheus::Counter>& trials =
      prometheus::BuildCounter().Name("gopacer_trials_total").Help("Ended trials, by verdict").Register(registry);
  prometheus::Family<prometheus::Gauge>& leader = prometheus::BuildGauge()
                                                      .Name("gopacer_leader")
                                                      .Help("1 in the replica that acts, 0 in the others")
                                                      .Register(registry);
  prometheus::Family<prometheus::Gauge>& watch_age =
      prometheus::BuildGauge()
          .Name("gopacer_watch_age_seconds")
          .Help("Time since the API server last said anything of this kind; a minute is usual")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& unreadable =
      prometheus::BuildCounter()
          .Name("gopacer_unreadable_objects_total")
          .Help(
              "Objects that came or changed and were left out because they can't be read: too large, or nested too "
              "deep")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& events_dropped =
      prometheus::BuildCounter()
          .Name("gopacer_events_dropped_total")
          .Help("Events that were not written: there were too many, or the API server refused them")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& scrape_counts = prometheus::BuildGauge()
                                                             .Name("gopacer_scrapes")
                                                             .Help("Readings of pods since the start, by result")
                                                             .Register(registry);
  prometheus::Family<prometheus::Gauge>& scraped_bytes = prometheus::BuildGauge()
                                                             .Name("gopacer_scraped_bytes")
                                                             .Help("Bytes read from pods since the start")
                                                             .Register(registry);
  prometheus::Family<prometheus::Counter>& episodes =
      prometheus::BuildCounter()
          .Name("gopacer_episodes_total")
          .Help("Readings of pods in which a pause stood out, and storms of allocations that began")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& history_bytes = prometheus::BuildGauge()
                                                             .Name("gopacer_history_bytes")
                                                             .Help("Memory that the samples of all pods take")
                                                             .Register(registry);
  prometheus::Family<prometheus::Gauge>& history_limit = prometheus::BuildGauge()
                                                             .Name("gopacer_history_limit_bytes")
                                                             .Help("Memory that the samples of all pods may take")
                                                             .Register(registry);
  prometheus::Family<prometheus::Counter>& history_shed =
      prometheus::BuildCounter()
          .Name("gopacer_history_shed_total")
          .Help("Samples that were given up before their time, because of one pod's limit or that of all pods")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& pauses = prometheus::BuildCounter()
                                                        .Name("gopacer_gc_pauses_total")
                                                        .Help("Pauses of collections of the target's pods")
                                                        .Register(registry);
  prometheus::Family<prometheus::Counter>& long_pauses = prometheus::BuildCounter()
                                                             .Name("gopacer_gc_pauses_long_total")
                                                             .Help("Of these, such as took 5 ms or more")
                                                             .Register(registry);

  using Gauges = prometheus::Family<prometheus::Gauge>;
  std::map<std::string, Gauges*> families = [this] {
    std::map<std::string, Gauges*> all;
    for (const auto& [name, help] : kProfileFamilies) {
      all[name] = &prometheus::BuildGauge().Name(name).Help(help).Register(registry);
    }
    return all;
  }();
  std::mutex mutex;  ///< guards what follows
  std::map<ObjectKey, std::set<std::pair<Gauges*, prometheus::Gauge*>>> shown;
};

OperatorMetrics::OperatorMetrics() : impl_(std::make_unique<Impl>()) { leading(false); }
OperatorMetrics::~OperatorMetrics() = default;

void OperatorMetrics::pass_done(const ObjectKey& profile, Duration took, bool failed) {
  static const prometheus::Histogram::BucketBoundaries kBuckets{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10};
  impl_->pass_seconds.Add({}, kBuckets).Observe(to_seconds(took));
  if (failed) impl_->failed_passes.Add(of(profile)).Increment();
}

void OperatorMetrics::step_taken(const std::string& step) { impl_->steps.Add({{"step", step}}).Increment(); }

void OperatorMetrics::trial_ended(const ObjectKey& profile, const std::string& verdict) {
  Labels labels = of(profile);
  labels["verdict"] = verdict;
  impl_->trials.Add(labels).Increment();
}

void OperatorMetrics::show(const ObjectKey& profile, const std::vector<ProfileFigure>& figures) {
  const std::lock_guard lock(impl_->mutex);
  std::set<std::pair<Impl::Gauges*, prometheus::Gauge*>> now;
  for (const ProfileFigure& figure : figures) {
    Impl::Gauges* const family = impl_->families.at(figure.family);
    Labels labels = of(profile);
    labels.insert(figure.labels.begin(), figure.labels.end());
    prometheus::Gauge& gauge = family->Add(labels);
    gauge.Set(figure.value);
    now.emplace(family, &gauge);
  }
  auto& before = impl_->shown[profile];
  for (const auto& [family, gauge] : before) {
    if (!now.contains({family, gauge})) family->Remove(gauge);
  }
  before = std::move(now);
  if (before.empty()) impl_->shown.erase(profile);
}

void OperatorMetrics::pauses(const ObjectKey& profile, int all, int long_ones) {
  impl_->pauses.Add(of(profile)).Increment(all);
  impl_->long_pauses.Add(of(profile)).Increment(long_ones);
}

void OperatorMetrics::forget(const ObjectKey& profile) {
  show(profile, {});
  const auto drop = [&](auto& family, const Labels& labels) { family.Remove(&family.Add(labels)); };
  drop(impl_->failed_passes, of(profile));
  drop(impl_->pauses, of(profile));
  drop(impl_->long_pauses, of(profile));
  for (const char* const verdict : {"Promote", "RollBack", "Inconclusive", "Superseded", "Aborted"}) {
    Labels labels = of(profile);
    labels["verdict"] = verdict;
    drop(impl_->trials, labels);
  }
}

void OperatorMetrics::leading(bool is_leader) { impl_->leader.Add({}).Set(is_leader ? 1 : 0); }

void OperatorMetrics::watch_age(const std::string& kind, Duration silent) {
  impl_->watch_age.Add({{"kind", kind}}).Set(to_seconds(silent));
}

void OperatorMetrics::unreadable_object(const std::string& kind) {
  impl_->unreadable.Add({{"kind", kind}}).Increment();
}

void OperatorMetrics::events_dropped(double total) { raise(impl_->events_dropped.Add({}), total); }

void OperatorMetrics::scrapes(double total, double failed, double bytes) {
  impl_->scrape_counts.Add({{"result", "all"}}).Set(total);
  impl_->scrape_counts.Add({{"result", "failed"}}).Set(failed);
  impl_->scraped_bytes.Add({}).Set(bytes);
}

void OperatorMetrics::episodes(double long_pauses, double storms) {
  raise(impl_->episodes.Add({{"kind", "long_pause"}}), long_pauses);
  raise(impl_->episodes.Add({{"kind", "allocation_storm"}}), storms);
}

void OperatorMetrics::histories(double bytes, double limit, double shed_by_pod, double shed_outside_trials,
                                double shed_in_trials) {
  impl_->history_bytes.Add({}).Set(bytes);
  impl_->history_limit.Add({}).Set(limit);
  auto& shed = impl_->history_shed;
  raise(shed.Add({{"limit", "pod"}, {"pods", "any"}}), shed_by_pod);
  raise(shed.Add({{"limit", "all"}, {"pods", "outside_trials"}}), shed_outside_trials);
  raise(shed.Add({{"limit", "all"}, {"pods", "in_trials"}}), shed_in_trials);
}

std::string OperatorMetrics::text() const { return prometheus::TextSerializer().Serialize(impl_->registry.Collect()); }

}  // namespace gopacer
