#include "observe/scraper.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "codec/agent_sample.h"
#include "fakes/scripted_fetcher.h"
#include "observe/agent_page.h"
#include "observe/recorded.h"

namespace gopacer {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

class FakeClock final : public Clock {
 public:
  Time now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  Time now_{seconds(1'800'000'000)};
};

class FakeTokens final : public TokenSource {
 public:
  Result<std::string> token() override { return current; }
  void refused() override { ++refusals; }
  Result<std::string> current = std::string("the-token");
  int refusals = 0;
};

class FakeFallback final : public UsageFallback {
 public:
  std::string name() const override { return "metrics.k8s.io"; }
  Result<std::vector<PodUsage>> list(const std::string& ns) override {
    asked.push_back(ns);
    return answer;
  }
  Result<std::vector<PodUsage>> answer = std::vector<PodUsage>{};
  std::vector<std::string> asked;
};

std::string heap_body() { return recorded("go/go1.26-busy.heap.txt"); }
std::string vars_body() { return recorded("go/go1.26.vars.json"); }
std::string profile_body() { return recorded("go/go1.26.cpu.pb.gz"); }

/// A heap profile of the same process after `times` as many allocations.
std::string heap_body_later(int times) {
  std::string body = heap_body();
  const std::string was = "# TotalAlloc = 1360273856";
  return body.replace(body.find(was), was.size(), "# TotalAlloc = " + std::to_string(1360273856LL * times));
}

class ScraperTest : public testing::Test {
 protected:
  ScraperTest() { make({}); }

  void make(ScraperOptions options) {
    if (!options.random) options.random = [] { return 0.0; };
    scraper_.reset();
    scraper_ = std::make_unique<Scraper>(fetcher_, clock_, &tokens_, &fallback_, options);
  }

  static PodTarget pod(const std::string& name, const std::string& ip) {
    PodTarget target;
    target.pod = {"shop", name};
    target.uid = "uid-" + name;
    target.ip = ip;
    target.node = "node-1";
    target.container = "app";
    target.ready = true;
    target.created = Time(seconds(1'798'999'000));
    target.started = Time(seconds(1'799'000'000));
    target.memory_limit = mib(512);
    return target;
  }

  static Slo slo(const std::string& name, int port = 8080, const std::string& path = "/metrics") {
    Slo out;
    out.name = name;
    out.port = port;
    out.path = path;
    out.histogram().metric = "http_request_duration_seconds";
    return out;
  }

  static ScrapePlan plan(std::vector<PodTarget> pods, std::vector<Slo> slos = {}) {
    ScrapePlan out;
    out.pods = std::move(pods);
    out.slos = std::move(slos);
    out.profiling = Profiling::kNever;
    return out;
  }

  /// Lets the time go on and everything that is due happen.
  void pass(Duration time) {
    clock_.advance(time);
    scraper_->run_due();
    fetcher_.answer_all();
  }

  PodSeries series(const std::string& name, const ObjectKey& profile = kProfile) const {
    for (const PodSeries& found : scraper_->snapshot(profile, clock_.now()).pods) {
      if (found.pod == name) return found;
    }
    ADD_FAILURE() << "no pod " << name;
    return {};
  }

  int fetches(const std::string& place) const {
    return static_cast<int>(std::count_if(fetcher_.log.begin(), fetcher_.log.end(),
                                          [&](const std::string& entry) { return entry.starts_with(place); }));
  }

  static const ObjectKey kProfile;
  FakeClock clock_;
  ScriptedFetcher fetcher_;
  FakeTokens tokens_;
  FakeFallback fallback_;
  std::unique_ptr<Scraper> scraper_;
};

const ObjectKey ScraperTest::kProfile{"shop", "checkout"};

TEST_F(ScraperTest, ReadsMemStatsAndHistogramsOncePerInterval) {
  fetcher_.on("10.0.0.1/debug/pprof/heap", {heap_body()});
  fetcher_.on("10.0.0.1/metrics", {recorded("metrics/checkout.txt")});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {slo("p99")}));
  pass(seconds(0));
  EXPECT_THAT(fetcher_.log,
              ElementsAre("10.0.0.1/debug/vars", "10.0.0.1/debug/pprof/heap?debug=1", "10.0.0.1/metrics"));
  pass(seconds(14));
  EXPECT_EQ(fetcher_.log.size(), 3U);
  pass(seconds(1));
  EXPECT_EQ(fetcher_.log.size(), 5U) << "what is no expvar is not asked again";

  const PodSeries read = series("a");
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.samples.size(), 2U);
  EXPECT_EQ(read.samples[1].at - read.samples[0].at, seconds(15));
  const Sample& sample = read.samples.back();
  ASSERT_TRUE(sample.mem && sample.process);
  EXPECT_EQ(sample.mem->num_gc, 302U);
  EXPECT_EQ(sample.process->go_version, "go1.26.8");
  EXPECT_GT(sample.latency.at("p99").count(), 0);
}

TEST_F(ScraperTest, HandsOnWhatThePlanSaysOfAPod) {
  PodTarget target = pod("a", "10.0.0.1");
  target.track = Track::kCanary;
  target.restarts = 3;
  target.oom_killed = true;
  target.settings.gogc = Gogc(150);
  target.cpu_limit = 0.5;
  scraper_->set_targets(kProfile, plan({target}));
  const PodSeries read = series("a");
  EXPECT_EQ(read.track, Track::kCanary);
  EXPECT_EQ(read.restarts, 3);
  EXPECT_TRUE(read.oom_killed);
  EXPECT_TRUE(read.ready);
  EXPECT_EQ(read.settings.gogc, Gogc(150));
  EXPECT_EQ(read.memory_limit, mib(512));
  EXPECT_EQ(read.cpu_limit, 0.5);
  EXPECT_EQ(read.uid, "uid-a");
  EXPECT_EQ(read.created, target.created);
  EXPECT_EQ(read.started, target.started);
  EXPECT_FALSE(read.first_read);
  EXPECT_THAT(read.samples, IsEmpty());
}

TEST_F(ScraperTest, PrefersExpvarWhereItIs) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  fetcher_.on("10.0.0.1/debug/pprof/heap", {heap_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  pass(seconds(15));
  EXPECT_THAT(fetcher_.log, ElementsAre("10.0.0.1/debug/vars", "10.0.0.1/debug/vars"));
  EXPECT_EQ(series("a").samples.back().mem->num_gc, 304U);
}

TEST_F(ScraperTest, LooksForExpvarAgainInANewProcess) {
  fetcher_.on("10.0.0.1/debug/pprof/heap", {heap_body()});
  PodTarget target = pod("a", "10.0.0.1");
  scraper_->set_targets(kProfile, plan({target}));
  pass(seconds(0));
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/vars"), 1);
  target.restarts = 1;
  scraper_->set_targets(kProfile, plan({target}));
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/vars"), 2);
}

TEST_F(ScraperTest, FallsBackToTheHeapProfileWhenExpvarGoesAway) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  fetcher_.on("10.0.0.1/debug/pprof/heap", {heap_body_later(2)});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  fetcher_.on("10.0.0.1/debug/vars", {"gone", 404});
  pass(seconds(15));
  EXPECT_EQ(series("a").error, "");
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/heap"), 1);
}

TEST_F(ScraperTest, ReadsAPageOnceHoweverManySlosAreOnIt) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  fetcher_.on("10.0.0.1/metrics", {recorded("metrics/checkout.txt")});
  fetcher_.on("10.0.0.1/other", {recorded("metrics/checkout.txt")});
  scraper_->set_targets(
      kProfile, plan({pod("a", "10.0.0.1")}, {slo("one"), slo("two"), slo("three", 8080, "/other"), slo("four")}));
  pass(seconds(0));
  EXPECT_EQ(fetches("10.0.0.1/metrics"), 1);
  EXPECT_EQ(fetches("10.0.0.1/other"), 1);
  EXPECT_EQ(series("a").samples.back().latency.size(), 4U);
}

TEST_F(ScraperTest, ForgetsWhatItReadForAnSloThatIsAnotherNow) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  fetcher_.on("10.0.0.1/metrics", {recorded("metrics/checkout.txt")});
  fetcher_.on("10.0.0.1/other", {recorded("metrics/checkout.txt")});
  const auto kept = [&](const std::string& name) {
    const PodSeries pod = series("a");
    return std::count_if(pod.samples.begin(), pod.samples.end(),
                         [&](const Sample& sample) { return sample.latency.contains(name); });
  };
  Slo changing = slo("changing");
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {changing, slo("same")}));
  pass(seconds(0));
  pass(seconds(15));
  changing.max = 0.1;
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {changing, slo("same")}));
  EXPECT_EQ(kept("changing"), 2) << "another promise, but the same readings";
  clock_.advance(seconds(15));
  scraper_->run_due();
  changing.path = "/other";
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {changing, slo("same")}));
  EXPECT_EQ(kept("changing"), 0);
  fetcher_.answer_all();
  EXPECT_EQ(kept("changing"), 0) << "what was under way read the old page";
  EXPECT_EQ(kept("same"), 3);
  pass(seconds(15));
  EXPECT_EQ(kept("changing"), 1);
}

