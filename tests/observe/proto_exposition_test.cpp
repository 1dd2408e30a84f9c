#include "observe/proto_exposition.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "gopacer/domain/histogram.h"
#include "metric_family.pb.h"
#include "observe/app_metrics.h"
#include "observe/recorded.h"

namespace gopacer {
namespace {

using testing::HasSubstr;

Slo slo(const std::string& metric) {
  Slo out;
  out.name = "p99";
  out.histogram().metric = metric;
  return out;
}

std::string length_of(const std::string& bytes) {
  std::string length;
  for (std::size_t left = bytes.size(); length.empty() || left > 0; left >>= 7) {
    length.push_back(static_cast<char>(left > 0x7f ? (left & 0x7f) | 0x80 : left));
  }
  return length;
}

std::string delimited(const metrics::MetricFamily& family) {
  const std::string bytes = family.SerializeAsString();
  return length_of(bytes) + bytes;
}

std::string gauge(const std::string& name, double value) {
  metrics::MetricFamily family;
  family.set_name(name);
  family.add_metric()->mutable_gauge()->set_value(value);
  return delimited(family);
}

/// Native buckets, each with its index and count; the indexes rise.
metrics::Histogram native(int schema, const std::vector<std::pair<int, int>>& buckets) {
  metrics::Histogram histogram;
  histogram.set_schema(schema);
  int next = 0;
  int before = 0;
  int sum = 0;
  for (const auto& [index, count] : buckets) {
    auto* const span = histogram.add_positive_span();
    span->set_offset(index - next);
    span->set_length(1);
    histogram.add_positive_delta(count - before);
    next = index + 1;
    before = count;
    sum += count;
  }
  histogram.set_sample_count(static_cast<std::uint64_t>(sum));
  histogram.set_sample_sum(1.5);
  return histogram;
}

std::string page_with(const metrics::Histogram& histogram, const std::string& name = "h") {
  metrics::MetricFamily family;
  family.set_name(name);
  auto* const metric = family.add_metric();
  auto* const label = metric->add_label();
  label->set_name("route");
  label->set_value("/");
  *metric->mutable_histogram() = histogram;
  return delimited(family);
}

Result<AppMetrics> read(std::string_view body, std::size_t piece = 7) {
  AppMetricsReader reader({slo("h")});
  feed_in_pieces(reader, body, piece);
  return reader.finish();
}

/// Index of the native bucket that holds `seconds`.
int index_of(int schema, double seconds) {
  return static_cast<int>(std::ceil(std::log2(seconds) * std::exp2(schema) - 1e-9));
}

TEST(ProtoExposition, ReadsNativeBucketsAsAHistogram) {
  const std::string other = gauge("something_else", 3) + gauge("go_gc_gogc_percent", 120);
  const metrics::Histogram histogram =
      native(3, {{index_of(3, 0.010), 900}, {index_of(3, 0.020), 80}, {index_of(3, 0.300), 20}});
  for (const std::size_t piece : {1, 7, 100'000}) {
    const Result<AppMetrics> metrics = read(other + page_with(histogram), piece);
    ASSERT_TRUE(metrics) << metrics.error().message;
    EXPECT_EQ(metrics->process->gogc, Gogc(120));
    ASSERT_TRUE(metrics->latency.contains("p99")) << metrics->missing.at("p99");
    const Histogram& read = metrics->latency.at("p99");
    EXPECT_EQ(read.count(), 1000);
    EXPECT_EQ(read.sum, 1.5);
    const auto found = quantile(read, 0.99);
    EXPECT_LT(found->bucket_low, 0.3);
    EXPECT_GE(found->bucket_high, 0.3);
    EXPECT_LT(found->bucket_high / found->bucket_low, 1.2);
  }
}

TEST(ProtoExposition, HasTheSameBoundsAtEachReading) {
  const Histogram before = read(page_with(native(3, {{index_of(3, 0.010), 100}})))->latency.at("p99");
  const Histogram after =
      read(page_with(native(5, {{index_of(5, 0.010), 130}, {index_of(5, 2.0), 5}})))->latency.at("p99");
  const auto delta = difference(after, before);
  ASSERT_TRUE(delta);
  EXPECT_EQ(delta->count(), 35);
  EXPECT_NEAR(share_above(*delta, 1).value(), 5.0 / 35, 1e-12);
}

TEST(ProtoExposition, KeepsEveryObservationWhereverItLies) {
  metrics::Histogram histogram = native(0, {{-40, 1}, {3, 2}, {30, 4}});
  histogram.set_zero_count(8);
  histogram.set_sample_count(15);
  const Histogram found = read(page_with(histogram))->latency.at("p99");
  EXPECT_EQ(found.count(), 15);
  EXPECT_NEAR(share_above(found, 8).value(), 4.0 / 15, 1e-12);
  EXPECT_NEAR(share_above(found, 4).value(), 6.0 / 15, 1e-12);
  EXPECT_NEAR(share_above(found, std::exp2(-20)).value(), 6.0 / 15, 1e-12);
}

TEST(ProtoExposition, PrefersClassicBuckets) {
  metrics::Histogram histogram = native(3, {{0, 10}});
  auto* const bucket = histogram.add_bucket();
  bucket->set_upper_bound(0.25);
  bucket->set_cumulative_count(9);
  const Histogram found = read(page_with(histogram))->latency.at("p99");
  EXPECT_EQ(found.count(), 10);
  EXPECT_NEAR(share_above(found, 0.25).value(), 0.1, 1e-12);
}

TEST(ProtoExposition, SaysWhatItCannotTake) {
  metrics::Histogram unknown = native(3, {{0, 10}});
  unknown.set_schema(-53);  // bounds of the program's own
  EXPECT_THAT(read(page_with(unknown))->missing.at("p99"), HasSubstr("only native"));
  metrics::Histogram endless = native(3, {{0, 10}});
  endless.mutable_positive_span(0)->set_length(4'000'000'000);
  EXPECT_THAT(read(page_with(endless))->missing.at("p99"), HasSubstr("only native"));
  const std::string page = page_with(native(3, {{0, 10}}));
  EXPECT_TRUE(read(page.substr(0, page.size() - 3)).error().retriable());
  EXPECT_FALSE(read(page + std::string(20, '\xff')));
}

TEST(ProtoExposition, KeepsNothingOfALargeFamilyThatNobodyWants) {
  AppMetricsReader reader({slo("h")});
  // Announces a gigabyte.
  reader.feed(std::string("\x80\x80\x80\x80\x04\x0a\x05other", 12));
  const std::string piece(1 << 16, 'x');
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(reader.feed(piece));
}

/// A family of 4 MiB of one series over and over, in protobuf's wire format.
std::string family_of(const std::string& series) {
  std::string family("\x0a\x01h", 3);
  while (family.size() < std::size_t{4} << 20) family += series;
  return length_of(family) + family;
}

TEST(ProtoExposition, ReadsAFamilyOfAnyLengthSeriesBySeries) {
  const std::string family(family_of(std::string("\x22\x0b\x12\x09\x09\x00\x00\x00\x00\x00\x00\xf0\x3f", 13)));
  std::size_t lines = 0;
  ProtoExposition exposition([](std::string_view) { return true; },
                             [&](const ExpositionSample& sample) {
                               lines += sample.name == "h" && sample.value == 1 ? 1 : 0;
                               return std::string();
                             });
  feed_in_pieces(exposition, family, 50'000);
  EXPECT_TRUE(exposition.finish());
  EXPECT_EQ(lines, (family.size() - 3) / 13);
}

TEST(ProtoExposition, RefusesASeriesThatIsLongerThanAnyHistogram) {
  AppMetricsReader reader({slo("h")});
  // Announces a series of two megabytes in a family of a gigabyte.
  EXPECT_FALSE(reader.feed(std::string("\x80\x80\x80\x80\x04\x0a\x01h\x22\x80\x80\x80\x01", 13)));
  EXPECT_THAT(reader.finish().error().message, HasSubstr("a series of h in more than 65536 bytes"));
}

TEST(ProtoExposition, RefusesASeriesOfManyLabels) {
  metrics::MetricFamily family;
  family.set_name("h");
  auto* const metric = family.add_metric();
  for (int i = 0; i < 65; ++i) metric->add_label()->set_name(std::to_string(i));
  EXPECT_THAT(read(delimited(family)).error().message, HasSubstr("more than 64 labels"));
}

/// How many lines are made of a page before it is given up.
std::size_t lines_of(const std::string& page) {
  std::size_t lines = 0;
  ProtoExposition exposition([&](std::string_view) { return lines < 100'000; },
                             [&](const ExpositionSample&) {
                               ++lines;
                               return std::string();
                             });
  feed_in_pieces(exposition, page, 65'536);
  return lines;
}

TEST(ProtoExposition, MakesNoBucketsOfAnEmptyHistogram) {
  metrics::MetricFamily family;
  family.set_name("h");
  family.add_metric()->mutable_histogram();
  family.add_metric()->mutable_histogram()->set_schema(2);
  EXPECT_EQ(lines_of(delimited(family)), 4U) << "_sum and _count of each";
}

TEST(ProtoExposition, StopsInAFamilyThatIsNotWantedAnyMore) {
  EXPECT_LT(lines_of(family_of(std::string("\x22\x02\x3a\x00", 4))), 100'010U);
}

TEST(ProtoExposition, IsGivenUpWhenItsLinesNeverEnd) {
  // Empty histograms, and some with one native bucket that become 124 lines each.
  for (const std::string& series : {std::string("\x22\x02\x3a\x00", 4), std::string("\x22\x04\x3a\x02\x28\x04", 6),
                                    std::string("\x22\x0b\x3a\x09\x28\x04\x62\x02\x10\x01\x6a\x01\x02", 13)}) {
    const std::string page = family_of(series);
    AppMetricsReader reader({slo("h")});
    std::size_t taken = 0;
    for (; taken < page.size() && reader.feed(page.substr(taken, 4096)); taken += 4096) {
    }
    const Result<AppMetrics> metrics = reader.finish();
    const std::string why = metrics ? metrics->missing.at("p99") : metrics.error().message;
    EXPECT_THAT(why, testing::AnyOf(HasSubstr("more than 131072 lines"), HasSubstr("more than 256 buckets")));
  }
}

TEST(ProtoExposition, TakesCountsThatAddUpToMoreThanThereIsForMalformed) {
  metrics::Histogram histogram;
  auto* const span = histogram.add_positive_span();
  span->set_length(2);
  for (int i = 0; i < 2; ++i) histogram.add_positive_delta(std::numeric_limits<std::int64_t>::max());
  EXPECT_THAT(read(page_with(histogram))->missing.at("p99"), HasSubstr("only native"));
}

TEST(ProtoExposition, PassesOverManyEmptyFamilies) {
  EXPECT_TRUE(
      read(gauge("up", 1) + std::string(std::size_t{4} << 20, '\0') + page_with(native(3, {{0, 10}})), 1 << 20));
}

TEST(ProtoExposition, IsToldFromTextByItsFirstBytes) {
  EXPECT_EQ(ProtoExposition::recognizes(gauge("up", 1)), true);
  EXPECT_EQ(ProtoExposition::recognizes("# HELP up"), false);
  EXPECT_EQ(ProtoExposition::recognizes("up 1\n"), false);
  EXPECT_EQ(ProtoExposition::recognizes("<html>"), false);
  EXPECT_EQ(ProtoExposition::recognizes(""), std::nullopt);
  EXPECT_EQ(ProtoExposition::recognizes("\x7f"), std::nullopt);
}

}  // namespace
}  // namespace gopacer
