#include "agent/program.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <thread>

#include "agent/made_up_proc.h"
#include "fakes/builders.h"
#include "runtime_memory/churn.h"

namespace gopacer {
namespace {

using builders::settings;
using testing::Churn;
using testing::container_id;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::MadeUpProc;
using ::testing::SizeIs;
using testing::TemporaryDirectory;
using testing::Told;

/// Go programs in a container, and a journal.
class ProgramTest : public ::testing::Test {
 protected:
  Result<Program> find(const std::vector<int>& pids, const Settings& environment = {}) {
    auto found = Program::look({kContainer}, pids, proc_.path(), {});
    if (!found) return tl::unexpected(found.error());
    return Program::take(std::move(*found), proc_.path(), environment, {}, journal_);
  }
  Program found(const Churn& churn) {
    proc_.adopt(churn.pid(), kContainer);
    auto program = find({churn.pid()});
    if (!program) throw std::runtime_error(program.error().message);
    return std::move(*program);
  }

  /// All that the journal knows of; how many were written to, none when one can't be put back.
  std::optional<int> put_back_left(Journal& journal) const {
    int written = 0;
    const auto all = journal.all();
    for (const auto& [identity, kept] : all) {
      const auto done = gopacer::put_back_left(journal, identity, GoRuntime::open(kept.pid, proc_.path()));
      if (!done) return std::nullopt;
      written += *done ? 1 : 0;
    }
    return written;
  }

  const std::string kContainer = container_id('a');
  const TemporaryDirectory state_;
  const MadeUpProc proc_;
  Journal journal_{state_.path()};
};

TEST_F(ProgramTest, IsTheOneThatGoMadeAmongTheContainersProcesses) {
  const Churn churn("static");
  proc_.adopt(churn.pid(), kContainer);
  proc_.adopt(::getpid(), kContainer);
  const auto program = find({::getpid(), churn.pid()});
  ASSERT_TRUE(program) << program.error().message;
  EXPECT_EQ(program->pid(), churn.pid());
}

TEST_F(ProgramTest, IsNoneWhereNothingIsOfGo) {
  proc_.adopt(::getpid(), kContainer);
  EXPECT_THAT(find({::getpid()}).error().message, HasSubstr("it is no Go program"));
  EXPECT_THAT(find({}).error().message, HasSubstr("no process"));
  EXPECT_THAT(find({1 << 30}).error().message, HasSubstr("no process"));
}

TEST_F(ProgramTest, IsNotGuessedAmongSeveral) {
  const Churn one("static");
  const Churn two("static");
  proc_.adopt(one.pid(), kContainer);
  proc_.adopt(two.pid(), kContainer);
  EXPECT_THAT(find({one.pid(), two.pid()}).error().message, HasSubstr("which is meant is not known"));
}

TEST_F(ProgramTest, IsNotTakenFromAContainerThatItIsNotIn) {
  // As when its number was another process's while the processes were listed.
  const Churn churn("static");
  proc_.adopt(churn.pid(), container_id('b'));
  EXPECT_THAT(find({churn.pid()}).error().message, HasSubstr("has ended"));
  proc_.put(std::to_string(churn.pid()), "0::/kubepods/pod01234567-89ab-cdef-0123-456789abcdef/" + kContainer + "\n");
  EXPECT_THAT(find({churn.pid()}).error().message, HasSubstr("has ended")) << "which another pod named like that";
}

TEST_F(ProgramTest, IsLookedForInFewOfVeryManyProcesses) {
  const Churn churn("static");
  proc_.adopt(churn.pid(), kContainer);
  std::vector<int> pids(10'000);
  std::iota(pids.begin(), pids.end(), 1 << 24);
  pids.push_back(churn.pid());
  EXPECT_FALSE(find(pids));
  pids.front() = churn.pid();
  EXPECT_TRUE(find(pids)) << "it comes early, as a container's first process does";
}

TEST_F(ProgramTest, TellsOfItself) {
  Churn churn("static");
  Program program = found(churn);
  ASSERT_TRUE(program.poll());
  const auto sample = program.sample(builders::kStart);
  ASSERT_TRUE(sample) << sample.error().message;
  EXPECT_EQ(sample->at, builders::kStart);
  EXPECT_EQ(sample->process->gogc, Gogc(100));
  EXPECT_THAT(*sample->process->go_version, HasSubstr("go1."));
  EXPECT_GE(*sample->process->cpu_seconds, 0);
  EXPECT_GT(sample->mem->total_alloc, Bytes(0));
}

TEST_F(ProgramTest, HasWhatItIsSetToUntilThatIsPutBack) {
  Churn churn("static");
  Program program = found(churn);
  EXPECT_EQ(program.set(settings(300, mib(400))), Program::Change::kWritten);
  EXPECT_EQ(program.set(settings(300, mib(400))), Program::Change::kNone);
  EXPECT_EQ(churn.tell().gogc, 300);
  EXPECT_THAT(journal_.all(), SizeIs(1));
  EXPECT_EQ(program.put_back(), Program::Change::kWritten);
  EXPECT_EQ(program.put_back(), Program::Change::kNone);
  const Told told = churn.tell();
  EXPECT_EQ(told.gogc, 100);
  EXPECT_EQ(told.go_mem_limit, 9223372036854775807.0);
  EXPECT_THAT(journal_.all(), IsEmpty());
}

TEST_F(ProgramTest, IsNotChangedWhereNobodyWouldKnowWhatToPutBack) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "";
  journal_ = Journal(directory.path() / "file");
  Churn churn("static");
  Program program = found(churn);
  const auto set = program.set(settings(300));
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("nothing was changed"));
  EXPECT_EQ(churn.tell().gogc, 100);
}

TEST_F(ProgramTest, ThatRefusesSettingsLeavesNothingInTheJournal) {
  const Churn churn("static", {"-live=33554432"});
  Program program = found(churn);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (program.sample(builders::kStart)->process->heap_live < mib(20) &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(program.poll());
  }
  EXPECT_THAT(program.set(settings(100, mib(4))).error().message, HasSubstr("leaves no room"));
  EXPECT_THAT(journal_.all(), IsEmpty());
}

TEST_F(ProgramTest, ThatSetsItsOwnKeepsThatAndNothingOfOurs) {
  Churn churn("static", {"-set-gogc=70"});
  Program program = found(churn);
  ASSERT_EQ(program.set(settings(300, mib(400))), Program::Change::kWritten);
  ASSERT_EQ(churn.set_its_own().gogc, 70);
  // It is not read in between.
  const auto set = program.set(settings(200, mib(400)));
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("by itself, so it is left alone"));
  Told told = churn.tell();
  EXPECT_EQ(told.gogc, 70);
  EXPECT_EQ(told.go_mem_limit, 9223372036854775807.0) << "that was ours";
  EXPECT_THAT(journal_.all(), IsEmpty());
  EXPECT_FALSE(program.set(settings(200)));
  EXPECT_EQ(program.put_back(), Program::Change::kNone);
  told = churn.tell();
  EXPECT_EQ(told.gogc, 70);
}

