#include "observe/app_metrics.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "gopacer/base/text.h"
#include "gopacer/domain/histogram.h"

namespace gopacer {
namespace {

constexpr std::array<std::string_view, 13> kProcessMetrics{"go_gc_gogc_percent",
                                                           "go_gc_gomemlimit_bytes",
                                                           "go_sched_gomaxprocs_threads",
                                                           "process_cpu_seconds_total",
                                                           "go_cpu_classes_gc_total_cpu_seconds_total",
                                                           "go_cpu_classes_total_cpu_seconds_total",
                                                           "go_cpu_classes_idle_cpu_seconds_total",
                                                           "go_gc_heap_live_bytes",
                                                           "go_gc_scan_stack_bytes",
                                                           "go_gc_scan_globals_bytes",
                                                           "go_gc_limiter_last_enabled_gc_cycle",
                                                           "process_resident_memory_bytes",
                                                           "process_start_time_seconds"};

constexpr std::string_view kCountSuffix = "_count";

/// The runtime writes "no limit" as the largest number of bytes.
constexpr double kMostBytes = 9.2e18;

/// What a node of std::map has before its value, and what the allocator adds to the node and to the vector in it.
constexpr std::size_t kNodeHead = 64;

std::optional<double> bound(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || std::isnan(value)) return std::nullopt;
  return value;
}

std::string native_text(const std::string& metric) {
  return "has " + metric +
         " without classic buckets, only native: these are read where the server offers Prometheus' protobuf format; "
         "if this stays, it does not, so export classic buckets beside them or name another histogram";
}

bool has_all(const LineLabels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = labels.find(label.first);
    return found != labels.end() && found->second == label.second;
  });
}

bool has_keys(const LineLabels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) { return labels.contains(label.first); });
}

bool begin_with(const LineLabels& labels, const Labels& prefixes) {
  return std::all_of(prefixes.begin(), prefixes.end(), [&](const auto& prefix) {
    const auto found = labels.find(prefix.first);
    return found != labels.end() && found->second.starts_with(prefix.second);
  });
}

bool is_count(double value) { return std::isfinite(value) && value >= 0; }

}  // namespace

AppMetricsReader::AppMetricsReader(const std::vector<Slo>& slos)
    : text_format_([this](std::string_view name) { return wanted_.contains(name); },
                   [this](const ExpositionSample& sample) { return take(sample); }),
      proto_format_([this](std::string_view name) { return wanted_.contains(name); },
                    [this](const ExpositionSample& sample) { return take(sample); }) {
  for (const Slo& slo : slos) {
    if (const auto* const ratio = std::get_if<PodRatio>(&slo.source)) {
      ratios_.push_back({slo.name, {ratio->bad}, {ratio->total}, {}});
    } else if (const auto* const gauge = std::get_if<PodGauge>(&slo.source)) {
      gauges_.push_back({slo.name, {gauge->gauge}, {}});
    } else {
      add_histogram(slo.name, slo.histogram());
    }
  }
  want();
}

void AppMetricsReader::add_histogram(const std::string& slo, const PodHistogram& wanted) {
  auto family = std::find_if(families_.begin(), families_.end(), [&](const Family& known) {
    return known.metric == wanted.metric && known.labels == wanted.labels && known.unit == wanted.unit;
  });
  if (family == families_.end()) {
    family = families_.insert(families_.end(), Family());
    family->metric = wanted.metric;
    family->labels = wanted.labels;
    family->unit = wanted.unit;
    family->bucket = wanted.metric + "_bucket";
    family->sum = wanted.metric + "_sum";
    family->count = wanted.metric + "_count";
  }
  family->slos.push_back(slo);
}

/// Lines of a histogram that will not be made anyway are skipped unread, as those of any other metric.
void AppMetricsReader::want() {
  wanted_.clear();
  for (const std::string_view name : kProcessMetrics) wanted_.emplace(name);
  wanted_.emplace("go_info");
  for (const Family& family : families_) {
    if (family.problem.empty()) wanted_.insert({family.metric, family.bucket, family.sum, family.count});
  }
  for (const Ratio& ratio : ratios_) {
    for (const Sum* const sum : {&ratio.bad, &ratio.total}) {
      std::string name = sum->wanted.metric;
      wanted_.insert(name);
      // In protobuf the count of a histogram or summary is a part of it.
      if (name.ends_with(kCountSuffix)) wanted_.insert(name.substr(0, name.size() - kCountSuffix.size()));
    }
  }
  for (const Gauge& gauge : gauges_) wanted_.insert(gauge.sum.wanted.metric);
}

