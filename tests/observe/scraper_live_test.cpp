// The scraper on its own thread, with real connections: hostile pods that play tricks on the wire, and a real Go
// process.
#include <gmock/gmock.h>

#include <condition_variable>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "fakes/pod_imposter.h"
#include "gopacer/domain/histogram.h"
#include "net/fetcher.h"
#include "observe/go_process.h"
#include "observe/recorded.h"
#include "observe/scraper.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

/// Wakes a test that waits for readings.
class Readings {
 public:
  void count(const ObjectKey& profile) {
    const std::lock_guard lock(mutex_);
    ++counts_[profile];
    changed_.notify_all();
  }
  /// False when there are not `count` of them after a time that is far beyond what it can take.
  bool wait_for(const ObjectKey& profile, int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(40), [&] { return counts_[profile] >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<ObjectKey, int> counts_;
};

class LiveScraperTest : public testing::Test {
 protected:
  LiveScraperTest() { begin(seconds(5)); }

  void begin(Duration fetch_timeout) {
    scraper_.reset();
    ScraperOptions options;
    options.fetch_timeout = fetch_timeout;
    options.on_reading = [this](const ObjectKey& profile) { readings_.count(profile); };
    scraper_ = std::make_unique<Scraper>(fetcher_, clock_, nullptr, nullptr, options);
    scraper_->start();
  }

  static ObjectKey key(const std::string& name) { return {"shop", name}; }

  /// Watches one pod at the loopback interface.
  void watch(const std::string& name, int port, Duration interval = seconds(1), Profiling profiling = Profiling::kNever,
             std::vector<Slo> slos = {}) {
    PodTarget pod;
    pod.pod = key(name);
    pod.uid = name;
    pod.ip = "127.0.0.1";
    pod.container = "app";
    pod.track = Track::kCanary;
    ScrapePlan plan;
    plan.pods = {pod};
    plan.endpoint.port = port;
    plan.interval = interval;
    plan.profiling = profiling;
    plan.slos = std::move(slos);
    scraper_->set_targets(key(name), plan);
  }

  PodSeries series(const std::string& name) const { return scraper_->snapshot(key(name), clock_.now()).pods.at(0); }

  SystemClock clock_;
  Readings readings_;
  Fetcher fetcher_{{}, {.local_addresses = true}};
  std::unique_ptr<Scraper> scraper_;
};

std::string with(std::string body, const std::string& what, const std::string& instead) {
  return body.replace(body.find(what), what.size(), instead);
}

double number_after(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name);
  return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size()));
}