TEST_F(ProgramTest, ThatSetsItsOwnIsNotLeftWithHalfOfOurs) {
  Churn churn("static", {"-set-gogc=70"});
  Program program = found(churn);
  ASSERT_EQ(program.set(settings(300, mib(400))), Program::Change::kWritten);
  ASSERT_EQ(churn.set_its_own().gogc, 70);
  proc_.remove(churn.pid());
  EXPECT_EQ(program.set(settings(200, mib(400))).error().kind, ErrorKind::kRetriable);
  EXPECT_THAT(journal_.all(), SizeIs(1));
  proc_.adopt(churn.pid(), kContainer);
  EXPECT_THAT(program.set(settings(200, mib(400))).error().message, HasSubstr("by itself, so it is left alone"));
  const Told told = churn.tell();
  EXPECT_EQ(told.gogc, 70);
  EXPECT_EQ(told.go_mem_limit, 9223372036854775807.0);
  EXPECT_THAT(journal_.all(), IsEmpty());
}

TEST_F(ProgramTest, ThatRunsWithSomethingElseThanItsEnvironmentIsLeftAlone) {
  const Churn churn("static");
  proc_.adopt(churn.pid(), kContainer);
  auto program = find({churn.pid()}, settings(50));
  ASSERT_TRUE(program);
  EXPECT_THAT(program->set(settings(300)).error().message, HasSubstr("its environment says GOGC=50"));
  EXPECT_EQ(program->put_back(), Program::Change::kNone);
}