bool AppMetricsReader::feed(std::string_view piece) {
  if (!binary_) {
    beginning_ += piece;
    binary_ = ProtoExposition::recognizes(beginning_);
    if (!binary_) return true;
    const std::string all = std::exchange(beginning_, {});
    return *binary_ ? proto_format_.feed(all) : text_format_.feed(all);
  }
  return *binary_ ? proto_format_.feed(piece) : text_format_.feed(piece);
}

std::string AppMetricsReader::take(const ExpositionSample& sample) {
  if (++lines_ > kMostLines) {
    return "has more than " + std::to_string(kMostLines) +
           " lines of the metrics that are wanted: let the program export histograms with fewer series";
  }
  bool settled = false;
  for (Family& family : families_) {
    if (!family.problem.empty()) continue;
    if (sample.name == family.bucket || sample.name == family.sum || sample.name == family.count ||
        sample.name == family.metric) {
      take_into(family, sample);
      if (family.problem.empty()) continue;
      settled = true;
      family.series.clear();
      family.kept = 0;
    }
  }
  if (settled) want();
  for (Ratio& ratio : ratios_) {
    take_into(ratio.bad, sample, "a count", ratio.problem);
    take_into(ratio.total, sample, "a count", ratio.problem);
  }
  for (Gauge& gauge : gauges_) take_into(gauge.sum, sample, "a value", gauge.problem);
  take_process(sample);
  return {};
}

void AppMetricsReader::take_into(Family& family, const ExpositionSample& sample) {
  if (sample.name == family.metric) {
    family.is_summary = family.is_summary || sample.labels.contains("quantile");
    return;
  }
  const bool is_bucket = sample.name == family.bucket;
  family.seen = family.seen || is_bucket;
  if (!has_all(sample.labels, family.labels)) return;

  std::optional<double> le;
  const auto text = is_bucket ? sample.labels.find("le") : sample.labels.end();
  if (is_bucket) {
    if (text == sample.labels.end()) {
      family.problem = "has a line of " + family.bucket + " without the label 'le'";
      return;
    }
    le = bound(text->second);
    if (!le) {
      family.problem =
          "has a bucket of " + family.bucket + " with le=\"" + shown(text->second) + "\", which is no number";
      return;
    }
  }
  if (sample.name != family.sum && !is_count(sample.value)) {
    family.problem = "has a count in " + std::string(sample.name) + " that is negative or no number";
    return;
  }
  auto found = family.series.find(sample.series);
  if (found == family.series.end()) {
    if (family.series.size() == kMostSeries) {
      family.problem = "has more than " + std::to_string(kMostSeries) + " series of " + family.bucket +
                       ": narrow them down by podHistogram.labels";
      return;
    }
    found = family.series.emplace(sample.series, Series{}).first;
    family.kept += sizeof(*found) + kNodeHead;
  }
  Series& series = found->second;
  if (is_bucket) {
    if (++family.buckets > kMostBuckets) {
      family.problem = "has more than " + std::to_string(kMostBuckets) + " buckets of " + family.bucket +
                       ": narrow them down by podHistogram.labels";
      return;
    }
    if (series.buckets.size() == Histogram::kMostBounds) {
      family.problem = "has a series of " + family.bucket + " with more than " +
                       std::to_string(Histogram::kMostBounds) + " buckets: export a histogram with fewer";
      return;
    }
    const std::size_t before = series.buckets.capacity();
    series.buckets.emplace_back(*le, sample.value);
    family.kept += (series.buckets.capacity() - before) * sizeof(series.buckets.front());
  } else if (sample.name == family.sum) {
    if (!series.sum) series.sum = sample.value;
  } else if (!series.count) {
    series.count = sample.value;
  }
}

void AppMetricsReader::take_into(Sum& sum, const ExpositionSample& sample, const char* what, std::string& problem) {
  const MetricSum& wanted = sum.wanted;
  if (sample.name != wanted.metric) return;
  sum.seen = true;
  sum.has_keys =
      sum.has_keys || (has_keys(sample.labels, wanted.labels) && has_keys(sample.labels, wanted.label_prefixes));
  if (!has_all(sample.labels, wanted.labels) || !begin_with(sample.labels, wanted.label_prefixes)) return;
  if (!is_count(sample.value)) {
    problem = "has " + std::string(what) + " in " + wanted.metric + " that is negative or no number";
    return;
  }
  sum.matched = true;
  sum.value += sample.value;
}

