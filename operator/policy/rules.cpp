#include "gopacer/policy/rules.h"

#include "policy/sentences.h"

namespace gopacer::policy {
namespace {

constexpr const char* kUnsupported = "ConfigUnsupported";
constexpr const char* kConflict = "FieldConflict";
constexpr const char* kMetrics = "MetricsAvailable";
constexpr const char* kReady = "Ready";

constexpr Rule kMayBeTuned[] = {
    {"Uninstalled", "gopacer was uninstalled, and has cleaned up.", uninstalling},
    {"ProfileUnreadable", "The profile has a value that this version of gopacer does not understand.",
     profile_unreadable, kUnsupported},
    {"TargetUnreadable", "The Deployment has something that gopacer can't read, or is too large.", target_unreadable},
    {"TargetNotFound", "The Deployment of targetRef does not exist.", target_not_found},
    {"TargetTaken", "An older profile tunes the same Deployment.", target_taken, kUnsupported},
    {"ContainerAmbiguous", "The pod has several containers, and containerName is not set.", container_ambiguous,
     kUnsupported},
    {"ContainerNotFound", "The pod has no container of the name in containerName.", container_not_found, kUnsupported},
    {"EnvFromSource", "GOGC or GOMEMLIMIT comes from a valueFrom whose value gopacer does not know.", env_from_source,
     kUnsupported},
    {"EnvDuplicated", "GOGC or GOMEMLIMIT is set twice.", env_duplicated, kUnsupported},
    {"EnvInvalid", "GOGC or GOMEMLIMIT has a value that Go can't read.", env_invalid, kUnsupported},
    {"TargetPaused", "The Deployment is paused.", target_paused},
};

constexpr Rule kMayStart[] = {
    {"Suspended", "spec.updatePolicy.suspend is true.", suspended},
    {"RecommendOnly", "updateMode is Off.", recommend_only},
    {"EnvFromSource", "GOGC or GOMEMLIMIT comes from valueFrom.", env_from_field, kUnsupported},
    {"MemoryAutoscaler", "An autoscaler goes by the memory of the container.", memory_autoscaler, kUnsupported},
    {"StrategyRecreate", "The Deployment has strategy Recreate, and allowDuplicates is not set.", recreates,
     kUnsupported},
    {"HostNetwork", "The pods use the node's network, and allowDuplicates is not set.", host_network, kUnsupported},
    {"HostPort", "The pods take a port of the node, and allowDuplicates is not set.", host_port, kUnsupported},
    {"HostPath", "The pods write to a directory of the node, and allowDuplicates is not set.", host_path, kUnsupported},
    {"WritableVolume", "The pods write to a volume that they share, and allowDuplicates is not set.", writable_volume,
     kUnsupported},
    {"DeviceClaim", "The pods share the devices of a ResourceClaim, and allowDuplicates is not set.", device_claim,
     kUnsupported},
    {"LiveSlo", "With apply: Live an SLO has to be told by the pods.", live_slo, kUnsupported},
    {"TurnsTooLong", "With apply: Live the pods collect too seldom, or answer too slowly, for the time of a trial.",
     turns_too_long, kUnsupported},
    {"TargetOwned", "Another controller owns the Deployment and would put its env back.", target_owned, kUnsupported},
    {"TargetSteered", "Argo Rollouts or Flagger rolls the Deployment out.", target_steered, kUnsupported},
    {"FieldConflict", "Another field manager owns GOGC or GOMEMLIMIT.", field_conflict, kConflict},
    {"ScaledToZero", "The Deployment has no replicas.", scaled_to_zero},
    {"TargetRolling", "A rollout or a scaling of the Deployment is under way.", target_rolling},
    {"EnvOverridden", "Pods have another GOGC or GOMEMLIMIT than the Deployment: admission changes them.",
     env_overridden, kUnsupported},
    {"OldPicture", "A watch of the API server is silent, so that nobody knows what is there now.", picture_old},
    {"SourcesUnread", "Something that the verdict needs could not be read yet.", sources_unread, kMetrics},
};

constexpr Rule kMayPutBack[] = {
    {"Suspended", "spec.updatePolicy.suspend is true.", suspended},
    {"RecommendOnly", "updateMode is Off.", recommend_only},
    {"TargetOwned", "Another controller owns the Deployment and would put its env back.", target_owned, kUnsupported},
    {"FieldConflict", "Another field manager owns GOGC or GOMEMLIMIT.", field_conflict, kConflict},
    {"TargetRolling", "A rollout of another pod template is under way.", template_rolling},
    {"OldPicture", "A watch of the API server is silent, so that nobody knows what is there now.", picture_old},
};

constexpr Rule kMustEnd[] = {
    {"ProfileGone", "The profile vanished without waiting for the trial.", profile_gone, kReady, TrialVerdict::kAborted,
     Unconfirmed::kLeft},
    {"TrialUnknown", "The profile's status does not name the trial: somebody else made it.", trial_unknown, kReady,
     TrialVerdict::kAborted, Unconfirmed::kLeft},
    {"TargetGone", "The Deployment was deleted or made anew.", target_gone, kReady, TrialVerdict::kAborted,
     Unconfirmed::kLeft},
    {"ApplyChanged", "The profile's updatePolicy.apply was changed.", apply_changed, kReady, TrialVerdict::kSuperseded},
    {"FieldConflict", "Another field manager took GOGC or GOMEMLIMIT; what is theirs stays.", field_conflict, kConflict,
     TrialVerdict::kSuperseded},
    {"SettingsChanged", "Somebody set GOGC or GOMEMLIMIT on the Deployment; what is theirs stays.", settings_changed,
     kReady, TrialVerdict::kSuperseded},
    {"TrialUnreadable", "The trial has a value that this version of gopacer does not understand.", trial_unreadable,
     kReady, TrialVerdict::kAborted},
    {"Uninstalled", "gopacer was uninstalled.", uninstalling, kReady, TrialVerdict::kAborted},
    {"TrialDeleted", "Somebody deleted the trial.", trial_deleted, kReady, TrialVerdict::kAborted},
    {"ProfileDeleted", "Somebody deleted the profile.", profile_deleted, kReady, TrialVerdict::kAborted},
    {"ProfileUnreadable", "The profile has a value that this version of gopacer does not understand.",
     profile_unreadable, kUnsupported, TrialVerdict::kAborted},
    {"Suspended", "The profile was suspended, or its updateMode is no longer Canary.", no_longer_wanted, kReady,
     TrialVerdict::kAborted},
    {"UndoAsked", "Somebody asked for the settings of an earlier trial.", undo_asked, kReady, TrialVerdict::kAborted},
    {"SloViolated", "The target breaks a promise with the settings that it has, and the guard has to step in.",
     promise_broken, kReady, TrialVerdict::kInconclusive},
    {"ScaledToZero", "The Deployment was scaled to zero: then nothing of it may run.", scaled_to_zero, kReady,
     TrialVerdict::kSuperseded},
    {"TemplateChanged", "Somebody changed the pod template.", template_changed, kReady, TrialVerdict::kSuperseded},
    {"TargetTaken", "An older profile tunes the same Deployment.", target_taken, kUnsupported, TrialVerdict::kAborted},
    {"MemoryAutoscaler", "An autoscaler goes by the memory of the container now.", memory_autoscaler, kUnsupported,
     TrialVerdict::kSuperseded},
    {"TargetSteered", "Argo Rollouts or Flagger rolls the Deployment out now.", target_steered, kUnsupported,
     TrialVerdict::kSuperseded},
    {"StrategyRecreate", "The Deployment must not be run twice any more.", recreates, kUnsupported,
     TrialVerdict::kAborted},
    {"HostNetwork", "allowDuplicates was taken back.", host_network, kUnsupported, TrialVerdict::kAborted},
    {"HostPort", "allowDuplicates was taken back.", host_port, kUnsupported, TrialVerdict::kAborted},
    {"HostPath", "allowDuplicates was taken back.", host_path, kUnsupported, TrialVerdict::kAborted},
    {"WritableVolume", "allowDuplicates was taken back.", writable_volume, kUnsupported, TrialVerdict::kAborted},
    {"DeviceClaim", "allowDuplicates was taken back.", device_claim, kUnsupported, TrialVerdict::kAborted},
    {"ProfileChanged", "The profile asks for other settings now.", profile_changed, kReady, TrialVerdict::kSuperseded},
    {"EnvOverridden", "A pod of the trial has another GOGC or GOMEMLIMIT than it should: admission changes them.",
     arms_overridden, kUnsupported, TrialVerdict::kInconclusive},
    {kBothArmsKilled, "Pods of both arms ran out of memory.", both_arms_killed, kReady, TrialVerdict::kInconclusive},
    {kOomKilled, "A pod with the new settings was evicted because it took the node's memory.", evicted, kReady,
     TrialVerdict::kRollBack},
    {"TargetUnavailable", "For two minutes less than half of the Deployment's replicas were available.",
     target_unavailable, kReady, TrialVerdict::kInconclusive},
};

constexpr Rule kMayBePromoted[] = {
    {"ArmsUnequal", "Canary and baseline do not do the same work: one allocates or answers several times as much.",
     arms_unequal, kReady, TrialVerdict::kInconclusive},
    {"ArmsIdle", "The trial's pods do little of the target's work: its pods allocate several times as much.", arms_idle,
     kReady, TrialVerdict::kInconclusive},
    {"TargetRolling", "A rollout or a scaling of the Deployment is under way.", target_rolling},
    {"TargetPaused", "The Deployment is paused.", target_paused},
    {"OldPicture", "A watch of the API server is silent, so that nobody knows what is there now.", picture_old},
};

std::string table(std::span<const Rule> rules) {
  std::string out = "| reason | what is the matter |\n|---|---|\n";
  for (const Rule& rule : rules) out += "| `" + std::string(rule.reason) + "` | " + rule.means + " |\n";
  return out;
}

std::string endings() {
  std::string out =
      "| reason | what happened | verdict | settings that the watch has not confirmed |\n|---|---|---|---|\n";
  for (const Rule& rule : must_end()) {
    out += "| `" + std::string(rule.reason) + "` | " + rule.means + " | " + to_string(rule.verdict) + " | " +
           (rule.settings == Unconfirmed::kTakenBack ? "are taken back" : "stay as they are") + " |\n";
  }
  return out;
}

}  // namespace

std::span<const Rule> may_be_tuned() { return kMayBeTuned; }
std::span<const Rule> may_start() { return kMayStart; }
std::span<const Rule> may_put_back() { return kMayPutBack; }
std::span<const Rule> must_end() { return kMustEnd; }
std::span<const Rule> may_be_promoted() { return kMayBePromoted; }

std::optional<Objection> first_objection(std::span<const Rule> rules, const Facts& facts) {
  for (const Rule& rule : rules) {
    if (auto message = rule.objects(facts)) return Objection{&rule, std::move(*message)};
  }
  return std::nullopt;
}

std::vector<Objection> objections(std::span<const Rule> rules, const Facts& facts) {
  std::vector<Objection> all;
  for (const Rule& rule : rules) {
    if (auto message = rule.objects(facts)) all.push_back({&rule, std::move(*message)});
  }
  return all;
}

std::string reasons_document() {
  return "# Reasons\n\n"
         "Conditions, events and trials name these; the reasons of verdicts, which come from figures, are in\n"
         "[troubleshooting](troubleshooting.md#how-a-trial-ended). Rules are asked from top to bottom, and the first "
         "that objects is\n"
         "the one that is told. This page is written by the rules themselves (`operator/policy/`).\n\n"
         "## Why a target is not tuned\n\nNothing is computed for it, and the profile is not Ready.\n\n" +
         table(may_be_tuned()) +
         "\n## Why no trial starts\n\nThe recommendation is shown and kept fresh; the target is left alone.\n\n" +
         table(may_start()) +
         "\n## Why the guard waits\n\nA promise is broken, and earlier settings are not put back yet.\n\n" +
         table(may_put_back()) +
         "\n## Why a running trial ends\n\nWhatever its own figures say. Settings that were promoted and are still "
         "watched are unconfirmed.\n\n" +
         endings() + "\n## Why better settings are not promoted\n\n" + table(may_be_promoted());
}

}  // namespace gopacer::policy
