#include "observe/app_metrics.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "gopacer/domain/histogram.h"
#include "observe/recorded.h"

namespace gopacer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kInf = std::numeric_limits<double>::infinity();

Slo slo(const std::string& metric, Labels labels = {}) {
  Slo out;
  out.name = "p99";
  out.histogram().metric = metric;
  out.histogram().labels = std::move(labels);
  return out;
}

Result<AppMetrics> read(std::string_view body, const std::vector<Slo>& slos, std::size_t piece = 1000) {
  AppMetricsReader reader(slos);
  feed_in_pieces(reader, body, piece);
  return reader.finish();
}

/// The histogram of one page, or why there is none.
Result<Histogram> histogram(std::string_view body, const Slo& wanted) {
  const Result<AppMetrics> metrics = read(body, {wanted});
  if (!metrics) return tl::unexpected<Error>(metrics.error());
  const auto found = metrics->latency.find(wanted.name);
  if (found == metrics->latency.end()) return invalid(metrics->missing.at(wanted.name));
  return found->second;
}

TEST(AppMetrics, MergesAllSeriesOfARecordedHistogram) {
  const std::string body = recorded("metrics/checkout.txt");
  const Result<Histogram> all = histogram(body, slo("http_request_duration_seconds"));
  const Result<Histogram> good = histogram(body, slo("http_request_duration_seconds", {{"code", "200"}}));
  const Result<Histogram> bad = histogram(body, slo("http_request_duration_seconds", {{"code", "422"}}));
  ASSERT_TRUE(all && good && bad);
  EXPECT_GT(good->count(), 0);
  EXPECT_GT(bad->count(), 0);
  EXPECT_EQ(all->count(), good->count() + bad->count());
  EXPECT_NEAR(all->sum, good->sum + bad->sum, 1e-9);
  EXPECT_EQ(all->bounds->size(), 46U);
  EXPECT_EQ(all->bounds->back(), kInf);
  for (const double le : *all->bounds) {
    EXPECT_EQ(count_up_to(*all, le), *count_up_to(*good, le) + *count_up_to(*bad, le)) << le;
  }
}

Slo ratio(MetricSum bad, MetricSum total) {
  Slo out;
  out.name = "p99";
  out.source = PodRatio{std::move(bad), std::move(total)};
  return out;
}

constexpr const char* kCodes =
    "requests_total{code=\"200\",route=\"/a\"} 90\n"
    "requests_total{code=\"500\",route=\"/a\"} 6\n"
    "requests_total{code=\"503\",route=\"/b\"} 4\n";

TEST(AppMetrics, CountsGoodAndBadByLabelsAndByWhatTheyBeginWith) {
  const MetricSum all{"requests_total", {}, {}};
  const auto counted = [&](const MetricSum& bad, const MetricSum& total) {
    return *histogram(kCodes, ratio(bad, total));
  };
  EXPECT_EQ(counted({"requests_total", {}, {{"code", "5"}}}, all).count(), 100);
  EXPECT_NEAR(share_bad(counted({"requests_total", {}, {{"code", "5"}}}, all)), 0.10, 1e-12);
  EXPECT_NEAR(share_bad(counted({"requests_total", {{"code", "503"}}, {}}, all)), 0.04, 1e-12);
  EXPECT_NEAR(share_bad(counted({"requests_total", {{"route", "/a"}}, {{"code", "5"}}},
                                {"requests_total", {{"route", "/a"}}, {}})),
              6.0 / 96, 1e-12);
}

TEST(AppMetrics, TakesACounterWithoutALineForNothingCountedYet) {
  const MetricSum all{"requests_total", {}, {}};
  EXPECT_EQ(share_bad(*histogram(kCodes, ratio({"panics_total", {}, {}}, all))), 0);
  EXPECT_THAT(histogram(kCodes, ratio(all, {"calls_total", {}, {}})).error().message,
              HasSubstr("has no counter calls_total"));
}