void AppMetricsReader::take_process(const ExpositionSample& sample) {
  const double value = sample.value;
  // What a page passes on of other programs (a push gateway's, an exporter's) has labels; a program's own lines do not.
  const bool is_info = sample.name == "go_info";
  if (sample.labels.size() != (is_info ? 1 : 0)) return;
  if (is_info) {
    const auto version = sample.labels.find("version");
    if (version == sample.labels.end()) return;
    process_.go_version = shown(version->second);
    seen_process_ = true;
    return;
  }
  if (!std::isfinite(value) || value < 0) return;
  if (sample.name == "go_gc_gogc_percent") {
    // "off" is -1 in the runtime and comes out as a huge unsigned number.
    process_.gogc = value > std::numeric_limits<int>::max() ? Gogc::off() : Gogc(static_cast<int>(value));
  } else if (sample.name == "go_gc_gomemlimit_bytes") {
    if (value < kMostBytes) process_.go_mem_limit = Bytes::of(value);
  } else if (sample.name == "go_sched_gomaxprocs_threads") {
    process_.max_procs = value;
  } else if (sample.name == "process_cpu_seconds_total") {
    process_.cpu_seconds = value;
  } else if (sample.name == "go_cpu_classes_gc_total_cpu_seconds_total") {
    process_.gc_cpu_seconds = value;
  } else if (sample.name == "go_cpu_classes_total_cpu_seconds_total") {
    all_cpu_ = value;
  } else if (sample.name == "go_cpu_classes_idle_cpu_seconds_total") {
    idle_cpu_ = value;
  } else if (sample.name == "go_gc_heap_live_bytes") {
    if (value < kMostBytes) process_.heap_live = Bytes::of(value);
  } else if (sample.name == "go_gc_scan_stack_bytes") {
    scanned_stacks_ = value;
  } else if (sample.name == "go_gc_scan_globals_bytes") {
    scanned_globals_ = value;
  } else if (sample.name == "go_gc_limiter_last_enabled_gc_cycle") {
    process_.limited_cycle = value;
  } else if (sample.name == "process_resident_memory_bytes") {
    if (value < kMostBytes) process_.resident = Bytes::of(value);
  } else if (sample.name == "process_start_time_seconds") {
    if (value < 8e9)
      process_.started = Time(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value)));
  } else {
    return;
  }
  seen_process_ = true;
}

Result<Histogram> AppMetricsReader::merge(const Family& family) {
  if (!family.problem.empty()) return invalid(family.problem);
  if (!family.seen) {
    if (family.is_summary) {
      return invalid("has " + family.metric +
                     " as a summary, whose quantiles cannot be merged over pods: export a histogram instead");
    }
    if (!family.series.empty()) return invalid(native_text(family.metric));
    return retriable("has no histogram " + family.metric +
                     ": check podHistogram.metric; a labelled one appears with its first observation");
  }
  struct Bucket {
    double count = 0;
    std::size_t holders = 0;
  };
  std::map<double, Bucket> buckets;
  double sum = 0;
  std::size_t series_count = 0;
  for (const auto& [labels, series] : family.series) {
    if (series.buckets.empty()) continue;  // only _sum or _count: no buckets were exported for it
    std::vector<std::pair<double, double>> cumulative = series.buckets;
    const auto by_bound = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(cumulative.begin(), cumulative.end(), by_bound);
    // The first of two equal lines counts; Prometheus does the same.
    const auto same_bound = [](const auto& a, const auto& b) { return a.first == b.first; };
    cumulative.erase(std::unique(cumulative.begin(), cumulative.end(), same_bound), cumulative.end());
    if (const double infinity = std::numeric_limits<double>::infinity(); cumulative.back().first != infinity) {
      if (!series.count) {
        return invalid("has a series of " + family.metric + " without the bucket le=\"+Inf\" and without _count");
      }
      cumulative.emplace_back(infinity, *series.count);
    }
    ++series_count;
    double below = 0;
    for (const auto& [le, count] : cumulative) {
      if (count < below) return invalid("has a series of " + family.metric + " whose buckets are not cumulative");
      below = count;
      Bucket& bucket = buckets[le];
      bucket.count += count;
      ++bucket.holders;
    }
    if (series.sum && std::isfinite(*series.sum)) sum += *series.sum;
  }
  if (series_count == 0) {
    return retriable(
        "has no series of " + family.metric +
        " with the labels of podHistogram.labels: check them; a series appears with its first observation");
  }
  // Where layouts differ, only bounds that all series have can be added up.
  std::map<double, double> merged;
  for (const auto& [le, bucket] : buckets) {
    if (bucket.holders == series_count) merged.emplace_hint(merged.end(), le * family.unit, bucket.count);
  }
  if (only_native(family)) return invalid(native_text(family.metric));
  if (merged.size() < 2) {
    return invalid("has series of " + family.metric +
                   " with no bucket bound in common: choose those that belong together by podHistogram.labels");
  }
  return Histogram(merged, sum * family.unit);
}

