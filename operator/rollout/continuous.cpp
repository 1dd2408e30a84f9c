#include "rollout/continuous.h"

#include <algorithm>

#include "rollout/live.h"
#include "rollout/put_back.h"
#include "rollout/steps.h"

namespace gopacer {
namespace {

/// The agents have had enough time by then: a pod that they do not set keeps nobody from what the others have.
constexpr Duration kLongestWait = std::chrono::minutes(1);

/// Between passes: what changes within seconds is followed within seconds.
Duration pass_of(const Facts& facts) {
  return std::clamp<Duration>(facts.desired.profile->spec.metrics.interval, std::chrono::seconds(1), kIdlePass);
}

/// What the program has without gopacer: its environment's settings, or a GOMEMLIMIT of its own.
Settings had_without_us(const Facts& facts) {
  const Settings& environment = facts.desired.environment;
  if (facts.desired.current == environment) return own_settings(facts).value_or(environment);
  const ProfileMemory& memory = facts.desired.profile->memory;
  return memory.changes.empty() ? environment : memory.applied_over.value_or(environment);
}

}  // namespace

std::optional<Time> following_since(const ProfileMemory& memory) {
  if (memory.changes.empty() || !memory.applied_beside || memory.changes.back().to == *memory.applied_beside) {
    return std::nullopt;
  }
  const auto first = std::find_if(memory.changes.rbegin(), memory.changes.rend(),
                                  [&](const AppliedChange& change) { return change.from == *memory.applied_beside; });
  return first == memory.changes.rend() ? memory.changes.front().at : first->at;
}

void note_change(ProfileMemory& memory, AppliedChange change) {
  memory.changes.push_back(std::move(change));
  if (memory.changes.size() > kMostChanges) memory.changes.erase(memory.changes.begin());
}

Step follow(const Facts& facts) {
  const ProfileMemory& memory = facts.desired.profile->memory;
  const Decision& decision = facts.decision;
  const Duration pass = pass_of(facts);
  if (decision.kind != Decision::Kind::kChange) return hold(decision.reason, decision.message, pass);
  const Settings& current = facts.desired.current;
  if (!memory.changes.empty()) {
    const Duration since = facts.now - memory.changes.back().at;
    if (since >= Duration(0) && since < kBetweenChanges) return hold("Following", decision.message, pass);
    if (in_force_on(facts, {}, current).others > 0 && since < kLongestWait) {
      return hold("WaitingForAgents", "Waiting until the agents have set " + describe(current) + agents_words(facts),
                  pass);
    }
  }
  const Settings without_us = had_without_us(facts);
  Settings wanted = decision.settings;
  // A limit that the program gave itself stays where nobody asks for another one.
  if (!wanted.go_mem_limit && !facts.desired.environment.go_mem_limit) wanted.go_mem_limit = without_us.go_mem_limit;
  Step step = hold("Followed", "Putting " + describe(wanted) + " in force. " + decision.message, pass);
  step.kind = StepKind::kPutBack;
  step.settings = wanted;
  step.cause = "updateMode Continuous";
  step.memory = memory;
  // What stops it goes back to what the program has without us, and not to what was in force a moment before.
  note_applied(*step.memory, wanted, without_us, facts.desired.target->uid, facts.desired.container, facts);
  note_change(*step.memory, {facts.now, current, wanted, decision.message});
  return step;
}

}  // namespace gopacer
