#include "observe/proto_exposition.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "gopacer/base/text.h"
#include "metric_family.pb.h"

namespace gopacer {
namespace {

/// One series. With 256 buckets that have an exemplar each it has half of this.
constexpr std::size_t kLongestMetric = std::size_t{64} << 10;
constexpr std::size_t kLongestName = 512;
constexpr char kNameField = '\x0a';           ///< field 1, length-delimited
constexpr std::uint64_t kMetricField = 0x22;  ///< field 4, length-delimited
constexpr std::uint64_t kWireTypes = 7;       ///< the lowest bits of a field's tag
constexpr std::uint64_t kVarint = 0;
constexpr std::uint64_t kLengthDelimited = 2;
/// Bounds of native buckets: a quarter of an octave apart, or as far as a coarser schema has them.
constexpr int kFinestSchema = 2;
constexpr int kLeastSchema = -4;
constexpr int kMostSchema = 8;
constexpr int kLeastOctave = -20;
constexpr int kMostOctave = 10;
/// A histogram with more native buckets is none of this world: client_golang's default limit is 160.
constexpr int kMostNativeBuckets = 10'000;

/// A varint at the front of `text`, and how many bytes it takes; none when it is not complete, 0 bytes when it is none.
struct Varint {
  std::uint64_t value = 0;
  std::size_t bytes = 0;
};
std::optional<Varint> varint(std::string_view text) {
  Varint found;
  for (; found.bytes < text.size(); ++found.bytes) {
    if (found.bytes == 9) return Varint{};
    const auto byte = static_cast<unsigned char>(text[found.bytes]);
    found.value |= std::uint64_t{byte & 0x7fU} << (7 * found.bytes);
    if (byte < 0x80) {
      ++found.bytes;
      return found;
    }
  }
  return std::nullopt;
}

std::string shortest(double value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

double count_of(std::uint64_t whole, double fraction) { return fraction > 0 ? fraction : static_cast<double>(whole); }

bool has_classic_buckets(const metrics::Histogram& histogram) {
  return std::any_of(histogram.bucket().begin(), histogram.bucket().end(),
                     [](const metrics::Bucket& bucket) { return std::isfinite(bucket.upper_bound()); });
}

/// Cumulative counts at the bounds of the grid; none when the histogram is malformed or can't be told in it, or has no
/// native buckets at all: a hundred lines must not be made of a message of no bytes.
std::optional<std::map<double, double>> from_native(const metrics::Histogram& histogram) {
  if (histogram.positive_span_size() == 0 && !(count_of(histogram.zero_count(), histogram.zero_count_float()) > 0)) {
    return std::nullopt;
  }
  const int schema = histogram.schema();
  if (schema < kLeastSchema || schema > kMostSchema || histogram.negative_span_size() > 0) return std::nullopt;
  const int grid = std::min(schema, kFinestSchema);
  // Index on the grid of the bucket that holds native bucket i: its upper bound is rounded up.
  const auto on_grid = [&](std::int64_t i) { return schema <= grid ? i : ((i - 1) >> (schema - grid)) + 1; };
  const auto scaled = [&](int octave) {
    return grid >= 0 ? std::int64_t{octave} << grid : std::int64_t{octave} >> -grid;
  };
  const std::int64_t first = scaled(kLeastOctave);
  const std::int64_t last = scaled(kMostOctave);
  std::vector<double> counts(static_cast<std::size_t>(last - first) + 2, 0);  // one more for all that is above
  counts.front() = count_of(histogram.zero_count(), histogram.zero_count_float());

  std::int64_t index = 0;
  std::uint64_t delta_sum = 0;  // unsigned: whoever adds up to more than there is gets a negative count
  int taken = 0;
  for (const metrics::BucketSpan& span : histogram.positive_span()) {
    index += span.offset();
    if (span.length() > kMostNativeBuckets) return std::nullopt;
    for (std::uint32_t i = 0; i < span.length(); ++i, ++index, ++taken) {
      if (taken == kMostNativeBuckets) return std::nullopt;
      double count = 0;
      if (taken < histogram.positive_count_size()) {
        count = histogram.positive_count(taken);
      } else if (taken < histogram.positive_delta_size()) {
        delta_sum += static_cast<std::uint64_t>(histogram.positive_delta(taken));
        count = static_cast<double>(static_cast<std::int64_t>(delta_sum));
      } else {
        return std::nullopt;
      }
      if (!(count >= 0) || !std::isfinite(count)) return std::nullopt;
      const std::int64_t at = std::clamp(on_grid(index), first, last + 1);
      counts[static_cast<std::size_t>(at - first)] += count;
    }
  }
  std::map<double, double> cumulative;
  double below = 0;
  for (std::int64_t i = first; i <= last; ++i) {
    below += counts[static_cast<std::size_t>(i - first)];
    cumulative[std::exp2(std::ldexp(static_cast<double>(i), -grid))] = below;
  }
  cumulative[std::numeric_limits<double>::infinity()] = below + counts.back();
  return cumulative;
}

/// A family's metrics as the lines that the text format would have.
class MetricLines {
 public:
  MetricLines(const std::string& family, const Exposition::Take& take) : family_(family), take_(take) {}

  /// An error text to stop with, or nothing.
  std::string take(const metrics::Metric& metric) {
    if (static_cast<std::size_t>(metric.label_size()) > Exposition::kMostLabels) {
      return "has a series of " + shown(family_) + " with more than " + std::to_string(Exposition::kMostLabels) +
             " labels: give it fewer";
    }
    LineLabels labels;
    for (const metrics::LabelPair& label : metric.label()) labels.emplace(label.name(), label.value());
    series_ = series_of(labels);  // once, for the lines that are made of it
    if (metric.has_histogram()) return take(metric.histogram(), labels);
    if (metric.has_summary()) {
      const double count = static_cast<double>(metric.summary().sample_count());
      if (std::string problem = line(family_ + "_count", labels, count); !problem.empty()) return problem;
      labels.emplace("quantile", "");
      return line(family_, labels, 0);
    }
    const auto value = metric.has_gauge()     ? metric.gauge().value()
                       : metric.has_counter() ? metric.counter().value()
                                              : metric.untyped().value();
    return line(family_, labels, value);
  }

 private:
  std::string take(const metrics::Histogram& histogram, const LineLabels& labels) {
    const double count = count_of(histogram.sample_count(), histogram.sample_count_float());
    std::map<double, double> cumulative;
    if (has_classic_buckets(histogram)) {
      for (const metrics::Bucket& bucket : histogram.bucket()) {
        cumulative.emplace(bucket.upper_bound(), count_of(bucket.cumulative_count(), bucket.cumulative_count_float()));
      }
      cumulative.emplace(std::numeric_limits<double>::infinity(), count);
    } else if (auto native = from_native(histogram)) {
      cumulative = std::move(*native);
    }
    LineLabels with_bound = labels;
    for (const auto& [bound, up_to] : cumulative) {
      const std::string le = std::isinf(bound) ? "+Inf" : shortest(bound);
      with_bound["le"] = le;
      if (std::string problem = line(family_ + "_bucket", with_bound, up_to); !problem.empty()) return problem;
    }
    if (std::string problem = line(family_ + "_sum", labels, histogram.sample_sum()); !problem.empty()) return problem;
    return line(family_ + "_count", labels, count);
  }

  std::string line(const std::string& name, const LineLabels& labels, double value) {
    return take_({name, labels, series_, value, std::nullopt});
  }

  const std::string& family_;
  const Exposition::Take& take_;
  std::size_t series_ = 0;
};

}  // namespace

ProtoExposition::ProtoExposition(Exposition::Wants wants, Exposition::Take take)
    : wants_(std::move(wants)), take_(std::move(take)) {}

std::optional<bool> ProtoExposition::recognizes(std::string_view beginning) {
  const auto length = varint(beginning);
  if (!length) return std::nullopt;
  if (length->bytes == 0 || length->value < 2) return false;
  if (beginning.size() == length->bytes) return std::nullopt;
  // In text a line end in the second place is an empty comment or a bare letter: nobody writes that.
  return beginning[length->bytes] == kNameField;
}

bool ProtoExposition::reject(std::string message) {
  if (error_.empty()) error_ = std::move(message);
  return false;
}

bool ProtoExposition::feed(std::string_view piece) {
  if (!error_.empty()) return false;
  kept_.append(piece);
  std::string_view rest = kept_;
  const bool more = take_fields(rest);
  kept_.erase(0, kept_.size() - rest.size());
  return more;
}

/// Takes off `text` what is whole at its front; the rest waits for more.
bool ProtoExposition::take_fields(std::string_view& text) {
  const auto malformed = [this] { return reject("is malformed in Prometheus' protobuf format"); };
  for (;;) {
    const std::size_t skipped = std::min(skip_, text.size());
    skip_ -= skipped;
    text.remove_prefix(skipped);
    if (text.empty()) return true;
    if (family_left_ == 0) {
      const auto length = varint(text);
      if (!length) return true;
      if (length->bytes == 0) return malformed();
      text.remove_prefix(length->bytes);
      family_left_ = length->value;
      name_.reset();
      continue;
    }
    const std::string_view family = text.substr(0, family_left_);
    const auto tag = varint(family);
    // The value of a number, or the length of what follows: a family has no other fields.
    const auto value = tag ? varint(family.substr(tag->bytes)) : std::nullopt;
    if (!value) return family.size() < family_left_ || malformed();
    const std::uint64_t type = tag->value & kWireTypes;
    if (tag->bytes == 0 || value->bytes == 0 || (type != kVarint && type != kLengthDelimited)) return malformed();
    const std::size_t head = tag->bytes + value->bytes;
    const std::size_t length = type == kLengthDelimited ? value->value : 0;
    if (length > family_left_ - head) return malformed();
    const std::string_view content = family.substr(head, length);
    const bool whole = content.size() == length;
    if (!name_) {
      // The name comes first; a family without one is nobody's.
      const bool named = family.front() == kNameField && length <= kLongestName;
      if (named && !whole) return true;
      name_ = named ? content : std::string_view();
    } else if (tag->value == kMetricField) {
      if (length > kLongestMetric) {
        return reject("has a series of " + shown(*name_) + " in more than " + std::to_string(kLongestMetric) +
                      " bytes: give it fewer buckets and shorter labels");
      }
      if (!whole) return true;
      if (!take_metric(content)) return false;
    }
    // After each series anew: it may have settled what the family gives.
    skip_ = wants_(*name_) ? head + length : family_left_;
    family_left_ -= skip_;
  }
}

bool ProtoExposition::take_metric(std::string_view bytes) {
  metrics::Metric metric;
  if (!metric.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return reject("is malformed in Prometheus' protobuf format");
  }
  std::string problem = MetricLines(*name_, take_).take(metric);
  return problem.empty() || reject(std::move(problem));
}

Result<void> ProtoExposition::finish() {
  if (!error_.empty()) return invalid(error_);
  if (!kept_.empty() || skip_ > 0 || family_left_ > 0) return retriable("answered a page of metrics that was cut off");
  return {};
}

}  // namespace gopacer