Result<Histogram> AppMetricsReader::count(const Ratio& ratio) {
  if (!ratio.problem.empty()) return invalid(ratio.problem);
  const auto& [total, bad] = std::tie(ratio.total, ratio.bad);
  if (!total.seen) {
    return retriable("has no counter " + total.wanted.metric +
                     ": check podRatio.total; a labelled one appears with its first count");
  }
  if (!total.matched) {
    return retriable("has no series of " + total.wanted.metric +
                     " with the labels of podRatio.total: check them; a series appears with its first count");
  }
  // That none has the value may only mean that nothing went wrong so far; that none has the label is a mistake.
  if (bad.seen && !bad.has_keys) {
    return invalid("has no series of " + bad.wanted.metric + " with the labels of podRatio.bad: check their names");
  }
  if (bad.value > total.value) {
    return invalid(
        "counts more in " + bad.wanted.metric + " than in " + total.wanted.metric +
        ": choose podRatio.bad and podRatio.total, with their labels, so that the one is a part of the other");
  }
  return good_and_bad(total.value - bad.value, bad.value);
}

Result<Histogram> AppMetricsReader::reading(const Gauge& gauge) {
  if (!gauge.problem.empty()) return invalid(gauge.problem);
  const std::string& metric = gauge.sum.wanted.metric;
  if (!gauge.sum.seen) {
    return retriable("has no gauge " + metric +
                     ": check podGauge.metric; a labelled one appears with its first value, a histogram is none");
  }
  if (!gauge.sum.matched) {
    return retriable("has no series of " + metric + " with the labels of podGauge: check them");
  }
  return reading_of(gauge.sum.value);
}

/// Its lines are those of a histogram, and none has a bound.
bool AppMetricsReader::only_native(const Family& family) {
  return !family.series.empty() && !family.is_summary &&
         std::all_of(family.series.begin(), family.series.end(), [](const auto& series) {
           const auto& buckets = series.second.buckets;
           return std::all_of(buckets.begin(), buckets.end(),
                              [](const auto& bucket) { return std::isinf(bucket.first); });
         });
}

Result<AppMetrics> AppMetricsReader::finish() {
  if (!binary_) {
    binary_ = false;
    text_format_.feed(beginning_);
  }
  const Result<void> read = *binary_ ? proto_format_.finish() : text_format_.finish();
  if (!read) return tl::unexpected<Error>(read.error());
  AppMetrics metrics;
  // These come in two parts.
  if (all_cpu_ && idle_cpu_ && *all_cpu_ >= *idle_cpu_) process_.busy_cpu_seconds = *all_cpu_ - *idle_cpu_;
  if (scanned_stacks_ && scanned_globals_ && *scanned_stacks_ + *scanned_globals_ < kMostBytes) {
    process_.scanned_roots = Bytes::of(*scanned_stacks_ + *scanned_globals_);
  }
  if (seen_process_) metrics.process = process_;
  const auto take = [&](const std::string& slo, const Result<Histogram>& counted) {
    if (counted) {
      metrics.latency.emplace(slo, *counted);
    } else {
      metrics.missing.emplace(slo, counted.error().message);
    }
  };
  for (const Family& family : families_) {
    const Result<Histogram> merged = merge(family);
    for (const std::string& slo : family.slos) take(slo, merged);
    metrics.only_native = metrics.only_native || (!merged && only_native(family));
  }
  for (const Ratio& ratio : ratios_) take(ratio.slo, count(ratio));
  for (const Gauge& gauge : gauges_) take(gauge.slo, reading(gauge));
  return metrics;
}

std::size_t AppMetricsReader::kept() const {
  std::size_t bytes = beginning_.size() + text_format_.kept() + proto_format_.kept();
  for (const Family& family : families_) bytes += family.kept;
  return bytes;
}

}  // namespace gopacer
