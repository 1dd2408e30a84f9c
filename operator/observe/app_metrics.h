#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gopacer/domain/profile.h"
#include "gopacer/domain/sample.h"
#include "observe/exposition.h"
#include "observe/proto_exposition.h"

namespace gopacer {

/// What one /metrics page of an application gave.
struct AppMetrics {
  /// None when the page has none of client_golang's own metrics.
  std::optional<ProcessMetrics> process;
  /// By the SLO's name; a ratio as good_and_bad(), a gauge as reading_of().
  std::map<std::string, Histogram> latency;
  /// Why an SLO is not among them, by the SLO's name: a sentence without a subject.
  std::map<std::string, std::string> missing;
  /// One of them is there without classic buckets: the page may tell more in the protobuf format.
  bool only_native = false;
};

/// Picks what the SLOs are about and the process' own metrics out of a page.
///
/// Of the process only what has no labels counts.
/// All series of a histogram that have the wanted labels are merged: their counts add up at the bounds that all of them
/// have. SLOs with the same metric and the same labels share what is kept. Memory is bounded by kMostSeries,
/// kMostBuckets and Histogram::kMostBounds, work by kMostLines.
class AppMetricsReader {
 public:
  static constexpr std::size_t kMostSeries = 4096;     ///< of one histogram
  static constexpr std::size_t kMostBuckets = 32'768;  ///< of one histogram, over all its series
  static constexpr std::size_t kMostLines = 131'072;   ///< of all that is wanted of one page

  /// `slos` are those that are on this page.
  explicit AppMetricsReader(const std::vector<Slo>& slos);
  AppMetricsReader(const AppMetricsReader&) = delete;
  AppMetricsReader& operator=(const AppMetricsReader&) = delete;

  /// In Prometheus' text format or its protobuf format; the first bytes tell.
  bool feed(std::string_view piece);
  Result<AppMetrics> finish();
  /// Bytes that it keeps of the page now.
  std::size_t kept() const;

 private:
  /// So that a piece of a line can be looked up as it is.
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Series {
    std::vector<std::pair<double, double>> buckets;  ///< bounds with their counts, as they came
    std::optional<double> sum;
    std::optional<double> count;
  };
  /// What one histogram's series with the wanted labels gave.
  struct Family {
    std::string metric;
    Labels labels;
    double unit = 1;                 ///< seconds
    std::vector<std::string> slos;   ///< the names of those that are about it
    std::string bucket, sum, count;  ///< the names of the three metrics
    /// By a hash of all labels but "le": the labels themselves may be megabytes.
    std::map<std::size_t, Series> series;
    std::size_t buckets = 0;
    std::size_t kept = 0;  ///< bytes of all series
    bool seen = false;     ///< with any labels
    bool is_summary = false;
    std::string problem;
  };

  /// A metric, added up as its lines come. A counter that has no line has counted nothing yet.
  struct Sum {
    MetricSum wanted;
    double value = 0;
    bool seen = false;      ///< with any labels
    bool has_keys = false;  ///< a line had all the labels that are named, with any values
    bool matched = false;
  };
  struct Ratio {
    std::string slo;
    Sum bad, total;
    std::string problem;
  };
  struct Gauge {
    std::string slo;
    Sum sum;
    std::string problem;
  };

  void add_histogram(const std::string& slo, const PodHistogram& wanted);
  void want();
  std::string take(const ExpositionSample& sample);
  void take_into(Family& family, const ExpositionSample& sample);
  /// Leaves a problem when it is one of the sum's lines and its value is not.
  static void take_into(Sum& sum, const ExpositionSample& sample, const char* what, std::string& problem);
  void take_process(const ExpositionSample& sample);
  static Result<Histogram> merge(const Family& family);
  static bool only_native(const Family& family);
  static Result<Histogram> count(const Ratio& ratio);
  static Result<Histogram> reading(const Gauge& gauge);

  std::vector<Family> families_;
  std::vector<Ratio> ratios_;
  std::vector<Gauge> gauges_;
  std::unordered_set<std::string, TextHash, std::equal_to<>> wanted_;
  std::size_t lines_ = 0;
  ProcessMetrics process_;
  std::optional<double> all_cpu_, idle_cpu_, scanned_stacks_, scanned_globals_;
  bool seen_process_ = false;
  std::string beginning_;  ///< while it does not tell the format
  std::optional<bool> binary_;
  Exposition text_format_;
  ProtoExposition proto_format_;
};

}  // namespace gopacer
