#include "simulate/api_server.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace gopacer::simulating {
namespace {

constexpr const char* kContainer = "app";

/// Later than any running trial needs its arm: as operator/act says.
Time needed_until(const Trial& trial, Track track) {
  constexpr Duration kRollout = std::chrono::hours(1);
  if (track == Track::kCanary) return trial.spec.deadline;
  return trial.spec.deadline + kRollout + 2 * trial.spec.watch_for;
}

tl::unexpected<Error> changed(const std::string& what) {
  return fail(ErrorKind::kConflict, what + " has changed; going on with the new version");
}

void set_variable(Workload& workload, const char* variable, const std::optional<std::string>& before,
                  const std::optional<std::string>& value, const std::string& manager) {
  if (before == value) return;
  auto& env = workload.containers.front().env;
  std::erase_if(env, [&](const EnvEntry& entry) { return entry.name == variable; });
  std::erase_if(workload.env_owners, [&](const EnvOwner& owner) { return owner.variable == variable; });
  if (!value) return;
  env.push_back({variable, *value});
  workload.env_owners.push_back({kContainer, variable, manager});
}

}  // namespace

std::shared_ptr<const Trial> Objects::running_trial() const {
  for (auto trial = trials.rbegin(); trial != trials.rend(); ++trial) {
    if ((*trial)->running()) return *trial;
  }
  return nullptr;
}

Settings settings_of(const Workload& workload) { return readable_settings(env_of(workload.containers.front())); }

Settings settings_now(const Objects& objects) {
  const Settings environment = settings_of(*objects.target);
  const ProfileMemory& memory = objects.profile->memory;
  const bool live = objects.profile->spec.apply == ApplyMode::kLive;
  const bool of_this = memory.applied_uid == objects.target->uid && memory.applied_container == kContainer;
  return live && of_this ? in_force(memory, environment) : environment;
}

std::string owner_of(const Workload& workload, const char* variable) {
  for (const EnvOwner& owner : workload.env_owners) {
    if (owner.variable == variable) return owner.manager;
  }
  return {};
}

void set_settings(Workload& workload, const Settings& settings, const std::string& manager) {
  const EnvText before = to_env(settings_of(workload));
  const EnvText after = to_env(settings);
  if (before == after) return;
  set_variable(workload, kGogcVariable, before.gogc, after.gogc, manager);
  set_variable(workload, kGoMemLimitVariable, before.go_mem_limit, after.go_mem_limit, manager);
  ++workload.generation;
}

Workload new_workload(const std::string& name, const std::string& uid, int replicas) {
  Workload workload;
  workload.key = {"shop", name};
  workload.uid = uid;
  workload.generation = 1;
  workload.replicas = replicas;
  workload.template_hash = "template-1";
  ContainerSpec container;
  container.name = kContainer;
  workload.containers = {container};
  return workload;
}

/// A webhook or a quota has no say in what is only noted, nor in what is removed.
Result<void> ApiServer::write(Kind kind, const std::function<Result<void>()>& effect) {
  if (dead_) return retriable("the operator is dead");
  Accident met = accident(kind == Kind::kTarget);
  if (met == Accident::kRefused && kind == Kind::kNoted) met = Accident::kFailed;
  if (met == Accident::kFailed) return retriable("the API server is overloaded");
  if (met == Accident::kRefused) return invalid("a webhook denied the request");
  const Objects before = objects;
  Result<void> done = effect();
  if (done) on_write(before);
  dead_ = met == Accident::kDeath;
  if (met != Accident::kNone) return retriable("the answer did not arrive");
  return done;
}

Result<void> ApiServer::create_trial(const TrialSpec& spec, Time now) {
  return write(Kind::kMade, [&]() -> Result<void> {
    const std::string name = trial_name(spec.profile, spec.number);
    if (objects.profile->memory.active_trial != name) return changed("the profile");
    for (const auto& known : objects.trials) {
      if (known->key.name != name) continue;
      const bool same =
          known->spec.to == spec.to && known->spec.from == spec.from && known->status.phase == TrialPhase::kPending;
      if (same) return {};
      return invalid("GoRuntimeTrial " + name + " is there already and was not made for this");
    }
    Trial trial;
    trial.key = {"shop", name};
    trial.uid = "trial-" + std::to_string(++uids_);
    trial.created = now;
    trial.spec = spec;
    objects.trials.push_back(std::make_shared<const Trial>(std::move(trial)));
    return {};
  });
}

Result<void> ApiServer::create_arm(const Trial& trial, Track track) {
  return write(Kind::kMade, [&]() -> Result<void> {
    auto& arm = objects.arm(track);
    if (arm && arm->arm_of == trial.uid) return {};
    if (arm) {
      arm.reset();
      return retriable("an arm of an earlier trial was in the way and is being deleted");
    }
    Workload workload = new_workload(track_deployment_name(trial.spec.target.name, track),
                                     "arm-" + std::to_string(++uids_), trial.arm_replicas());
    workload.template_hash = objects.target->template_hash;
    // An arm is a copy of the target as it is now; of the canary both variables are set.
    set_settings(workload, track == Track::kCanary ? trial.spec.to : settings_of(*objects.target), kFieldManager);
    workload.arm_of = trial.uid;
    workload.labels = {{kTrialLabel, label_value(trial.key.name)}};
    workload.expires = needed_until(trial, track);
    arm = std::make_shared<const Workload>(std::move(workload));
    return {};
  });
}

Result<void> ApiServer::remove_arm(Track track, const std::string& trial_uid) {
  return write(Kind::kNoted, [&]() -> Result<void> {
    auto& arm = objects.arm(track);
    if (arm && arm->arm_of == trial_uid) arm.reset();
    return {};
  });
}

Result<std::int64_t> ApiServer::put_settings(const Workload& seen, const Settings& settings) {
  const Result<void> put = write(Kind::kTarget, [&]() -> Result<void> {
    const Workload& target = *objects.target;
    const Settings before = settings_of(target);
    const bool as_seen =
        target.uid == seen.uid && before == settings_of(seen) && target.template_hash == seen.template_hash;
    if (!as_seen) return changed("the target");
    const auto is_taken = [&](const char* variable, bool changes) {
      const std::string owner = owner_of(target, variable);
      return changes && !owner.empty() && owner != kFieldManager;
    };
    if (is_taken(kGogcVariable, before.gogc != settings.gogc) ||
        is_taken(kGoMemLimitVariable, before.go_mem_limit != settings.go_mem_limit)) {
      return fail(ErrorKind::kOwned, "another field manager owns what would be set");
    }
    edit_target([&](Workload& workload) { set_settings(workload, settings, kFieldManager); });
    return {};
  });
  if (!put) return tl::unexpected(put.error());
  return objects.target->generation;
}

Result<void> ApiServer::write_memory(const std::shared_ptr<const Profile>& seen, const ProfileMemory& memory) {
  return write(Kind::kNoted, [&]() -> Result<void> {
    if (objects.profile != seen) return changed("the profile");
    edit_profile([&](Profile& profile) { profile.memory = memory; });
    return {};
  });
}

Result<void> ApiServer::write_status(const std::shared_ptr<const Trial>& seen, const TrialStatus& status) {
  return write(Kind::kNoted, [&]() -> Result<void> {
    if (std::find(objects.trials.begin(), objects.trials.end(), seen) == objects.trials.end()) {
      return changed("the trial");
    }
    edit_trial(seen, [&](Trial& trial) { trial.status = status; });
    return {};
  });
}

}  // namespace gopacer::simulating
