#include "decide/guards.h"
#include "decide/strategies.h"

namespace gopacer::deciding {

void decide_fixed(const DecideInput& input, const Physics& physics, Decision& decision) {
  const Estimate& estimate = *decision.estimate;
  Settings wanted = input.spec.fixed;
  // What a person leaves out stays as the target has it.
  if (!wanted.gogc) wanted.gogc = input.current.gogc;
  if (!wanted.go_mem_limit) wanted.go_mem_limit = input.current.go_mem_limit;

  decision.settings = input.current;
  decision.binding = "settings";
  const auto as_run = [&](const Settings& settings) { return in_force(settings, input.current, estimate.settings); };
  const Settings now = as_run(input.current);
  const Settings then = as_run(wanted);
  decision.predicted = physics.predict(then);
  const std::string wanted_text = describe(wanted);
  const auto refuse = [&](std::string reason, std::string message) {
    decision.kind = Decision::Kind::kRefuse;
    decision.reason = std::move(reason);
    decision.message = std::move(message);
  };
  // Also what is in force already: the container's limit may have been lowered since.
  if (input.spec.fixed.go_mem_limit && !knows_memory_limit(estimate.go_version)) {
    return refuse("FixedSettingsUnsafe", "The program was built with " + estimate.go_version +
                                             ", which has no GOMEMLIMIT: remove objective.settings.goMemLimit, or "
                                             "build it with Go 1.19 or later.");
  }
  const auto& container = estimate.container_limit;
  if (container && wanted.go_mem_limit && *wanted.go_mem_limit >= *container) {
    return refuse(
        "FixedSettingsUnsafe",
        std::string(input.spec.fixed.go_mem_limit ? "objective.settings.goMemLimit" : "The target's GOMEMLIMIT") +
            " is " + format_go_size(*wanted.go_mem_limit) + ", not below the container's memory limit of " +
            format_go_size(*container) + ": the kernel would kill the process before Go noticed. " +
            format_go_size(safe_limit(*container, estimate, input.spec.bounds.max_go_mem_limit_percent)) +
            " would be safe.");
  }
  const Gogc gogc = then.gogc.value_or(Gogc(Gogc::kDefaultPercent));
  const bool stops = then.go_mem_limit && (!container || *then.go_mem_limit < *container);
  if (!stops && (gogc.is_off() || gogc.percent() > Gogc::kDefaultPercent)) {
    return refuse(
        "FixedSettingsUnsafe",
        wanted_text +
            " has no GOMEMLIMIT behind it, so nothing would stop the heap: add objective.settings.goMemLimit" +
            (container ? ", such as " + format_go_size(safe_limit(*container, estimate,
                                                                  input.spec.bounds.max_go_mem_limit_percent))
                       : std::string()) +
            ".");
  }
  if (then == now) {
    decision.kind = Decision::Kind::kKeep;
    decision.reason = "InForce";
    decision.message = describe(now) + " is in force. " + expectation(estimate, *decision.predicted);
    return;
  }
  if (const BannedRegion* ban = ban_of(input, wanted)) {
    const auto until = banned_until(*ban);
    return refuse("SettingsBanned",
                  wanted_text + " was tried on this pod template and rolled back at " + format_time(ban->at) + " (" +
                      ban->reason + "). It is not tried again" +
                      (until ? " before " + format_time(*until) + ", since that may have been chance" : "") +
                      ": change objective.settings, or change the pod template.");
  }
  decision.kind = Decision::Kind::kChange;
  decision.settings = wanted;
  decision.reason = "FixedSettings";
  decision.message = wanted_text + " instead of " + describe(now) + ", as objective.settings asks. " +
                     expectation(estimate, *decision.predicted);
}

}  // namespace gopacer::deciding
