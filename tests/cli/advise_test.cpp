#include "cli/advise_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/commands.h"
#include "cli/recorded_service.h"
#include "fakes/pod_imposter.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::hours;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kNow;
using ::testing::Not;
using testing::RecordedService;
using testing::TemporaryDirectory;
using testing::write_file;

struct Answer {
  AdviseExit status;
  std::string out;
  std::string err;
};

Answer advise(const AdviseOptions& options) {
  std::ostringstream out, err;
  const AdviseExit status = run_advise(options, out, err);
  return {status, out.str(), err.str()};
}

class AdviseOnARecording : public ::testing::Test {
 protected:
  const fs::path& directory() const { return temporary_.path(); }
  Answer advise(AdviseOptions options = {}) {
    options.samples = directory().string();
    return gopacer::advise(options);
  }
  json advise_json(AdviseOptions options = {}) {
    options.output = "json";
    const Answer answer = advise(std::move(options));
    status_ = answer.status;
    return json::parse(answer.out);
  }

  TemporaryDirectory temporary_;
  RecordedService recorded_;
  AdviseExit status_ = AdviseExit::kFine;
};

TEST_F(AdviseOnARecording, DecidesAsTheOperatorDoesOnTheSameSamples) {
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "512Mi";
  const json answer = advise_json(options);
  EXPECT_EQ(status_, AdviseExit::kChange);

  testing::GoService service = recorded_.service;
  service.profiles = false;
  service.usage = false;
  service.settings.gogc = Gogc(100);
  service.seen_for = seconds(60);
  service.pods = 1;
  DecideInput input = service.input(kNow);
  input.spec.canary.warm_up = Duration(0);
  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Decision::Kind::kChange);
  EXPECT_EQ(answer["recommended"]["gogc"], std::to_string(decision.settings.gogc->percent()));
  EXPECT_EQ(answer["recommended"]["goMemLimit"], format_go_size(*decision.settings.go_mem_limit));
  EXPECT_NEAR(answer["observed"]["gcCpuFraction"], service.gc_share(), 0.02);
  EXPECT_NEAR(answer["observed"]["allocBytesPerSecond"], service.alloc_rate, 0.01 * service.alloc_rate);
  EXPECT_NEAR(answer["observed"]["liveHeapBytes"], service.live.value(), 0.05 * service.live.value());
  for (const char* const figure : {"gcCpuFraction", "peakMemoryBytes", "cyclesPerMinute"}) {
    const json& predicted = answer["predicted"][figure];
    EXPECT_LE(predicted["low"], predicted["value"]) << figure;
    EXPECT_GE(predicted["high"], predicted["value"]) << figure;
  }
  EXPECT_EQ(answer["reason"], "Recommended");
}

TEST_F(AdviseOnARecording, RecommendsWhereTheStepsLeadAndSaysWhatTheFirstIs) {
  recorded_.service.settings.gogc = Gogc(50);
  recorded_.service.gc_seconds_per_cycle = 0.3;
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "512Mi";
  const json answer = advise_json(options);
  const auto gogc = [](const json& settings) { return std::stoi(settings["gogc"].get<std::string>()); };
  EXPECT_EQ(answer["binding"], "bounds.maxAllowed.gogc") << "of what is recommended";
  EXPECT_EQ(answer["firstStep"]["binding"], "trust region");
  EXPECT_EQ(gogc(answer["recommended"]), 400);
  EXPECT_LE(gogc(answer["firstStep"]), 200);
  EXPECT_GT(answer["predicted"]["cpuSavingFraction"]["value"],
            answer["firstStep"]["predicted"]["cpuSavingFraction"]["value"]);
  ASSERT_EQ(answer["tradeoff"].size(), 5U);
  EXPECT_EQ(gogc(answer["tradeoff"][0]), 50);
  EXPECT_GT(answer["tradeoff"][0]["predicted"]["gcCpuFraction"]["value"],
            answer["tradeoff"][4]["predicted"]["gcCpuFraction"]["value"]);
  options.output = "text";
  const std::string text = advise(options).out;
  EXPECT_THAT(text, AllOf(HasSubstr("recommended   GOGC=400 GOMEMLIMIT="), HasSubstr("\n  first step    GOGC="),
                          HasSubstr("\n  to choose from: GOGC"), HasSubstr("          value: \"400\"")));
}

TEST_F(AdviseOnARecording, PrintsLinesToPaste) {
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "512Mi";
  const Answer answer = advise(options);
  EXPECT_EQ(answer.status, AdviseExit::kChange);
  EXPECT_THAT(answer.out, AllOf(HasSubstr("- name: GOGC\n          value: \""), HasSubstr("- name: GOMEMLIMIT\n"),
                                HasSubstr("held by")));
  EXPECT_EQ(answer.err, "");
}

