#include "rollout/retry.h"

#include <algorithm>

#include "rollout/steps.h"

namespace gopacer {
namespace {

using std::chrono::seconds;

}  // namespace

std::optional<Step> retry(const Facts& facts) {
  const Profile& profile = *facts.desired.profile;
  const std::string& wanted = profile.wishes.retry;
  if (wanted == profile.memory.retried) return std::nullopt;
  if (wanted.empty()) {
    Step step =
        hold("Observing", "The annotation of a retry is gone: the same one may be asked for again.", seconds(1));
    step.memory = profile.memory;
    step.memory->retried.clear();
    return step;
  }
  const Trial* const trial = policy::kept_trial(wanted, facts);
  if (trial == nullptr) {
    Step step = hold("RetryUnknown",
                     "The annotation " + std::string(kRetryAnnotation) + " asks for another trial after '" + wanted +
                         "', which is not kept, or is not about container '" + facts.desired.container + "' of " +
                         describe(*facts.desired.target) + ": name one of `kubectl get grt`, or remove the annotation.",
                     kIdlePass);
    step.refused = true;
    return step;
  }
  Step step = hold("Retried",
                   "Another trial may begin at once, and may try the settings of trial " + trial->key.name + ", " +
                       describe(trial->spec.to) + ", as the annotation " + kRetryAnnotation + " asks.",
                   seconds(1));
  step.memory = profile.memory;
  step.memory->retried = wanted;
  step.memory->cool_down_until.reset();
  step.memory->missed_predictions = 0;
  step.memory->missed_template.clear();
  std::erase_if(step.memory->banned, [&](const BannedRegion& region) {
    return is_banned({region}, trial->spec.to, facts.desired.target->template_hash, facts.now);
  });
  return step;
}

}  // namespace gopacer
