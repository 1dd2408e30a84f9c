#include "observe/cpu_profile.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <cmath>
#include <vector>

#include "observe/recorded.h"

namespace gopacer {
namespace {

using testing::DoubleNear;
using testing::HasSubstr;

Result<GcProfile> read(std::string_view body) {
  CpuProfileReader reader;
  feed_in_pieces(reader, body, 1000);
  return reader.finish();
}

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

// A profile by hand, in protobuf's wire format: an encoder that shares nothing with the reader.
std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
  return out;
}
std::string number(int field, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}
std::string part(int field, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(bytes.size()) + bytes;
}

struct Stack {
  std::vector<std::uint64_t> locations;
  std::int64_t count;
  std::int64_t nanoseconds;
};

/// Names get the places of their position, from 1; a location has one function of the same number.
std::string profile(const std::vector<Stack>& stacks, const std::vector<std::string>& names,
                    std::uint64_t duration = 2'000'000'000) {
  // String table: "", samples, count, cpu, nanoseconds, then the names.
  std::string out = part(1, number(1, 1) + number(2, 2)) + part(1, number(1, 3) + number(2, 4));
  for (const Stack& stack : stacks) {
    std::string locations;
    for (const std::uint64_t id : stack.locations) locations += varint(id);
    out += part(2, part(1, locations) + part(2, varint(static_cast<std::uint64_t>(stack.count)) +
                                                    varint(static_cast<std::uint64_t>(stack.nanoseconds))));
  }
  for (std::uint64_t i = 0; i < names.size(); ++i) {
    out += part(4, number(1, i + 1) + part(4, number(1, i + 1)));
    out += part(5, number(1, i + 1) + number(2, i + 5));
  }
  for (const char* text : {"", "samples", "count", "cpu", "nanoseconds"}) out += part(6, text);
  for (const std::string& name : names) out += part(6, name);
  return out + number(10, duration);
}

struct KnownProfile {
  const char* go;
  double seconds;
  double total;
  double gc;
  double assist;
};

class CpuProfileOfGo : public testing::TestWithParam<KnownProfile> {};

TEST_P(CpuProfileOfGo, HasWhatGoToolPprofCounts) {
  const Result<GcProfile> profile = read(recorded(std::string("go/go") + GetParam().go + ".cpu.pb.gz"));
  ASSERT_TRUE(profile) << profile.error().message;
  EXPECT_THAT(to_seconds(profile->length), DoubleNear(GetParam().seconds, 0.006));
  EXPECT_THAT(profile->total_cpu_seconds, DoubleNear(GetParam().total, 0.001));
  EXPECT_THAT(profile->gc_cpu_seconds, DoubleNear(GetParam().gc, 0.001));
  EXPECT_THAT(profile->uses[CpuUse::kAssist], DoubleNear(GetParam().assist, 0.001));
  // At 100 Hz a stack stands for 10 ms.
  EXPECT_THAT(static_cast<double>(profile->stacks), DoubleNear(GetParam().total * 100, 0.5));
}

// From `go tool pprof -top -cum -focus='gcBgMarkWorker|gcAssistAlloc|bgsweep'`, and the last from -focus=gcAssistAlloc.
INSTANTIATE_TEST_SUITE_P(
    Recorded, CpuProfileOfGo,
    testing::Values(KnownProfile{"1.19", 3.1, 5.7, 0.51, 0.17}, KnownProfile{"1.21", 3.19, 5.56, 0.52, 0.29},
                    KnownProfile{"1.22", 3.2, 5.58, 0.81, 0.54}, KnownProfile{"1.23", 3.17, 3.05, 0.4, 0.21},
                    KnownProfile{"1.24", 3.11, 1.99, 0.23, 0.15}, KnownProfile{"1.25", 3.19, 3.23, 0.52, 0.33},
                    KnownProfile{"1.26", 3.01, 2.98, 0.59, 0.28}),
    [](const auto& tested) {
      std::string name = tested.param.go;
      return "Go" + name.replace(name.find('.'), 1, "_");
    });

TEST(CpuProfile, CountsAStackOnceHoweverManyOfItsFunctionsAreOfTheGc) {
  const std::vector<std::string> names{
      "main.work",       "runtime.gcAssistAlloc",  "runtime.gcAssistAlloc.func1", "runtime.gcBgMarkWorker",
      "runtime.bgsweep", "runtime.gcAssistAlloc1", "main.gcBgMarkWorker"};
  const Result<GcProfile> read_back = read(gzipped(profile({{{1}, 1, 10'000'000},
                                                            {{3, 6, 2, 1}, 2, 20'000'000},
                                                            {{4}, 3, 30'000'000},
                                                            {{5}, 4, 40'000'000},
                                                            {{7}, 5, 50'000'000}},
                                                           names)));
  ASSERT_TRUE(read_back) << read_back.error().message;
  EXPECT_EQ(read_back->length, std::chrono::seconds(2));
  EXPECT_EQ(read_back->stacks, 15);
  EXPECT_THAT(read_back->total_cpu_seconds, DoubleNear(0.15, 1e-9));
  EXPECT_THAT(read_back->gc_cpu_seconds, DoubleNear(0.09, 1e-9));
  EXPECT_THAT(read_back->uses[CpuUse::kAssist], DoubleNear(0.02, 1e-9));
  EXPECT_THAT(read_back->uses[CpuUse::kSweeping], DoubleNear(0.04, 1e-9));
}

TEST(CpuProfile, TellsWhatItsStacksDo) {
  const std::vector<std::string> names{
      "main.work",     "runtime.mallocgc", "runtime.gcDrainMarkWorkerIdle", "runtime.memmove",
      "runtime.futex", "runtime.lock2",    "sync.(*Mutex).lockSlow",        "runtime.(*pageAlloc).scavengeOne"};
  const auto ten_ms = [](std::vector<std::uint64_t> places) { return Stack{std::move(places), 1, 10'000'000}; };
  const Result<GcProfile> told = read(gzipped(profile(
      {ten_ms({4, 2, 1}), ten_ms({2, 1}), ten_ms({3}), ten_ms({5, 6}), ten_ms({7, 1}), ten_ms({8}), ten_ms({1})},
      names)));
  ASSERT_TRUE(told) << told.error().message;
  const auto hundredths = [&](CpuUse use) { return std::lround(told->uses[use] * 100); };
  EXPECT_EQ(hundredths(CpuUse::kAllocating), 2);
  EXPECT_EQ(hundredths(CpuUse::kCopying), 1) << "which is one of them, too";
  EXPECT_EQ(hundredths(CpuUse::kIdleMarking), 1);
  EXPECT_EQ(hundredths(CpuUse::kFutex), 1);
  EXPECT_EQ(hundredths(CpuUse::kLocking), 2);
  EXPECT_EQ(hundredths(CpuUse::kScavenging), 1);
  EXPECT_EQ(told->gc_cpu_seconds, 0);
}

TEST(CpuProfile, TellsWhenItBegan) {
  const std::string began = number(9, 1'700'000'000'000'000'123);
  const Result<GcProfile> told = read(gzipped(profile({}, {}) + began));
  ASSERT_TRUE(told) << told.error().message;
  EXPECT_EQ(told->began, Time(Duration(1'700'000'000'000'000'123)));
  EXPECT_FALSE(read(gzipped(profile({}, {})))->began);
  EXPECT_FALSE(read(gzipped(profile({}, {}) + number(9, ~std::uint64_t{0})))->began) << "no time at all";
}

TEST(CpuProfile, OfAnIdleProcessHasNothing) {
  const Result<GcProfile> read_back = read(gzipped(profile({}, {})));
  ASSERT_TRUE(read_back) << read_back.error().message;
  EXPECT_EQ(read_back->total_cpu_seconds, 0);
  EXPECT_EQ(read_back->stacks, 0);
}

TEST(CpuProfile, RefusesWhatIsNone) {
  EXPECT_THAT(read("").error().message, HasSubstr("nothing"));
  EXPECT_THAT(read("<html>").error().message, HasSubstr("an HTML page"));
  EXPECT_THAT(read(gzipped("<html>not a protobuf</html>")).error().message, HasSubstr("not a CPU profile"));
  EXPECT_THAT(read(gzipped("")).error().message, HasSubstr("not a CPU profile"));
  EXPECT_THAT(read("\x1f\x8b" + std::string(100, 'x')).error().message, HasSubstr("damaged"));
}

TEST(CpuProfile, RefusesNegativeNumbersAndImpossibleTimes) {
  EXPECT_FALSE(read(gzipped(profile({{{1}, 1, -5}}, {"a"}))));
  EXPECT_FALSE(read(gzipped(profile({{{1}, -1, 5}}, {"a"}))));
  EXPECT_FALSE(read(gzipped(profile({}, {}, 0))));
  EXPECT_FALSE(read(gzipped(profile({}, {}, ~0ULL))));
}

TEST(CpuProfile, RefusesOneThatIsCutOff) {
  const std::string whole = recorded("go/go1.26.cpu.pb.gz");
  for (const std::size_t part : {2, 3, 4}) EXPECT_FALSE(read(whole.substr(0, whole.size() / part)));
}

TEST(CpuProfile, NeverInflatesABomb) {
  const std::string bomb = gzipped(std::string(CpuProfileReader::kMostInflated + 1, '\0'));
  ASSERT_LT(bomb.size(), CpuProfileReader::kMostBytes);
  const Result<GcProfile> read_back = read(bomb);
  ASSERT_FALSE(read_back);
  EXPECT_THAT(read_back.error().message, HasSubstr("more than"));
}

TEST(CpuProfile, RefusesAStackLongerThanGoWrites) {
  const Stack stack{std::vector<std::uint64_t>(100'000, 1), 1, 1};
  EXPECT_FALSE(read(gzipped(profile({stack}, {"a"}))));
}

/// Stacks of 1,300 places, none of them the GC's.
std::vector<Stack> stacks_of(std::uint64_t id, int count) {
  return {static_cast<std::size_t>(count), Stack{std::vector<std::uint64_t>(1300, id), 1, 1'000'000}};
}

TEST(CpuProfile, IsReadAsFastWhateverIdsItsPlacesHave) {
  // Multiples of the number of lists that a hash table of so many has: all of them would stand in one list, and each
  // look for another multiple would go through all of it.
  constexpr std::uint64_t kLists = 20'753;
  constexpr std::uint64_t kIds = 16'384;
  std::string flood = profile(stacks_of((kIds + 7) * kLists, 1000), {"runtime.gcBgMarkWorker"});
  for (std::uint64_t i = 1; i < kIds; ++i) flood += part(4, number(1, i * kLists) + part(4, number(1, 1)));
  const Result<GcProfile> read_back = read(gzipped(flood));
  ASSERT_TRUE(read_back) << read_back.error().message;
  EXPECT_THAT(read_back->total_cpu_seconds, DoubleNear(1, 1e-9));
  EXPECT_EQ(read_back->gc_cpu_seconds, 0);
}

TEST(CpuProfile, RefusesMorePlacesInItsStacksThanAnyProfileHas) {
  EXPECT_TRUE(read(gzipped(profile(stacks_of(1, 3200), {"a"}))));
  EXPECT_FALSE(read(gzipped(profile(stacks_of(1, 3300), {"a"}))));
}

TEST(CpuProfile, TakesNoMoreThanItWouldBeGiven) {
  CpuProfileReader reader;
  int pieces = 0;
  while (reader.feed(std::string(65536, 'x')) && pieces < 1000) ++pieces;
  EXPECT_LE(pieces, 32);
  EXPECT_FALSE(reader.finish());
}

}  // namespace
}  // namespace gopacer