TEST(AppMetrics, TellsLabelsThatNoSeriesHas) {
  const MetricSum all{"requests_total", {}, {}};
  const MetricSum errors{"requests_total", {}, {{"status", "5"}}};
  EXPECT_THAT(histogram(kCodes, ratio(errors, all)).error().message,
              HasSubstr("has no series of requests_total with the labels of podRatio.bad"));
  const MetricSum none{"requests_total", {{"route", "/z"}}, {}};
  EXPECT_THAT(histogram(kCodes, ratio(none, none)).error().message, HasSubstr("with the labels of podRatio.total"));
  EXPECT_EQ(share_bad(*histogram(kCodes, ratio({"requests_total", {}, {{"code", "4"}}}, all))), 0)
      << "there may be some later";
}

Slo gauge(MetricSum wanted) {
  Slo out;
  out.name = "p99";
  out.source = PodGauge{std::move(wanted)};
  return out;
}

constexpr const char* kQueues =
    "queue_depth{queue=\"mail-in\"} 3\n"
    "queue_depth{queue=\"mail-out\"} 4.5\n"
    "queue_depth{queue=\"other\"} 100\n"
    "broken NaN\n";

TEST(AppMetrics, AddsUpTheSeriesOfAGauge) {
  const auto read_of = [](const MetricSum& wanted) { return *histogram(kQueues, gauge(wanted)); };
  EXPECT_EQ(mean_of(read_of({"queue_depth", {}, {}})), 107.5);
  EXPECT_EQ(mean_of(read_of({"queue_depth", {}, {{"queue", "mail-"}}})), 7.5);
  EXPECT_EQ(mean_of(read_of({"queue_depth", {{"queue", "other"}}, {}})), 100);
  EXPECT_EQ(read_of({"queue_depth", {}, {}}).count(), 1) << "one reading";
}

TEST(AppMetrics, TellsWhyThereIsNoGauge) {
  const auto why = [](const MetricSum& wanted) {
    const Result<Histogram> read = histogram(kQueues, gauge(wanted));
    return read ? std::string("it reads") : read.error().message;
  };
  EXPECT_THAT(why({"queue_length", {}, {}}), HasSubstr("has no gauge queue_length: check podGauge.metric"));
  EXPECT_THAT(why({"queue_depth", {{"queue", "none"}}, {}}), HasSubstr("with the labels of podGauge"));
  EXPECT_THAT(why({"broken", {}, {}}), HasSubstr("has a value in broken that is negative or no number"));
}

TEST(AppMetrics, RefusesMoreBadThanAllAndWhatIsNoCount) {
  const MetricSum some{"requests_total", {{"code", "503"}}, {}};
  const MetricSum all{"requests_total", {}, {}};
  EXPECT_THAT(histogram(kCodes, ratio(all, some)).error().message, HasSubstr("so that the one is a part of the other"));
  for (const char* const value : {"NaN", "-1", "+Inf"}) {
    const std::string body = std::string(kCodes) + "requests_total{code=\"404\"} " + value + "\n";
    EXPECT_THAT(histogram(body, ratio(some, all)).error().message, HasSubstr("negative or no number")) << value;
  }
}

TEST(AppMetrics, ReadsMillisecondsAsSeconds) {
  const char* const body =
      "took_ms_bucket{le=\"5\"} 1\ntook_ms_bucket{le=\"10\"} 2\ntook_ms_bucket{le=\"+Inf\"} 3\ntook_ms_sum "
      "40\ntook_ms_count 3\n";
  Slo wanted = slo("took_ms");
  wanted.histogram().unit = 1e-3;
  const Histogram read = *histogram(body, wanted);
  EXPECT_THAT(*read.bounds, ElementsAre(0.005, 0.01, kInf));
  EXPECT_NEAR(read.sum, 0.04, 1e-12);
}

TEST(AppMetrics, ReadsAThirdPartysPage) {
  const Result<Histogram> all = histogram(recorded("metrics/caddy.txt"), slo("caddy_http_request_duration_seconds"));
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->count(), 151);
  EXPECT_NEAR(all->sum, 0.219572717, 1e-9);
}

