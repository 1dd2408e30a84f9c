#include "gc_probe/gc_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gc_probe/probe_places.h"
#include "gopacer/domain/episodes.h"
#include "runtime_memory/churn.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::Churn;
using ::testing::HasSubstr;
using testing::Told;

/// Polls until it holds; ends the test when it never does.
void until(const std::string& what, const std::function<bool()>& holds) {
  const auto deadline = steady_clock::now() + seconds(60);
  while (!holds()) {
    if (steady_clock::now() > deadline) throw std::runtime_error("waited in vain: " + what);
    std::this_thread::sleep_for(milliseconds(2));
  }
}

double in_seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

/// "median 30 us, p99 70 us, longest 72 us".
std::string describe(const PauseHistogram& pauses) {
  const auto micros = [](std::chrono::nanoseconds time) { return std::to_string(time.count() / 1000) + " us"; };
  const auto none = std::chrono::nanoseconds(0);
  return "median " + micros(pauses.quantile(0.5).value_or(none)) + ", p99 " +
         micros(pauses.quantile(0.99).value_or(none)) + ", longest " + micros(pauses.longest);
}

/// Of this process.
std::size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// The byte of a running program at an offset of its file.
std::byte code_at(int pid, const ProbePlaces& places, std::uint64_t offset) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  const auto program = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe").string();
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t from = 0;
    char dash = 0;
    std::string rights;
    words >> std::hex >> begin >> dash >> end >> rights >> from;
    if (!line.ends_with(program) || rights.find('x') == std::string::npos) continue;
    if (offset < from || offset - from >= end - begin) continue;
    std::byte found{};
    if (places.running.memory().read(begin + (offset - from), std::span(&found, 1))) return found;
  }
  throw std::runtime_error("the program's code is not mapped");
}

/// What the probe and the program itself say at one moment.
struct Both {
  Told told;
  Pauses pauses;
};

class GcProbeTest : public ::testing::Test {
 protected:
  void SetUp() override { open(best_way_to_attach()); }

  void open(AttachBy way) {
    auto opened = GcProbe::open(way);
    if (!opened) GTEST_SKIP() << opened.error().message;
    probe_.emplace(std::move(*opened));
  }

  void watch(int pid) {
    const auto watched = probe_->watch(pid);
    ASSERT_TRUE(watched) << watched.error().message;
  }

  Pauses read(int pid) const {
    const auto pauses = probe_->read(pid);
    if (!pauses) throw std::runtime_error(pauses.error().message);
    return *pauses;
  }

  /// No collection begins or ends between the two, as far as the program knows.
  Both both(Churn& churn) const {
    std::optional<Both> found;
    until("no collection while it is asked", [&] {
      const Told before = churn.tell();
      const Pauses pauses = read(churn.pid());
      const Told after = churn.tell();
      if (before.pauses == after.pauses && before.collections == after.collections) found = Both{after, pauses};
      return found.has_value();
    });
    return *found;
  }

  /// As an agent tells it.
  Sample reading(int pid) const {
    Sample sample;
    sample.at = Time(steady_clock::now().time_since_epoch());
    MemStats& mem = sample.mem.emplace();
    mem.num_gc = static_cast<std::uint32_t>(read(pid).collections());
    const auto latest = probe_->latest(pid);
    if (!latest) return sample;
    for (const CyclePause& cycle : *latest) mem.pauses.push_back({Time(cycle.end.time_since_epoch()), cycle.pause});
    return sample;
  }

  std::optional<GcProbe> probe_;
};

/// How the program is linked.
class GcProbeOf : public GcProbeTest, public ::testing::WithParamInterface<const char*> {};

/// How the probes are put on.
class GcProbeBy : public GcProbeTest, public ::testing::WithParamInterface<AttachBy> {
 protected:
  void SetUp() override {
    if (GetParam() != AttachBy::kPerfEvent && GetParam() != best_way_to_attach()) GTEST_SKIP() << "not by this kernel";
    open(GetParam());
    if (IsSkipped()) return;
    Churn churn("static");
    const auto watched = probe_->watch(churn.pid());
    if (!watched) GTEST_SKIP() << watched.error().message;
    probe_->forget(churn.pid());
  }
};

/// 10 collections a second or so.
const std::vector<std::string> kSteady{"-live=1048576", "-rate=40000000"};

