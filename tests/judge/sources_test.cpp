#include "gopacer/judge/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge/trial_pods.h"

namespace gopacer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kStart;

class UnreadSources : public ::testing::Test {
 protected:
  UnreadSources() {
    slo_.name = "p99";
    pod_.advance(kStart, random_);
  }

  std::vector<std::string> unread() const { return unread_sources(observed({pod_.series}), {slo_}); }
  static Observation observed(std::vector<PodSeries> pods) {
    Observation out;
    out.at = kStart;
    out.pods = std::move(pods);
    return out;
  }
  template <typename Edit>
  void change(const Edit& edit) {
    pod_.series.samples.change_last(edit);
  }

  std::mt19937_64 random_{1};
  testing::PodImposter pod_{"checkout-1", Track::kStable, kStart - std::chrono::minutes(2)};
  Slo slo_;
};

TEST_F(UnreadSources, AreNoneOnceEachWasReadFromOnePod) {
  PodSeries deaf;
  deaf.unread["p99"] = "shop/checkout-2: port 8080 refused the connection";
  EXPECT_THAT(unread_sources(observed({deaf, pod_.series}), {slo_}), IsEmpty());
}

TEST_F(UnreadSources, StayReadWhenALaterAttemptFails) {
  pod_.series.unread["p99"] = "shop/checkout-1: port 8080 /metrics gave no complete answer in time";
  EXPECT_THAT(unread(), IsEmpty());
}

TEST_F(UnreadSources, AreNoneOfAnSloThatMayBeSilent) {
  change([](Sample& sample) { sample.latency.clear(); });
  slo_.on_no_data = NoDataAction::kIgnore;
  EXPECT_THAT(unread(), IsEmpty());
}

TEST_F(UnreadSources, TellWhyAHistogramIsMissingInThePodsOwnWords) {
  change([](Sample& sample) { sample.latency.clear(); });
  pod_.series.unread["p99"] = "shop/checkout-1: port 8080 /metrics has no histogram http_latency";
  EXPECT_THAT(unread(), ElementsAre("SLO p99: shop/checkout-1: port 8080 /metrics has no histogram http_latency"));
  pod_.series.unread.clear();
  pod_.series.error = "shop/checkout-1 has no IP address yet";
  EXPECT_THAT(unread(), ElementsAre("SLO p99: shop/checkout-1 has no IP address yet"));
  PodSeries silent;  // of which nothing is known
  EXPECT_THAT(unread_sources(observed({silent, pod_.series}), {slo_}),
              ElementsAre("SLO p99: shop/checkout-1 has no IP address yet"));
}

TEST_F(UnreadSources, AreAllWhereNoPodOfTheTargetWasRead) {
  pod_.series.track = Track::kCanary;
  EXPECT_THAT(unread(), ElementsAre(HasSubstr("SLO p99: no pod of the target"), HasSubstr("gc-cpu: nothing has told")));
}

TEST_F(UnreadSources, IncludeBucketsInWhichNoChangeWouldShow) {
  change([](Sample& sample) { sample.latency["p99"] = testing::histogram_of({{5, 400}, {10, 400}}, 400, 8); });
  slo_.histogram().metric = "http_latency";
  EXPECT_THAT(unread(), ElementsAre("SLO p99: http_latency can't show a change: no bucket bound is near the 99 % "
                                    "quantile, which lies below the first one, 5.00s: add finer buckets near 20.0ms, "
                                    "the mean, and above"));
  // Too few requests to say.
  change([](Sample& sample) { sample.latency["p99"] = testing::histogram_of({{5, 4}, {10, 4}}, 4, 0.08); });
  EXPECT_THAT(unread(), IsEmpty());
}

TEST_F(UnreadSources, IncludeSuchBucketsAsSoonAsAllPodsTogetherHadEnoughRequests) {
  slo_.histogram().quantile = 0.5;  // of which fifty requests say something
  PodSeries other = pod_.series;
  const auto serve = [](PodSeries& pod, double requests) {
    pod.samples.change_last(
        [&](Sample& sample) { sample.latency["p99"] = testing::histogram_of({{5, requests}}, requests); });
  };
  serve(pod_.series, 20);
  serve(other, 29);
  EXPECT_THAT(unread_sources(observed({pod_.series, other}), {slo_}), IsEmpty());
  serve(other, 30);
  EXPECT_THAT(unread_sources(observed({pod_.series, other}), {slo_}), ElementsAre(HasSubstr("can't show a change")));
  other.samples.clear();
  serve(pod_.series, 50);
  EXPECT_THAT(unread_sources(observed({pod_.series, other}), {slo_}), ElementsAre(HasSubstr("can't show a change")));
}

TEST_F(UnreadSources, TellWhyOneHistogramIsMissingRatherThanWhyAnotherPodIsDeaf) {
  change([](Sample& sample) { sample.latency.clear(); });
  PodSeries deaf;
  deaf.error = "shop/checkout-2 has no IP address yet";
  pod_.series.unread["p99"] = "shop/checkout-1: port 8080 /metrics has no histogram http_latency";
  EXPECT_THAT(unread_sources(observed({deaf, pod_.series}), {slo_}), ElementsAre(HasSubstr("has no histogram")));
}

TEST_F(UnreadSources, IncludeCollectionsCpu) {
  change([](Sample& sample) { sample.process.reset(); });
  EXPECT_THAT(unread(), ElementsAre(HasSubstr("It needs CPU profiles")));
  change([](Sample& sample) { sample.profile.emplace(); });
  EXPECT_THAT(unread(), IsEmpty());
  change([](Sample& sample) { sample.profile.reset(); });
  // GCCPUFraction tells when GOMAXPROCS and the CPU in use are known.
  change([](Sample& sample) { sample.usage->cpu_seconds = 3; });
  EXPECT_THAT(unread(), ElementsAre(HasSubstr("GOMAXPROCS")));
  pod_.series.cpu_limit = 2;
  EXPECT_THAT(unread(), IsEmpty());
}

}  // namespace
}  // namespace gopacer
