#include "control/cleanup.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "act/actor.h"
#include "apply/deployment_env.h"
#include "codec/fields.h"
#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "codec/workload.h"
#include "control/reconciler.h"
#include "ports/api_server.h"
#include "ports/event_sink.h"
#include "record/operator_metrics.h"
#include "watch/mirror.h"

namespace gopacer {
namespace {

using nlohmann::json;

template <typename T>
using Map = std::map<ObjectKey, std::shared_ptr<const T>>;

/// What there is of the kinds that gopacer writes, and the targets of profiles that have something to clean up.
struct Objects {
  Map<Profile> profiles;
  Map<Trial> trials;
  Map<Workload> arms;
  Map<Workload> targets;
  std::vector<std::string> unreadable;  ///< that a finalizer may hold, with the reason
};

bool holds(const std::vector<std::string>& finalizers, const char* ours) {
  return std::find(finalizers.begin(), finalizers.end(), ours) != finalizers.end();
}

template <typename T>
const T* find(const Map<T>& all, const ObjectKey& key) {
  const auto found = all.find(key);
  return found == all.end() ? nullptr : found->second.get();
}

/// Its status tells already that gopacer was uninstalled.
bool says_so(const Profile& profile) {
  return std::any_of(profile.conditions.begin(), profile.conditions.end(),
                     [](const Condition& condition) { return condition.reason == "Uninstalled"; });
}

/// Profiles that have something to clean up; a trial's profile need not exist.
std::set<ObjectKey> open_profiles(const Objects& objects) {
  std::set<ObjectKey> open;
  for (const auto& [key, trial] : objects.trials) {
    if (trial->running() || holds(trial->finalizers, kTrialFinalizer)) open.insert({key.ns, trial->spec.profile});
  }
  for (const auto& [key, profile] : objects.profiles) {
    if (holds(profile->finalizers, kRevertFinalizer) || !profile->memory.active_trial.empty()) open.insert(key);
  }
  return open;
}

template <typename T>
Result<void> read_all(ApiServer& api, const Selection& selection, Result<T> (*decode)(const json&), Map<T>& into,
                      std::vector<std::string>& unreadable) {
  const auto leave_out = [&](const json& object, const std::string& why) {
    unreadable.push_back(selection.type.kind + " " + codec::key_of(object).text() + " can't be read: " + why);
  };
  std::string token;
  do {
    const Result<ListPage> page = api.list(selection, token);
    // A kind whose definition is gone has no objects.
    if (!page && page.error().kind == ErrorKind::kNotFound) return {};
    if (!page) return tl::unexpected(page.error());
    for (const json& object : page->items) {
      if (Result<T> value = decode(object)) {
        into[codec::key_of(object)] = std::make_shared<const T>(std::move(*value));
      } else if (!codec::elements(codec::child(object, "metadata"), "finalizers").empty()) {
        leave_out(object, value.error().message);
      }
    }
    for (const json& outline : page->unreadable) leave_out(outline, message_of(outline));
    token = page->continue_token;
  } while (!token.empty());
  return {};
}

Result<Objects> read_objects(ApiServer& api, const std::string& ns) {
  Objects objects;
  auto& unreadable = objects.unreadable;
  if (auto read =
          read_all(api, {resources::kProfiles, ns, "", ""}, codec::decode_profile, objects.profiles, unreadable);
      !read) {
    return tl::unexpected(read.error());
  }
  if (auto read = read_all(api, {resources::kTrials, ns, "", ""}, codec::decode_trial, objects.trials, unreadable);
      !read) {
    return tl::unexpected(read.error());
  }
  const std::string ours = std::string(kTrialLabel) + "," + kTrackLabel;
  if (auto read =
          read_all(api, {resources::kDeployments, ns, ours, ""}, codec::decode_deployment, objects.arms, unreadable);
      !read) {
    return tl::unexpected(read.error());
  }
  std::erase_if(objects.arms, [](const auto& arm) { return !is_arm(*arm.second) || arm.second->deleting; });

  std::set<ObjectKey> targets;
  const std::set<ObjectKey> open = open_profiles(objects);
  for (const ObjectKey& key : open) {
    if (const Profile* const profile = find(objects.profiles, key)) targets.insert({key.ns, profile->spec.target});
  }
  for (const auto& [key, trial] : objects.trials) {
    if (open.contains({key.ns, trial->spec.profile})) targets.insert({key.ns, trial->spec.target.name});
  }
  for (const ObjectKey& key : targets) {
    const Result<json> object = api.get({resources::kDeployments, key.ns, key.name});
    if (!object && object.error().kind == ErrorKind::kNotFound) continue;
    if (!object) return tl::unexpected(object.error());
    if (Result<Workload> target = codec::decode_deployment(*object)) {
      objects.targets[key] = std::make_shared<const Workload>(std::move(*target));
    }
  }
  return objects;
}

/// What was read last, for passes that bring everything to an end.
class Picture final : public ClusterView {
 public:
  Objects objects;