TEST_F(LiveScraperTest, HostilePodsHurtOnlyThemselves) {
  begin(milliseconds(700));
  const std::string good = recorded("go/go1.26-busy.heap.txt");
  struct Trick {
    const char* name;
    Behaviour behaviour;
    const char* says;
  };
  const std::string one_page(1 << 16, 'x');
  const std::vector<Trick> tricks{
      {"drips", Drip{good.substr(0, 100), "x", milliseconds(10)}, "no complete answer in time"},
      {"drips-lines", Drip{good.substr(0, 2000), "\n", milliseconds(1)}, "no complete answer in time"},
      // By its time on a slow machine, by its length on a fast one.
      {"never-ends", Drip{good.substr(0, good.find("# runtime.MemStats")), one_page + "\n", milliseconds(0)}, "answer"},
      {"is-silent", Silence{}, "no complete answer in time"},
      {"is-cut", Cut{good, good.size() / 2}, "broke off"},
      {"is-truncated", Page{good.substr(0, good.size() - 200)}, "without"},
      {"redirects", Page{"", 302, "text/plain", "Location: http://127.0.0.1:1/\r\n"}, "redirects are not followed"},
      {"is-html", Page{"<!DOCTYPE html><html></html>", 200, "text/html"}, "an HTML page"},
      {"is-missing", Page{"404 page not found\n", 404}, "answered HTTP 404"},
      {"is-broken", Page{"panic: oh no\n", 500}, "answered HTTP 500"},
      {"is-no-http", Raw{"220 smtp ready\r\n"}, "not HTTP"},
      {"is-nan", Page{with(good, "# TotalAlloc = 1360273856", "# TotalAlloc = NaN")}, "TotalAlloc = NaN"},
      {"is-negative", Page{with(good, "# NumGC = 302", "# NumGC = -1")}, "NumGC = -1"},
      {"is-empty", Page{""}, "nothing"},
  };
  std::vector<std::unique_ptr<PodImposter>> pods;
  for (const Trick& trick : tricks) {
    pods.push_back(std::make_unique<PodImposter>());
    pods.back()->on("/debug/pprof/heap", trick.behaviour);
    watch(trick.name, pods.back()->port());
  }
  PodImposter healthy;
  healthy.on("/debug/pprof/heap", Page{good});
  watch("healthy", healthy.port());

  ASSERT_TRUE(readings_.wait_for(key("healthy"), 3));
  EXPECT_EQ(series("healthy").error, "");
  EXPECT_GE(series("healthy").samples.size(), 3U);
  EXPECT_LE(healthy.connections(), 1);
  for (const Trick& trick : tricks) {
    ASSERT_TRUE(readings_.wait_for(key(trick.name), 2)) << trick.name;
    const PodSeries read = series(trick.name);
    EXPECT_THAT(read.error, HasSubstr(std::string("shop/") + trick.name + ": port ")) << trick.name;
    EXPECT_THAT(read.error, HasSubstr(trick.says)) << trick.name;
    EXPECT_THAT(read.samples, IsEmpty()) << trick.name;
  }
  for (const auto& pod : pods) EXPECT_EQ(pod->most_at_once(), 1) << "one request at a time, whatever happens";
}

TEST_F(LiveScraperTest, EndsAtOnceWhileAPodIsRead) {
  begin(seconds(60));
  PodImposter silent;
  silent.on("/", Silence{});
  watch("silent", silent.port());
  ASSERT_TRUE(silent.wait_for_requests(1));
  const auto start = std::chrono::steady_clock::now();
  scraper_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(20));
}

TEST_F(LiveScraperTest, ReadsAKubeletOverTls) {
  const TestCertificates certificates = make_certificates("127.0.0.1");
  const std::string ca = testing::TempDir() + "gopacer-kubelet-ca-" + std::to_string(::getpid()) + ".pem";
  std::ofstream(ca) << certificates.ca_pem;
  PodImposter kubelet("127.0.0.1", &certificates);
  kubelet.on("/metrics/cadvisor", Page{recorded("kubelet/cadvisor.txt")});
  PodImposter pod;
  pod.on("/debug/pprof/heap", Page{recorded("go/go1.26-busy.heap.txt")});

  class Tokens final : public TokenSource {
   public:
    Result<std::string> token() override { return std::string("of-the-operator"); }
    void refused() override {}
  } tokens;
  Fetcher fetcher({.ca_file = ca, .waived = false}, {.local_addresses = true});
  ScraperOptions options;
  options.kubelet_interval = seconds(5);
  options.on_reading = [this](const ObjectKey& profile) { readings_.count(profile); };
  Scraper scraper(fetcher, clock_, &tokens, nullptr, options);
  PodTarget target;
  target.pod = {"shop", "checkout-7474dd9dbf-qrw9q"};
  target.ip = "127.0.0.1";
  target.node = "node-1";
  target.container = "app";
  target.track = Track::kCanary;
  ScrapePlan plan;
  plan.pods = {target};
  plan.endpoint.port = pod.port();
  plan.interval = seconds(1);
  plan.profiling = Profiling::kNever;
  scraper.set_node("node-1", NodeAddress{"127.0.0.1", kubelet.port()});
  scraper.set_targets(key("tls"), plan);
  scraper.start();

  ASSERT_TRUE(kubelet.wait_for_requests(1));
  ASSERT_TRUE(readings_.wait_for(key("tls"), 4));
  const Observation observed = scraper.snapshot(key("tls"), clock_.now());
  EXPECT_EQ(observed.container_source, "kubelet") << (observed.pods[0].notes.empty() ? "" : observed.pods[0].notes[0]);
  ASSERT_TRUE(observed.pods[0].samples.back().usage);
  EXPECT_EQ(observed.pods[0].samples.back().usage->limit, mib(512));
  EXPECT_THAT(kubelet.last_head(), HasSubstr("Bearer of-the-operator"));
  std::remove(ca.c_str());
}