TEST_P(GcProbeOf, SeesThePausesThatTheRuntimeCounts) {
  Churn churn(GetParam(), kSteady);
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  const auto began = std::chrono::steady_clock::now();
  const Both begin = both(churn);
  until("40 collections", [&] { return read(churn.pid()).collections() >= begin.pauses.collections() + 40; });
  const Both end = both(churn);
  const Pauses seen = since(end.pauses, begin.pauses);
  const PauseHistogram collector = seen.of_collector();
  EXPECT_NEAR(static_cast<double>(seen.collections()), end.told.collections - begin.told.collections, 1);
  EXPECT_NEAR(static_cast<double>(collector.count()), end.told.pauses - begin.told.pauses, 1);
  EXPECT_GE(seen.mark_termination.count() + 1, seen.sweep_termination.count());

  // The runtime begins its count a little later and ends it earlier, at mark termination before much of the work. What
  // it counts when a collection ends has its first pause in it, which may have been before `begin`.
  const double own = end.told.pause_seconds - begin.told.pause_seconds;
  EXPECT_GE(in_seconds(collector.sum), own - in_seconds(collector.longest));
  EXPECT_LE(in_seconds(collector.sum), own + 2e-3 * static_cast<double>(collector.count())) << "if not for a busy CPU";
  // Each collection marks once between its stops, and the two and what is between them fit into the time that went by.
  EXPECT_NEAR(static_cast<double>(seen.marking.count()), static_cast<double>(seen.collections()), 1);
  EXPECT_GT(seen.marking.sum, collector.sum / 10);
  EXPECT_LT(seen.marking.sum + collector.sum, std::chrono::steady_clock::now() - began);
  std::cout << GetParam() << ": " << seen.collections() << " collections, marking " << describe(seen.marking)
            << ", stopped for " << in_seconds(collector.sum) * 1e3 << " ms (the runtime: " << own * 1e3
            << "); at their beginning " << describe(seen.sweep_termination) << ", at their end "
            << describe(seen.mark_termination) << ", all " << describe(collector) << " (the runtime: up to "
            << end.told.pause_median * 1e6 << " and " << end.told.pause_p99 * 1e6 << ")\n";
}

TEST_P(GcProbeOf, CountsStopsForOtherReasonsApart) {
  Churn churn(GetParam(), {"-stops"});
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  const Told first = churn.tell();
  const std::uint64_t begin = read(churn.pid()).other.count();
  until("1000 stops", [&] { return read(churn.pid()).other.count() >= begin + 1000; });
  const std::uint64_t end = read(churn.pid()).other.count();
  const Told last = churn.tell();
  EXPECT_LE(static_cast<double>(end - begin), last.stops - first.stops + 1);
  EXPECT_LE(read(churn.pid()).of_collector().count(), 4U) << "ReadMemStats allocates next to nothing";
}

TEST_P(GcProbeBy, SeesTheStopsOfAllThreads) {
  Churn churn("static", kSteady);
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  const Both begin = both(churn);
  until("20 collections", [&] { return since(read(churn.pid()), begin.pauses).collections() >= 20; });
  const Both end = both(churn);
  const Pauses seen = since(end.pauses, begin.pauses);
  EXPECT_NEAR(static_cast<double>(seen.collections()), end.told.collections - begin.told.collections, 1);
  EXPECT_NEAR(static_cast<double>(seen.of_collector().count()), end.told.pauses - begin.told.pauses, 1);
}

INSTANTIATE_TEST_SUITE_P(BothWays, GcProbeBy, ::testing::Values(AttachBy::kUprobeMulti, AttachBy::kPerfEvent),
                         [](const auto& by) {
                           return by.param == AttachBy::kUprobeMulti ? "UprobeMulti" : "PerfEvent";
                         });

