#include "gopacer/domain/orders.h"

#include <gmock/gmock.h>

#include "fakes/builders.h"

namespace gopacer {
namespace {

using builders::new_settings;
using builders::settings;
using ::testing::HasSubstr;

LocalContainer container(const Settings& environment = {}) {
  return {{"shop", "checkout-hash-1-abcde"},
          "pod-uid",
          "checkout",
          "app",
          std::string(64, 'a'),
          environment,
          mib(512),
          std::nullopt};
}

Profile live_profile() {
  Profile profile = builders::profile();
  profile.spec.apply = ApplyMode::kLive;
  profile.memory.active_trial = "checkout-1";
  return profile;
}

/// In which it is the turn of that pod.
Trial live_trial(const std::string& pod = "pod-uid") {
  Trial trial = builders::trial(TrialPhase::kMeasuring);
  trial.spec.live = LivePlan{std::chrono::seconds(6)};
  trial.status.live = LiveTurn{builders::kStart, 0, {pod}, builders::kStart};
  return trial;
}

/// As order_for(), where the lease holds.
Order order(const Profile& profile, const Trial& trial, const LocalContainer& of = container()) {
  return order_for(of, profile, &trial, true);
}

void confirm(Profile& profile, const Settings& applied, const Settings& beside = {}) {
  profile.memory.applied = applied;
  profile.memory.applied_beside = beside;
  profile.memory.applied_container = "app";
}

class Bounded : public ::testing::Test {
 protected:
  std::string against(const Settings& asked) const { return out_of_bounds(container_, spec_, asked); }

