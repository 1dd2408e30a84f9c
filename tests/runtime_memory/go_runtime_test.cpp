#include "runtime_memory/go_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <thread>

#include "runtime_memory/churn.h"
#include "runtime_memory/function_table.h"
#include "runtime_memory/locate.h"
#include "runtime_memory/look.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Churn;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Told;

Settings settings(std::optional<int> gogc, std::optional<Bytes> limit = std::nullopt) {
  Settings settings;
  if (gogc) settings.gogc = *gogc < 0 ? Gogc::off() : Gogc(*gogc);
  settings.go_mem_limit = limit;
  return settings;
}

/// Polls the state until it holds; ends the test when it never does.
GcState until(const GoRuntime& runtime, const std::string& what, const std::function<bool(const GcState&)>& holds) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  while (true) {
    const auto state = runtime.read();
    if (!state) throw std::runtime_error(state.error().message);
    if (holds(*state)) return *state;
    if (steady_clock::now() > deadline) throw std::runtime_error("waited in vain: " + what);
    std::this_thread::sleep_for(milliseconds(1));
  }
}

GoRuntime opened(const Churn& churn) {
  auto runtime = GoRuntime::open(churn.pid(), churn.proc());
  if (!runtime) throw std::runtime_error(runtime.error().message);
  return std::move(*runtime);
}

bool has_symbols(std::string_view mode) { return mode.ends_with("symbols"); }

/// Of a program that is linked in that way.
class GoRuntimeOf : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const std::string why = testing::cannot_run(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
};

std::string name_of(const ::testing::TestParamInfo<const char*>& of) {
  std::string name = of.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

TEST_P(GoRuntimeOf, ReadsWhatTheRuntimeKnowsOfItself) {
  Churn churn(GetParam());
  const GoRuntime runtime = opened(churn);
  EXPECT_THAT(runtime.go_version(), HasSubstr("go1."));
  if (has_symbols(GetParam())) {
    EXPECT_THAT(runtime.locators(), ElementsAre("pattern", "symbol", "code"));
  } else {
    EXPECT_THAT(runtime.locators(), ElementsAre("pattern", "code"));
  }
  const auto before = runtime.read();
  ASSERT_TRUE(before) << before.error().message;
  const Told told = churn.tell();
  const auto after = runtime.read();
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(before->gc_percent, told.gogc);
  EXPECT_EQ(static_cast<double>(before->memory_limit), told.go_mem_limit);
  EXPECT_LE(static_cast<double>(before->total_alloc), told.allocated);
  EXPECT_GT(static_cast<double>(after->total_alloc), 0.99 * told.allocated);
}

TEST_P(GoRuntimeOf, PutsSettingsInForce) {
  Churn churn(GetParam());
  GoRuntime runtime = opened(churn);
  const auto receipt = runtime.write(settings(400, mib(200)));
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt->before.settings(), settings(100));
  EXPECT_EQ(receipt->after.settings(), settings(400, mib(200)));
  until(runtime, "the larger heap is in force", in_force);
  Told told = churn.tell();
  EXPECT_EQ(told.gogc, 400);
  EXPECT_EQ(told.go_mem_limit, mib(200).value());
  EXPECT_GT(told.goal, 4 * told.live);

  ASSERT_TRUE(runtime.write(settings(50)));
  EXPECT_TRUE(in_force(*runtime.read())) << "a smaller heap does not wait for a collection";
  // A collection that began late goes on to a goal beyond.
  until(runtime, "the runtime itself tells of the smaller goal", [&](const GcState&) {
    told = churn.tell();
    return told.goal < 2 * told.live;
  });
  EXPECT_EQ(told.gogc, 50);

  ASSERT_TRUE(runtime.put_back(receipt->before.settings()));
  until(runtime, "its own settings are in force", in_force);
  const double collections = churn.tell().collections;
  until(runtime, "it goes on collecting", [&](const GcState&) {
    told = churn.tell();
    return told.collections > collections + 1;
  });
  EXPECT_EQ(told.gogc, 100);
  EXPECT_EQ(told.go_mem_limit, static_cast<double>(kNoMemoryLimit));
}

TEST_P(GoRuntimeOf, IsFoundAtTheSamePlaceByAllThatCanTell) {
  const Churn churn(GetParam());
  const auto process = churn.proc() / std::to_string(churn.pid());
  const auto program = RandomAccessFile::open(process / "exe", RandomAccessFile::Mode::kRead);
  const auto held = RandomAccessFile::open(process / "mem", RandomAccessFile::Mode::kRead);
  const auto headers = told_at_start(process, AT_PHDR);
  ASSERT_TRUE(program && held && headers);
  const ReadAt file = [&](std::uint64_t at, std::span<std::byte> into) { return program->read(at, into); };
  const ReadAt memory = [&](std::uint64_t at, std::span<std::byte> into) { return held->read(at, into); };
  const ElfImage image = read_elf(file).value();
  const RunningImage running{image, file, memory, *headers - image.headers};
  const auto pattern = locate_by_pattern(running, layout_of(go_version_of(image, file).value()).value());
  ASSERT_EQ(pattern.size(), 1U);
  EXPECT_THAT(locate_by_code(running), ::testing::Contains(pattern[0]));
  if (has_symbols(GetParam())) {
    EXPECT_EQ(locate_by_symbol(running), pattern[0]);
  }
}

