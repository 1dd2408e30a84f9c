#pragma once

#include <string>

#include "gopacer/domain/trial.h"

namespace gopacer {

/// A container of a pod on this node.
struct LocalContainer {
  ObjectKey pod;
  std::string pod_uid;
  std::string deployment;  ///< that the pod's ReplicaSet is named after
  std::string name;        ///< of the container
  std::string id;          ///< of the container; empty while it does not run
  Settings environment;    ///< as the pod's spec has them
  std::optional<Bytes> memory_limit;
  /// What the process has of its own where that is not what the environment says: a GOMEMLIMIT that it derived itself.
  std::optional<Settings> own = std::nullopt;
};

/// What a container's process is to run with.
struct Order {
  Settings settings;
  /// What it has when it does not have its turn: where `settings` can't be had, these are nothing to take back.
  Settings usual;
  bool is_turn = false;  ///< they are a trial's
  /// Why something that the cluster asks for is not done, a sentence; `settings` are then those of the environment.
  std::string refused;

  bool operator==(const Order&) const = default;
};

/// What the container's process is to run with, trials apart: what the profile notes, with no more GOMEMLIMIT than the
/// container has room for now (it may have been resized in place since). Not looked at is whether the rest is within
/// bounds. The environment where the profile notes nothing of it, or nothing that gets into force live.
Settings confirmed_for(const LocalContainer& container, const Profile& profile);

/// What the profile and its trial, if it has one and its lease holds, ask of the container. Within the profile's
/// bounds only, or as a person gave it as objective.settings: whoever speaks in the operator's name can't go
/// beyond what a person allowed. A profile that is suspended, or whose updateMode is Off, keeps what was confirmed and
/// tries nothing. What its trial is rolling back is taken back at once, whether or not the lease holds: the profile's
/// status says so only later.
Order order_for(const LocalContainer& container, const Profile& profile, const Trial* trial, bool lease_holds);

/// Why the agent must not set these, a sentence; empty when it may. Only what differs from the environment is looked
/// at. An unset GOGC is Go's 100; an unset GOMEMLIMIT where the environment has one is no limit at all. No bounds hold
/// for a member that objective.settings has, where the settings agree with all that it has, nor for a limit that is the
/// program's own; but a limit is always below the container's.
std::string out_of_bounds(const LocalContainer& container, const ProfileSpec& spec, const Settings& settings);

}  // namespace gopacer