  std::shared_ptr<const Profile> profile(const ObjectKey& key) const override { return at(objects.profiles, key); }
  std::vector<std::shared_ptr<const Profile>> profiles(const std::string& ns) const override {
    return in(objects.profiles, ns);
  }
  std::shared_ptr<const Workload> deployment(const ObjectKey& key) const override { return at(objects.targets, key); }
  std::vector<std::shared_ptr<const Workload>> deployments(const std::string& ns) const override {
    return in(objects.arms, ns);
  }
  std::shared_ptr<const ReplicaSet> replica_set(const ObjectKey&) const override { return nullptr; }
  std::vector<std::shared_ptr<const Trial>> trials(const std::string& ns) const override {
    return in(objects.trials, ns);
  }
  std::vector<std::shared_ptr<const Pod>> pods(const std::string&) const override { return {}; }
  std::vector<std::shared_ptr<const Autoscaler>> autoscalers(const std::string&) const override { return {}; }
  bool uninstalling() const override { return true; }
  Duration age() const override { return Duration(0); }

 private:
  template <typename T>
  static std::shared_ptr<const T> at(const Map<T>& all, const ObjectKey& key) {
    const auto found = all.find(key);
    return found == all.end() ? nullptr : found->second;
  }
  template <typename T>
  static std::vector<std::shared_ptr<const T>> in(const Map<T>& all, const std::string& ns) {
    std::vector<std::shared_ptr<const T>> out;
    for (auto entry = all.lower_bound({ns, ""}); entry != all.end() && entry->first.ns == ns; ++entry) {
      out.push_back(entry->second);
    }
    return out;
  }
};

/// No pod is read: how a trial went no longer matters.
class NothingObserved final : public Observations {
 public:
  void follow(const Desired&) override {}
  Observation snapshot(const ObjectKey&, Time now) const override {
    Observation nothing;
    nothing.at = now;
    return nothing;
  }
  void forget(const ObjectKey&) override {}
};

/// The trials' own statuses tell the same.
class NoEvents final : public EventSink {
 public:
  void post(const Event&) override {}
};

std::string name_of(const Trial& trial) { return "GoRuntimeTrial " + trial.key.text(); }

void tell_trials(const Objects& before, const Objects& now, CleanupReport& report) {
  for (const auto& [key, was] : before.trials) {
    const Trial* const is = find(now.trials, key);
    const bool ended = was->running() && (is == nullptr || !is->running());
    if (ended && is == nullptr) report.done.push_back(name_of(*was) + " was ended, and is gone as somebody asked");
    if (ended && is != nullptr) {
      const auto& steps = is->status.steps;
      const bool put_back = std::any_of(steps.begin(), steps.end(),
                                        [](const TrialStep& step) { return step.phase == TrialPhase::kRollingBack; });
      report.done.push_back(name_of(*is) + " was ended: " + to_string(is->status.verdict) + ". " + is->status.message +
                            (put_back ? " What it had put into Deployment " +
                                            ObjectKey{key.ns, is->spec.target.name}.text() + " was taken back."
                                      : ""));
    }
    if (!ended && !was->running() && holds(was->finalizers, kTrialFinalizer) &&
        (is == nullptr || !holds(is->finalizers, kTrialFinalizer))) {
      report.done.push_back(name_of(*was) + ": took off finalizer " + kTrialFinalizer);
    }
  }
}

void tell_profiles(const Objects& before, const Objects& now, CleanupReport& report) {
  for (const auto& [key, was] : before.profiles) {
    if (!holds(was->finalizers, kRevertFinalizer)) continue;
    const Profile* const is = find(now.profiles, key);
    if (is != nullptr && holds(is->finalizers, kRevertFinalizer)) continue;
    report.done.push_back("GoRuntimeProfile " + key.text() + ": took off finalizer " + kRevertFinalizer);
    if (is == nullptr || !is->spec.revert_on_deletion || !is->memory.applied) continue;
    const std::string target = ObjectKey{key.ns, is->spec.target}.text();
    if (is->memory.applied_beside) {
      report.left.push_back("GoRuntimeProfile " + key.text() + " keeps " + describe(*is->memory.applied) +
                            " in its status only: the processes have their own settings again once the agents are "
                            "gone, and Deployment " +
                            target +
                            " needs no change. Agents that are installed again put it in force unless the "
                            "Deployment's GOGC or GOMEMLIMIT has changed; to prevent that delete the profile or set "
                            "apply: Restart");
      continue;
    }
    report.left.push_back("Deployment " + target + " keeps " + describe(*is->memory.applied) + ", although profile " +
                          key.text() +
                          " has revertOnDeletion: nobody takes it back while gopacer is away. To do so: kubectl -n " +
                          key.ns + " set env deployment/" + is->spec.target + " GOGC- GOMEMLIMIT-");
  }
}

void remove_arms(ApiServer& api, const Objects& before, const Objects& now, CleanupReport& report) {
  for (const auto& [key, arm] : before.arms) {
    if (!now.arms.contains(key)) report.done.push_back("Deployment " + key.text() + ": deleted");
  }
  Arms arms(api);
  for (const auto& [key, arm] : now.arms) {
    if (const auto removed = arms.remove(*arm)) {
      report.done.push_back("Deployment " + key.text() + ": deleted");
    } else {
      report.failed.push_back("Deployment " + key.text() + " of a trial can't be deleted: " + removed.error().message +
                              ". Delete it: kubectl -n " + key.ns + " delete deployment " + key.name);
    }
  }
}

}  // namespace

CleanupReport clean_up(ApiServer& api, const std::string& ns, const Clock& clock, const std::function<bool()>& wait) {
  Picture picture;
  NothingObserved nothing;
  NoEvents no_events;
  OperatorMetrics metrics;
  DeploymentEnv applier(api);
  Actor actor(api, applier);
  Recorder recorder(api, no_events, metrics);
  Reconciler reconciler(picture, nothing, actor, recorder, metrics, clock);

  std::optional<Objects> before;
  std::string trouble;
  std::map<ObjectKey, std::string> errors;
  std::set<ObjectKey> open;
  do {
    Result<Objects> objects = read_objects(api, ns);
    trouble = objects ? "" : objects.error().message;
    if (!objects) continue;
    picture.objects = std::move(*objects);
    if (!before) before = picture.objects;
    open = open_profiles(picture.objects);
    if (open.empty()) break;
    for (const ObjectKey& key : open) errors[key] = reconciler.reconcile(key).error;
  } while (wait());
  // The status of the others, too, says that nobody looks at them any more. It matters to nothing else.
  for (const auto& [key, profile] : picture.objects.profiles) {
    if (!open.contains(key) && !says_so(*profile)) reconciler.reconcile(key);
  }

  CleanupReport report;
  if (!trouble.empty()) {
    report.failed.push_back("what is there can't be read: " + trouble +
                            ". Put that right and run gopacer cleanup again");
  }
  if (!before) return report;
  tell_trials(*before, picture.objects, report);
  tell_profiles(*before, picture.objects, report);
  remove_arms(api, *before, picture.objects, report);
  for (const ObjectKey& key : open) {
    const std::string& error = errors[key];
    report.failed.push_back("GoRuntimeProfile " + key.text() +
                            " and its trials are not cleaned up: " + (error.empty() ? "the time was up" : error) +
                            ". Put that right and run gopacer cleanup again; or see to the Deployment's GOGC and "
                            "GOMEMLIMIT yourself, and take the finalizers " +
                            kTrialFinalizer + " and " + kRevertFinalizer + " off by hand");
  }
  for (const std::string& what : picture.objects.unreadable) {
    report.failed.push_back(what + ". See to what it did yourself, and take gopacer's finalizer off by hand");
  }
  return report;
}

}  // namespace gopacer
