#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "decide/go_service.h"

namespace gopacer {
namespace {

using testing::GoService;
using ::testing::HasSubstr;
using testing::kNow;
using Kind = Decision::Kind;

DecideInput asking_for(const GoService& service, Settings wanted) {
  DecideInput input = service.input(kNow);
  input.spec.strategy = Strategy::kFixed;
  input.spec.fixed = wanted;
  return input;
}

TEST(Fixed, TriesWhatAPersonAsksForEvenOutsideTheBounds) {
  const Decision decision = decide(asking_for(GoService{}, {Gogc(10), std::nullopt}), kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(describe(decision.settings), "GOGC=10");
  EXPECT_EQ(decision.reason, "FixedSettings");
  EXPECT_EQ(decision.binding, "settings");
  EXPECT_THAT(decision.message, HasSubstr("GOGC=10 instead of Go's defaults, as objective.settings asks. Collection"));
  // Ten times the collections: 0.396 cores more beside 0.544.
  EXPECT_NEAR(decision.predicted->saving, -0.73, 0.02);
}

TEST(Fixed, LeavesWhatThePersonDoesNotName) {
  GoService service;
  service.settings = {Gogc(150), mib(400)};
  const Decision decision = decide(asking_for(service, {Gogc(200), std::nullopt}), kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(describe(decision.settings), "GOGC=200 GOMEMLIMIT=400MiB");
}

TEST(Fixed, IsDoneOnceTheSettingsAreInForce) {
  GoService service;
  service.settings = {Gogc(150), mib(400)};
  const Decision decision = decide(asking_for(service, service.settings), kNow);
  EXPECT_EQ(decision.kind, Kind::kKeep);
  EXPECT_EQ(decision.reason, "InForce");
  EXPECT_EQ(decision.settings, service.settings);
  EXPECT_THAT(decision.message, HasSubstr("GOGC=150 GOMEMLIMIT=400MiB is in force. Collection takes"));
}

TEST(Fixed, TakesALimitThatIsJustBelowTheContainers) {
  EXPECT_EQ(decide(asking_for(GoService{}, {Gogc(100), mib(511)}), kNow).kind, Kind::kChange);
}

TEST(Fixed, TriesGosOwnGogcWithNothingBehindIt) {
  GoService service;
  service.settings.gogc = Gogc(150);
  EXPECT_EQ(decide(asking_for(service, {Gogc(100), std::nullopt}), kNow).kind, Kind::kChange);
  EXPECT_EQ(decide(asking_for(service, {Gogc(101), std::nullopt}), kNow).kind, Kind::kRefuse);
}

TEST(Fixed, IsNoMatterOfABallast) {
  GoService service;
  service.container = mib(3072);
  service.live = mib(1064);
  service.ballast = mib(1024);
  EXPECT_EQ(decide(asking_for(service, {Gogc(150), mib(2800)}), kNow).kind, Kind::kChange) << "a person knows";
}

TEST(Fixed, IsDoneWhereSomethingBesidesTheEnvListHasThemInForce) {
  GoService service;
  service.process_metrics = true;
  service.settings = {Gogc(150), mib(400)};
  DecideInput input = asking_for(service, {Gogc(150), std::nullopt});
  input.current = {};
  for (PodSeries& pod : input.observed.pods) pod.settings = {};
  EXPECT_EQ(decide(input, kNow).reason, "InForce");
  // The limit that stays is behind a larger GOGC.
  input.spec.fixed.gogc = Gogc(200);
  const Decision decision = decide(input, kNow);
  ASSERT_EQ(decision.kind, Kind::kChange) << decision.message;
  EXPECT_EQ(describe(decision.settings), "GOGC=200");
  EXPECT_THAT(decision.message, HasSubstr("GOGC=200 instead of GOGC=150 GOMEMLIMIT=400MiB"));
}

TEST(Fixed, TellsAPersonWhyBannedSettingsAreNotTriedAgain) {
  DecideInput input = asking_for(GoService{}, {Gogc(10), std::nullopt});
  input.memory.banned.push_back({{Gogc(10), std::nullopt}, "aaaa", "GcTooFrequent", kNow});
  Decision decision = decide(input, kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "SettingsBanned");
  EXPECT_THAT(decision.message, HasSubstr("GOGC=10 was tried on this pod template and rolled back"));
  EXPECT_THAT(decision.message, HasSubstr("GcTooFrequent"));
  EXPECT_THAT(decision.message, HasSubstr("change objective.settings, or change the pod template"));

  input.memory.banned[0].reason = "NoBenefit";
  EXPECT_THAT(decide(input, kNow).message,
              HasSubstr("(NoBenefit). It is not tried again before " + format_time(kNow + std::chrono::hours(24)) +
                        ", since that may have been chance: change"));

  input.template_hash = "bbbb";
  EXPECT_EQ(decide(input, kNow).kind, Kind::kChange);
  input.template_hash = "aaaa";
  input.spec.fixed.gogc = Gogc(60);
  EXPECT_EQ(decide(input, kNow).kind, Kind::kChange);
}

TEST(Fixed, RefusesALimitThatTheKernelReachesFirst) {
  const Decision decision = decide(asking_for(GoService{}, {Gogc(100), mib(512)}), kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.settings, Settings{}) << "what is in force";
  EXPECT_THAT(decision.message, HasSubstr("460MiB would be safe"));
}

TEST(Fixed, IsUnsafeAlsoWhereItIsInForceAlready) {
  GoService service;
  service.settings = {Gogc(150), mib(900)};  // of a container of 1 GiB, which has 512 MiB by now
  Decision decision = decide(asking_for(service, service.settings), kNow);
  EXPECT_EQ(decision.kind, Kind::kRefuse);
  EXPECT_EQ(decision.reason, "FixedSettingsUnsafe");
  EXPECT_EQ(decision.settings, service.settings);
  EXPECT_THAT(decision.message, HasSubstr("objective.settings.goMemLimit is 900MiB, not below the container's memory"));
  decision = decide(asking_for(service, {Gogc(150), std::nullopt}), kNow);
  EXPECT_THAT(decision.message, HasSubstr("The target's GOMEMLIMIT is 900MiB")) << "nobody asked for it here";

  service.container.reset();
  service.settings.go_mem_limit.reset();
  decision = decide(asking_for(service, service.settings), kNow);
  EXPECT_EQ(decision.reason, "FixedSettingsUnsafe");
  EXPECT_THAT(decision.message, HasSubstr("GOGC=150 has no GOMEMLIMIT behind it"));
}

TEST(Fixed, RefusesALargeGogcWithNothingBehindIt) {
  for (const Gogc gogc : {Gogc(400), Gogc::off()}) {
    const Decision decision = decide(asking_for(GoService{}, {gogc, std::nullopt}), kNow);
    EXPECT_EQ(decision.kind, Kind::kRefuse);
    EXPECT_THAT(decision.message, HasSubstr("add objective.settings.goMemLimit, such as 460MiB"));
  }
}

TEST(Fixed, WaitsForTheCoolDown) {
  DecideInput input = asking_for(GoService{}, {Gogc(150), mib(400)});
  input.memory.cool_down_until = kNow + std::chrono::minutes(1);
  EXPECT_EQ(decide(input, kNow).reason, "CoolDown");
  // The model's misses say nothing of a person's choice.
  input.memory.cool_down_until.reset();
  input.memory.missed_predictions = 5;
  EXPECT_EQ(decide(input, kNow).kind, Kind::kChange);
}

TEST(Fixed, NeedsMetricsLikeAnyTrial) {
  GoService service;
  service.seen_for = std::chrono::seconds(0);
  EXPECT_EQ(decide(asking_for(service, {Gogc(150), mib(400)}), kNow).kind, Kind::kNoData);
}

}  // namespace
}  // namespace gopacer
