#include "observe/heap_trailer.h"

#include <gmock/gmock.h>

#include "observe/recorded.h"

namespace gopacer {
namespace {

using testing::HasSubstr;

Result<MemStats> read(std::string_view body, std::size_t piece = 4096) {
  HeapTrailer trailer;
  feed_in_pieces(trailer, body, piece);
  return trailer.finish();
}

std::string with(std::string body, const std::string& what, const std::string& instead) {
  const std::size_t at = body.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return body.replace(at, what.size(), instead);
}

class HeapTrailerOfGo : public testing::TestWithParam<const char*> {
 protected:
  std::string body(const char* kind) const {
    return recorded(std::string("go/go") + GetParam() + "-" + kind + ".heap.txt");
  }
};

TEST_P(HeapTrailerOfGo, IsReadWholeBeforeTheFirstCollection) {
  const Result<MemStats> stats = read(body("fresh"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->num_gc, 0U);
  EXPECT_TRUE(stats->pauses.empty());
  EXPECT_GT(stats->sys, stats->heap_sys);
  EXPECT_EQ(stats->next_gc, mib(4));
  EXPECT_EQ(stats->heap_sys, stats->heap_idle + stats->heap_in_use);
}

TEST_P(HeapTrailerOfGo, HasTheLatest256CyclesInOrder) {
  const Result<MemStats> stats = read(body("busy"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_GT(stats->num_gc, 256U);
  EXPECT_EQ(stats->num_forced_gc, 1U);
  ASSERT_EQ(stats->pauses.size(), 256U);
  EXPECT_TRUE(std::is_sorted(stats->pauses.begin(), stats->pauses.end(),
                             [](const GcPause& a, const GcPause& b) { return a.end < b.end; }));
  // LastGC is the end of the latest cycle: an independent witness of which entry is the newest.
  EXPECT_THAT(body("busy"),
              HasSubstr("# LastGC = " + std::to_string(stats->pauses.back().end.time_since_epoch().count()) + "\n"));
  EXPECT_GT(stats->gc_cpu_fraction, 0);
  EXPECT_LT(stats->gc_cpu_fraction, 1);
  EXPECT_EQ(stats->mallocs - stats->frees, stats->heap_objects);
}

TEST_P(HeapTrailerOfGo, IsReadWithTheCollectorOff) {
  const Result<MemStats> stats = read(body("off"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_GT(stats->next_gc, gib(1e6));
}

TEST_P(HeapTrailerOfGo, DoesNotDependOnHowTheBodyIsCutIntoPieces) {
  const Result<MemStats> whole = read(body("busy"), 1 << 20);
  for (const std::size_t piece : {1, 7, 1000}) {
    const Result<MemStats> cut = read(body("busy"), piece);
    ASSERT_TRUE(cut) << cut.error().message;
    EXPECT_EQ(cut->pauses, whole->pauses);
    EXPECT_EQ(cut->total_alloc, whole->total_alloc);
    EXPECT_EQ(cut->gc_cpu_fraction, whole->gc_cpu_fraction);
  }
}

TEST_P(HeapTrailerOfGo, IsRefusedWhereverItIsCutOff) {
  const std::string whole = body("busy");
  const std::size_t trailer = whole.find("# runtime.MemStats");
  const std::size_t last = whole.find('\n', whole.find("# GCCPUFraction"));
  for (std::size_t end = trailer; end <= last; end += 97) {
    EXPECT_FALSE(read(whole.substr(0, end))) << "cut at " << end << " of " << last;
  }
  EXPECT_FALSE(read(whole.substr(0, last))) << "the last number may have had more digits";
  EXPECT_TRUE(read(whole.substr(0, last + 1)));
}

INSTANTIATE_TEST_SUITE_P(Recorded, HeapTrailerOfGo,
                         testing::Values("1.19", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           return "Go" + name.replace(name.find('.'), 1, "_");
                         });

TEST(HeapTrailer, ReadsEveryField) {
  const Result<MemStats> stats = read(recorded("go/go1.26-busy.heap.txt"));
  ASSERT_TRUE(stats) << stats.error().message;
  EXPECT_EQ(stats->heap_alloc, Bytes(11311632));
  EXPECT_EQ(stats->total_alloc, Bytes(1360273856));
  EXPECT_EQ(stats->sys, Bytes(26192152));
  EXPECT_EQ(stats->heap_sys, Bytes(20480000));
  EXPECT_EQ(stats->heap_idle, Bytes(8314880));
  EXPECT_EQ(stats->heap_in_use, Bytes(12165120));
  EXPECT_EQ(stats->heap_released, Bytes(8200192));
  EXPECT_EQ(stats->stack_in_use, Bytes(458752));
  EXPECT_EQ(stats->next_gc, Bytes(7924194));
  EXPECT_EQ(stats->mallocs, 98113813U);
  EXPECT_EQ(stats->frees, 97565020U);
  EXPECT_EQ(stats->heap_objects, 548793U);
  EXPECT_EQ(stats->num_gc, 302U);
  EXPECT_EQ(stats->num_forced_gc, 1U);
  EXPECT_DOUBLE_EQ(stats->gc_cpu_fraction, 0.16580484276469148);
}

TEST(HeapTrailer, SaysWhatCameInsteadOfAProfile) {
  const struct {
    const char* body;
    const char* named;
  } cases[] = {{"<!DOCTYPE html><html><body>404</body></html>", "an HTML page"},
               {"  \n<html>\n", "an HTML page"},
               {"{\"error\": \"no\"}\n", "JSON"},
               {"\x1f\x8b\x08 binary", "compressed data"},
               {"\x01\x02\x03 and so on and so on", "binary data"},
               {"ok\n", "other text"},
               {"", "nothing"}};
  for (const auto& [body, named] : cases) {
    const Result<MemStats> stats = read(body);
    ASSERT_FALSE(stats) << body;
    EXPECT_THAT(stats.error().message, HasSubstr(named)) << body;
    EXPECT_THAT(stats.error().message, HasSubstr("spec.runtimeMetrics")) << "the message says what to do";
  }
}

TEST(HeapTrailer, GivesUpAtOnceOnAnEndlessLineOfSomethingElse) {
  HeapTrailer trailer;
  EXPECT_FALSE(trailer.feed(std::string(100, 'x')));
  EXPECT_FALSE(trailer.finish());
}

TEST(HeapTrailer, GivesUpOnWhatFollowsTheTrailerWithoutEnd) {
  HeapTrailer trailer;
  EXPECT_TRUE(trailer.feed(recorded("go/go1.26-busy.heap.txt")));
  const std::string junk(8192, '\n');
  int pieces = 0;
  while (trailer.feed(junk) && pieces < 1000) ++pieces;
  EXPECT_LT(pieces, 10);
  EXPECT_TRUE(trailer.finish()) << "the trailer itself was whole";
}

TEST(HeapTrailer, SkipsLinesOfAnyLengthBeforeTheTrailer) {
  const std::string body = recorded("go/go1.26-busy.heap.txt");
  const std::size_t line = body.find('\n') + 1;
  const std::string longer =
      body.substr(0, line) + "#\t0x1\tmain." + std::string(5 << 20, 'g') + "\n" + body.substr(line);
  EXPECT_TRUE(read(longer));
}

TEST(HeapTrailer, RefusesNumbersThatGoNeverWrites) {
  const std::string body = recorded("go/go1.26-busy.heap.txt");
  const struct {
    const char* was;
    const char* is;
    const char* field;
  } cases[] = {{"TotalAlloc = 1360273856", "TotalAlloc = -5", "TotalAlloc = -5"},
               {"TotalAlloc = 1360273856", "TotalAlloc = NaN", "TotalAlloc = NaN"},
               {"HeapIdle = 8314880", "HeapIdle = 9223372036854775807", "HeapIdle"},
               {"TotalAlloc = 1360273856", "TotalAlloc = 1152921504606846977", "TotalAlloc"},
               {"PauseNs = [160909", "PauseNs = [1125899906842625", "PauseNs"},
               {"NumGC = 302", "NumGC = 99999999999", "NumGC"},
               {"NumGC = 302", "NumGC = ", "NumGC"},
               {"GCCPUFraction = 0.16580484276469148", "GCCPUFraction = NaN", "GCCPUFraction = NaN"},
               {"GCCPUFraction = 0.16580484276469148", "GCCPUFraction = -0.1", "GCCPUFraction"},
               {"GCCPUFraction = 0.16580484276469148", "GCCPUFraction = 17", "GCCPUFraction"},
               {"HeapInuse = 12165120", "HeapInuse = 1e400", "HeapInuse"},
               {"PauseNs = [160909", "PauseNs = [-160909", "PauseNs"},
               {"PauseNs = [160909", "PauseNs = [1 2 3 4 160909", "PauseNs"},
               {"PauseEnd = [", "PauseEnd = ", "PauseEnd"}};
  for (const auto& [was, is, field] : cases) {
    const Result<MemStats> stats = read(with(body, was, is));
    ASSERT_FALSE(stats) << is;
    EXPECT_THAT(stats.error().message, HasSubstr(field));
    EXPECT_THAT(stats.error().message, HasSubstr("never writes"));
  }
}

TEST(HeapTrailer, NamesTheFieldThatIsMissing) {
  const std::string body = with(recorded("go/go1.26-busy.heap.txt"), "# NextGC", "# Other");
  const Result<MemStats> stats = read(body);
  ASSERT_FALSE(stats);
  EXPECT_THAT(stats.error().message, HasSubstr("without NextGC"));
}

TEST(HeapTrailer, SaysThatAProfileHasNoTrailer) {
  const std::string body = recorded("go/go1.26-busy.heap.txt");
  const Result<MemStats> stats = read(body.substr(0, body.find("# runtime.MemStats")));
  ASSERT_FALSE(stats);
  EXPECT_TRUE(stats.error().retriable());
  EXPECT_THAT(stats.error().message, HasSubstr("without MemStats"));
}

TEST(UnrollPauses, StartsWithTheOldestEntryOfTheRing) {
  // Five cycles in a ring of four: the fifth took the first's place.
  const std::vector<Duration> pauses{Duration(50), Duration(20), Duration(30), Duration(40)};
  const std::vector<Time> ends{Time(Duration(5)), Time(Duration(2)), Time(Duration(3)), Time(Duration(4))};
  const std::vector<GcPause> expected{
      {ends[1], pauses[1]}, {ends[2], pauses[2]}, {ends[3], pauses[3]}, {ends[0], pauses[0]}};
  EXPECT_EQ(unroll_pauses(pauses, ends, 5), expected);
}

TEST(UnrollPauses, LeavesOutWhatWasNeverWritten) {
  const std::vector<Duration> pauses{Duration(10), Duration(20), Duration(0), Duration(0)};
  const std::vector<Time> ends{Time(Duration(1)), Time(Duration(2)), Time{}, Time{}};
  EXPECT_EQ(unroll_pauses(pauses, ends, 2).size(), 2U);
  EXPECT_EQ(unroll_pauses(pauses, ends, 4).size(), 2U);
  EXPECT_TRUE(unroll_pauses({}, {}, 7).empty());
}

}  // namespace
}  // namespace gopacer