TEST_F(ScraperTest, NeverReadsAPodTwiceAtATime) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {slo("p99")}));
  scraper_->run_due();
  for (int i = 0; i < 5; ++i) {
    clock_.advance(seconds(15));
    scraper_->run_due();
    EXPECT_EQ(fetcher_.pending(), 1U);
  }
  fetcher_.answer_all();
  pass(seconds(15));
  EXPECT_EQ(series("a").samples.size(), 2U);
  EXPECT_EQ(scraper_->probe().skipped, 5U);
}

TEST_F(ScraperTest, ASlowPodDelaysOnlyItself) {
  fetcher_.on("10.0.0.2/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1"), pod("b", "10.0.0.2")}));
  scraper_->run_due();
  ASSERT_EQ(fetcher_.next().address, "10.0.0.1");
  // The first fetch stays open while the second pod is read again and again.
  ASSERT_EQ(fetcher_.pending(), 2U);
  fetcher_.move_first_to_the_end();
  for (int i = 0; i < 4; ++i) {
    fetcher_.answer_one();
    fetcher_.move_first_to_the_end();
    clock_.advance(seconds(15));
    scraper_->run_due();
    fetcher_.move_first_to_the_end();
  }
  EXPECT_EQ(series("b").samples.size(), 4U);
  EXPECT_EQ(series("a").samples.size(), 0U);
}

TEST_F(ScraperTest, BeginsANewSeriesAfterARestart) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  PodTarget target = pod("a", "10.0.0.1");
  scraper_->set_targets(kProfile, plan({target}));
  pass(seconds(0));
  pass(seconds(15));
  target.restarts = 1;
  target.started += minutes(20);
  scraper_->set_targets(kProfile, plan({target}));
  EXPECT_THAT(series("a").samples, IsEmpty());
  pass(seconds(15));
  EXPECT_EQ(series("a").samples.size(), 1U);
}

TEST_F(ScraperTest, ThrowsAwayWhatWasReadOfAProcessThatIsNoMore) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  PodTarget target = pod("a", "10.0.0.1");
  scraper_->set_targets(kProfile, plan({target}));
  scraper_->run_due();
  target.restarts = 1;
  scraper_->set_targets(kProfile, plan({target}));
  fetcher_.answer_all();
  EXPECT_THAT(series("a").samples, IsEmpty());
  pass(seconds(15));
  EXPECT_EQ(series("a").samples.size(), 1U);
}

TEST_F(ScraperTest, TakesAPodOfTheSameNameForAnotherOne) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  PodTarget target = pod("a", "10.0.0.1");
  scraper_->set_targets(kProfile, plan({target}));
  pass(seconds(0));
  target.uid = "another";
  scraper_->set_targets(kProfile, plan({target}));
  EXPECT_THAT(series("a").samples, IsEmpty());
  EXPECT_EQ(series("a").uid, "another");
  EXPECT_FALSE(series("a").first_read);
  pass(seconds(15));
  EXPECT_EQ(series("a").first_read, clock_.now());
}

TEST_F(ScraperTest, ForgetsAPodThatIsGoneEvenWhileItIsRead) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {slo("p99")}));
  scraper_->run_due();
  scraper_->set_targets(kProfile, plan({}));
  fetcher_.answer_all();
  EXPECT_THAT(scraper_->snapshot(kProfile, clock_.now()).pods, IsEmpty());
  EXPECT_EQ(fetcher_.log.size(), 1U) << "its other pages are not read any more";
  pass(minutes(1));
  EXPECT_EQ(fetcher_.log.size(), 1U);
}

TEST_F(ScraperTest, ForgetsAProfileThatIsRemoved) {
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  scraper_->remove(kProfile);
  pass(minutes(1));
  EXPECT_THAT(fetcher_.log, IsEmpty());
  EXPECT_THAT(scraper_->snapshot(kProfile, clock_.now()).pods, IsEmpty());
}

