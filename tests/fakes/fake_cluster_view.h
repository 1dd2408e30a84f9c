#pragma once

#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "codec/workload.h"
#include "control/desired.h"
#include "fakes/objects.h"

namespace gopacer {

/// What the watches have brought so far. Filled from the API server in memory, or by hand.
class FakeClusterView final : public ClusterView {
 public:
  std::map<ObjectKey, std::shared_ptr<const Profile>> all_profiles;
  std::map<ObjectKey, std::shared_ptr<const Workload>> all_deployments;
  std::map<ObjectKey, std::shared_ptr<const ReplicaSet>> all_replica_sets;
  std::map<ObjectKey, std::shared_ptr<const Trial>> all_trials;
  std::map<ObjectKey, std::shared_ptr<const Pod>> all_pods;
  std::map<ObjectKey, std::shared_ptr<const Autoscaler>> all_autoscalers;
  std::map<ObjectKey, std::shared_ptr<const Steerer>> all_steerers;

  template <typename T>
  static void put(std::map<ObjectKey, std::shared_ptr<const T>>& all, T value) {
    const ObjectKey key = value.key;
    all[key] = std::make_shared<const T>(std::move(value));
  }

  void see_profiles(FakeApiServer& api) { see(api, resources::kProfiles, codec::decode_profile, all_profiles); }
  void see_deployments(FakeApiServer& api) {
    see(api, resources::kDeployments, codec::decode_deployment, all_deployments);
  }
  /// The pods that the Deployments' controllers would have made, each through a ReplicaSet.
  void see_pods_of_deployments() {
    all_pods.clear();
    all_replica_sets.clear();
    for (const auto& [key, deployment] : all_deployments) {
      const std::string generation = deployment->uid + "-" + std::to_string(deployment->generation);
      ReplicaSet set;
      set.key = key;
      set.uid = generation;
      set.controller = {"Deployment", key.name, deployment->uid};
      put(all_replica_sets, set);
      for (int i = 0; i < deployment->replicas; ++i) {
        Pod pod;
        pod.key = {key.ns, key.name + "-" + std::to_string(i)};
        pod.uid = generation + "-" + std::to_string(i);
        pod.controller = {"ReplicaSet", set.key.name, set.uid};
        pod.phase = "Running";
        pod.ready = true;
        put(all_pods, pod);
      }
    }
  }
  void see_trials(FakeApiServer& api) { see(api, resources::kTrials, codec::decode_trial, all_trials); }
  void see_all(FakeApiServer& api) {
    see_profiles(api);
    see_deployments(api);
    see_trials(api);
  }

  std::shared_ptr<const Profile> profile(const ObjectKey& key) const override { return find(all_profiles, key); }
  std::vector<std::shared_ptr<const Profile>> profiles(const std::string& ns) const override {
    return of(all_profiles, ns);
  }
  std::shared_ptr<const Workload> deployment(const ObjectKey& key) const override { return find(all_deployments, key); }
  std::string unreadable;  ///< why no Deployment can be read that is not among them
  std::string unreadable_deployment(const ObjectKey&) const override { return unreadable; }
  std::vector<std::shared_ptr<const Workload>> deployments(const std::string& ns) const override {
    return of(all_deployments, ns);
  }
  std::shared_ptr<const ReplicaSet> replica_set(const ObjectKey& key) const override {
    return find(all_replica_sets, key);
  }
  std::vector<std::shared_ptr<const Trial>> trials(const std::string& ns) const override { return of(all_trials, ns); }
  std::vector<std::shared_ptr<const Pod>> pods(const std::string& ns) const override { return of(all_pods, ns); }
  std::vector<std::shared_ptr<const Autoscaler>> autoscalers(const std::string& ns) const override {
    return of(all_autoscalers, ns);
  }
  std::vector<std::shared_ptr<const Steerer>> steerers(const std::string& ns) const override {
    return of(all_steerers, ns);
  }

  Duration silence{0};
  Duration age() const override { return silence; }

 private:
  template <typename T>
  using Map = std::map<ObjectKey, std::shared_ptr<const T>>;

  template <typename T>
  static std::shared_ptr<const T> find(const Map<T>& all, const ObjectKey& key) {
    const auto found = all.find(key);
    return found == all.end() ? nullptr : found->second;
  }
  template <typename T>
  static std::vector<std::shared_ptr<const T>> of(const Map<T>& all, const std::string& ns) {
    std::vector<std::shared_ptr<const T>> out;
    for (const auto& [key, value] : all) {
      if (key.ns == ns) out.push_back(value);
    }
    return out;
  }
  template <typename T, typename Decode>
  static void see(FakeApiServer& api, const ResourceType& type, const Decode& decode, Map<T>& all) {
    all.clear();
    for (const nlohmann::json& object : objects::all(api, type)) put(all, *decode(object));
  }
};

}  // namespace gopacer