TEST_F(AdviseOnARecording, IsFineWhenTheSettingsAreGood) {
  recorded_.service.settings = {Gogc(235), mib(454)};
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "512Mi";
  EXPECT_EQ(advise(options).status, AdviseExit::kFine);
}

TEST_F(AdviseOnARecording, SetsGogcOnlyWithoutALimit) {
  recorded_.service.settings.gogc = Gogc(50);
  recorded_.write(directory());
  const json answer = advise_json();
  EXPECT_EQ(status_, AdviseExit::kChange);
  EXPECT_EQ(answer["recommended"]["gogc"], "100");
  EXPECT_TRUE(answer["recommended"]["goMemLimit"].is_null());
  EXPECT_THAT(answer["notes"].dump(), HasSubstr("give --limit"));
}

TEST_F(AdviseOnARecording, IsFineWithoutALimitAtGosOwnGogcAndSaysWhatALimitWouldAllow) {
  recorded_.write(directory());
  const json answer = advise_json();
  EXPECT_EQ(status_, AdviseExit::kFine);
  EXPECT_EQ(answer["reason"], "NoMemoryLimit");
  EXPECT_THAT(answer["message"], HasSubstr("A larger GOGC would save CPU, but without a memory limit"));
}

TEST_F(AdviseOnARecording, WantsSomebodyToActWhereNothingWouldStopTheHeapOfALargerGogc) {
  recorded_.service.settings.gogc = Gogc(300);
  recorded_.write(directory());
  const json answer = advise_json();
  EXPECT_EQ(status_, AdviseExit::kActFirst);
  EXPECT_EQ(answer["decision"], "Keep");
  EXPECT_EQ(answer["reason"], "NoMemoryLimit");
}

TEST_F(AdviseOnARecording, IsFineWithoutALimitWhereGomemlimitStopsTheHeap) {
  recorded_.service.settings = {Gogc(300), mib(400)};
  recorded_.write(directory());
  const json answer = advise_json();
  EXPECT_EQ(status_, AdviseExit::kFine);
  EXPECT_EQ(answer["decision"], "Keep");
  EXPECT_EQ(answer["recommended"]["goMemLimit"], "400MiB") << "a person's word of what may be taken";
}

TEST_F(AdviseOnARecording, DoesNotTakeGomemlimitForABoundBeforeGo119) {
  recorded_.go_version = "go1.18.10";
  recorded_.service.settings = {Gogc(300), mib(400)};
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "512Mi";
  EXPECT_EQ(advise_json(options)["reason"], "NoMemoryLimit");
  EXPECT_EQ(status_, AdviseExit::kActFirst);
}

TEST_F(AdviseOnARecording, SetsGogcOnlyForGoBefore119AndSaysSo) {
  recorded_.go_version = "go1.18.10";
  recorded_.service.settings.gogc = Gogc(50);
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "512Mi";
  const json answer = advise_json(options);
  EXPECT_EQ(status_, AdviseExit::kChange);
  EXPECT_TRUE(answer["recommended"]["goMemLimit"].is_null());
  EXPECT_EQ(answer["binding"], "Go older than 1.19");
  EXPECT_EQ(answer["observed"]["goVersion"], "go1.18.10");
}

TEST_F(AdviseOnARecording, SaysThatTheProcessIsYoung) {
  recorded_.write(directory());
  const auto began = [&](Time started) {
    write_file(directory() / "target.json",
               R"({"format": 1, "subject": "pid 7", "interval": "5s", "started": ")" + format_time(started) + "\"}");
    return advise_json()["notes"].dump();
  };
  EXPECT_THAT(began(kNow - seconds(60)), HasSubstr("The process began 2m5s ago"));
  EXPECT_THAT(began(kNow - hours(1)), Not(HasSubstr("The process began")));
}

TEST_F(AdviseOnARecording, SaysThatALimitBelowTheLiveHeapIsTooSmall) {
  recorded_.write(directory());
  AdviseOptions options;
  options.limit = "60Mi";
  const Answer answer = advise(options);
  EXPECT_EQ(answer.status, AdviseExit::kActFirst);
  EXPECT_THAT(answer.out, HasSubstr("The limit of 60.0MiB is below the live heap of"));
}

TEST_F(AdviseOnARecording, RefusesASampleThatIsCutShort) {
  recorded_.write(directory());
  const fs::path file = directory() / "0004/heap.txt";
  fs::resize_file(file, fs::file_size(file) - 40);
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kUsage);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("0004/heap.txt"), HasSubstr("it was cut off")));
}