TEST_F(ScraperTest, KeepsABoundedNumberOfSamples) {
  ScraperOptions options;
  options.history.samples_per_pod = 10;
  make(options);
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  for (int i = 0; i < 40; ++i) pass(seconds(15));
  EXPECT_LE(series("a").samples.size(), 10U);
  EXPECT_GE(series("a").samples.size(), 5U);
  EXPECT_GT(series("a").samples.back().at - series("a").samples.front().at, minutes(2))
      << "older samples get sparse instead of going all at once";
  const ScraperProbe probe = scraper_->probe();
  EXPECT_EQ(probe.kept_samples, series("a").samples.size());
  EXPECT_EQ(probe.samples, 40U);
  EXPECT_EQ(probe.shed.by_pod, probe.samples - probe.kept_samples);
}

TEST_F(ScraperTest, KeepsSamplesNoLongerThanThePlanAsksFor) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  ScrapePlan brief = plan({pod("a", "10.0.0.1")});
  brief.keep = minutes(2);
  scraper_->set_targets(kProfile, brief);
  for (int i = 0; i < 40; ++i) pass(seconds(15));
  const PodSeries read = series("a");
  EXPECT_GE(read.samples.back().at - read.samples.front().at, minutes(2));
  EXPECT_LT(read.samples.back().at - read.samples.front().at, minutes(3));
  EXPECT_EQ(scraper_->probe().shed.by_pod, 0U);
}

TEST_F(ScraperTest, KeepsTheHistoriesOfAllPodsWithinTheirBytes) {
  ScraperOptions options;
  options.history.bytes = std::size_t{40} << 10;
  make(options);
  std::vector<PodTarget> pods;
  for (int i = 1; i <= 8; ++i) {
    pods.push_back(pod("pod-" + std::to_string(i), "10.0.1." + std::to_string(i)));
    fetcher_.on(pods.back().ip + "/debug/vars", {vars_body()});
  }
  scraper_->set_targets(kProfile, plan(pods));
  for (int i = 0; i < 30; ++i) pass(seconds(15));
  const ScraperProbe probe = scraper_->probe();
  EXPECT_LE(probe.history_bytes, options.history.bytes);
  EXPECT_GT(probe.history_bytes, options.history.bytes / 2);
  EXPECT_EQ(probe.history_limit, options.history.bytes);
  EXPECT_GT(probe.shed.outside_trials, 0U);
  scraper_->remove(kProfile);
  EXPECT_EQ(scraper_->probe().history_bytes, 0U);
}

TEST_F(ScraperTest, ReadsAPodOnceHoweverManyProfilesNameIt) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  const ObjectKey other{"shop", "other"};
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  scraper_->set_targets(other, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1"), 2);
  const PodSeries first = series("a");
  const PodSeries second = series("a", other);
  ASSERT_EQ(first.samples.size(), 2U);
  ASSERT_EQ(second.samples.size(), 2U);
  EXPECT_EQ(&first.samples.back(), &second.samples.back()) << "the same samples, not copies";
  EXPECT_THAT(first.notes, Not(Contains(HasSubstr("names it too"))));
  EXPECT_THAT(second.notes, Contains(HasSubstr("shop/a is read for profile shop/checkout")));

  scraper_->remove(kProfile);
  pass(seconds(15));
  EXPECT_EQ(series("a", other).samples.size(), 3U) << "the other profile has it read from then on";
  EXPECT_THAT(series("a", other).notes, Not(Contains(HasSubstr("names it too"))));
  scraper_->remove(other);
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1"), 3);
  EXPECT_EQ(scraper_->probe().pods, 0U);
}

TEST_F(ScraperTest, SnapshotsStayAsTheyWere) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  const PodSeries before = series("a");
  const std::size_t cycles = before.samples.back().mem->pauses.size();
  pass(seconds(15));
  pass(seconds(15));
  scraper_->remove(kProfile);
  ASSERT_EQ(before.samples.size(), 1U);
  EXPECT_EQ(before.samples.back().mem->pauses.size(), cycles);
}

TEST_F(ScraperTest, SpreadsThePodsOverTheInterval) {
  double next = 0;
  ScraperOptions options;
  options.random = [&next] { return next = std::fmod(next + 0.1, 1.0); };
  make(options);
  std::vector<PodTarget> pods;
  for (int i = 1; i <= 4; ++i) pods.push_back(pod("pod-" + std::to_string(i), "10.0.0." + std::to_string(i)));
  ScrapePlan spread = plan(pods);
  scraper_->set_targets(kProfile, spread);
  std::vector<std::size_t> begun;
  for (int i = 0; i < 15; ++i) {
    scraper_->run_due();
    begun.push_back(fetcher_.log.size());
    clock_.advance(seconds(1));
  }
  EXPECT_EQ(begun.front(), 0U);
  EXPECT_EQ(begun.back(), 4U);
  EXPECT_GE(std::count(begun.begin(), begun.end(), 2U), 1) << "they don't all begin at the same time";
}

