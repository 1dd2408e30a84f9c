#include "cli/simulate_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/commands.h"

namespace gopacer {
namespace {

using ::testing::HasSubstr;

struct Answer {
  int status = 0;
  std::string out;
  std::string error;
};

/// What `gopacer simulate …` does.
Answer simulate_with(std::vector<std::string> words) {
  words.insert(words.begin(), {"gopacer", "simulate"});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Answer answer;
  answer.status = run(static_cast<int>(arguments.size()), arguments.data());
  answer.out = ::testing::internal::GetCapturedStdout();
  answer.error = ::testing::internal::GetCapturedStderr();
  return answer;
}

class TraceFile {
 public:
  explicit TraceFile(const std::string& text)
      : path_(::testing::TempDir() + "gopacer_trace_" + std::to_string(getpid())) {
    std::ofstream(path_) << text;
  }
  ~TraceFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

const char* const kTrace = R"({
  "name": "two-hours", "memoryLimit": "512Mi", "cpuLimit": 2,
  "points": [{"at": "0s", "requestRate": 400, "liveHeap": "64Mi"}, {"at": "2h"}]
})";

TEST(SimulateCommand, ShowsWhatTheModelWouldHaveDoneOnATraceFromAFile) {
  const TraceFile file(kTrace);
  const Answer answer = simulate_with({file.path()});
  EXPECT_EQ(answer.status, 0) << answer.error;
  EXPECT_THAT(answer.out, HasSubstr("two-hours: 2h, GOMAXPROCS 2, memory limit 512.0MiB"));
  EXPECT_THAT(answer.out, HasSubstr("Go's defaults -> GOGC="));
  EXPECT_THAT(answer.out, HasSubstr("Memory of the container, MiB"));
}

TEST(SimulateCommand, SaysTheSameToPrograms) {
  const TraceFile file(kTrace);
  const auto answer = nlohmann::json::parse(simulate_with({file.path(), "-o", "json"}).out);
  EXPECT_EQ(answer.at("trace"), "two-hours");
  EXPECT_EQ(answer.at("strategy").at("ooms"), 0);
  EXPECT_LT(answer.at("strategy").at("gcCpuFraction"), answer.at("untouched").at("gcCpuFraction"));
  EXPECT_EQ(answer.at("minutes").size(), 120u);
  EXPECT_FALSE(answer.at("rollouts").empty());
}

TEST(SimulateCommand, TriesAPersonsOwnSettings) {
  const TraceFile file(kTrace);
  const Answer answer = simulate_with({file.path(), "--strategy", "Fixed", "--gogc", "200", "--gomemlimit", "400MiB"});
  EXPECT_EQ(answer.status, 0) << answer.error;
  EXPECT_THAT(answer.out, HasSubstr("Go's defaults -> GOGC=200"));
}

TEST(SimulateCommand, ItsHelpNamesStrategiesAndObjectivesInWords) {
  const Answer answer = simulate_with({"--help"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.out, HasSubstr("--objective TEXT:{Balanced,Throughput,Latency,Memory}=Balanced"));
  EXPECT_THAT(answer.out,
              HasSubstr("--strategy TEXT:{Model,Fixed,LatencyMemoryRate,TwoFactor,PauseFeedback,WaterLevel}=Model"));
}

TEST(SimulateCommand, TakesNamesInSmallLetters) {
  const TraceFile file(kTrace);
  const Answer answer = simulate_with(
      {file.path(), "--strategy", "fixed", "--objective", "memory", "--gogc", "200", "--gomemlimit", "400MiB"});
  EXPECT_EQ(answer.status, 0) << answer.error;
  EXPECT_THAT(answer.out, HasSubstr("Go's defaults -> GOGC=200"));
}

TEST(SimulateCommand, TellsByItsStatusThatTheKernelWouldHaveKilledTheProcess) {
  const TraceFile file(R"({"memoryLimit": "512Mi", "points": [
      {"at": "0s", "requestRate": 400, "liveHeap": "64Mi"}, {"at": "2h", "offHeap": "250Mi"}]})");
  const Answer answer = simulate_with({file.path(), "--strategy", "Fixed", "--gogc", "400", "--gomemlimit", "450MiB"});
  EXPECT_EQ(answer.status, 1) << answer.out;
}

TEST(SimulateCommand, WritesATraceThatItReadsAgain) {
  const TraceFile file(simulate_with({"--trace", "steady", "--write"}).out);
  const Answer answer = simulate_with({file.path(), "--write"});
  EXPECT_EQ(answer.status, 0) << answer.error;
  EXPECT_EQ(answer.out, simulate_with({"--trace", "steady", "--write"}).out);
}

TEST(SimulateCommand, SaysWhatIsWrongAndEndsWithTwo) {
  const TraceFile bad(R"({"points": [{"at": "0s"}]})");
  for (const auto& [words, message] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{}, "say what to simulate"},
           {{"--all", "--trace", "steady"}, "just one of them"},
           {{"--trace", "steady", "--seeds", "3"}, "--seeds requires --all"},
           {{"--trace", "nope"}, "choose one of steady"},
           {{"/no/such/file"}, "can't read the trace /no/such/file"},
           {{::testing::TempDir()}, "can't read the trace"},
           {{bad.path()}, "fewer than two entries"},
           {{"--trace", "steady", "--limit", "much"}, "--limit"},
           {{"--trace", "steady", "--cool-down", "never"}, "--cool-down"},
           {{"--trace", "steady", "--strategy", "Fixed"}, "wants --gogc"},
           {{"--trace", "steady", "--gogc", "100"}, "--strategy Fixed"},
           {{"--trace", "steady", "--strategy", "3"}, "--strategy: 3 not in {Model,Fixed"},
           {{"--trace", "steady", "--strategy", "Fixed", "--gomemlimit", "400Mi"}, "400MiB"},
           {{"--trace", "steady", "--min-gogc", "500"}, "--min-gogc is above"},
           {{"--trace", "steady", "--procs", "0"}, "--procs"}}) {
    const Answer answer = simulate_with(words);
    EXPECT_EQ(answer.status, 2) << message;
    EXPECT_THAT(answer.error, HasSubstr(message));
    EXPECT_EQ(answer.out, "") << message;
  }
}

}  // namespace
}  // namespace gopacer
