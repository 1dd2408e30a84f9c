#include "observe/expvar.h"

#include <gmock/gmock.h>

#include "observe/heap_trailer.h"
#include "observe/recorded.h"

namespace gopacer {
namespace {

using testing::HasSubstr;

Result<MemStats> read(std::string_view body) {
  Expvar expvar;
  feed_in_pieces(expvar, body, 1000);
  return expvar.finish();
}

std::string memstats(const std::string& member) {
  std::string body = recorded("go/go1.26.vars.json");
  const std::string name = member.substr(0, member.find(':') + 1);
  const std::size_t at = body.find(name);
  const std::size_t end =
      body.find_first_of(name.find("Pause") == 1 ? "]" : ",", at) + (name.find("Pause") == 1 ? 1 : 0);
  EXPECT_NE(at, std::string::npos) << name;
  return body.replace(at, end - at, member);
}

class ExpvarOfGo : public testing::TestWithParam<const char*> {};

TEST_P(ExpvarOfGo, AgreesWithTheHeapProfileOfTheSameMoment) {
  const Result<MemStats> stats = read(recorded(std::string("go/go") + GetParam() + ".vars.json"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_GT(stats->num_gc, 256U);
  ASSERT_EQ(stats->pauses.size(), 256U);
  EXPECT_TRUE(std::is_sorted(stats->pauses.begin(), stats->pauses.end(),
                             [](const GcPause& a, const GcPause& b) { return a.end < b.end; }));
  EXPECT_EQ(stats->heap_sys, stats->heap_idle + stats->heap_in_use);
  EXPECT_EQ(stats->mallocs - stats->frees, stats->heap_objects);
  EXPECT_GT(stats->gc_cpu_fraction, 0);
}

INSTANTIATE_TEST_SUITE_P(Recorded, ExpvarOfGo, testing::Values("1.19", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           return "Go" + name.replace(name.find('.'), 1, "_");
                         });

TEST(Expvar, ReadsEveryField) {
  const Result<MemStats> stats = read(recorded("go/go1.26.vars.json"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->total_alloc, Bytes(1368214408));
  EXPECT_EQ(stats->sys, Bytes(26192152));
  EXPECT_EQ(stats->next_gc, Bytes(7203706));
  EXPECT_EQ(stats->stack_in_use, Bytes(491520));
  EXPECT_EQ(stats->heap_alloc, Bytes(6451576));
  EXPECT_EQ(stats->heap_objects, 309060U);
  EXPECT_EQ(stats->num_gc, 304U);
  EXPECT_EQ(stats->num_forced_gc, 1U);
  EXPECT_DOUBLE_EQ(stats->gc_cpu_fraction, 0.1670145522294591);
  EXPECT_EQ(stats->pauses.back().end.time_since_epoch().count(), 1795260671988418754);
  EXPECT_EQ(stats->pauses.back().pause.count(), 1607223);
}

TEST(Expvar, TakesFiguresBeyondAllReasonForAsMuchAsCanBeReckonedWith) {
  std::string page = recorded("go/go1.26.vars.json");
  const auto replace = [&](const std::string& was, const std::string& is) {
    ASSERT_NE(page.find(was), std::string::npos) << was;
    page.replace(page.find(was), was.size(), is);
  };
  replace("1368214408", "18446744073709551615");
  replace("7203706", "18446744073709551615");
  replace("1607223", "18446744073709551615");
  const Result<MemStats> stats = read(page);
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->total_alloc, Bytes(kMostMemory));
  EXPECT_EQ(stats->next_gc, Bytes(std::numeric_limits<std::int64_t>::max())) << "so says GOGC=off";
  EXPECT_EQ(stats->pauses.back().pause.count(), kLongestPause);
}

TEST(Expvar, FindsMemstatsAmongWhateverElseIsPublished) {
  const Result<MemStats> stats = read(recorded("metrics/caddy.vars.json"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_GT(stats->total_alloc, Bytes(0));
}

TEST(Expvar, IsNotMisledByMembersOfTheSameNameElsewhere) {
  std::string body = recorded("go/go1.26.vars.json");
  const std::size_t at = body.find('{') + 1;
  body.insert(at,
              "\"NumGC\": -1, \"other\": {\"memstats\": {\"NumGC\": \"x\"}, \"TotalAlloc\": null}, \"list\": "
              "[[{\"Sys\": -3}]],");
  const Result<MemStats> stats = read(body);
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->num_gc, 304U);
}

TEST(Expvar, SaysThatAPageIsNotExpvars) {
  for (const char* body : {"", "<html></html>", "404 page not found\n", "{}", "{\"cmdline\": []}", "[1, 2]"}) {
    const Result<MemStats> stats = read(body);
    ASSERT_FALSE(stats) << body;
    EXPECT_EQ(stats.error().kind, ErrorKind::kNotFound) << body;
  }
}

TEST(Expvar, RefusesValuesThatGoNeverWrites) {
  for (const char* member :
       {"\"NumGC\":-1", "\"NumGC\":\"x\"", "\"NumGC\":1.5", "\"NumGC\":null", "\"TotalAlloc\":true",
        "\"GCCPUFraction\":-0.5", "\"GCCPUFraction\":2", "\"PauseNs\":[-1]", "\"PauseNs\":[\"a\"]"}) {
    const Result<MemStats> stats = read(memstats(member));
    ASSERT_FALSE(stats) << member;
    EXPECT_THAT(stats.error().message, HasSubstr("never writes")) << member;
  }
}

TEST(Expvar, RefusesAPageThatIsCutOffOrTooLong) {
  const std::string body = recorded("go/go1.26.vars.json");
  const Result<MemStats> cut = read(std::string_view(body).substr(0, body.size() / 2));
  ASSERT_FALSE(cut);
  EXPECT_TRUE(cut.error().retriable());
  Expvar endless;
  int pieces = 0;
  while (endless.feed(std::string(65536, '[')) && pieces < 1000) ++pieces;
  EXPECT_LE(pieces, 16);
  EXPECT_FALSE(endless.finish());
}

TEST(Expvar, SurvivesDeepNesting) {
  const std::string deep(900'000, '[');
  EXPECT_FALSE(read(deep));
  EXPECT_FALSE(read("{\"memstats\":" + deep));
}

}  // namespace
}  // namespace gopacer