TEST_F(ScraperTest, SaysWhenTheNextPodIsDue) {
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  EXPECT_LE(scraper_->run_due() - clock_.now(), seconds(1));
  clock_.advance(milliseconds(14'700));
  EXPECT_EQ(scraper_->run_due() - clock_.now(), milliseconds(300));
}

TEST_F(ScraperTest, GoesOnAfterTheClockWasSetBack) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  pass(-hours(5));
  EXPECT_EQ(fetches("10.0.0.1"), 2);
}

TEST_F(ScraperTest, SlowProfilesLeaveRoomToOthers) {
  ScraperOptions options;
  options.fetches = {.places = 4, .per_namespace = 4, .per_owner = 2};
  make(options);
  std::vector<PodTarget> pods;
  for (int i = 1; i <= 20; ++i) pods.push_back(pod("pod-" + std::to_string(i), "10.0.1." + std::to_string(i)));
  scraper_->set_targets(kProfile, plan(pods));
  scraper_->run_due();
  EXPECT_EQ(fetcher_.pending(), 2U);
  EXPECT_EQ(scraper_->probe().waiting, 18U);
  const ObjectKey other{"shop", "other"};
  scraper_->set_targets(other, plan({pod("x", "10.0.0.1")}));
  scraper_->run_due();
  EXPECT_EQ(fetcher_.pending(), 3U) << "another profile is not behind them";
  fetcher_.answer_all();
  EXPECT_EQ(fetches("10.0.1."), 40) << "all came to their turn, each for expvar and for the heap profile";
  EXPECT_EQ(scraper_->probe().waiting, 0U);
  EXPECT_EQ(scraper_->probe().in_flight, 0U);
}

// --- errors
// ------------------------------------------------------------------------------------------------------------

struct BadPage {
  const char* name;
  ScriptedFetcher::Reply reply;
  const char* says;
  const char* advises;
};

class ScraperErrorTest : public ScraperTest, public testing::WithParamInterface<BadPage> {};

TEST_P(ScraperErrorTest, NamesThePodAndThePortAndSaysWhatToDo) {
  fetcher_.on("10.0.0.1/", GetParam().reply);
  fetcher_.on("10.0.0.2/debug/vars", {vars_body()});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1"), pod("b", "10.0.0.2")}));
  pass(seconds(0));
  const std::string error = series("a").error;
  EXPECT_THAT(error, HasSubstr("shop/a: port 6060"));
  EXPECT_THAT(error, HasSubstr(GetParam().says));
  EXPECT_THAT(error, HasSubstr(GetParam().advises));
  EXPECT_EQ(error.find("; ;"), std::string::npos);
  EXPECT_THAT(series("a").samples, IsEmpty());
  EXPECT_EQ(series("b").error, "") << "the other pod is read";
  EXPECT_EQ(series("b").samples.size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Pages, ScraperErrorTest,
    testing::Values(
        BadPage{"Refused",
                {"", 0, FetchFailure::kRefused, "connection refused"},
                "refused the connection",
                "import net/http/pprof"},
        BadPage{"Unreachable",
                {"", 0, FetchFailure::kUnreachable, "No route to host"},
                "No route to host",
                "NetworkPolicies"},
        BadPage{"TimedOut",
                {"", 0, FetchFailure::kTimedOut, "no complete answer in time"},
                "no complete answer in time (5s)",
                "starved of CPU"},
        BadPage{"TooLong",
                {"", 0, FetchFailure::kTooLong, "the answer is longer than 67108864 bytes"},
                "67108864",
                "spec.runtimeMetrics"},
        BadPage{"Redirected", {"", 0, FetchFailure::kRedirected, "HTTP 302 is a redirect"}, "HTTP 302", "not followed"},
        BadPage{"NotHttp",
                {"", 0, FetchFailure::kNotHttp, "the answer is not HTTP (bad version)"},
                "not HTTP",
                "spec.runtimeMetrics.port"},
        BadPage{"CutOff",
                {"", 0, FetchFailure::kCutOff, "the connection was closed in the middle of the answer"},
                "broke off",
                "log"},
        BadPage{"HungUp",
                {"", 0, FetchFailure::kNoAnswer, "the connection was closed without a byte of an answer"},
                "mTLS",
                "PERMISSIVE for this port"},
        BadPage{"Missing",
                {"404 page not found\n", 404},
                "answered HTTP 404",
                "another port and path (spec.runtimeMetrics; advise: --url)"},
        BadPage{"Broken", {"oh no", 500}, "answered HTTP 500: look", "log"},
        BadPage{"Forbidden", {"who are you", 401}, "answered HTTP 401", "credentials"},
        BadPage{"Html", {"<html>Welcome</html>\n"}, "an HTML page", "spec.runtimeMetrics.port and path"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(ScraperTest, ForgetsAnErrorWhenThePodAnswersAgain) {
  fetcher_.on("10.0.0.1/", {"", 0, FetchFailure::kRefused});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  EXPECT_THAT(series("a").error, Not(IsEmpty()));
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  pass(seconds(15));
  EXPECT_EQ(series("a").error, "");
}

TEST_F(ScraperTest, SaysThatAPodHasNoAddressYet) {
  scraper_->set_targets(kProfile, plan({pod("a", "")}));
  pass(seconds(0));
  EXPECT_THAT(series("a").error, HasSubstr("has no IP address yet"));
  EXPECT_THAT(fetcher_.log, IsEmpty());
}

TEST_F(ScraperTest, KeepsMemStatsWhenTheHistogramIsMissing) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  fetcher_.on("10.0.0.1/metrics", {"up 1\n"});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {slo("p99"), slo("p50", 9999)}));
  fetcher_.on("10.0.0.1/metrics", {"up 1\n"});
  pass(seconds(0));
  const PodSeries read = series("a");
  EXPECT_EQ(read.error, "");
  ASSERT_EQ(read.samples.size(), 1U);
  EXPECT_TRUE(read.samples[0].mem);
  EXPECT_THAT(read.notes,
              Contains(HasSubstr("shop/a: port 8080 /metrics has no histogram http_request_duration_seconds")));
  EXPECT_THAT(read.notes, Contains(HasSubstr("port 9999")));
  EXPECT_THAT(read.unread, UnorderedElementsAre(Pair("p99", HasSubstr("port 8080 /metrics has no histogram")),
                                                Pair("p50", HasSubstr("port 9999"))));
}

TEST_F(ScraperTest, AddsUpTheReadingsOfAGaugeOfOneProcess) {
  Slo queue = slo("queue");
  queue.source = PodGauge{{"queue_depth", {}, {}}};
  fetcher_.on("10.0.0.1/debug/pprof/heap", {heap_body()});
  fetcher_.on("10.0.0.1/metrics", {"queue_depth 4\n"});
  PodTarget target = pod("a", "10.0.0.1");
  scraper_->set_targets(kProfile, plan({target}, {queue}));
  pass(seconds(0));
  fetcher_.on("10.0.0.1/metrics", {"queue_depth 10\n"});
  pass(seconds(15));
  fetcher_.on("10.0.0.1/metrics", {"nothing 1\n"});
  pass(seconds(15));
  fetcher_.on("10.0.0.1/metrics", {"queue_depth 1\n"});
  pass(seconds(15));
  const PodSeries read = series("a");
  ASSERT_EQ(read.samples.size(), 4U);
  EXPECT_EQ(read.samples[1].latency.at("queue").sum, 14);
  EXPECT_FALSE(read.samples[2].latency.contains("queue"));
  EXPECT_EQ(read.samples[3].latency.at("queue").sum, 15) << "a page without it costs one reading";
  EXPECT_EQ(read.samples[3].latency.at("queue").count(), 3);

  target.restarts = 1;
  scraper_->set_targets(kProfile, plan({target}, {queue}));
  pass(seconds(15));
  EXPECT_EQ(series("a").samples.back().latency.at("queue").count(), 1) << "another process";
}

TEST_F(ScraperTest, AsksForTheProtobufFormatWhereAHistogramIsOnlyNative) {
  fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
  fetcher_.on("10.0.0.1/metrics", {"http_request_duration_seconds_bucket{le=\"+Inf\"} 5\n"});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {slo("p99")}));
  pass(seconds(0));
  EXPECT_THAT(series("a").unread.at("p99"), HasSubstr("only native"));
  EXPECT_THAT(fetcher_.accepted, Not(Contains(HasSubstr("protobuf"))));
  pass(seconds(15));
  EXPECT_THAT(fetcher_.accepted.back(), HasSubstr("application/vnd.google.protobuf"));
}