TEST_F(LiveScraperTest, AgreesWithARealGoProcessAboutItself) {
  GoProcess checkout(
      "checkout",
      {"-listen", "127.0.0.1:0", "-pprof-listen", "127.0.0.1:0", "-admin-listen", "", "-live-heap", "16MiB"},
      "ready after");
  const std::string url = "http://127.0.0.1:" + std::to_string(checkout.port("api"));
  Slo slo;
  slo.name = "p99";
  slo.port = checkout.port("api");
  slo.histogram().metric = "http_request_duration_seconds";
  slo.histogram().labels = {{"handler", "/checkout"}};
  watch("checkout", checkout.port("pprof"), seconds(4), Profiling::kTrial, {slo});
  ASSERT_TRUE(readings_.wait_for(key("checkout"), 1));

  GoProcess load(
      "load", {"-carts", "-target", url + "/checkout", "-rate", "200", "-duration", "10s", "-every", "0", "-json"}, "");
  ASSERT_EQ(load.wait(), 0) << load.log();
  // One reading may be under way; the one after it began when the load was over.
  const int seen = static_cast<int>(series("checkout").samples.size());
  ASSERT_TRUE(readings_.wait_for(key("checkout"), seen + 2));

  const PodSeries read = series("checkout");
  EXPECT_EQ(read.error, "");
  EXPECT_THAT(read.notes, IsEmpty());
  ASSERT_GE(read.samples.size(), 3U);
  const Sample& first = read.samples.front();
  const Sample& last = read.samples.back();
  ASSERT_TRUE(first.mem && last.mem && first.process && last.process);

  // Each request is in the histogram.
  const double answered = number_after(load.log(), "\"200\":");
  EXPECT_GT(answered, 1000);
  EXPECT_GE(last.latency.at("p99").count(), answered) << load.log();
  EXPECT_LE(last.latency.at("p99").count(), number_after(load.log(), "\"requests\":")) << load.log();

  // The cycles that the rings tell of are those that the counter counts.
  std::size_t cycles = 0;
  for (std::size_t i = 1; i < read.samples.size(); ++i) {
    const Time before = read.samples[i - 1].mem->pauses.empty() ? Time{} : read.samples[i - 1].at;
    for (const GcPause& pause : read.samples[i].mem->pauses) {
      if (i + 1 < read.samples.size() || pause.end > before) ++cycles;
    }
  }
  EXPECT_NEAR(static_cast<double>(cycles), static_cast<double>(last.mem->num_gc - first.mem->num_gc), 2);
  EXPECT_GT(last.mem->num_gc, first.mem->num_gc);
  EXPECT_GT(last.mem->total_alloc - first.mem->total_alloc, mib(64));

  // The CPU profiles' CPU is the process' CPU: at 100 Hz, over half of the time, in a changing load.
  double profiled = 0;
  double covered = 0;
  std::int64_t stacks = 0;
  for (const Sample& sample : read.samples) {
    if (!sample.profile) continue;
    profiled += sample.profile->total_cpu_seconds;
    covered += to_seconds(sample.profile->length);
    stacks += sample.profile->stacks;
    EXPECT_LE(sample.profile->gc_cpu_seconds, sample.profile->total_cpu_seconds);
  }
  EXPECT_GT(stacks, 20);
  const double cpu = *last.process->cpu_seconds - *first.process->cpu_seconds;
  EXPECT_GT(profiled, 0.15 * cpu * covered / to_seconds(last.at - first.at));
  EXPECT_LT(profiled, 3 * cpu);
  EXPECT_EQ(last.process->max_procs.has_value(), true);
}