TEST(AppMetrics, ReadsWhatTheProcessSaysOfItself) {
  const Result<AppMetrics> metrics = read(recorded("metrics/checkout-all-runtime.txt"), {});
  ASSERT_TRUE(metrics) << metrics.error().message;
  ASSERT_TRUE(metrics->process);
  EXPECT_EQ(metrics->process->gogc, Gogc(150));
  EXPECT_EQ(metrics->process->go_mem_limit, mib(200));
  EXPECT_EQ(metrics->process->max_procs, 2);
  EXPECT_EQ(metrics->process->cpu_seconds, 0.31);
  EXPECT_EQ(metrics->process->gc_cpu_seconds, 0.032670592);
  EXPECT_EQ(metrics->process->resident, Bytes(53792768));
  EXPECT_EQ(metrics->process->go_version, "go1.26.8");
  EXPECT_EQ(format_time(*metrics->process->started), "2026-11-21T11:32:01Z");
}

TEST(AppMetrics, KnowsThatThereIsNoMemoryLimit) {
  const Result<AppMetrics> metrics = read(recorded("metrics/checkout.txt"), {});
  ASSERT_TRUE(metrics && metrics->process);
  EXPECT_FALSE(metrics->process->go_mem_limit);
  EXPECT_FALSE(metrics->process->gc_cpu_seconds);
}

TEST(AppMetrics, KnowsThatTheCollectorIsOff) {
  const Result<AppMetrics> metrics = read("go_gc_gogc_percent 1.8446744073709552e+19\n", {});
  ASSERT_TRUE(metrics && metrics->process);
  EXPECT_EQ(metrics->process->gogc, Gogc::off());
}

TEST(AppMetrics, TakesNothingOfProgramsWhoseMetricsThePagePassesOn) {
  const std::string own =
      "go_info{version=\"go1.24.2\"} 1\nprocess_cpu_seconds_total 720.5\nprocess_start_time_seconds 1795261000\n"
      "go_gc_gogc_percent 100\n";
  const std::string of_others =
      "go_info{job=\"nightly\",version=\"go1.9\"} 1\nprocess_cpu_seconds_total{job=\"nightly\",instance=\"\"} 17.5\n"
      "process_start_time_seconds{job=\"nightly\"} 1700000000.5\ngo_gc_gogc_percent{job=\"nightly\"} 40\n";
  for (const std::string& body : {own + of_others, of_others + own}) {
    const Result<AppMetrics> metrics = read(body, {});
    ASSERT_TRUE(metrics && metrics->process);
    EXPECT_EQ(metrics->process->cpu_seconds, 720.5);
    EXPECT_EQ(metrics->process->gogc, Gogc(100));
    EXPECT_EQ(metrics->process->go_version, "go1.24.2");
    EXPECT_EQ(metrics->process->started, Time(std::chrono::seconds(1795261000)));
  }
  EXPECT_FALSE(read(of_others, {})->process);
}

TEST(AppMetrics, HasNoProcessWhenThePageSaysNothingOfIt) {
  const Result<AppMetrics> metrics = read("up 1\n", {});
  ASSERT_TRUE(metrics);
  EXPECT_FALSE(metrics->process);
}

TEST(AppMetrics, DoesNotDependOnHowTheBodyIsCutIntoPieces) {
  const std::string body = recorded("metrics/checkout.txt");
  const Result<AppMetrics> whole = read(body, {slo("http_request_duration_seconds")}, 1 << 20);
  for (const std::size_t piece : {1, 13, 4096}) {
    const Result<AppMetrics> cut = read(body, {slo("http_request_duration_seconds")}, piece);
    ASSERT_TRUE(cut);
    EXPECT_EQ(*cut->latency.at("p99").bounds, *whole->latency.at("p99").bounds);
    EXPECT_EQ(cut->latency.at("p99").counts, whole->latency.at("p99").counts);
  }
}

TEST(AppMetrics, ServesSeveralSlosOfOnePage) {
  Slo a = slo("h", {{"code", "200"}});
  a.name = "good";
  Slo b = slo("h", {{"code", "500"}});
  b.name = "bad";
  const Result<AppMetrics> metrics = read(
      "h_bucket{code=\"200\",le=\"1\"} 3\nh_bucket{code=\"200\",le=\"+Inf\"} 4\n"
      "h_bucket{code=\"500\",le=\"1\"} 5\nh_bucket{code=\"500\",le=\"+Inf\"} 6\n",
      {a, b});
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->latency.at("good").count(), 4);
  EXPECT_EQ(metrics->latency.at("bad").count(), 6);
}