TEST_F(ScraperTest, KeepsTheHistogramWhenMemStatsAreMissing) {
  fetcher_.on("10.0.0.1/metrics", {recorded("metrics/checkout.txt")});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}, {slo("p99")}));
  pass(seconds(0));
  const PodSeries read = series("a");
  EXPECT_THAT(read.error, HasSubstr("answered HTTP 404"));
  ASSERT_EQ(read.samples.size(), 1U);
  EXPECT_FALSE(read.samples[0].mem);
  EXPECT_EQ(read.samples[0].latency.size(), 1U);
}

TEST_F(ScraperTest, CountsWhatItDoes) {
  fetcher_.on("10.0.0.1/debug/pprof/heap", {heap_body()});
  fetcher_.on("10.0.0.2/", {"", 0, FetchFailure::kRefused});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1"), pod("b", "10.0.0.2")}));
  pass(seconds(0));
  const ScraperProbe probe = scraper_->probe();
  const auto outcomes = [&](PageKind kind, PageFailure failure) {
    return probe.pages[static_cast<std::size_t>(kind)].outcomes[static_cast<std::size_t>(failure)];
  };
  EXPECT_EQ(outcomes(PageKind::kHeap, PageFailure::kNone), 1U);
  EXPECT_EQ(outcomes(PageKind::kVars, PageFailure::kStatus), 1U);
  EXPECT_EQ(outcomes(PageKind::kVars, PageFailure::kRefused), 1U);
  EXPECT_EQ(probe.pages[static_cast<std::size_t>(PageKind::kHeap)].bytes, heap_body().size());
  EXPECT_EQ(probe.cycles, 2U);
  EXPECT_EQ(probe.samples, 1U);
  EXPECT_EQ(probe.pods, 2U);
}

// --- CPU profiles
// ------------------------------------------------------------------------------------------------------

class ScraperProfileTest : public ScraperTest {
 protected:
  ScraperProfileTest() {
    fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
    fetcher_.on("10.0.0.1/debug/pprof/profile", {profile_body()});
  }
  void watch(Profiling profiling, PodTarget target = pod("a", "10.0.0.1")) {
    ScrapePlan watched = plan({std::move(target)});
    watched.profiling = profiling;
    scraper_->set_targets(kProfile, watched);
  }
  /// In a trial: the target's pod a, and pod b of the other track.
  void watch_beside(Track track) {
    fetcher_.on("10.0.0.2/debug/vars", {vars_body()});
    fetcher_.on("10.0.0.2/debug/pprof/profile", {profile_body()});
    PodTarget other = pod("b", "10.0.0.2");
    other.track = track;
    ScrapePlan watched = plan({pod("a", "10.0.0.1"), other});
    watched.profiling = Profiling::kTrial;
    scraper_->set_targets(kProfile, watched);
  }
};

TEST_F(ScraperProfileTest, TakesOneEveryTwoMinutesInTheBackground) {
  watch(Profiling::kBackground);
  for (int i = 0; i < 17; ++i) pass(i == 0 ? seconds(0) : seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile?seconds=10"), 3);
}

TEST_F(ScraperProfileTest, TakesOneEachIntervalInATrialForHalfOfIt) {
  watch(Profiling::kTrial);
  for (int i = 0; i < 4; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile?seconds=7"), 4);
}

TEST_F(ScraperProfileTest, LeavesTheStablePodsAsideInATrial) {
  watch_beside(Track::kCanary);
  for (int i = 0; i < 6; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.2/debug/pprof/profile?seconds=7"), 6);
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile?seconds=10"), 1);
}

TEST_F(ScraperProfileTest, LooksAtTheTargetsPodsBesideTheBaselineOnceTheCanaryIsGone) {
  watch_beside(Track::kBaseline);
  for (int i = 0; i < 6; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile?seconds=7"), 6);
  EXPECT_EQ(fetches("10.0.0.2/debug/pprof/profile?seconds=7"), 6);
}

TEST_F(ScraperProfileTest, BelongsToTheSampleAfterIt) {
  watch(Profiling::kTrial);
  pass(seconds(0));
  EXPECT_FALSE(series("a").samples.back().profile);
  pass(seconds(15));
  const PodSeries read = series("a");
  ASSERT_TRUE(read.samples.back().profile);
  EXPECT_NEAR(read.samples.back().profile->gc_cpu_seconds, 0.59, 1e-6);
  EXPECT_FALSE(read.samples.front().profile);
}

TEST_F(ScraperProfileTest, NothingElseIsReadOfThePodMeanwhile) {
  watch(Profiling::kTrial);
  scraper_->run_due();
  fetcher_.answer_one();
  ASSERT_EQ(fetcher_.pending(), 1U);
  EXPECT_THAT(fetcher_.next().target, HasSubstr("/profile?seconds=7"));
  EXPECT_EQ(fetcher_.next().timeout, seconds(12));
  clock_.advance(seconds(15));
  scraper_->run_due();
  EXPECT_EQ(fetcher_.pending(), 1U);
  fetcher_.answer_all();
  pass(seconds(15));
  EXPECT_EQ(series("a").samples.size(), 2U);
}

TEST_F(ScraperProfileTest, IsDoneWithoutWhereThereIsNone) {
  fetcher_.on("10.0.0.1/debug/pprof/profile", {"404 page not found", 404});
  PodTarget target = pod("a", "10.0.0.1");
  watch(Profiling::kTrial, target);
  for (int i = 0; i < 40; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 1);
  EXPECT_EQ(series("a").error, "");
  EXPECT_THAT(series("a").notes, Contains(HasSubstr("/debug/pprof/profile?seconds=7 answered HTTP 404")));
  target.restarts = 1;
  watch(Profiling::kTrial, target);
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 2) << "a new process may have one";
}

TEST_F(ScraperProfileTest, TriesAgainWhenSomebodyElseProfiles) {
  fetcher_.on("10.0.0.1/debug/pprof/profile", {"Could not enable CPU profiling: cpu profiling already in use", 500});
  watch(Profiling::kTrial);
  pass(seconds(0));
  EXPECT_THAT(series("a").notes, Contains(HasSubstr("another profile may be running")));
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 1);
  fetcher_.on("10.0.0.1/debug/pprof/profile", {profile_body()});
  pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 2);
  EXPECT_THAT(series("a").notes, Not(Contains(HasSubstr("another profile may be running"))));
}

TEST_F(ScraperProfileTest, AsksForLessWhereTheServersWriteTimeoutIsShort) {
  fetcher_.on("10.0.0.1/debug/pprof/profile", {"profile duration exceeds server's WriteTimeout", 400});
  fetcher_.on("10.0.0.1/debug/pprof/profile?seconds=3", {profile_body()});
  watch(Profiling::kTrial);
  for (int i = 0; i < 4; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile?seconds=7"), 1);
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile?seconds=3"), 3);
}

TEST_F(ScraperProfileTest, IsNotTriedOnAPodThatGivesNoMemStats) {
  fetcher_.on("10.0.0.1/debug/vars", {"", 0, FetchFailure::kTimedOut});
  watch(Profiling::kTrial);
  pass(seconds(0));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 0);
}

TEST_F(ScraperProfileTest, ABadOneIsNotedAndTriedAgainLater) {
  fetcher_.on("10.0.0.1/debug/pprof/profile", {"<html>"});
  watch(Profiling::kTrial);
  pass(seconds(0));
  EXPECT_THAT(series("a").notes, Contains(HasSubstr("an HTML page")));
  for (int i = 0; i < 8; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 2);
}

// --- containers
// --------------------------------------------------------------------------------------------------------

class ScraperContainerTest : public ScraperTest {
 protected:
  ScraperContainerTest() {
    fetcher_.on("10.0.0.1/debug/vars", {vars_body()});
    scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1")}));
  }

  static std::string cadvisor(double working_set) {
    const std::string labels = "{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} ";
    return "container_memory_working_set_bytes" + labels + std::to_string(working_set) + " 1800000000000\n" +
           "container_memory_rss" + labels + "5000 1800000000000\n";
  }
};

TEST_F(ScraperContainerTest, AreReadFromTheirNodesKubelet) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {cadvisor(7000)});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10251});
  scraper_->run_due();
  fetcher_.move_first_to_the_end();
  EXPECT_EQ(fetcher_.next().port, 10251);
  EXPECT_TRUE(fetcher_.next().tls);
  EXPECT_EQ(fetcher_.next().authorization, "Bearer the-token");
  fetcher_.answer_all();
  const Observation observed = scraper_->snapshot(kProfile, clock_.now());
  EXPECT_EQ(observed.container_source, "kubelet");
  ASSERT_TRUE(observed.pods[0].samples.back().usage);
  EXPECT_EQ(observed.pods[0].samples.back().usage->working_set, Bytes(7000));
  EXPECT_EQ(observed.pods[0].samples.back().usage->anonymous, Bytes(5000));
  EXPECT_THAT(observed.pods[0].notes, IsEmpty());
}