/// What follows `before` in `text`, up to a blank.
std::string word_after(const std::string& text, const std::string& before) {
  const std::size_t at = text.find(before);
  if (at == std::string::npos) return {};
  const std::size_t from = at + before.size();
  return text.substr(from, text.find_first_of(" \n", from) - from);
}

TEST_F(LiveScraperTest, AsksARealPrometheus) {
  GoProcess checkout("checkout", {"-listen", "127.0.0.1:0", "-pprof-listen", "127.0.0.1:0", "-admin-listen", ""},
                     "ready after");
  const std::string place = testing::TempDir() + "gopacer-prometheus-" + std::to_string(::getpid());
  std::ofstream(place + ".yml")
      << "scrape_configs:\n- {job_name: shop, scrape_interval: 1s, static_configs: [{targets: "
      << "['127.0.0.1:" << checkout.port("api") << "'], labels: {pod: checkout-1-x}}]}\n";
  const GoProcess prometheus(
      "/usr/bin/prometheus",
      {"--config.file=" + place + ".yml", "--storage.tsdb.path=" + place + ".d", "--web.listen-address=127.0.0.1:0"},
      "Server is ready");
  const std::string address =
      "http://localhost:" + word_after(prometheus.log(), "msg=\"Listening on\" address=127.0.0.1:");

  Fetcher names({}, {.local_addresses = true, .names = true});
  ScraperOptions options;
  options.prometheus = {address};
  options.on_reading = [this](const ObjectKey& profile) { readings_.count(profile); };
  Scraper scraper(fetcher_, clock_, nullptr, nullptr, options, {&names, nullptr});
  const auto slo = [&](const std::string& name, auto source) {
    Slo out;
    out.name = name;
    out.port = checkout.port("api");
    out.source = std::move(source);
    return out;
  };
  const auto query = [&](const std::string& promql) { return PrometheusQuery{"", promql, seconds(2), {}, {}}; };
  PodTarget pod;
  pod.pod = {"shop", "checkout-1-x"};
  pod.ip = "127.0.0.1";
  pod.container = "app";
  ScrapePlan plan;
  plan.pods = {pod};
  plan.endpoint.port = checkout.port("pprof");
  plan.interval = seconds(1);
  plan.profiling = Profiling::kNever;
  plan.slos = {slo("asked", query("sum(max_over_time(go_goroutines{pod=~\"{{ pods }}\"}[{{ window }}]))")),
               slo("read", PodGauge{{"go_goroutines", {}, {}}}), slo("wrong", query("sum({{ pods }}")),
               slo("nothing", query("nothing{pod=~\"{{ pods }}\"}"))};
  scraper.set_targets(key("asked"), plan);
  scraper.start();

  // Prometheus has to scrape it first.
  std::optional<PodSeries> read;
  for (int i = 1; i <= 30; ++i) {
    ASSERT_TRUE(readings_.wait_for(key("asked"), i));
    read = scraper.snapshot(key("asked"), clock_.now()).pods.at(0);
    const Sample* const asked =
        latest_sample(*read, [](const Sample& sample) { return sample.latency.contains("asked"); });
    if (asked != nullptr && asked->latency.at("asked").count() >= 3) break;
  }
  const auto latest = [&](const std::string& name) {
    const Sample* const found =
        latest_sample(*read, [&](const Sample& sample) { return sample.latency.contains(name); });
    return found == nullptr ? Histogram() : found->latency.at(name);
  };
  ASSERT_GE(latest("asked").count(), 3) << (read->unread.contains("asked") ? read->unread.at("asked") : "");
  EXPECT_NEAR(mean_of(latest("asked")), mean_of(latest("read")), 0.5 * mean_of(latest("read")));
  EXPECT_THAT(read->unread.at("wrong"), HasSubstr("answered HTTP 400: it does not take the query"));
  EXPECT_THAT(read->unread.at("nothing"), HasSubstr("the query for the target gives nothing"));
}

}  // namespace
}  // namespace gopacer