TEST_F(ProgramTest, IsKnownToASuccessorByWhatItHadAtFirst) {
  Churn churn("static");
  {
    Program program = found(churn);
    ASSERT_TRUE(program.set(settings(300)));
  }
  journal_ = Journal(state_.path());
  auto program = find({churn.pid()});
  ASSERT_TRUE(program);
  EXPECT_EQ(program->set(settings(200)), Program::Change::kWritten) << "it does not set its own";
  EXPECT_EQ(program->put_back(), Program::Change::kWritten);
  EXPECT_EQ(churn.tell().gogc, 100);
}

TEST_F(ProgramTest, MayHaveALimitOfItsOwnWhereItsEnvironmentHasNone) {
  Churn churn("static");
  ASSERT_TRUE(GoRuntime::open(churn.pid())->write(settings(100, mib(900))));
  Program program = found(churn);
  EXPECT_EQ(program.own().go_mem_limit, mib(900));
  EXPECT_EQ(program.set(settings(200, mib(700))), Program::Change::kWritten);
  EXPECT_EQ(program.put_back(), Program::Change::kWritten);
  EXPECT_EQ(churn.tell().go_mem_limit, mib(900).value());
}

TEST_F(ProgramTest, HasNoLimitOfItsOwnWhereItsEnvironmentHasOne) {
  const Churn churn("static");
  ASSERT_TRUE(GoRuntime::open(churn.pid())->write(settings(100, mib(900))));
  proc_.adopt(churn.pid(), kContainer);
  auto program = find({churn.pid()}, settings(100, mib(800)));
  ASSERT_TRUE(program);
  EXPECT_THAT(program->set(settings(200)).error().message, HasSubstr("it sets its own"));
}

TEST_F(ProgramTest, IsKnownByWhatTheClusterSaysWhereTheJournalIsLost) {
  Churn churn("static");
  ASSERT_TRUE(GoRuntime::open(churn.pid())->write(settings(300)));
  proc_.adopt(churn.pid(), kContainer);
  auto one = Program::look({kContainer}, {churn.pid()}, proc_.path(), {});
  ASSERT_TRUE(one);
  auto program = Program::take(std::move(*one), proc_.path(), {}, {{settings(200), settings(300)}, {}}, journal_);
  ASSERT_TRUE(program);
  EXPECT_EQ(program->put_back(), Program::Change::kWritten);
  EXPECT_EQ(churn.tell().gogc, 100);
}

TEST_F(ProgramTest, HasALimitOfItsOwnBackWhereTheJournalIsLost) {
  struct Case {
    Settings has;
    Program::Traces traces;
    Settings own;
  };
  for (const Case& of :
       {Case{settings(300, mib(700)), {{settings(300, mib(700))}, mib(900)}, settings(100, mib(900))},
        Case{settings(300, mib(700)), {{settings(300, mib(700))}, {}}, settings(100)},
        // A limit that is not ours was its own all the time.
        Case{settings(300, mib(900)), {{settings(300)}, {}}, settings(100, mib(900))},
        Case{settings(100, mib(900)), {{settings(100)}, mib(800)}, settings(100, mib(900))},
        Case{settings(100, mib(900)), {{settings(100, mib(900))}, mib(900)}, settings(100, mib(900))}}) {
    const Churn churn("static");
    ASSERT_TRUE(GoRuntime::open(churn.pid())->write(of.has));
    proc_.adopt(churn.pid(), kContainer);
    auto one = Program::look({kContainer}, {churn.pid()}, proc_.path(), {});
    ASSERT_TRUE(one);
    auto program = Program::take(std::move(*one), proc_.path(), {}, of.traces, journal_);
    ASSERT_TRUE(program);
    EXPECT_TRUE(program->put_back());
    EXPECT_EQ(GoRuntime::open(churn.pid())->read()->settings(), of.own) << describe(of.has);
  }
}

TEST_F(ProgramTest, IsTheOneThatIsKnownAmongSeveral) {
  const Churn one("static");
  const Churn two("static");
  proc_.adopt(one.pid(), kContainer);
  proc_.adopt(two.pid(), kContainer);
  const std::string known = GoRuntime::open(two.pid())->identity();
  const auto chosen = Program::look({kContainer}, {one.pid(), two.pid()}, proc_.path(), {known});
  ASSERT_TRUE(chosen);
  EXPECT_EQ(chosen->pid, two.pid());
}

TEST_F(ProgramTest, IsNotSetInTheMiddleOfACollectionUnlessThatTakesTooLong) {
  Churn churn("static");
  Program program = found(churn);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  auto change = program.set(settings(300), false);
  while (change == Program::Change::kLater && std::chrono::steady_clock::now() < deadline) {
    ASSERT_TRUE(program.poll());
    change = program.set(settings(300), false);
  }
  EXPECT_EQ(change, Program::Change::kWritten) << "churn does not mark all the time";
}