INSTANTIATE_TEST_SUITE_P(AllWays, GoRuntimeOf,
                         ::testing::Values("static", "symbols", "pie", "cgo", "cgo-pie", "arm64-static",
                                           "arm64-symbols", "arm64-pie", "arm64-cgo", "arm64-cgo-pie"),
                         name_of);

class CodeOf : public ::testing::TestWithParam<const char*> {};

/// A program that does not run. What is in memory at first is in the file.
class ProgramFile {
 public:
  explicit ProgramFile(const std::string& path)
      : program_(RandomAccessFile::open(path, RandomAccessFile::Mode::kRead)) {
    file_ = [this](std::uint64_t at, std::span<std::byte> into) { return program_->read(at, into); };
    image_ = read_elf(file_).value();
    memory_ = [this](std::uint64_t at, std::span<std::byte> into) {
      const auto offset = image_.offset_of(at);
      return offset && file_(*offset, into);
    };
  }
  RunningImage running() const { return {image_, file_, memory_, 0}; }

 private:
  Result<RandomAccessFile> program_;
  ReadAt file_;
  ReadAt memory_;
  ElfImage image_;
};

TEST_P(CodeOf, TakesTheAddressOfWhatTheSymbolNames) {
  const ProgramFile program(testing::built_churn(GetParam()));
  const auto symbol = locate_by_symbol(program.running());
  ASSERT_TRUE(symbol);
  EXPECT_THAT(locate_by_code(program.running()), ::testing::Contains(*symbol));
}

TEST_P(CodeOf, TellsWhereItReturns) {
  const ProgramFile program(testing::built_churn(GetParam()));
  const auto code = code_of_function(program.running(), "runtime.startTheWorldWithSema");
  ASSERT_TRUE(code);
  ASSERT_EQ(code->returns.size(), 1U);
  const auto at = [&](std::uint64_t address) { return code->bytes[address - code->address]; };
  const bool amd64 = program.running().image.machine == Machine::kAmd64;
  EXPECT_EQ(at(code->returns[0] + (amd64 ? 0 : 3)), amd64 ? std::byte{0xc3} : std::byte{0xd6});
  EXPECT_EQ(code->push.has_value(), amd64);
  if (code->push) {
    EXPECT_EQ(at(*code->push), std::byte{0x55});
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, CodeOf, ::testing::Values("symbols", "arm64-symbols"), name_of);

TEST(GoRuntime, RefusesWhatIsNoGoProgramOrIsNotThere) {
  const auto self = GoRuntime::open(::getpid());
  ASSERT_FALSE(self);
  EXPECT_THAT(self.error().message, HasSubstr("it is no Go program"));
  const auto nobody = GoRuntime::open(1 << 30);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::kNotFound);
}

/// Of each machine, where it does not matter how the program is linked.
class GoRuntimeOn : public GoRuntimeOf {};

TEST_P(GoRuntimeOn, RefusesWhatHasEnded) {
  Churn churn(GetParam());
  GoRuntime runtime = opened(churn);
  churn.kill();
  const auto deadline = steady_clock::now() + std::chrono::seconds(10);
  while (runtime.read() && steady_clock::now() < deadline) std::this_thread::sleep_for(milliseconds(1));
  const auto written = runtime.write(settings(200));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kNotFound);
}

TEST(GoRuntime, TouchesNoOtherProgramThatTheProcessBecomes) {
  Churn churn("static", {"-become=/bin/sleep"});
  GoRuntime runtime = opened(churn);
  churn.become_another();
  const auto deadline = steady_clock::now() + std::chrono::seconds(10);
  while (runtime.read() && steady_clock::now() < deadline) std::this_thread::sleep_for(milliseconds(1));
  const auto written = runtime.write(settings(200));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(GoRuntime::open(churn.pid()).error().message, HasSubstr("it is no Go program"));
}

TEST(GoRuntime, RefusesSettingsThatWouldHarmTheProgram) {
  Churn churn("static", {"-live=33554432"});
  GoRuntime runtime = opened(churn);
  until(runtime, "it has its heap", [](const GcState& state) { return state.heap_marked > (20U << 20U); });
  for (const auto& [bad, why] :
       std::vector<std::pair<Settings, std::string>>{{settings(-1), "without GOMEMLIMIT"},
                                                     {settings(0), "GOGC has to be"},
                                                     {settings(1'000'000), "GOGC has to be"},
                                                     {settings(100, mib(4)), "leaves no room"},
                                                     {settings(100, Bytes(0)), "leaves no room"},
                                                     {settings(-1, gib(1e6)), "beyond this machine's memory"}}) {
    const auto written = runtime.write(bad);
    ASSERT_FALSE(written) << describe(bad);
    EXPECT_THAT(written.error().message, HasSubstr(why));
  }
  EXPECT_EQ(churn.tell().gogc, 100) << "nothing was written";
}