TEST_F(AdviseOnARecording, RefusesSamplesOfAnotherProcess) {
  recorded_.write(directory());
  recorded_.write_reading(directory(), 8, kNow + 8 * recorded_.service.interval, 3);
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kUsage);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("reading 0008 is of another process"), HasSubstr("restarted")));
}

TEST_F(AdviseOnARecording, RefusesAClockThatWasSetBack) {
  recorded_.write(directory());
  write_file(directory() / "0006/time", format_micro_time(kNow - hours(1)) + "\n");
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kUsage);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("reading 0006"), HasSubstr("the clock was set back")));
}

TEST_F(AdviseOnARecording, RefusesAClockThatJumpsAhead) {
  recorded_.write(directory());
  for (int i = 6; i <= recorded_.readings; ++i) {
    write_file(directory() / RecordedService::name(i) / "time",
               format_micro_time(kNow + hours(1) + i * seconds(5)) + "\n");
  }
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kUsage);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("reading 0006"), HasSubstr("the clock was set, or")));
}

TEST_F(AdviseOnARecording, RefusesPagesOfAProgramThatIsNotGo) {
  recorded_.write(directory());
  write_file(directory() / "0001/heap.txt", "<!DOCTYPE html><html><body>Welcome</body></html>");
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kUsage);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("0001/heap.txt"), HasSubstr("an HTML page")));
}

TEST_F(AdviseOnARecording, RefusesADirectoryThatIsNoRecording) {
  EXPECT_THAT(advise().err, HasSubstr("is no recording"));
  write_file(directory() / "target.json", R"({"format": 1})");
  EXPECT_THAT(advise().err, HasSubstr("has no readings"));
  write_file(directory() / "target.json", R"({"format": 7})");
  EXPECT_THAT(advise().err, HasSubstr("another version"));
  write_file(directory() / "target.json", R"({"format": )");
  EXPECT_THAT(advise().err, HasSubstr("cut short"));
}

TEST_F(AdviseOnARecording, HasTooLittleInAFewReadings) {
  recorded_.readings = 3;
  recorded_.write(directory());
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kNoData);
  EXPECT_THAT(answer.err, HasSubstr("Collecting samples: 3 of 5 readings"));
}

TEST_F(AdviseOnARecording, ToldOtherSettingsThanTheProcessHasRefuses) {
  recorded_.write(directory());
  AdviseOptions options;
  options.current_gogc = "300";
  const json answer = advise_json(options);
  EXPECT_EQ(status_, AdviseExit::kActFirst);
  EXPECT_EQ(answer["reason"], "SelfTuned");
}

TEST(AdviseUsage, RefusesWhatCannotBeMeant) {
  const auto error_of = [](const std::function<void(AdviseOptions&)>& change) {
    AdviseOptions options;
    options.url = "http://127.0.0.1:1/debug/pprof";
    change(options);
    const Answer answer = advise(options);
    EXPECT_EQ(answer.status, AdviseExit::kUsage) << answer.err;
    return answer.err;
  };
  EXPECT_THAT(error_of([](auto& o) { o.bounds.min_gogc = 300, o.bounds.max_gogc = 100; }),
              HasSubstr("--min-gogc 300 is above --max-gogc 100"));
  EXPECT_THAT(error_of([](auto& o) { o.url = ""; }), HasSubstr("nothing to read"));
  EXPECT_THAT(error_of([](auto& o) { o.url = "", o.pid = 1, o.record = "somewhere"; }), HasSubstr("need --url"));
  EXPECT_THAT(error_of([](auto& o) { o.samples = "x"; }), HasSubstr("leave out --url"));
  EXPECT_THAT(error_of([](auto& o) { o.url = "https://127.0.0.1:1/"; }), HasSubstr("kubectl port-forward"));
  EXPECT_THAT(error_of([](auto& o) { o.limit = "512Mib"; }), HasSubstr("--limit"));
  EXPECT_THAT(error_of([](auto& o) { o.limit = "0"; }), HasSubstr("above 0"));
  EXPECT_THAT(error_of([](auto& o) { o.duration = "1s"; }), HasSubstr("--for has to be from 20s"));
  EXPECT_THAT(error_of([](auto& o) { o.interval = "50s"; }), HasSubstr("a fifth of --for"));
  EXPECT_THAT(error_of([](auto& o) { o.current_go_mem_limit = "440Mi"; }), HasSubstr("440MiB"));
  EXPECT_THAT(error_of([](auto& o) { o.latency_metric = "x"; }), HasSubstr("--metrics-url"));
  EXPECT_THAT(error_of([](auto& o) { o.metrics_url = "http://10.0.0.1/metrics"; }), HasSubstr("of another host"));
  EXPECT_THAT(error_of([](auto& o) { o.pid = 999999999; }), HasSubstr("does not exist"));
}