INSTANTIATE_TEST_SUITE_P(AllWays, GcProbeOf, ::testing::Values("static", "symbols", "pie", "cgo", "cgo-pie"),
                         [](const auto& of) {
                           std::string name = of.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_F(GcProbeTest, KeepsProgramsApart) {
  Churn fast("static", {"-live=1048576"});
  Churn steady("static", kSteady);
  Churn idle("pie", {"-live=1048576", "-rate=1"});
  for (const Churn* churn : {&fast, &steady, &idle}) ASSERT_NO_FATAL_FAILURE(watch(churn->pid()));
  EXPECT_EQ(probe_->watched(), 3U);
  const Both begin = both(steady);
  until("10 collections of the steady one", [&] {
    return since(read(steady.pid()), begin.pauses).collections() >= 10 && read(fast.pid()).collections() >= 20;
  });
  const Both end = both(steady);
  EXPECT_NEAR(static_cast<double>(since(end.pauses, begin.pauses).collections()),
              end.told.collections - begin.told.collections, 1);
  EXPECT_EQ(read(idle.pid()).collections(), 0U) << "it runs the same code and rests";
  probe_->forget(fast.pid());
  EXPECT_EQ(probe_->watched(), 2U);
  const std::uint64_t before = read(steady.pid()).collections();
  until("the others are watched on", [&] { return read(steady.pid()).collections() > before; });
}

TEST_P(GcProbeBy, LeavesNothingBehind) {
  const std::size_t all = descriptors();
  Churn churn("static", kSteady);
  const auto places = probe_places_of(churn.pid());
  ASSERT_TRUE(places) << places.error().message;
  ASSERT_EQ(places->started.size(), 1U);
  const std::byte stop = code_at(churn.pid(), *places, places->stop);
  const std::byte started = code_at(churn.pid(), *places, places->started[0]);
  const std::size_t with_program = descriptors();
  for (int i = 0; i < 20; ++i) {
    ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
    EXPECT_TRUE(probe_->watch(churn.pid())) << "watching twice is watching";
    EXPECT_NE(code_at(churn.pid(), *places, places->stop), stop);
    EXPECT_NE(code_at(churn.pid(), *places, places->started[0]), started);
    EXPECT_EQ(probe_->watched(), 1U);
    until("a collection", [&] { return read(churn.pid()).collections() > 0; });
    probe_->forget(churn.pid());
    EXPECT_EQ(code_at(churn.pid(), *places, places->stop), stop);
    EXPECT_EQ(code_at(churn.pid(), *places, places->started[0]), started);
    EXPECT_EQ(descriptors(), with_program);
    EXPECT_EQ(probe_->watched(), 0U);
    EXPECT_EQ(probe_->read(churn.pid()).error().kind, ErrorKind::kNotFound);
  }
  probe_->forget(churn.pid());  // once more does nothing
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  probe_.reset();
  EXPECT_EQ(code_at(churn.pid(), *places, places->stop), stop) << "nor does a probe that goes as a whole";
  EXPECT_LE(descriptors(), all) << "the probe had its own, of which one or two were for the test";
  const double before = churn.tell().collections;
  until("it goes on collecting", [&] { return churn.tell().collections > before; });
}

TEST_F(GcProbeTest, TellsTheLatestCollectionsOneByOne) {
  const Churn churn("static");
  ASSERT_TRUE(probe_->watch(churn.pid()));
  until("there are some", [&] { return probe_->latest(churn.pid())->size() >= 5; });
  const auto cycles = *probe_->latest(churn.pid());
  const Pauses counted = *probe_->read(churn.pid());
  EXPECT_LE(cycles.size(), counted.mark_termination.count());
  std::chrono::nanoseconds sum{0};
  for (std::size_t i = 0; i < cycles.size(); ++i) {
    sum += cycles[i].pause;
    EXPECT_LE(cycles[i].end, steady_clock::now());
    if (i == 0) continue;
    EXPECT_GT(cycles[i].end, cycles[i - 1].end);
  }
  EXPECT_GT(sum.count(), 0);
  EXPECT_LE(sum, counted.of_collector().sum);
  until("the oldest give way", [&] { return probe_->read(churn.pid())->collections() > kLatestCycles + 10; });
  EXPECT_EQ(probe_->latest(churn.pid())->size(), static_cast<std::size_t>(kLatestCycles));
}

TEST_F(GcProbeTest, ShowsAnAllocationStormInWindows) {
  Churn steady("static", kSteady);
  Churn idle("static", {"-rate=1"});
  for (const Churn* churn : {&steady, &idle}) ASSERT_NO_FATAL_FAILURE(watch(churn->pid()));
  SampleRow of_steady;
  SampleRow of_idle;
  until("eight collections with short pauses", [&] {
    of_steady.push_back(reading(steady.pid()));
    of_idle.push_back(reading(idle.pid()));
    return allocation_storm(of_steady).has_value();
  });
  EXPECT_FALSE(allocation_storm(of_idle));
}

TEST_F(GcProbeTest, SaysThatAProgramHasEnded) {
  std::optional<Churn> churn(std::in_place, "static", kSteady);
  const int pid = churn->pid();
  ASSERT_NO_FATAL_FAILURE(watch(pid));
  churn.reset();
  const auto pauses = probe_->read(pid);
  ASSERT_FALSE(pauses);
  EXPECT_EQ(pauses.error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(pauses.error().message, HasSubstr("has ended"));
  EXPECT_EQ(probe_->watched(), 1U) << "until it is forgotten";
  probe_->forget(pid);
  EXPECT_EQ(probe_->watched(), 0U);
}

TEST_F(GcProbeTest, WatchesTheProgramThatAProcessBecomes) {
  const std::string other = testing::built_churn("pie");
  Churn churn("static", {"-live=1048576", "-become=" + other});
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  until("a collection", [&] { return read(churn.pid()).collections() > 0; });
  churn.become_another();
  until("it is another program", [&] { return !probe_->read(churn.pid()); });
  EXPECT_THAT(probe_->read(churn.pid()).error().message, HasSubstr("another program"));
  ASSERT_NO_FATAL_FAILURE(watch(churn.pid()));
  EXPECT_EQ(probe_->watched(), 1U);
  until("a collection of the other", [&] { return read(churn.pid()).collections() > 0; });
}

TEST_F(GcProbeTest, WatchesAProgramOfAnotherMountNamespace) {
  // As containers have them: a file of an overlay that only the program sees.
  const std::filesystem::path program = testing::built_churn("static");
  const std::string script =
      "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work /mnt/all && mount -t overlay -o lowerdir=" +
      program.parent_path().string() + ",upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/all || " +
      "{ echo churn is ready; exec sleep 60; }; exec /mnt/all/" + program.filename().string();
  GoProcess process("/usr/bin/unshare", {"-m", "--propagation", "private", "/bin/sh", "-c", script}, "churn is ready");
  const auto runs = std::filesystem::read_symlink("/proc/" + std::to_string(process.pid()) + "/exe");
  if (runs.filename() != program.filename()) GTEST_SKIP() << "no overlay can be mounted here: " << process.log();
  EXPECT_FALSE(std::filesystem::exists(runs));
  ASSERT_NO_FATAL_FAILURE(watch(process.pid()));
  until("a collection", [&] { return read(process.pid()).collections() > 0; });
}

TEST_F(GcProbeTest, RefusesWhatIsNoGoProgramOrNotThere) {
  const auto self = probe_->watch(::getpid());
  ASSERT_FALSE(self);
  EXPECT_THAT(self.error().message, HasSubstr("it is no Go program"));
  const auto nobody = probe_->watch(1 << 30);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(probe_->watched(), 0U);
}

/// In a thread that has only these capabilities.
void with_only(const std::vector<unsigned>& capabilities, const std::function<void()>& act) {
  std::thread([&] {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
    for (const unsigned capability : capabilities) {
      sets[CAP_TO_INDEX(capability)].effective |= CAP_TO_MASK(capability);
      sets[CAP_TO_INDEX(capability)].permitted |= CAP_TO_MASK(capability);
    }
    ASSERT_EQ(::syscall(SYS_capset, &header, sets), 0);
    act();
  }).join();
}

TEST_F(GcProbeTest, WantsThreeCapabilitiesAndNoMore) {
  Churn churn("static", kSteady);
  if (best_way_to_attach() == AttachBy::kPerfEvent) GTEST_SKIP() << "this kernel wants CAP_SYS_ADMIN";
  with_only({CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE}, [&] {
    auto probe = GcProbe::open();
    ASSERT_TRUE(probe) << probe.error().message;
    const auto watched = probe->watch(churn.pid());
    ASSERT_TRUE(watched) << watched.error().message;
    until("a collection", [&] { return probe->read(churn.pid()).value().collections() > 0; });
    probe->forget(churn.pid());
    EXPECT_EQ(probe->watched(), 0U);
  });
  with_only({CAP_BPF, CAP_PERFMON}, [&] {
    // It is of the same user and has more capabilities, so it may not be traced.
    const auto watched = GcProbe::open().value().watch(churn.pid());
    ASSERT_FALSE(watched);
    EXPECT_THAT(watched.error().message, HasSubstr("CAP_SYS_PTRACE"));
  });
}

TEST_F(GcProbeTest, SaysWhichRightIsMissing) {
  const auto message_with = [](const std::vector<unsigned>& capabilities) {
    std::string message;
    with_only(capabilities, [&] { message = GcProbe::open().error().message; });
    return message;
  };
  EXPECT_THAT(message_with({CAP_PERFMON}), HasSubstr("CAP_BPF missing"));
  EXPECT_THAT(message_with({CAP_BPF}), HasSubstr("CAP_PERFMON missing"));
  EXPECT_THAT(message_with({}), HasSubstr("CAP_BPF and CAP_PERFMON missing"));
}

TEST_F(GcProbeTest, KnowsAllVersions) {
  if (std::getenv("GOPACER_LONG") == nullptr) GTEST_SKIP() << "fetches seven tool chains: set GOPACER_LONG=1";
  for (const char* version : {"1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.5", "1.26.8", "1.27.4"}) {
    for (const char* mode : {"static", "pie", "cgo", "cgo-pie"}) {
      Churn churn(mode, kSteady, version);
      const auto watched = probe_->watch(churn.pid());
      ASSERT_TRUE(watched) << version << " " << mode << ": " << watched.error().message;
      const Both begin = both(churn);
      until("20 collections", [&] { return since(read(churn.pid()), begin.pauses).collections() >= 20; });
      const Both end = both(churn);
      const Pauses seen = since(end.pauses, begin.pauses);
      EXPECT_NEAR(static_cast<double>(seen.collections()), end.told.collections - begin.told.collections, 1);
      EXPECT_NEAR(static_cast<double>(seen.of_collector().count()), end.told.pauses - begin.told.pauses, 1);
      EXPECT_EQ(seen.other.count(), 0U);
      std::cout << version << " " << mode << ": " << describe(seen.of_collector()) << "\n";
      probe_->forget(churn.pid());
    }
  }
}

/// CPU seconds that a process has used.
double cpu_seconds(int pid) {
  std::ifstream schedstat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(schedstat, text);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

TEST_F(GcProbeTest, TellsWhatItCosts) {
  if (std::getenv("GOPACER_LONG") == nullptr)
    GTEST_SKIP() << "takes two minutes and proves nothing: set GOPACER_LONG=1";
  // In blocks by turns, so that what else the machine does is the same for both.
  constexpr int kBlocks = 20;
  const auto per_block = [&](Churn& churn, const std::function<double(const Told&)>& work) {
    std::array<double, 2> cpu{};
    std::array<double, 2> done{};
    std::array<double, 2> time{};
    for (int block = 0; block < 2 * kBlocks; ++block) {
      const std::size_t watched = static_cast<std::size_t>(block % 2);
      if (watched != 0) watch(churn.pid());
      const double before = cpu_seconds(churn.pid());
      const double work_before = work(churn.tell());
      const auto begin = steady_clock::now();
      std::this_thread::sleep_for(milliseconds(1500));
      done[watched] += work(churn.tell()) - work_before;
      time[watched] += std::chrono::duration<double>(steady_clock::now() - begin).count();
      cpu[watched] += cpu_seconds(churn.pid()) - before;
      if (watched != 0) probe_->forget(churn.pid());
    }
    for (const std::size_t watched : {0U, 1U}) {
      std::cout << (watched != 0 ? "  watched" : "  as it is") << ": " << done[watched] / time[watched] << " a second, "
                << cpu[watched] / done[watched] * 1e6 << " us CPU and " << time[watched] / done[watched] * 1e6
                << " us each\n";
    }
  };
  {
    Churn churn("static", {"-stops"});
    std::cout << "stops of the world, one after the other:\n";
    per_block(churn, [](const Told& told) { return told.stops; });
  }
  {
    Churn churn("static", {"-live=8388608"});
    std::cout << "MB allocated as fast as it may, some hundred collections a second:\n";
    per_block(churn, [](const Told& told) { return told.allocated / 1e6; });
  }
}

}  // namespace
}  // namespace gopacer