TEST(AppMetrics, KeepsAHistogramOnceHoweverManySlosAreAboutIt) {
  const std::string body = "h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\n";
  std::vector<Slo> slos;
  for (const char* name : {"p50", "p90", "p99"}) {
    slos.push_back(slo("h"));
    slos.back().name = name;
  }
  AppMetricsReader one({slo("h")});
  AppMetricsReader three(slos);
  for (AppMetricsReader* const reader : {&one, &three}) reader->feed(body);
  EXPECT_GT(one.kept(), 2 * sizeof(std::pair<double, double>));
  EXPECT_EQ(three.kept(), one.kept());
  const Result<AppMetrics> metrics = three.finish();
  ASSERT_TRUE(metrics);
  for (const Slo& slo : slos) EXPECT_EQ(metrics->latency.at(slo.name).count(), 4) << slo.name;
}

TEST(AppMetrics, KeepsNothingOfAHistogramThatHasAProblem) {
  AppMetricsReader reader({slo("h")});
  reader.feed("h_bucket{le=\"1\"} 3\nh_bucket{le=\"x\"} 4\n");
  EXPECT_EQ(reader.kept(), 0U);
  reader.feed("h_bucket{le=\"2\"} 4\nh_bucket{le= malformed\n");
  const Result<AppMetrics> metrics = reader.finish();
  ASSERT_TRUE(metrics) << "what follows is skipped unread";
  EXPECT_THAT(metrics->missing.at("p99"), HasSubstr("which is no number"));
}