TEST_F(ScraperContainerTest, CostOneReadingForAllPodsOfANode) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {cadvisor(7000)});
  scraper_->set_targets(kProfile, plan({pod("a", "10.0.0.1"), pod("b", "10.0.0.2"), pod("c", "10.0.0.3")}));
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  scraper_->set_node("node-2", NodeAddress{"192.168.0.2", 10250});
  pass(seconds(0));
  EXPECT_EQ(fetches("192.168.0.1"), 1);
  EXPECT_EQ(fetches("192.168.0.2"), 0) << "no watched pod runs there";
  pass(seconds(14));
  EXPECT_EQ(fetches("192.168.0.1"), 1);
  pass(seconds(1));
  EXPECT_EQ(fetches("192.168.0.1"), 2);
}

TEST_F(ScraperContainerTest, AreReadMoreOftenInATrialButNotAllTheTime) {
  ScrapePlan fast = plan({pod("a", "10.0.0.1")});
  fast.interval = seconds(2);
  fast.in_trial = true;
  scraper_->set_targets(kProfile, fast);
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  for (int i = 0; i < 10; ++i) pass(seconds(1));
  EXPECT_EQ(fetches("192.168.0.1"), 3);
}

TEST_F(ScraperContainerTest, SayWhyTheKubeletGivesNothing) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {"Forbidden (user=x, verb=get, resource=nodes)", 403});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  const Observation observed = scraper_->snapshot(kProfile, clock_.now());
  EXPECT_EQ(observed.container_source, "pod spec");
  EXPECT_THAT(observed.pods[0].notes,
              ElementsAre(HasSubstr("node node-1: port 10250 /metrics/cadvisor answered HTTP 403")));
  EXPECT_THAT(observed.pods[0].notes, ElementsAre(HasSubstr("nodes/metrics")));
  EXPECT_EQ(observed.pods[0].error, "") << "the pod itself was read";
}

TEST_F(ScraperContainerTest, SayThatTheKubeletsCertificateIsNotTrusted) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {"", 0, FetchFailure::kTls, "TLS: self-signed certificate"});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  EXPECT_THAT(series("a").notes, ElementsAre(HasSubstr("self-signed certificate")));
  EXPECT_THAT(series("a").notes, ElementsAre(HasSubstr("insecureSkipVerify")));
}

TEST_F(ScraperContainerTest, HaveTheTokenReadAnewWhenItIsRefused) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {"Unauthorized", 401});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  EXPECT_EQ(tokens_.refusals, 1);
}

TEST_F(ScraperContainerTest, AreNotReadWithoutAToken) {
  tokens_.current = retriable("the token's file cannot be read");
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  EXPECT_EQ(fetches("192.168.0.1"), 0);
  EXPECT_THAT(series("a").notes, ElementsAre(HasSubstr("the token's file cannot be read")));
}

TEST_F(ScraperContainerTest, SayThatTheNodesAddressIsNotKnown) {
  pass(seconds(0));
  EXPECT_THAT(series("a").notes, ElementsAre(HasSubstr("node node-1: its address is not known")));
}

TEST_F(ScraperContainerTest, FallBackToMetricsK8sIo) {
  PodUsage usage{{"shop", "a"}, "app", {}};
  usage.usage.working_set = Bytes(9000);
  fallback_.answer = std::vector<PodUsage>{usage};
  scraper_->run_fallback();
  pass(seconds(0));
  const Observation observed = scraper_->snapshot(kProfile, clock_.now());
  EXPECT_THAT(fallback_.asked, ElementsAre("shop"));
  EXPECT_EQ(observed.container_source, "metrics.k8s.io");
  EXPECT_EQ(observed.pods[0].samples.back().usage->working_set, Bytes(9000));
}

TEST_F(ScraperContainerTest, DoNotAskTheFallbackWhereTheKubeletAnswers) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {cadvisor(7000)});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  scraper_->run_fallback();
  EXPECT_THAT(fallback_.asked, IsEmpty());
}

TEST_F(ScraperContainerTest, SayWhyTheFallbackGivesNothing) {
  fallback_.answer = retriable("the server is currently unable to handle the request");
  scraper_->run_fallback();
  EXPECT_THAT(series("a").notes, Contains(HasSubstr("metrics.k8s.io: the server is currently unable")));
  EXPECT_EQ(scraper_->snapshot(kProfile, clock_.now()).container_source, "pod spec");
}

