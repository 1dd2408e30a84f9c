// `gopacer tune` and `gopacer advise --pid` on a real Go program that serves nothing and is stripped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/advise_command.h"
#include "cli/recorded_service.h"
#include "cli/tune_command.h"
#include "runtime_memory/churn.h"
#include "runtime_memory/go_runtime.h"

namespace gopacer {
namespace {

using nlohmann::json;
using testing::Churn;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Tune : public ::testing::Test {
 protected:
  Tune() { options_.undo_file = (directory_.path() / "undo.json").string(); }

  TuneExit run(const TuneOptions& options) {
    std::ostringstream out, err;
    const TuneExit status = run_tune(options, out, err);
    out_ = out.str();
    err_ = err.str();
    return status;
  }
  TuneOptions of(const Churn& churn) const {
    TuneOptions options = options_;
    options.pid = churn.pid();
    return options;
  }
  TuneOptions undo() const {
    TuneOptions options;
    options.undo = options_.undo_file;
    return options;
  }

  testing::TemporaryDirectory directory_;
  TuneOptions options_;
  std::string out_;
  std::string err_;
};

TEST_F(Tune, SetsBothAndPutsBackWhatWasThereAtFirst) {
  Churn churn("static");
  TuneOptions options = of(churn);
  options.gogc = "400";
  options.mem_limit = "300MiB";
  options.output = "json";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  const json report = json::parse(out_);
  EXPECT_EQ(report["before"]["gogc"], "100");
  EXPECT_EQ(report["before"]["goMemLimit"], "off");
  EXPECT_EQ(report["after"]["gogc"], "400");
  EXPECT_EQ(report["after"]["goMemLimit"], "300MiB");
  EXPECT_THAT(report["locators"], ElementsAre("pattern", "code"));
  EXPECT_THAT(report["goVersion"].get<std::string>(), HasSubstr("go1."));
  EXPECT_GE(report["effectMilliseconds"].get<double>(), 0);
  EXPECT_EQ(churn.tell().gogc, 400);

  options.gogc = "50";
  options.mem_limit.clear();
  options.output = "text";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  EXPECT_THAT(out_, HasSubstr("after:  GOGC=50 GOMEMLIMIT=300MiB"));

  ASSERT_EQ(run(undo()), TuneExit::kDone) << err_;
  EXPECT_THAT(out_, HasSubstr("after:  GOGC=100 GOMEMLIMIT=off"));
  EXPECT_EQ(churn.tell().gogc, 100);
  EXPECT_FALSE(std::filesystem::exists(options_.undo_file));
}

TEST_F(Tune, ChangesNothingInADryRun) {
  Churn churn("static");
  TuneOptions options = of(churn);
  options.gogc = "off";
  options.mem_limit = "300MiB";
  options.dry_run = true;
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  EXPECT_THAT(out_, HasSubstr("would be set: GOGC=off GOMEMLIMIT=300MiB"));
  EXPECT_EQ(churn.tell().gogc, 100);
  EXPECT_FALSE(std::filesystem::exists(options_.undo_file));
}

TEST_F(Tune, RefusesWhatItCanNotDo) {
  Churn churn("static");
  TuneOptions options = of(churn);
  options.gogc = "off";
  EXPECT_EQ(run(options), TuneExit::kRefused);
  EXPECT_THAT(err_, HasSubstr("without GOMEMLIMIT, GOGC=off"));
  options.gogc = "many";
  EXPECT_EQ(run(options), TuneExit::kUsage);
  EXPECT_THAT(err_, HasSubstr("--gogc, --mem-limit: GOGC"));
  EXPECT_FALSE(std::filesystem::exists(options_.undo_file)) << "nothing was changed";
  EXPECT_EQ(run({}), TuneExit::kUsage);
  TuneOptions both = of(churn);
  both.automatic = true;
  both.gogc = "100";
  EXPECT_EQ(run(both), TuneExit::kUsage);
  both.gogc.clear();
  both.duration = "5s";
  EXPECT_EQ(run(both), TuneExit::kUsage);
  TuneOptions mixed_up = of(churn);
  mixed_up.limit = "100Mi";
  EXPECT_EQ(run(mixed_up), TuneExit::kUsage);
  EXPECT_THAT(err_, HasSubstr("give --mem-limit"));
  TuneOptions unwritable = of(churn);
  unwritable.gogc = "200";
  unwritable.undo_file = "/proc/none/undo.json";
  EXPECT_EQ(run(unwritable), TuneExit::kUsage);
  EXPECT_THAT(err_, HasSubstr("nothing was changed"));
  EXPECT_EQ(churn.tell().gogc, 100);
}

TEST_F(Tune, UndoesOnlyToTheProgramThatTheFileIsOf) {
  Churn churn("static", {"-become=" + testing::built_churn("static")});
  TuneOptions options = of(churn);
  options.gogc = "200";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  churn.become_another();
  const auto same = [&] {
    const auto runtime = GoRuntime::open(churn.pid());
    const auto state = runtime ? runtime->read() : tl::unexpected(runtime.error());
    return !state || state->gc_percent == 200;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (same() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(run(undo()), TuneExit::kRefused);
  EXPECT_THAT(err_, HasSubstr("does not run the program that"));
}

TEST_F(Tune, BelievesNoUndoFileThatAStrangerMayHaveWritten) {
  Churn churn("static");
  const auto file = [&](const std::string& text) { testing::write_file(options_.undo_file, text); };
  const std::string pid = std::to_string(churn.pid());
  const std::string good = R"(,"identity":"0","gogc":"200","goMemLimit":"off"})";
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), R"({"pid":"1")" + good, R"({"pid":0)" + good,
        R"({"pid":4294967297)" + good, std::string(R"({"pid":1,"identity":"0","gogc":200,"goMemLimit":"off"})")}) {
    file(text);
    EXPECT_EQ(run(undo()), TuneExit::kUsage) << text;
    EXPECT_THAT(err_, HasSubstr("no undo file"));
  }
  file(R"({"pid":)" + pid + good);
  std::filesystem::permissions(options_.undo_file, std::filesystem::perms::all);
  EXPECT_EQ(run(undo()), TuneExit::kUsage);
  EXPECT_THAT(err_, HasSubstr("nobody else may write"));
  std::filesystem::remove(options_.undo_file);
  std::filesystem::create_symlink(directory_.path() / "elsewhere", options_.undo_file);
  TuneOptions options = of(churn);
  options.gogc = "200";
  EXPECT_EQ(run(options), TuneExit::kUsage);
  EXPECT_THAT(err_, HasSubstr("nothing was changed"));
  EXPECT_EQ(churn.tell().gogc, 100);
}

TEST_F(Tune, KeepsTheUndoFileOfAnotherProcessThatStillRuns) {
  Churn one("static");
  Churn other("static");
  TuneOptions options = of(one);
  options.gogc = "400";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  options.pid = other.pid();
  EXPECT_EQ(run(options), TuneExit::kUsage);
  EXPECT_THAT(err_, HasSubstr("still runs; nothing was changed"));
  EXPECT_EQ(other.tell().gogc, 100);
  one.kill();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (run(options) != TuneExit::kDone && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(other.tell().gogc, 400) << err_;
}

TEST_F(Tune, TellsProgramsWhatItWouldDo) {
  Churn churn("static");
  TuneOptions options = of(churn);
  options.gogc = "200";
  options.dry_run = true;
  options.output = "json";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  const json report = json::parse(out_);
  EXPECT_EQ(report["wouldSet"]["gogc"], "200");
  EXPECT_EQ(report["wouldSet"]["goMemLimit"], "off");
  EXPECT_FALSE(report.contains("after"));
}

TEST_F(Tune, PutsBackWhatItWouldNotSet) {
  Churn churn("static", {"-set-gogc=20000"});
  churn.set_its_own();
  TuneOptions options = of(churn);
  options.mem_limit = "1GiB";
  ASSERT_EQ(run(options), TuneExit::kDone) << "nobody asked for another GOGC; " << err_;
  options.gogc = "100";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  ASSERT_EQ(run(undo()), TuneExit::kDone) << err_;
  EXPECT_EQ(churn.tell().gogc, 20000);
}

TEST_F(Tune, ComputesWhatItSets) {
  Churn churn("static", {"-rate=100000000", "-live=16777216"});
  TuneOptions options = of(churn);
  options.automatic = true;
  options.duration = "20s";
  options.limit = "256Mi";
  ASSERT_EQ(run(options), TuneExit::kDone) << err_;
  EXPECT_THAT(out_, HasSubstr("instead of GOGC=100"));
  EXPECT_GT(churn.tell().gogc, 100);
}

TEST(AdviseByMemory, NeedsNothingOfTheProgram) {
  Churn churn("static", {"-rate=100000000", "-live=16777216"});
  AdviseOptions options;
  options.pid = churn.pid();
  options.duration = "20s";
  options.limit = "256Mi";
  options.output = "json";
  std::ostringstream out, err;
  EXPECT_EQ(run_advise(options, out, err), AdviseExit::kChange) << err.str() << out.str();
  const json advice = json::parse(out.str());
  const testing::Told told = churn.tell();
  EXPECT_NEAR(advice["observed"]["liveHeapBytes"].get<double>() / told.live, 1, 0.1);
  EXPECT_NEAR(advice["observed"]["allocBytesPerSecond"].get<double>() / (told.allocated / 20), 1, 0.3);
  EXPECT_GT(advice["observed"]["gcCpuFraction"], 0);
}

}  // namespace
}  // namespace gopacer
