// `gopacer advise` on a real Go process: what it records gives the same advice again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/advise_command.h"
#include "cli/recorded_service.h"
#include "observe/go_process.h"

namespace gopacer {
namespace {

using nlohmann::json;

struct Answer {
  AdviseExit status;
  json advice;
  std::string err;
};

Answer advise(AdviseOptions options) {
  options.output = "json";
  std::ostringstream out, err;
  const AdviseExit status = run_advise(options, out, err);
  return {status, json::parse(out.str(), nullptr, false), err.str()};
}

TEST(AdviseLive, GivesTheSameAdviceOnItsOwnRecording) {
  GoProcess service("checkout",
                    {"--listen=127.0.0.1:0", "--pprof-listen=127.0.0.1:0", "--admin-listen=", "--live-heap=16MiB"},
                    "ready");
  const GoProcess load("load",
                       {"--target", "http://127.0.0.1:" + std::to_string(service.port("api")) + "/checkout", "--carts",
                        "--rate", "100", "--duration", "2m", "--every", "0"},
                       "");
  const testing::TemporaryDirectory directory;
  AdviseOptions options;
  options.url = "http://127.0.0.1:" + std::to_string(service.port("pprof"));
  options.metrics_url = "http://127.0.0.1:" + std::to_string(service.port("api"));
  options.duration = "20s";
  options.interval = "1s";
  options.limit = "512Mi";
  options.record = (directory.path() / "recording").string();
  options.progress = true;
  const Answer live = advise(options);
  EXPECT_THAT(live.err, ::testing::HasSubstr("reading: "));
  ASSERT_TRUE(live.advice.is_object());

  AdviseOptions again;
  again.samples = options.record;
  again.limit = options.limit;
  const Answer replayed = advise(again);
  EXPECT_EQ(replayed.status, live.status) << replayed.err;
  EXPECT_EQ(replayed.advice["reason"], live.advice["reason"]);
  EXPECT_EQ(replayed.advice["recommended"], live.advice["recommended"]);
  EXPECT_GE(replayed.advice["readings"], 10);
}

}  // namespace
}  // namespace gopacer