TEST_F(ScraperContainerTest, AreNotShownForEverWhenTheKubeletFallsSilent) {
  fetcher_.on("192.168.0.1/metrics/cadvisor", {cadvisor(7000)});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  pass(seconds(15));
  EXPECT_TRUE(series("a").samples.back().usage);
  fetcher_.on("192.168.0.1/metrics/cadvisor", {"", 0, FetchFailure::kTimedOut});
  for (int i = 0; i < 8; ++i) pass(seconds(15));
  EXPECT_FALSE(series("a").samples.back().usage);
  EXPECT_EQ(scraper_->snapshot(kProfile, clock_.now()).container_source, "pod spec");
}

TEST_F(ScraperContainerTest, AreKeptEvenWhenThePodItselfDoesNotAnswer) {
  fetcher_.on("10.0.0.1/debug/vars", {"", 0, FetchFailure::kTimedOut});
  fetcher_.on("192.168.0.1/metrics/cadvisor", {cadvisor(7000)});
  scraper_->set_node("node-1", NodeAddress{"192.168.0.1", 10250});
  pass(seconds(0));
  pass(seconds(15));
  ASSERT_EQ(series("a").samples.size(), 1U) << "the same reading is not taken for a new one";
  EXPECT_TRUE(series("a").samples.back().usage);
  EXPECT_THAT(series("a").error, Not(IsEmpty()));
}

TEST(PlacesForCpuProfiles, AreNotAllTakenByThreeNamespaces) {
  FairSlots places(ScraperOptions{}.cpu_profiles);
  const auto start = [] { return true; };
  for (const char* ns : {"a", "b", "c"}) {
    for (int i = 0; i < 1000; ++i) places.try_start({ns, std::to_string(i % 10)}, start);
  }
  EXPECT_TRUE(places.try_start({"quiet", "checkout"}, start));
}

/// Pods whose runtime the node's agent tells of.
class ScraperOfAgents : public ScraperTest {
 protected:
  static ScrapePlan by_agent(std::vector<PodTarget> pods, std::vector<Slo> slos = {}) {
    ScrapePlan out = plan(std::move(pods), std::move(slos));
    out.endpoint.source = RuntimeSource::kAgent;
    return out;
  }

  static codec::AgentSample said() {
    codec::AgentSample said;
    MemStats& mem = said.sample.mem.emplace();
    mem.total_alloc = mib(100);
    mem.num_gc = 42;
    ProcessMetrics& process = said.sample.process.emplace();
    process.gogc = Gogc(150);
    process.gc_cpu_seconds = 1.5;
    process.heap_live = mib(8);
    process.scanned_roots = Bytes(0);
    return said;
  }
  static std::string body(const codec::AgentSample& said) { return codec::encode(said).dump(); }

  const std::string kPlace = "10.9.0.1/pods/uid-a/app";
};

TEST_F(ScraperOfAgents, AsksTheAgentOfThePodsNode) {
  fetcher_.on(kPlace, {body(said())});
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  scraper_->set_agent("node-2", NodeAddress{"10.9.0.2", 9443});
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}));
  clock_.advance(seconds(0));
  scraper_->run_due();
  ASSERT_EQ(fetcher_.pending(), 1U);
  EXPECT_EQ(fetcher_.next().port, 9443);
  fetcher_.answer_all();
  EXPECT_THAT(fetcher_.log, ElementsAre(kPlace));
  const PodSeries read = series("a");
  EXPECT_EQ(read.error, "");
  EXPECT_THAT(read.notes, Not(Contains(HasSubstr("The agent"))));
  ASSERT_EQ(read.samples.size(), 1U);
  EXPECT_EQ(read.samples[0].at, clock_.now());
  EXPECT_EQ(read.samples[0].mem->num_gc, 42U);
  EXPECT_EQ(read.samples[0].process->gogc, Gogc(150));
}

TEST_F(ScraperOfAgents, StillAsksThePodForItsSlos) {
  fetcher_.on(kPlace, {body(said())});
  fetcher_.on("10.0.0.1/metrics", {recorded("metrics/checkout.txt")});
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}, {slo("p99")}));
  pass(seconds(0));
  EXPECT_THAT(fetcher_.log, ElementsAre(kPlace, "10.0.0.1/metrics"));
  const Sample sample = series("a").samples.back();
  EXPECT_GT(sample.latency.at("p99").count(), 0);
  EXPECT_EQ(sample.process->gc_cpu_seconds, 1.5) << "the agent's, not the page's";
}

TEST_F(ScraperOfAgents, MixesNoNumbersOfThePageWithTheAgents) {
  fetcher_.on("10.0.0.1/metrics", {recorded("metrics/checkout.txt")});
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}, {slo("p99")}));
  pass(seconds(0));
  const Sample sample = series("a").samples.back();
  EXPECT_FALSE(sample.process) << "it counts from another beginning";
  EXPECT_GT(sample.latency.at("p99").count(), 0);
}

TEST_F(ScraperOfAgents, HandsOnTheAgentsNote) {
  codec::AgentSample noted = said();
  noted.note = "GOGC=4000 is out of bounds.";
  fetcher_.on(kPlace, {body(noted)});
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  EXPECT_THAT(series("a").notes, Contains("The agent: GOGC=4000 is out of bounds."));
  EXPECT_EQ(series("a").error, "");
}

class RecordedCaptures final : public CaptureStore {
 public:
  bool admit(const ObjectKey&, Time) override { return admits; }
  void keep(Capture capture) override { kept.push_back(std::move(capture)); }
  bool admits = true;
  std::vector<Capture> kept;
};

class ScraperOfEpisodes : public ScraperOfAgents {
 protected:
  ScraperOfEpisodes() {
    ScraperOptions options;
    options.captures = &captures_;
    make(options);
    scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
    fetcher_.on("10.0.0.1/debug/pprof/profile?seconds=5", {"of the CPU"});
    fetcher_.on("10.0.0.1/debug/pprof/heap", {"of the heap"});
  }

  /// Reads the pod after collections of its, each with that pause.
  void read(int collections, Duration pause) {
    for (int i = 0; i < collections; ++i) {
      ++told_.sample.mem->num_gc;
      told_.sample.mem->pauses.push_back({clock_.now() + i * milliseconds(50), pause});
    }
    fetcher_.on(kPlace, {body(told_)});
    pass(seconds(15));
  }
  /// So that there is something to compare with.
  void read_at_first() {
    scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}));
    read(110, microseconds(100));
  }

  RecordedCaptures captures_;
  codec::AgentSample told_ = said();
};