TEST(AppMetrics, RefusesAPageOfLinesWithoutEnd) {
  AppMetricsReader reader({slo("h")});
  const std::string line = "h_sum 1\n";
  std::size_t lines = 0;
  while (lines < 200'000 && reader.feed(line)) ++lines;
  EXPECT_EQ(lines, AppMetricsReader::kMostLines);
  EXPECT_THAT(reader.finish().error().message, HasSubstr("more than 131072 lines"));
}

TEST(AppMetrics, AddsUpOnlyTheBoundsThatAllSeriesHave) {
  const Result<Histogram> merged = histogram(
      "h_bucket{x=\"a\",le=\"0.1\"} 1\nh_bucket{x=\"a\",le=\"0.5\"} 2\nh_bucket{x=\"a\",le=\"+Inf\"} 3\n"
      "h_bucket{x=\"b\",le=\"0.2\"} 10\nh_bucket{x=\"b\",le=\"0.5\"} 20\nh_bucket{x=\"b\",le=\"+Inf\"} 30\n",
      slo("h"));
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_THAT(*merged->bounds, ElementsAre(0.5, kInf));
  EXPECT_THAT(merged->counts, ElementsAre(22, 33));
}

TEST(AppMetrics, TakesTheCountWhereTheLastBucketIsMissing) {
  const Result<Histogram> merged = histogram("h_bucket{le=\"1\"} 3\nh_sum 2.5\nh_count 7\n", slo("h"));
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_THAT(*merged->bounds, ElementsAre(1, kInf));
  EXPECT_THAT(merged->counts, ElementsAre(3, 7));
  EXPECT_EQ(merged->sum, 2.5);
  EXPECT_THAT(histogram("h_bucket{le=\"1\"} 3\n", slo("h")).error().message, HasSubstr("+Inf"));
}

TEST(AppMetrics, CountsALineOnceThatIsThereTwice) {
  const Result<Histogram> merged = histogram(
      "h_bucket{le=\"1\"} 3\nh_bucket{le=\"1.0\"} 9\nh_bucket{le=\"+Inf\"} 4\nh_bucket{le=\"Inf\"} 8\n", slo("h"));
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_THAT(*merged->bounds, ElementsAre(1, kInf));
  EXPECT_THAT(merged->counts, ElementsAre(3, 4));
}

TEST(AppMetrics, ReadsTheFormatsOddities) {
  const Result<Histogram> merged = histogram(
      "# HELP h Some \\\\ text\n# TYPE h histogram\n\n  \n"
      "other{a=\"}\",b=\"\\\"x\\\" \\\\ \\n {le=\"} NaN 1395066363000\n"
      "h_bucket { path = \"C:\\\\dir \\\"q\\\"\\n\" , le = \"+1e-1\" , } 1.5e+01 1395066363000\r\n"
      "h_bucket{path=\"C:\\\\dir \\\"q\\\"\\n\",le=\"+Inf\"}\t16 # {trace_id=\"x\"} 0.5\n"
      "{\"quoted.name\",a=\"b\"} 3\n"
      "h_sum{path=\"C:\\\\dir \\\"q\\\"\\n\"} +Inf\n# EOF\n",
      slo("h", {{"path", "C:\\dir \"q\"\n"}}));
  ASSERT_TRUE(merged) << merged.error().message;
  EXPECT_THAT(*merged->bounds, ElementsAre(0.1, kInf));
  EXPECT_THAT(merged->counts, ElementsAre(15, 16));
  EXPECT_EQ(merged->sum, 0) << "a sum that is no number is left out";
}

TEST(AppMetrics, SaysWhyAHistogramIsNotThere) {
  const struct {
    const char* body;
    const char* why;
  } cases[] = {{"up 1\n", "has no histogram h"},
               {"h{quantile=\"0.99\"} 3\nh_sum 1\nh_count 2\n", "as a summary"},
               {"h_sum 1\nh_count 2\n", "without classic buckets, only native"},
               {"h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n", "without classic buckets, only native"},
               {"h_bucket{a=\"x\",le=\"1\"} 2\nh_bucket{a=\"x\",le=\"+Inf\"} 2\nh_bucket{a=\"y\",le=\"+Inf\"} 2\n",
                "no bucket bound in common"},
               {"h_bucket{le=\"1\"} NaN\nh_bucket{le=\"+Inf\"} 4\n", "negative or no number"},
               {"h_bucket{le=\"1\"} -3\nh_bucket{le=\"+Inf\"} 4\n", "negative or no number"},
               {"h_bucket{le=\"1\"} +Inf\nh_bucket{le=\"+Inf\"} 4\n", "negative or no number"},
               {"h_bucket{le=\"1\"} 5\nh_bucket{le=\"+Inf\"} 4\n", "not cumulative"},
               {"h_bucket{le=\"x\"} 5\n", "which is no number"},
               {"h_bucket{le=\"NaN\"} 5\n", "which is no number"},
               {"h_bucket{a=\"x\"} 5\n", "without the label 'le'"}};
  for (const auto& [body, why] : cases) {
    const Result<Histogram> merged = histogram(body, slo("h"));
    ASSERT_FALSE(merged) << body;
    EXPECT_THAT(merged.error().message, HasSubstr(why)) << body;
  }
  const Result<Histogram> filtered = histogram("h_bucket{le=\"+Inf\",code=\"200\"} 5\n", slo("h", {{"code", "500"}}));
  EXPECT_THAT(filtered.error().message, HasSubstr("podHistogram.labels"));
}

TEST(AppMetrics, KnowsWhenAnotherFormatMayTellMore) {
  EXPECT_TRUE(read("h_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n", {slo("h")})->only_native);
  EXPECT_FALSE(read("h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n", {slo("h")})->only_native);
  EXPECT_FALSE(read("h{quantile=\"0.99\"} 3\nh_sum 1\nh_count 2\n", {slo("h")})->only_native);
  EXPECT_FALSE(read("up 1\n", {slo("h")})->only_native);
}

TEST(AppMetrics, OneBadHistogramDoesNotTakeTheOthersWithIt) {
  Slo bad = slo("bad");
  bad.name = "bad";
  const Result<AppMetrics> metrics =
      read("bad_bucket{le=\"1\"} NaN\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\nprocess_cpu_seconds_total 3\n",
           {bad, slo("h")});
  ASSERT_TRUE(metrics);
  EXPECT_EQ(metrics->latency.count("p99"), 1U);
  EXPECT_EQ(metrics->missing.count("bad"), 1U);
  EXPECT_TRUE(metrics->process);
}

TEST(AppMetrics, SaysWhatCameInsteadOfMetrics) {
  const struct {
    const char* body;
    const char* named;
  } cases[] = {{"<html><body>Hi</body></html>\n", "an HTML page"},
               {"{\"a\": 1}\n", "JSON"},
               {"<html>", "an HTML page"},
               {"Hello, world!\n", "other text"},
               {"\x1f\x8b\x08 gz\n", "compressed data"}};
  for (const auto& [body, named] : cases) {
    const Result<AppMetrics> metrics = read(body, {slo("h")});
    ASSERT_FALSE(metrics) << body;
    EXPECT_THAT(metrics.error().message, HasSubstr(named)) << body;
  }
}

TEST(AppMetrics, RefusesAMalformedLineOfAWantedMetric) {
  for (const char* line : {"h_bucket{le=\"1\" 3", "h_bucket{le=1} 3", "h_bucket{le=\"1\"} x", "h_bucket{le=\"1\"}",
                           "h_bucket{le=\"1\",le=\"2\"} 3", "h_bucket{=\"1\"} 3", "h_bucket{le=\"1} 3", "h_bucket{",
                           "h_bucket{le=\"1\"} +-3"}) {
    const Result<AppMetrics> metrics = read(std::string("up 1\n") + line + "\n", {slo("h")});
    ASSERT_FALSE(metrics) << line;
    EXPECT_THAT(metrics.error().message, HasSubstr("malformed")) << line;
  }
}

TEST(AppMetrics, CaresNothingForMalformedLinesOfOtherMetrics) {
  EXPECT_TRUE(read("up 1\nother{x=\"y} 3\nh_bucket{le=\"+Inf\"} 4\n", {slo("h")}));
}

TEST(AppMetrics, RefusesAPageThatIsCutOffInALine) {
  const Result<AppMetrics> metrics = read("up 1\nh_bucket{le=\"+Inf\"} 41", {slo("h")});
  ASSERT_FALSE(metrics);
  EXPECT_TRUE(metrics.error().retriable());
}

TEST(AppMetrics, RefusesAHistogramOfMoreBucketsThanAnybodyNeeds) {
  std::string body;
  for (std::size_t i = 1; i < Histogram::kMostBounds; ++i) body += "h_bucket{le=\"" + std::to_string(i) + "\"} 1\n";
  const Result<Histogram> most = histogram(body + "h_bucket{le=\"+Inf\"} 1\n", slo("h"));
  ASSERT_TRUE(most);
  EXPECT_EQ(most->counts.size(), Histogram::kMostBounds);
  const Result<Histogram> more = histogram(body + "h_bucket{le=\"0\"} 1\nh_bucket{le=\"+Inf\"} 1\n", slo("h"));
  ASSERT_FALSE(more);
  EXPECT_THAT(more.error().message, HasSubstr("has a series of h_bucket with more than 256 buckets: export"));
}

TEST(AppMetrics, BoundsWhatItKeeps) {
  AppMetricsReader many_series({slo("h")});
  many_series.feed("up 1\n");
  for (std::size_t i = 0; i < 3 * AppMetricsReader::kMostSeries; ++i) {
    many_series.feed("h_bucket{id=\"" + std::to_string(i) + "\",le=\"+Inf\"} 1\n");
  }
  EXPECT_THAT(many_series.finish()->missing.at("p99"), HasSubstr("series"));

  AppMetricsReader many_buckets({slo("h")});
  for (std::size_t i = 0; i <= AppMetricsReader::kMostBuckets; ++i) {
    many_buckets.feed("h_bucket{id=\"" + std::to_string(i / 200) + "\",le=\"" + std::to_string(i % 200) + "\"} 1\n");
  }
  EXPECT_THAT(many_buckets.finish()->missing.at("p99"), HasSubstr("more than 32768 buckets of h_bucket"));

  AppMetricsReader long_line({slo("h")});
  EXPECT_TRUE(long_line.feed("up 1\n"));
  long_line.feed("h_bucket{le=\"" + std::string(200'000, '1') + "\"} 1\n");
  EXPECT_THAT(long_line.finish().error().message, HasSubstr("longer than"));

  AppMetricsReader no_lines({slo("h")});
  int pieces = 0;
  while (no_lines.feed(std::string(4096, 'x')) && pieces < 1000) ++pieces;
  EXPECT_LT(pieces, 20);
}

}  // namespace
}  // namespace gopacer