TEST(AdviseUsage, RefusesAMetricThatTheApiServerWouldRefuse) {
  AdviseOptions options;
  for (const std::string& metric :
       {std::string("1st"), std::string("a b"), std::string("a\"}\n"), std::string(201, 'a')}) {
    options.latency_metric = metric;
    EXPECT_THAT(advise(options).err, HasSubstr("--latency-metric '" + metric + "' can be no metric's name"));
  }
  options.latency_metric = "shop:request_seconds";
  EXPECT_THAT(advise(options).err, HasSubstr("nothing to read")) << "the name is not what is wrong";
}

TEST(AdviseUsage, RefusesANameThatTheApiServerWouldRefuse) {
  AdviseOptions options;
  for (const std::string& name :
       {std::string(), std::string("Check_Out"), std::string("check out"), std::string("-checkout"),
        std::string("checkout-"), std::string("shop..checkout"), std::string("shop.-checkout"), std::string("shop-."),
        std::string("a\nspec: {}"), std::string("käse"), std::string(254, 'a')}) {
    options.name = name;
    const Answer answer = advise(options);
    EXPECT_EQ(answer.status, AdviseExit::kUsage);
    EXPECT_THAT(answer.err, HasSubstr("--name '" + name + "' can be no Deployment's"));
  }
  for (const std::string& name : {std::string("a"), std::string("2024"), std::string("shop.check-out"),
                                  std::string("a--b.c"), std::string(253, 'a')}) {
    options.name = name;
    EXPECT_THAT(advise(options).err, HasSubstr("nothing to read")) << "the name is not what is wrong";
  }
}

TEST_F(AdviseOnARecording, QuotesTheNameInYaml) {
  recorded_.write(directory());
  AdviseOptions options;
  options.output = "yaml";
  options.name = "2024";
  const std::string profile = advise(options).out;
  EXPECT_THAT(profile, AllOf(HasSubstr("\n  name: \"2024\"\n"), HasSubstr("kind: Deployment, name: \"2024\"}")));
}

TEST(AdviseUsage, ItsHelpHasAllExitStatuses) {
  std::string program = "gopacer", command = "advise", option = "--help";
  char* argv[] = {program.data(), command.data(), option.data(), nullptr};
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run(3, argv), 0);
  const std::string help = ::testing::internal::GetCapturedStdout();
  for (const char* const status : {"\n  0  ", "\n  1  ", "\n  2  ", "\n  3  ", "\n  4  "}) {
    EXPECT_THAT(help, HasSubstr(status));
  }
  EXPECT_THAT(help, HasSubstr("Without a memory limit"));
}

TEST(AdviseUsage, ExitsWith2OnAnUnknownOption) {
  std::string program = "gopacer", command = "advise", option = "--speed";
  char* argv[] = {program.data(), command.data(), option.data(), nullptr};
  EXPECT_EQ(run(3, argv), 2);
}

class AdviseOnAPage : public ::testing::Test {
 protected:
  Answer advise() {
    AdviseOptions options;
    options.url = "http://127.0.0.1:" + std::to_string(pod_.port()) + "/debug/pprof";
    options.duration = "20s";
    options.interval = "1s";
    return gopacer::advise(options);
  }
  PodImposter pod_;
};

TEST_F(AdviseOnAPage, SaysThatThereIsNoPprof) {
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kNoData);
  EXPECT_THAT(answer.err, AllOf(HasSubstr("HTTP 404"), HasSubstr("--url"), HasSubstr("import net/http/pprof")));
}

TEST_F(AdviseOnAPage, SaysThatAnHtmlPageIsNoHeapProfile) {
  pod_.on("/", Page{"<!DOCTYPE html><html></html>", 200, "text/html"});
  const Answer answer = advise();
  EXPECT_EQ(answer.status, AdviseExit::kNoData);
  EXPECT_THAT(answer.err, HasSubstr("an HTML page"));
}

TEST(AdviseOnNothing, SaysThatThePortRefuses) {
  AdviseOptions options;
  options.url = "http://127.0.0.1:1/debug/pprof";
  options.duration = "20s";
  options.interval = "1s";
  const Answer answer = advise(options);
  EXPECT_EQ(answer.status, AdviseExit::kNoData);
  EXPECT_THAT(answer.err, HasSubstr("port 1 refused the connection"));
}

}  // namespace
}  // namespace gopacer