TEST_P(GoRuntimeOn, SeesThatTheProgramSetsItsOwn) {
  Churn churn(GetParam(), {"-set-gogc=70"});
  GoRuntime runtime = opened(churn);
  ASSERT_TRUE(runtime.write(settings(300)));
  EXPECT_EQ(churn.set_its_own().gogc, 70);
  EXPECT_EQ(runtime.read()->settings(), settings(70));
}

TEST_P(GoRuntimeOn, TurnsCollectionByPercentOffAndOnAgain) {
  Churn churn(GetParam());
  GoRuntime runtime = opened(churn);
  ASSERT_TRUE(runtime.write(settings(-1, mib(100))));
  until(runtime, "off is in force", in_force);
  EXPECT_GT(churn.tell().gogc, 1e18) << "as the runtime tells off";
  const std::uint64_t marked = until(runtime, "the heap fills its limit", [](const GcState& state) {
                                 return state.mapped_ready > (80U << 20U);
                               }).heap_marked;
  ASSERT_TRUE(runtime.write(settings(100)));
  until(runtime, "it collects by percent again",
        [&](const GcState& state) { return state.heap_marked != marked && state.heap_live < (60U << 20U); });
  EXPECT_EQ(churn.tell().gogc, 100);
}

TEST_P(GoRuntimeOn, MarkTimesAreThoseThatTheRuntimeAddsUp) {
  Churn churn(GetParam(), {"-rate=40000000"});
  const GoRuntime runtime = opened(churn);
  // The runtime tells of collections that have ended.
  const auto sum = [](const Told& told) { return told.assist_seconds + told.dedicated_seconds + told.idle_seconds; };
  const Told begin = churn.tell();
  double seconds = 0;
  constexpr int kCollections = 20;
  GcState last = *runtime.read();
  for (int ended = -1; ended < kCollections;) {  // the first one that is seen may have ended before `begin`
    const GcState state = *runtime.read();
    if (state.mark_start_time != last.mark_start_time && ++ended > 0) {
      seconds += static_cast<double>(last.mark_time()) * 1e-9;
    }
    last = state;
    std::this_thread::sleep_for(milliseconds(1));
  }
  const Told end = churn.tell();
  const double told = (sum(end) - sum(begin)) / (end.collections - begin.collections);
  EXPECT_NEAR(seconds / kCollections / told, 1, 0.15);
}

/// How the program is linked, and by which Go.
struct Built {
  const char* mode;
  const char* version;
};

/// Random settings again and again, under load.
void bear(const Built& built, int writes) {
  Churn churn(built.mode, {"-live=4194304"}, built.version);
  GoRuntime runtime = opened(churn);
  std::mt19937 random(1);
  int written = 0;
  for (int i = 0; i < writes; ++i) {
    const auto dice = random();
    const std::optional<Bytes> limit =
        dice % 3 == 0 ? std::nullopt : std::optional(mib(60 + static_cast<double>(random() % 500)));
    const bool off = limit && dice % 7 == 0;
    const auto receipt = runtime.write(settings(off ? -1 : static_cast<int>(20 + random() % 780), limit));
    ASSERT_TRUE(receipt) << receipt.error().message;
    ++written;
  }
  ASSERT_TRUE(runtime.write(settings(150, mib(300))));
  const Told told = churn.tell();
  EXPECT_EQ(told.gogc, 150);
  EXPECT_EQ(told.go_mem_limit, mib(300).value());
  const double before = told.collections;
  until(runtime, "it goes on collecting", [&](const GcState&) { return churn.tell().collections > before + 3; });
  std::cout << built.mode << " " << runtime.go_version() << ": " << written << " writes\n";
}

TEST_P(GoRuntimeOn, BearsManyWritesUnderLoad) { bear({GetParam(), "installed"}, 20'000); }

INSTANTIATE_TEST_SUITE_P(Machines, GoRuntimeOn, ::testing::Values("static", "arm64-static"), name_of);

TEST(GoRuntime, BearsAMillionWritesInAllVersions) {
  if (std::getenv("GOPACER_LONG") == nullptr) GTEST_SKIP() << "fetches seven tool chains: set GOPACER_LONG=1";
  for (const char* version : {"1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.5", "1.26.8", "1.27.4"}) {
    for (const char* mode : {"static", "pie", "cgo", "cgo-pie", "arm64-static", "arm64-symbols", "arm64-pie",
                             "arm64-cgo", "arm64-cgo-pie"}) {
      const std::string why = testing::cannot_run(mode);
      if (why.empty()) {
        bear({mode, version}, 40'000);
      } else {
        std::cout << mode << " " << version << " is left out: " << why << "\n";
      }
    }
  }
}

}  // namespace
}  // namespace gopacer
