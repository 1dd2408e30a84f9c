#include "simulate/api_server.h"

#include <gmock/gmock.h>

namespace gopacer::simulating {
namespace {

const Settings kOld;
const Settings kNew{Gogc(200), mib(400)};

ApiServer with_target() {
  ApiServer api;
  api.objects.profile = std::make_shared<const Profile>();
  api.objects.target = std::make_shared<const Workload>(new_workload("checkout", "target", 4));
  return api;
}

Settings present(const ApiServer& api) { return settings_of(*api.objects.target); }

TEST(SimulatedApiServer, PutsSettingsOnlyOntoWhatWasSeen) {
  ApiServer api = with_target();
  const auto seen = api.objects.target;
  ASSERT_TRUE(api.put_settings(*seen, kNew));
  EXPECT_EQ(present(api), kNew);
  EXPECT_GT(api.objects.target->generation, seen->generation);
  const auto again = api.put_settings(*seen, Settings{Gogc(50), std::nullopt});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(present(api), kNew);
}

TEST(SimulatedApiServer, TakesNoVariableFromAPerson) {
  ApiServer api = with_target();
  api.edit_target([](Workload& target) { set_settings(target, {Gogc(130), std::nullopt}, "kubectl-set"); });
  const auto put = api.put_settings(*api.objects.target, kNew);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::kOwned);
  EXPECT_TRUE(api.put_settings(*api.objects.target, {Gogc(130), mib(400)})) << "what is as they set it may stay";
}

TEST(SimulatedApiServer, MayDoWhatItSaysThatItDidNot) {
  ApiServer api = with_target();
  api.accident = [](bool) { return Accident::kAnswerLost; };
  EXPECT_FALSE(api.put_settings(*api.objects.target, kNew));
  EXPECT_EQ(present(api), kNew);
  api.accident = [](bool) { return Accident::kFailed; };
  EXPECT_FALSE(api.put_settings(*api.objects.target, kOld));
  EXPECT_EQ(present(api), kNew);
}

TEST(SimulatedApiServer, HearsNothingOfADeadOperator) {
  ApiServer api = with_target();
  api.accident = [](bool) { return Accident::kDeath; };
  EXPECT_FALSE(api.put_settings(*api.objects.target, kNew));
  EXPECT_EQ(present(api), kNew) << "its last words";
  api.accident = [](bool) { return Accident::kNone; };
  EXPECT_TRUE(api.operator_is_dead());
  EXPECT_FALSE(api.put_settings(*api.objects.target, kOld));
  EXPECT_EQ(present(api), kNew);
  api.begin_operator();
  EXPECT_TRUE(api.put_settings(*api.objects.target, kOld));
}

TEST(SimulatedApiServer, RefusesForGoodOnlyWhatAWebhookSees) {
  ApiServer api = with_target();
  api.accident = [](bool) { return Accident::kRefused; };
  const auto put = api.put_settings(*api.objects.target, kNew);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::kTerminal);
  const auto noted = api.write_memory(api.objects.profile, {});
  ASSERT_FALSE(noted);
  EXPECT_TRUE(noted.error().retriable());
}

TEST(SimulatedApiServer, WritesTheStatusOfTheVersionThatWasSeen) {
  ApiServer api = with_target();
  api.edit_profile([](Profile& profile) { profile.memory.active_trial = "checkout-1"; });
  TrialSpec spec;
  spec.profile = "checkout";
  spec.number = 1;
  ASSERT_TRUE(api.create_trial(spec, Time{}));
  const auto seen = api.objects.trials.front();
  TrialStatus status;
  status.phase = TrialPhase::kWarmUp;
  EXPECT_TRUE(api.write_status(seen, status));
  EXPECT_FALSE(api.write_status(seen, status)) << "it is another version by now";
  EXPECT_EQ(api.objects.trials.front()->status.phase, TrialPhase::kWarmUp);
}

TEST(SimulatedApiServer, MakesNoTrialThatIsNotNoted) {
  ApiServer api = with_target();
  TrialSpec spec;
  spec.profile = "checkout";
  spec.number = 1;
  EXPECT_FALSE(api.create_trial(spec, Time{}));
  EXPECT_THAT(api.objects.trials, ::testing::IsEmpty());
}

}  // namespace
}  // namespace gopacer::simulating
