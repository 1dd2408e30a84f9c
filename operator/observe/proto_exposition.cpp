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

constexpr std::size_t kLongestFamily = std::size_t{4} << 20;
constexpr std::size_t kLongestName = 512;
constexpr char kNameField = '\x0a';  ///< field 1, length-delimited
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

/// The family's name, which the format has first; none while it is not complete, empty when it is not there.
std::optional<std::string_view> name_of(std::string_view family) {
  if (family.empty()) return std::nullopt;
  if (family.front() != kNameField) return std::string_view();
  const auto length = varint(family.substr(1));
  if (!length) return std::nullopt;
  if (length->bytes == 0 || length->value > kLongestName) return std::string_view();
  const std::size_t begin = 1 + length->bytes;
  if (family.size() < begin + length->value) return std::nullopt;
  return family.substr(begin, length->value);
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

/// Cumulative counts at the bounds of the grid; none when the histogram is malformed or can't be told in it.
std::optional<std::map<double, double>> from_native(const metrics::Histogram& histogram) {
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
  std::int64_t delta_sum = 0;
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
        delta_sum += histogram.positive_delta(taken);
        count = static_cast<double>(delta_sum);
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
    Labels labels;
    for (const metrics::LabelPair& label : metric.label()) labels.emplace(label.name(), label.value());
    if (metric.has_histogram()) return take(metric.histogram(), labels);
    if (metric.has_summary()) {
      labels.emplace("quantile", "");
      return line(family_, labels, 0);
    }
    const auto value = metric.has_gauge()     ? metric.gauge().value()
                       : metric.has_counter() ? metric.counter().value()
                                              : metric.untyped().value();
    return line(family_, labels, value);
  }

 private:
  std::string take(const metrics::Histogram& histogram, const Labels& labels) {
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
    Labels with_bound = labels;
    for (const auto& [bound, up_to] : cumulative) {
      with_bound["le"] = std::isinf(bound) ? "+Inf" : shortest(bound);
      if (std::string problem = line(family_ + "_bucket", with_bound, up_to); !problem.empty()) return problem;
    }
    if (std::string problem = line(family_ + "_sum", labels, histogram.sample_sum()); !problem.empty()) return problem;
    return line(family_ + "_count", labels, count);
  }

  std::string line(const std::string& name, const Labels& labels, double value) {
    return take_({name, labels, value, std::nullopt});
  }

  const std::string& family_;
  const Exposition::Take& take_;
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
  const std::size_t skipped = std::min(skip_, piece.size());
  skip_ -= skipped;
  kept_.append(piece.substr(skipped));
  while (const auto length = varint(kept_)) {
    if (length->bytes == 0) return reject("is malformed in Prometheus' protobuf format");
    const std::string_view family = std::string_view(kept_).substr(length->bytes, length->value);
    const bool whole = family.size() == length->value;
    const auto name = name_of(family);
    if (!name && !whole) return true;
    if (!name || !wants_(*name)) {
      skip_ = length->value - family.size();
      kept_.erase(0, length->bytes + family.size());
      continue;
    }
    if (length->value > kLongestFamily) {
      return reject("has " + shown(*name) + " in more than " + std::to_string(kLongestFamily) +
                    " bytes: let the program register fewer series of it");
    }
    if (!whole) return true;
    if (!take_family(family)) return false;
    kept_.erase(0, length->bytes + length->value);
  }
  return true;
}

bool ProtoExposition::take_family(std::string_view bytes) {
  metrics::MetricFamily family;
  if (!family.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return reject("is malformed in Prometheus' protobuf format");
  }
  MetricLines lines(family.name(), take_);
  for (const metrics::Metric& metric : family.metric()) {
    if (std::string problem = lines.take(metric); !problem.empty()) return reject(std::move(problem));
  }
  return true;
}

Result<void> ProtoExposition::finish() {
  if (!error_.empty()) return invalid(error_);
  if (!kept_.empty() || skip_ > 0) return retriable("answered a page of metrics that was cut off");
  return {};
}

}  // namespace gopacer