TEST_F(ScraperOfEpisodes, CapturesWhatAPodDoesAfterALongPause) {
  read_at_first();
  read(3, microseconds(100));
  EXPECT_THAT(captures_.kept, IsEmpty());
  read(1, milliseconds(5));
  ASSERT_EQ(captures_.kept.size(), 2U);
  const Capture& cpu = captures_.kept[0];
  EXPECT_EQ(cpu.profile, kProfile);
  EXPECT_EQ(cpu.pod, "a");
  EXPECT_EQ(cpu.uid, "uid-a");
  EXPECT_EQ(cpu.at, clock_.now());
  EXPECT_EQ(cpu.reason, "LongPause");
  EXPECT_THAT(cpu.what, HasSubstr("stopped it for 5ms"));
  EXPECT_EQ(cpu.kind, "cpu");
  EXPECT_EQ(cpu.body, "of the CPU");
  EXPECT_EQ(captures_.kept[1].kind, "heap");
  EXPECT_EQ(captures_.kept[1].body, "of the heap");
  EXPECT_EQ(scraper_->probe().long_pauses, 1U);

  read(1, microseconds(100));
  EXPECT_EQ(captures_.kept.size(), 2U) << "that is over, and the pod is read as before";
  EXPECT_EQ(series("a").samples.size(), 4U);
}

TEST_F(ScraperOfEpisodes, CapturesWhereAStormBegins) {
  told_.sample.mem->pauses.clear();
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}));
  read(1, microseconds(100));
  read(1, microseconds(100));
  read(20, microseconds(100));
  read(20, microseconds(100));
  ASSERT_EQ(captures_.kept.size(), 2U) << "and not again while it goes on";
  EXPECT_EQ(captures_.kept[0].reason, "AllocationStorm");
  EXPECT_EQ(scraper_->probe().storms, 1U);
}

TEST_F(ScraperOfEpisodes, SaysWhyThereIsNoProfile) {
  fetcher_.on("10.0.0.1/debug/pprof/profile?seconds=5", {.body = {}, .failure = FetchFailure::kRefused});
  read_at_first();
  read(1, milliseconds(5));
  ASSERT_EQ(captures_.kept.size(), 1U) << "where there is no profile of the CPU there is none of the heap";
  EXPECT_EQ(captures_.kept[0].body, "");
  EXPECT_THAT(captures_.kept[0].error, HasSubstr("import net/http/pprof"));
  read(1, microseconds(100));
  EXPECT_EQ(series("a").samples.size(), 3U);
}

TEST_F(ScraperOfEpisodes, KeepsNoProfileThatIsTooLong) {
  fetcher_.on("10.0.0.1/debug/pprof/profile?seconds=5", {std::string((1 << 20) + 1, 'x')});
  read_at_first();
  read(1, milliseconds(5));
  ASSERT_EQ(captures_.kept.size(), 1U);
  EXPECT_THAT(captures_.kept[0].error, HasSubstr("longer than 1 MiB"));
}

TEST_F(ScraperOfEpisodes, CapturesNothingThatIsNotAdmittedOrInATrial) {
  captures_.admits = false;
  read_at_first();
  read(1, milliseconds(5));
  EXPECT_EQ(scraper_->probe().long_pauses, 1U);
  captures_.admits = true;
  ScrapePlan trial = by_agent({pod("a", "10.0.0.1")});
  trial.in_trial = true;
  scraper_->set_targets(kProfile, trial);
  read(1, milliseconds(5));
  EXPECT_EQ(scraper_->probe().long_pauses, 1U);
  EXPECT_THAT(captures_.kept, IsEmpty());
}

TEST_F(ScraperOfAgents, WelcomesACpuProfileAndAsksForNone) {
  fetcher_.on(kPlace, {body(said())});
  fetcher_.on("10.0.0.1/debug/pprof/profile", {.body = {}, .failure = FetchFailure::kRefused});
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  ScrapePlan plan = by_agent({pod("a", "10.0.0.1")});
  plan.profiling = Profiling::kBackground;
  scraper_->set_targets(kProfile, plan);
  for (int i = 0; i < 40; ++i) pass(seconds(15));
  EXPECT_EQ(fetches("10.0.0.1/debug/pprof/profile"), 1);
  EXPECT_THAT(series("a").notes, Not(Contains(HasSubstr("pprof")))) << "nobody was asked to serve it";

  fetcher_.on("10.0.0.1/debug/pprof/profile", {profile_body()});
  for (int i = 0; i < 100; ++i) pass(seconds(15));
  const SampleRow samples = series("a").samples;
  EXPECT_TRUE(std::any_of(samples.begin(), samples.end(), [](const Sample& sample) { return sample.profile; }));
}

TEST_F(ScraperOfAgents, SaysThatNoAgentRunsOnTheNode) {
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}));
  pass(seconds(0));
  EXPECT_THAT(fetcher_.log, IsEmpty());
  EXPECT_THAT(series("a").error, HasSubstr("no agent of gopacer runs on node node-1"));
  fetcher_.on(kPlace, {body(said())});
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  pass(seconds(15));
  EXPECT_EQ(series("a").error, "");
  scraper_->set_agent("node-1", std::nullopt);
  pass(seconds(15));
  EXPECT_THAT(series("a").error, HasSubstr("no agent of gopacer runs on node node-1"));
}

TEST_F(ScraperOfAgents, SaysWhyTheAgentTellsNothing) {
  const std::vector<std::pair<ScriptedFetcher::Reply, std::string>> replies{
      {{codec::encode_unread("process 7 is no Go program").dump()}, "process 7 is no Go program"},
      {{"404 page not found", 404}, "the agent does not know the container (yet)"},
      {{"", 200, FetchFailure::kRefused}, "check the pod of gopacer's agent on that node"},
      {{"<html>"}, "is no answer of gopacer's agent"},
      {{std::string(AgentPage::kMostBytes + 1, ' ')}, "is longer than an agent's answer"},
      {{std::string(std::size_t{10} << 20, ' '), 200, std::nullopt, {}, 1000}, "is longer than an agent's answer"}};
  scraper_->set_agent("node-1", NodeAddress{"10.9.0.1", 9443});
  scraper_->set_targets(kProfile, by_agent({pod("a", "10.0.0.1")}));
  for (const auto& [reply, why] : replies) {
    fetcher_.on(kPlace, reply);
    pass(seconds(15));
    EXPECT_THAT(series("a").error, HasSubstr(why));
    EXPECT_THAT(series("a").samples, IsEmpty());
  }
}

}  // namespace
}  // namespace gopacer