  ProfileSpec spec_ = builders::profile().spec;
  LocalContainer container_ = container();
};

TEST_F(Bounded, AllowsWhatIsWithin) {
  for (const Settings& asked : {Settings{}, settings(50), settings(400), settings(200, mib(460)), settings({}, mib(1))})
    EXPECT_EQ(against(asked), "") << describe(asked);
}

TEST_F(Bounded, RefusesAGogcThatIsOffTooLowOrTooHigh) {
  for (const Settings& asked : {Settings{Gogc::off(), mib(400)}, settings(49), settings(401), settings(0)})
    EXPECT_THAT(against(asked), HasSubstr("bounds allow a GOGC of 50 to 400")) << describe(asked);
}

TEST_F(Bounded, RefusesALimitBelowTheLeast) {
  spec_.bounds.min_go_mem_limit = mib(100);
  EXPECT_THAT(against(settings({}, mib(99))), HasSubstr("bounds.minAllowed.goMemLimit is 100MiB"));
  EXPECT_EQ(against(settings({}, mib(100))), "");
}

TEST_F(Bounded, RefusesALimitTooNearToTheContainers) {
  EXPECT_THAT(against(settings({}, mib(461))), HasSubstr("90 % of the container's 512.0MiB"));
  spec_.bounds.max_go_mem_limit_percent = 50;
  EXPECT_THAT(against(settings({}, mib(257))), HasSubstr("50 %"));
  EXPECT_EQ(against(settings({}, mib(256))), "");
}

TEST_F(Bounded, KnowsNoPercentOfAContainerWithoutALimit) {
  container_.memory_limit.reset();
  EXPECT_EQ(against(settings({}, gib(100))), "");
}

TEST_F(Bounded, LooksOnlyAtWhatDiffersFromTheEnvironment) {
  container_.environment = settings(10, mib(511));
  EXPECT_EQ(against(settings(10, mib(511))), "");
  EXPECT_EQ(against(settings(100, mib(511))), "");
  EXPECT_EQ(against(settings(10, mib(300))), "");
  EXPECT_NE(against(settings(11, mib(511))), "");
}

TEST_F(Bounded, TakesWhatIsUnsetForGosDefault) {
  spec_.bounds.max_gogc = 80;
  EXPECT_EQ(against({}), "") << "as the environment has it";
  container_.environment = settings(60, mib(300));
  EXPECT_THAT(against(settings({}, mib(300))), HasSubstr("a GOGC of 50 to 80"));
  EXPECT_THAT(against(settings(60)), HasSubstr("90 %")) << "no limit at all is beyond any";
  container_.memory_limit.reset();
  EXPECT_EQ(against(settings(60)), "");
}

TEST_F(Bounded, AllowsExactlyWhatAPersonGave) {
  spec_.strategy = Strategy::kFixed;
  spec_.fixed = {Gogc::off(), mib(511)};
  EXPECT_EQ(against({Gogc::off(), mib(511)}), "");
  EXPECT_NE(against({Gogc::off(), mib(510)}), "");
  spec_.strategy = Strategy::kModel;
  EXPECT_NE(against({Gogc::off(), mib(511)}), "");
}

TEST_F(Bounded, RefusesALimitOfAPersonsThatIsNotBelowTheContainersAnyMore) {
  spec_.strategy = Strategy::kFixed;
  spec_.fixed = settings(200, mib(512));
  EXPECT_THAT(against(settings(200, mib(512))), HasSubstr("not below the container's memory limit of 512.0MiB"));
  container_.environment = settings({}, mib(512));
  EXPECT_EQ(against(settings(200, mib(512))), "") << "the manifest has it";
  container_.environment = {};
  container_.memory_limit.reset();
  EXPECT_EQ(against(settings(200, mib(512))), "");
}

TEST_F(Bounded, IsWhateverAPersonDidNotGive) {
  spec_.strategy = Strategy::kFixed;
  spec_.fixed = settings({}, mib(500));
  EXPECT_EQ(against(settings(200, mib(500))), "");
  EXPECT_THAT(against(settings(1000, mib(500))), HasSubstr("bounds allow a GOGC"));
  spec_.fixed = settings(1000);
  EXPECT_EQ(against(settings(1000, mib(400))), "");
  EXPECT_THAT(against(settings(1000, mib(500))), HasSubstr("90 %"));
  container_.environment = settings({}, mib(400));
  EXPECT_THAT(against(settings(1000)), HasSubstr("90 %")) << "no limit at all is beyond any";
}

TEST_F(Bounded, AllowsTheLimitThatTheProgramGaveItself) {
  EXPECT_THAT(against(settings(200, mib(486))), HasSubstr("90 %"));
  container_.own = settings({}, mib(486));
  EXPECT_EQ(against(settings(200, mib(486))), "");
  EXPECT_THAT(against(settings(200, mib(485))), HasSubstr("90 %"));
  spec_.bounds.min_go_mem_limit = mib(490);
  EXPECT_EQ(against(settings(200, mib(486))), "");
  container_.own = settings({}, mib(512));
  EXPECT_THAT(against(settings(200, mib(512))), HasSubstr("not below the container's"));
}

TEST(Order, IsTheTrialsSettingsForWhoeverHasTheTurn) {
  const Order with = order(live_profile(), live_trial());
  EXPECT_EQ(with.settings, new_settings());
  EXPECT_EQ(with.usual, Settings{});
  EXPECT_TRUE(with.is_turn);
  EXPECT_EQ(with.refused, "");
  const Order without = order(live_profile(), live_trial("another-pod"));
  EXPECT_EQ(without.settings, Settings{});
  EXPECT_FALSE(without.is_turn);
}

TEST(Order, IsWhatWasConfirmedOutsideOfTheTurn) {
  Profile profile = live_profile();
  confirm(profile, settings(150));
  Trial trial = live_trial("another-pod");
  trial.spec.from = settings(150);
  EXPECT_EQ(order(profile, trial).settings, settings(150));
  trial.status.live->pods = {"pod-uid"};
  EXPECT_EQ(order(profile, trial).settings, new_settings());
  EXPECT_EQ(order(profile, trial).usual, settings(150));
  EXPECT_EQ(order_for(container(), profile, nullptr, false).settings, settings(150));
}

TEST(Order, EndsWithTheLease) {
  const Trial trial = live_trial();
  EXPECT_EQ(order_for(container(), live_profile(), &trial, false).settings, Settings{});
}

TEST(Order, TriesNothingWhereTheProfileIsSuspendedOrOff) {
  for (const auto& change :
       std::vector<std::function<void(ProfileSpec&)>>{[](ProfileSpec& spec) { spec.suspend = true; },
                                                      [](ProfileSpec& spec) { spec.update_mode = UpdateMode::kOff; }}) {
    Profile profile = live_profile();
    change(profile.spec);
    EXPECT_EQ(order(profile, live_trial()).settings, Settings{});
    confirm(profile, settings(150));
    Trial trial = live_trial();
    trial.spec.from = settings(150);
    EXPECT_EQ(order(profile, trial).settings, settings(150)) << "what was confirmed stays";
  }
}

TEST(Order, IsWhatTheTrialBeganWithWhileItRollsBack) {
  Profile profile = live_profile();
  Trial trial = live_trial();
  trial.spec.from = settings(150);
  trial.status.live.reset();
  trial.status.phase = TrialPhase::kWatching;
  confirm(profile, new_settings());
  EXPECT_EQ(order(profile, trial).settings, new_settings());
  trial.status.phase = TrialPhase::kRollingBack;
  trial.deleting = true;
  for (const bool lease_holds : {true, false}) {
    const Order back = order_for(container(), profile, &trial, lease_holds);
    EXPECT_EQ(back, (Order{settings(150), settings(150), false, ""}));
  }
  profile.spec.bounds.min_gogc = 160;
  const Order bounded = order(profile, trial);
  EXPECT_EQ(bounded.settings, Settings{});
  EXPECT_THAT(bounded.refused, HasSubstr("bounds allow a GOGC of 160"));
}

TEST(Order, IsTheOldSettingsForThoseWhoseTurnItIsInTheWatch) {
  Profile profile = live_profile();
  Trial trial = live_trial();
  trial.spec.from = settings(150);
  trial.status.phase = TrialPhase::kWatching;
  confirm(profile, trial.spec.to);
  EXPECT_EQ(order(profile, trial), (Order{settings(150), trial.spec.to, true, ""}));
  EXPECT_EQ(order(profile, live_trial("another")).settings, trial.spec.to);
  EXPECT_EQ(order_for(container(), profile, &trial, false).settings, trial.spec.to) << "the others' as well";
  profile.spec.bounds.min_gogc = 160;
  EXPECT_EQ(order(profile, trial).settings, trial.spec.to) << "what is out of bounds by now is no measure";
  profile.memory.forget_applied();
  EXPECT_EQ(order(profile, trial).settings, Settings{}) << "the profile does not know of the promotion";
}

TEST(Order, TriesNothingWhileTheTrialRollsBack) {
  Profile profile = live_profile();
  Trial trial = live_trial();
  trial.status.phase = TrialPhase::kRollingBack;
  EXPECT_EQ(order(profile, trial).settings, Settings{});
}

TEST(Order, StaysWhenAnotherTrialRollsBack) {
  Profile profile = live_profile();
  confirm(profile, new_settings());
  const std::vector<std::pair<std::string, std::function<void(Trial&)>>> changes{
      {"of another profile", [](Trial& trial) { trial.spec.profile_uid = "another"; }},
      {"not the active one", [](Trial& trial) { trial.key.name = "checkout-2"; }},
      {"of another container", [](Trial& trial) { trial.spec.container = "sidecar"; }},
      {"not live", [](Trial& trial) { trial.spec.live.reset(); }},
      {"not understood", [](Trial& trial) { trial.unreadable = "Its settings are not known."; }},
      {"of other settings", [](Trial& trial) { trial.spec.to = settings(170); }}};
  for (const auto& [what, change] : changes) {
    Trial trial = live_trial();
    trial.status.live.reset();
    trial.status.phase = TrialPhase::kRollingBack;
    change(trial);
    EXPECT_EQ(order(profile, trial).settings, new_settings()) << what;
  }
}

TEST(Order, FollowsNoTrialThatIsNotTheProfilesOwnPresentOne) {
  const std::vector<std::pair<std::string, std::function<void(Trial&)>>> changes{
      {"of another profile", [](Trial& trial) { trial.spec.profile_uid = "another"; }},
      {"not the active one", [](Trial& trial) { trial.key.name = "checkout-2"; }},
      {"of another container", [](Trial& trial) { trial.spec.container = "sidecar"; }},
      {"ended", [](Trial& trial) { trial.status.phase = TrialPhase::kEnded; }},
      {"deleting", [](Trial& trial) { trial.deleting = true; }},
      {"not live", [](Trial& trial) { trial.status.live.reset(); }},
      {"not understood", [](Trial& trial) { trial.unreadable = "Its settings are not known."; }},
      {"from other settings", [](Trial& trial) { trial.spec.from = settings(150); }}};
  for (const auto& [what, change] : changes) {
    Trial trial = live_trial();
    change(trial);
    const Order given = order(live_profile(), trial);
    EXPECT_EQ(given.settings, Settings{}) << what;
    EXPECT_EQ(given.refused, "") << what;
  }
}

TEST(Order, IsTheEnvironmentWhereTheProfileAsksForNothing) {
  const std::vector<std::function<void(Profile&)>> changes{
      [](Profile& profile) { profile.deleting = true; }, [](Profile& profile) { profile.unreadable = "No idea."; },
      [](Profile& profile) { profile.spec.apply = ApplyMode::kRestart; }};
  for (const auto& change : changes) {
    Profile profile = live_profile();
    confirm(profile, settings(150), settings(80));
    change(profile);
    Trial trial = live_trial();
    trial.spec.from = settings(150);
    EXPECT_EQ(order(profile, trial, container(settings(80))).settings, settings(80));
  }
}

TEST(Order, LeavesAPersonsChangeOfTheEnvironment) {
  Profile profile = live_profile();
  confirm(profile, settings(150), {});
  EXPECT_EQ(order_for(container(settings(80)), profile, nullptr, false).settings, settings(80));
  profile.memory.applied_beside.reset();
  EXPECT_EQ(order_for(container(), profile, nullptr, false).settings, Settings{}) << "confirmed by a restart";
}

TEST(Order, DoesNotGiveAContainerWhatWasConfirmedForAnother) {
  Profile profile = live_profile();
  confirm(profile, settings(150));
  profile.memory.applied_container = "sidecar";
  EXPECT_EQ(order_for(container(), profile, nullptr, false).settings, Settings{});
}

TEST(Order, FitsTheContainersPresentLimit) {
  Profile profile = live_profile();
  confirm(profile, settings(200, mib(460)));
  LocalContainer resized = container();
  const auto ordered = [&] { return order_for(resized, profile, nullptr, false); };
  EXPECT_EQ(ordered().settings, settings(200, mib(460)));
  resized.memory_limit = mib(256);
  EXPECT_EQ(ordered().settings, settings(200, mib(230))) << "90 % of it";
  EXPECT_EQ(ordered().usual, settings(200, mib(230)));
  EXPECT_EQ(ordered().refused, "");
  resized.memory_limit = mib(2048);
  EXPECT_EQ(ordered().settings, settings(200, mib(460))) << "and no more than was confirmed";
  resized.memory_limit.reset();
  EXPECT_EQ(ordered().settings, settings(200, mib(460)));
}

TEST(Order, LeavesALimitOfTheProgramsOwnUnlessTheContainerIsTooSmallForIt) {
  Profile profile = live_profile();
  confirm(profile, settings(200, mib(490)));
  LocalContainer resized = container();
  resized.own = settings({}, mib(490));
  EXPECT_EQ(order_for(resized, profile, nullptr, false).settings, settings(200, mib(490)));
  resized.memory_limit = mib(480);
  EXPECT_EQ(order_for(resized, profile, nullptr, false).settings, settings(200, mib(432)));
}

TEST(Order, GoesBackFromATurnToWhatFits) {
  Profile profile = live_profile();
  confirm(profile, settings(150, mib(460)));
  Trial trial = live_trial();
  trial.spec.from = settings(150, mib(460));
  trial.spec.to = settings(200, mib(200));
  LocalContainer resized = container();
  resized.memory_limit = mib(256);
  const Order turn = order(profile, trial, resized);
  EXPECT_TRUE(turn.is_turn);
  EXPECT_EQ(turn.usual, settings(150, mib(230)));
}

TEST(Order, IsTheEnvironmentWhereItWouldBeOutOfBounds) {
  Profile profile = live_profile();
  profile.spec.bounds.max_gogc = 120;
  const Order turn = order(profile, live_trial());
  EXPECT_EQ(turn.settings, Settings{});
  EXPECT_FALSE(turn.is_turn);
  EXPECT_THAT(turn.refused, HasSubstr("a GOGC of 50 to 120"));
  confirm(profile, settings(110));
  Trial from_there = live_trial();
  from_there.spec.from = settings(110);
  EXPECT_EQ(order(profile, from_there).settings, settings(110)) << "a turn that is refused takes nothing else away";
  EXPECT_THAT(order(profile, from_there).refused, HasSubstr("a GOGC of 50 to 120"));
  confirm(profile, settings(150));
  const Order confirmed = order_for(container(), profile, nullptr, false);
  EXPECT_EQ(confirmed.settings, Settings{}) << "a person has narrowed the bounds since";
  EXPECT_THAT(confirmed.refused, HasSubstr("a GOGC of 50 to 120"));
}

}  // namespace
}  // namespace gopacer
