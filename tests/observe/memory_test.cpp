// What is kept of pods, and what reading the worst of them takes, counted by the allocator itself.
#include <gmock/gmock.h>
#include <malloc.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <new>

#include "observe/history_budget.h"
#include "observe/recorded.h"
#include "observe/scraper.h"
#include "ports/http_fetcher.h"

namespace {

std::atomic<std::size_t> allocated_bytes{0};
std::atomic<std::size_t> most_bytes{0};

/// What malloc() takes for it, its own word included.
std::size_t size_of(void* block) { return std::max<std::size_t>(32, (malloc_usable_size(block) + 8 + 15) / 16 * 16); }

}  // namespace

void* operator new(std::size_t bytes) {
  void* const block = std::malloc(bytes);
  if (block == nullptr) throw std::bad_alloc();
  const std::size_t now = allocated_bytes += size_of(block);
  std::size_t most = most_bytes;
  while (now > most && !most_bytes.compare_exchange_weak(most, now)) {
  }
  return block;
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return operator new(bytes); }
void operator delete(void* block) noexcept {
  if (block != nullptr) allocated_bytes -= size_of(block);
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace gopacer {
namespace {

using std::chrono::seconds;

// --- what is kept --------------------------------------------------------------------------------------------------

/// A reading of a service with 64 buckets, its own metrics and the kernel's account, and a collection a second.
Sample reading(int number) {
  Sample sample;
  sample.at = Time(seconds(1'800'000'000 + 15 * number));
  sample.mem.emplace();
  sample.mem->num_gc = static_cast<std::uint32_t>(15 * number);
  for (int i = 0; i < 256; ++i) {
    sample.mem->pauses.push_back({sample.at - seconds(255 - i), std::chrono::microseconds(50)});
  }
  sample.process.emplace();
  sample.process->go_version = "go1.26.1 X:nodwarf5,greenteagc";
  sample.usage.emplace();
  std::map<double, double> buckets;
  for (int i = 1; i <= 64; ++i) buckets[i] = i * number;
  sample.latency["latency-p99-of-the-checkout"] = Histogram(buckets);
  sample.latency["p50"] = Histogram(buckets);
  return sample;
}

TEST(HistoryBytes, AreWhatTheAllocatorCounts) {
  HistoryBudget budget({});
  std::vector<std::unique_ptr<HistoryBudget::Account>> accounts;
  for (int i = 0; i < 20; ++i) {
    accounts.push_back(std::make_unique<HistoryBudget::Account>());
    budget.assign(*accounts.back(), "shop", false);
  }
  const std::size_t before = allocated_bytes;
  for (int number = 1; number <= 40; ++number) {
    for (const auto& account : accounts) budget.append(*account, reading(number), std::chrono::hours(1));
  }
  const double counted = static_cast<double>(allocated_bytes - before);
  EXPECT_NEAR(static_cast<double>(budget.bytes()) / counted, 1, 0.03) << counted;
  for (const auto& account : accounts) budget.clear(*account);
  EXPECT_EQ(budget.bytes(), 0U);
}

// --- what reading takes --------------------------------------------------------------------------------------------

/// Bytes that are made as they are read, so that only the reader's memory counts.
struct Body {
  std::string begin;
  std::function<std::string(int)> line;  ///< its end is at the first empty one
};

/// Answers each page at once, in pieces, as far as it is wanted and allowed.
class Pages final : public HttpFetcher {
 public:
  explicit Pages(std::map<std::string, Body> pages) : pages_(std::move(pages)) {}

  void fetch(HttpRequest request, BodySink sink, FetchDone done) override {
    asked_.push_back({std::move(request), std::move(sink), std::move(done)});
  }
  /// All of what is asked is the first page, which comes at the same time, a piece of each in turn.
  void answer_together() {
    const std::vector<Asked> asked = std::exchange(asked_, {});
    std::vector<bool> wanted(asked.size(), true);
    for (int piece = 0; piece < kPieces; ++piece) {
      const std::string text = pages_.begin()->second.line(piece);
      for (std::size_t i = 0; i < asked.size(); ++i) wanted[i] = wanted[i] && asked[i].sink(text);
    }
    for (const Asked& one : asked) one.done(HttpAnswer{200, "", 0});
  }
  static constexpr int kPieces = 256;

  std::size_t asked() const { return asked_.size(); }
  void refuse_all() {
    for (const Asked& one : std::exchange(asked_, {})) one.done(HttpAnswer{404, "", 0});
  }
  void answer_all() {
    while (!asked_.empty()) {
      const Asked asked = std::move(asked_.back());
      asked_.pop_back();
      answer(asked);
    }
  }

 private:
  struct Asked {
    HttpRequest request;
    BodySink sink;
    FetchDone done;
  };

  void answer(const Asked& asked) const {
    const auto page = std::find_if(pages_.begin(), pages_.end(),
                                   [&](const auto& one) { return asked.request.target.starts_with(one.first); });
    HttpAnswer answer;
    answer.status = page == pages_.end() ? 404 : 200;
    bool wanted = page != pages_.end();
    for (int i = -1; wanted; ++i) {
      const std::string text = i < 0 ? page->second.begin : page->second.line ? page->second.line(i) : "";
      if (text.empty() && i >= 0) break;
      answer.bytes += text.size();
      if (answer.bytes > asked.request.most_bytes) {
        return asked.done(tl::unexpected<FetchError>(FetchError{FetchFailure::kTooLong, "too long", answer.bytes}));
      }
      wanted = asked.sink(text);
    }
    asked.done(answer);
  }

  std::map<std::string, Body> pages_;
  std::vector<Asked> asked_;
};

std::string gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Each on a histogram of its own of the same page. A profile may have 8, which take four times as much.
constexpr int kSlos = 2;
std::string name_of(int slo) { return "h" + std::to_string(slo); }

struct Hostile {
  const char* does;
  std::map<std::string, Body> pages;
};

std::string times(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

std::vector<Hostile> hostile_pods() {
  std::string long_text(60'000, 'x');
  const auto buckets = [](int series, int bounds) {
    return [series, bounds](int i) {
      std::string lines;
      for (int line = 256 * i; line < 256 * (i + 1) && line < kSlos * series * bounds; ++line) {
        lines += name_of(line / (series * bounds)) + "_bucket{id=\"" + std::to_string(line / bounds % series) +
                 "\",le=\"" + std::to_string(line % bounds) + "\"} 1\n";
      }
      return lines;
    };
  };
  const std::string heap = recorded("go/go1.26-busy.heap.txt");
  std::string stacks = heap.substr(0, heap.find("# runtime.MemStats"));
  // A family of a gigabyte, of which one series comes over and over, as often as the page may have it.
  const auto family = [](const std::string& series) {
    return Body{std::string("\x80\x80\x80\x80\x04\x0a\x02h0", 9),
                [series](int) { return times(series, static_cast<int>(1 + 50'000 / series.size())); }};
  };
  return {
      {"a family of millions of empty histograms in protobuf",
       {{"/metrics", family(std::string("\x22\x02\x3a\x00", 4))}}},
      {"a family of millions of histograms with one native bucket",
       {{"/metrics", family(std::string("\x22\x0b\x3a\x09\x28\x04\x62\x02\x10\x01\x6a\x01\x02", 13))}}},
      {"series of 50 KB of empty labels in protobuf",
       {{"/metrics", family(std::string("\x22\xd0\x86\x03", 4) + times(std::string("\x0a\x00", 2), 25'000))}}},
      {"65,536 bounds of one series of each histogram", {{"/metrics", {"up 1\n", buckets(1, 65'536)}}}},
      {"256 series of 256 bounds of each histogram", {{"/metrics", {"up 1\n", buckets(256, 256)}}}},
      {"4,096 series of 16 bounds of each histogram", {{"/metrics", {"up 1\n", buckets(4096, 16)}}}},
      {"labels of 60 KB on each line",
       {{"/metrics",
         {"up 1\n",
          [&, long_text](int i) {
            return name_of(i % kSlos) + "_bucket{id=\"" + std::to_string(i) + long_text + "\",le=\"1\"} 1\n";
          }}}}},
      {"a page of metrics without line ends", {{"/metrics", {"up 1\nh0_bucket{", [=](int) { return long_text; }}}}},
      {"a heap profile that never ends", {{"/debug/pprof/heap", {heap.substr(0, 100), [=](int) { return stacks; }}}}},
      {"a heap profile of one line", {{"/debug/pprof/heap", {heap.substr(0, 100), [=](int) { return long_text; }}}}},
      {"expvar of a million brackets",
       {{"/debug/vars", {"{\"a\":" + times("[", 500'000) + times("]", 500'000) + ",\"memstats\":{}}", nullptr}}}},
      {"expvar of many small values",
       {{"/debug/vars", {"{\"a\":[0" + times(",0", 500'000) + "],\"memstats\":{}}", nullptr}}}},
      {"a CPU profile that inflates a thousandfold",
       {{"/debug/vars", {recorded("go/go1.26.vars.json"), nullptr}},
        {"/debug/pprof/profile", {gzipped(std::string(std::size_t{16} << 20, 'x')), nullptr}}}},
      {"a CPU profile of millions of empty parts",
       {{"/debug/vars", {recorded("go/go1.26.vars.json"), nullptr}},
        {"/debug/pprof/profile", {gzipped(times(std::string("\x12\x00", 2), 4'000'000)), nullptr}}}},
  };
}

TEST(HostilePods, EachTakesABoundedAmountOfMemoryAndLeavesLessBehind) {
  constexpr double kMiB = 1024.0 * 1024;
  SystemClock clock;
  for (Hostile& pod : hostile_pods()) {
    Pages pages(std::move(pod.pages));
    ScraperOptions options;
    options.random = [] { return 0.0; };
    Scraper scraper(pages, clock, nullptr, nullptr, options);
    ScrapePlan plan;
    PodTarget target;
    target.pod = {"shop", "hostile"};
    target.ip = "10.0.0.1";
    target.container = "app";
    plan.pods = {target};
    plan.profiling = Profiling::kTrial;
    for (int i = 0; i < kSlos; ++i) {
      Slo slo;
      slo.name = "slo" + std::to_string(i);
      slo.histogram().metric = name_of(i);
      plan.slos.push_back(slo);
    }
    scraper.set_targets(target.pod, plan);
    const std::size_t before = allocated_bytes;
    most_bytes = before;
    scraper.run_due();
    pages.answer_all();
    const double peak = static_cast<double>(most_bytes - before) / kMiB;
    const double left = static_cast<double>(allocated_bytes - before) / kMiB;
    std::cout << "  " << pod.does << ": peak " << peak << " MiB, left " << left << " MiB\n";
    EXPECT_LT(peak, 20) << pod.does;
    EXPECT_LT(left, 0.25) << pod.does;
  }
}

TEST(HostilePods, OfOneNamespaceTogetherTakeHalfOfTheRoomForReadings) {
  // Each has 256 series with 128 buckets: 32 pods would take more than 20 MiB.
  const auto piece = [](int i) {
    std::string lines;
    for (int le = 0; le < 128; ++le) {
      lines += "h0_bucket{id=\"" + std::to_string(i) + "\",le=\"" + std::to_string(le) + "\"} 1\n";
    }
    return lines;
  };
  Pages pages({{"/metrics", {"", piece}}});
  SystemClock clock;
  ScraperOptions options;
  options.random = [] { return 0.0; };
  options.reading_bytes = std::size_t{8} << 20;
  Scraper scraper(pages, clock, nullptr, nullptr, options);
  ScrapePlan plan;
  for (int i = 0; i < 32; ++i) {
    PodTarget target;
    target.pod = {"shop", "hostile" + std::to_string(i)};
    target.ip = "10.0.0.1";
    plan.pods.push_back(target);
  }
  Slo slo;
  slo.name = "p99";
  slo.histogram().metric = "h0";
  plan.slos.push_back(slo);
  const ObjectKey profile{"shop", "hostile"};
  scraper.set_targets(profile, plan);
  scraper.run_due();
  pages.refuse_all();  // memstats, of which there are two sources
  pages.refuse_all();
  ASSERT_EQ(pages.asked(), 32U);
  const std::size_t before = allocated_bytes;
  most_bytes = before;
  pages.answer_together();
  EXPECT_LT(most_bytes - before, std::size_t{5} << 20);
  int given_up = 0;
  for (const PodSeries& pod : scraper.snapshot(profile, clock.now()).pods) {
    for (const auto& [name, why] : pod.unread) {
      given_up += why.find("too many large pages at once") != std::string::npos ? 1 : 0;
    }
  }
  EXPECT_GT(given_up, 0);
}

}  // namespace
}  // namespace gopacer
