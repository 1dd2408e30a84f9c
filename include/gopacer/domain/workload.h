#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

struct ObjectKey {
  std::string ns;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

using Labels = std::map<std::string, std::string>;

/// One of our two entries in a container's env list.
struct EnvEntry {
  std::string name;
  std::string value;
  bool from_source = false;  ///< valueFrom: the value is not known here
};

struct ContainerSpec {
  std::string name;
  std::string image;
  std::vector<EnvEntry> env;  ///< only GOGC and GOMEMLIMIT, in the order of the list, duplicates kept
  std::optional<Bytes> memory_limit;
  std::optional<Bytes> memory_request;
  std::optional<double> cpu_limit;  ///< cores
};

/// Who owns one of our env entries by server-side apply.
struct EnvOwner {
  std::string container;
  std::string variable;
  std::string manager;
};

/// What gopacer needs of a Deployment.
struct Deployment {
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::int64_t observed_generation = 0;
  bool deleting = false;
  bool paused = false;
  int replicas = 1;
  int updated_replicas = 0;
  int available_replicas = 0;
  int total_replicas = 0;
  Labels labels;
  std::map<std::string, std::string> annotations;
  Labels match_labels;
  Labels template_labels;
  std::vector<ContainerSpec> containers;
  /// Of the pod template without our two env entries and without what changes on each restart: a person's change shows.
  std::string template_hash;
  std::vector<EnvOwner> env_owners;
  std::string change_cause;

  /// All replicas run the current template and are available.
  bool settled() const {
    return observed_generation >= generation && updated_replicas == replicas && total_replicas == replicas &&
           available_replicas == replicas;
  }
};

struct ContainerState {
  std::string name;
  bool ready = false;
  int restarts = 0;
  std::optional<Time> started;
  std::string last_termination_reason;  ///< "OOMKilled", "Error", …; empty when it never ended
};

/// What gopacer needs of a pod.
struct Pod {
  ObjectKey key;
  std::string uid;
  std::optional<Time> created;
  std::string ip;
  std::string node;
  std::string phase;
  bool ready = false;
  bool deleting = false;
  Labels labels;
  std::vector<ContainerSpec> containers;
  std::vector<ContainerState> states;
};

/// What gopacer needs of a HorizontalPodAutoscaler or a VerticalPodAutoscaler.
struct Autoscaler {
  ObjectKey key;
  bool vertical = false;
  std::string target_kind;
  std::string target_name;
  /// Whether it goes by the memory of a container: of those that are named, and of all others.
  std::map<std::string, bool> by_memory_of;
  bool by_memory = false;

  bool goes_by_memory_of(const std::string& container) const {
    const auto named = by_memory_of.find(container);
    return named == by_memory_of.end() ? by_memory : named->second;
  }
};

/// A node, as far as its kubelet is to be asked. Its key has no namespace.
struct Node {
  ObjectKey key;
  std::string address;  ///< InternalIP; empty when it has none
  int kubelet_port = 10250;
};

/// True when every label of `selector` is in `labels`; an empty selector selects nothing.
bool selects(const Labels& selector, const Labels& labels);

}  // namespace gopacer
