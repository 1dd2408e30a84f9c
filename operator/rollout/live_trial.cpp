#include "rollout/live_trial.h"

#include <string>
#include <utility>
#include <vector>

#include "rollout/live.h"
#include "rollout/measuring.h"
#include "rollout/rolling_back.h"
#include "rollout/steps.h"
#include "rollout/watching.h"

namespace gopacer {
namespace {

/// Hands the turn on, and tells the agents that somebody still cares.
void hand_on(TrialPass& pass, LiveTurn turn) {
  const auto& last = pass.next.live;
  const bool news = !last || turn.block != last->block || turn.pods != last->pods || is_due(*last, pass.now);
  if (news) pass.next.live = std::move(turn);
}

}  // namespace

Step begin_turns(TrialPass& pass) {
  const Duration waited = pass.now - *pass.next.waiting_since;
  const std::vector<std::string> pods = live_pods(pass.facts, waited < kPatience);
  if (pods.empty()) {
    const std::string why = agents_words(pass.facts);
    if (waited >= kLongestStart) {
      return pass.end(TrialVerdict::kInconclusive, "AgentsNotReady",
                      "The node agents do not read the target's pods" + why);
    }
    Step step = pass.record("WaitingForAgents");
    step.message = "Waiting until the node agents read the target's pods" + why;
    return step;
  }
  pass.next.arm_pods = pods;
  pass.next.waiting_since.reset();
  pass.next.live = LiveTurn{pass.now, 0, {}, pass.now};
  return begin_measuring(pass, "Measuring by turns of " + format_duration(pass.trial.spec.live->block) + " in " +
                                   std::to_string(pods.size()) + (pods.size() == 1 ? " pod" : " pods"));
}

void take_turns(TrialPass& pass) {
  const auto& turn = pass.trial.status.live;
  if (!turn) return;
  hand_on(pass, turn_at(pass.trial, turn->since, live_pods_left(pass.facts), pass.now));
}

std::optional<Step> grow(TrialPass& pass) {
  if (pass.verdict.outcome == Outcome::kWorse) return worse_than_before(pass);
  if (pass.next.promoted || pass.current() == pass.trial.spec.to) return std::nullopt;
  const Growth growth = growing(pass.facts);
  if (growth.kind == Growth::Kind::kStuck) {
    return pass.end(TrialVerdict::kInconclusive, "PromotionFailed", growth.message);
  }
  pass.next.live = growth.turn;
  if (growth.kind == Growth::Kind::kDone) return std::nullopt;
  Step step = pass.record("Promoting");
  step.message = growth.message;
  return step;
}

std::optional<Step> reach_all(TrialPass& pass) {
  const Settings& settings = pass.trial.spec.to;
  pass.next.live = renewed(pass.next.live, pass.now);
  switch (spread_of(settings, pass.facts)) {
    case Spread::kDone:
      return begin_watch(pass, who_runs(settings, pass.facts));
    case Spread::kStuck: {
      const std::string why = "Not all of the target's pods run " + describe(settings) + " after " +
                              format_duration(kPatience) + agents_words(pass.facts);
      return start_rollback(pass, TrialVerdict::kInconclusive, "RolloutStuck", why, why);
    }
    case Spread::kGoesOn:
      break;
  }
  return std::nullopt;
}

void take_turns_in_the_watch(TrialPass& pass, Time since) {
  const std::vector<std::string> pods = witnesses(pass.facts);
  if (pods.empty()) {
    pass.next.live.reset();
  } else {
    hand_on(pass, turn_at(pass.trial, since, pods, pass.now));
  }
}

}  // namespace gopacer