TEST_F(ProgramTest, HasEndedWithItsProcess) {
  Churn churn("static");
  Program program = found(churn);
  ASSERT_TRUE(program.set(settings(300)));
  churn.kill();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (program.poll() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(program.poll().error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(program.set(settings(200)).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(program.sample(builders::kStart));
  program.forget();
  EXPECT_THAT(journal_.all(), IsEmpty());
}

TEST_F(ProgramTest, HasNotEndedBecauseItCannotBeLookedAt) {
  const Churn churn("static");
  Program program = found(churn);
  ASSERT_TRUE(program.set(settings(300)));
  proc_.remove(churn.pid());
  EXPECT_EQ(program.put_back().error().kind, ErrorKind::kRetriable);
  EXPECT_THAT(journal_.all(), SizeIs(1));
  proc_.adopt(churn.pid(), kContainer);
  EXPECT_EQ(program.put_back(), Program::Change::kWritten);
  EXPECT_THAT(journal_.all(), IsEmpty());
}

TEST_F(ProgramTest, OfAPredecessorHasNotEndedBecauseItCannotBeLookedAt) {
  const Churn churn("static");
  {
    Program program = found(churn);
    ASSERT_TRUE(program.set(settings(300)));
  }
  const auto told = proc_.path() / std::to_string(churn.pid()) / "auxv";
  std::filesystem::remove(told);
  Journal successor(state_.path());
  EXPECT_FALSE(put_back_left(successor));
  EXPECT_THAT(successor.all(), SizeIs(1));
}

TEST_F(ProgramTest, OfAPredecessorIsPutBackWhereItIsStillTheSame) {
  Churn churn("static");
  const Churn another("static");
  {
    Program program = found(churn);
    ASSERT_TRUE(program.set(settings(300)));
  }
  ASSERT_TRUE(journal_.keep("0123456789abcdef", another.pid(), settings(50)));
  ASSERT_TRUE(journal_.keep("0123456789abcdee", 1 << 30, settings(50)));
  ASSERT_TRUE(journal_.keep("0123456789abcded", ::getpid(), settings(50)));
  proc_.adopt(another.pid(), kContainer);
  proc_.adopt(::getpid(), kContainer);
  Journal successor(state_.path());
  EXPECT_THAT(successor.all(), SizeIs(4));
  EXPECT_EQ(put_back_left(successor), 1);
  EXPECT_EQ(churn.tell().gogc, 100);
  EXPECT_EQ(GoRuntime::open(another.pid())->read()->settings(), settings(100)) << "its number was another's";
  EXPECT_THAT(Journal(state_.path()).all(), IsEmpty());
}

GcState collected(std::int64_t start) {
  GcState state;
  state.mark_start_time = start;
  return state;
}

TEST(CycleCounter, IsToReadAsOftenAsCollectionsAsk) {
  using std::chrono::milliseconds;
  CycleCounter counter;
  EXPECT_EQ(counter.next(), milliseconds(2));
  std::int64_t at = 0;
  const auto collect_after = [&](std::chrono::nanoseconds between) { counter.add(collected(at += between.count())); };
  for (int i = 0; i < 4; ++i) collect_after(milliseconds(40));
  EXPECT_EQ(counter.next(), milliseconds(10));
  EXPECT_EQ(counter.cycles(), 3U);
  for (int i = 0; i < 100; ++i) counter.add(collected(at));
  EXPECT_EQ(counter.next(), milliseconds(50)) << "a program that rests is not looked at all the time";
  collect_after(std::chrono::hours(1));
  EXPECT_EQ(counter.next(), milliseconds(20)) << "the next ones may come soon again";
  collect_after(milliseconds(8));
  EXPECT_EQ(counter.next(), milliseconds(2));
}

TEST(CycleCounter, NeverOverflows) {
  CycleCounter counter;
  for (int i = 1; i < 100; ++i) {
    GcState state = collected(i);
    state.assist_time = state.idle_mark_time = std::int64_t{1} << 60;
    ASSERT_EQ(implausible(GcState{state}).find("a time"), std::string::npos);
    counter.add(state);
  }
  EXPECT_GT(counter.mark_seconds(), 0);
}

}  // namespace
}  // namespace gopacer
