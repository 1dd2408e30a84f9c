#include "control/controller.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "act/actor.h"
#include "apply/deployment_env.h"
#include "base/log_limit.h"
#include "base/steady_clock.h"
#include "codec/autoscaler.h"
#include "codec/node.h"
#include "codec/pod.h"
#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/steerer.h"
#include "codec/trial.h"
#include "codec/workload.h"
#include "ports/api_server.h"
#include "ports/event_sink.h"
#include "record/operator_metrics.h"
#include "record/recorder.h"
#include "watch/reflector.h"
#include "watch/store.h"
#include "watch/work_queue.h"

namespace gopacer {
namespace {

/// About objects that can't be read.
constexpr int kWarningsAMinute = 30;
constexpr int kWarningsOfANamespace = 6;

std::string in_minutes(Duration duration) {
  return format_duration(std::chrono::duration_cast<std::chrono::minutes>(duration));
}

}  // namespace

class Controller::Impl final : public ClusterView {
 public:
  Impl(ApiServer& api, EventSink& events, Observations& observations, OperatorMetrics& metrics, const Clock& clock,
       const SteadyClock& steady, ControllerOptions options, OnNode on_node, OnAgent on_agent)
      : api_(api),
        events_(events),
        steady_(steady),
        options_(std::move(options)),
        on_node_(std::move(on_node)),
        on_agent_(std::move(on_agent)),
        applier_(api),
        actor_(api, applier_),
        recorder_(api, events, metrics),
        reconciler_(*this, observations, actor_, recorder_, metrics, clock) {
    const auto page_turn = std::make_shared<std::mutex>();
    const auto watch_all = [this, &metrics, page_turn](const ResourceType& type, Mirror& mirror, bool optional = false,
                                                       bool metadata_only = false) {
      const std::string ns = type.namespaced ? options_.watch_namespace : "";
      ReflectorOptions how;
      how.optional = optional;
      how.page_turn = page_turn;
      if (optional) how.not_served_wait = std::chrono::seconds(15);
      how.on_unreadable = [this, kind = type.kind, &metrics](const ObjectKey& key, const std::string& why) {
        warn_of("object can't be read and is left out", kind, key, why);
        metrics.unreadable_object(kind);
      };
      reflectors_.push_back(std::make_unique<Reflector>(
          api_, Selection{type, ns, "", "", metadata_only}, mirror, steady_,
          [kind = type.kind](const Error& error) {
            spdlog::warn("watch in trouble kind={} error=\"{}\"", kind, error.message);
          },
          how));
    };
    watch_all(resources::kProfiles, profiles_);
    watch_all(resources::kTrials, trials_);
    watch_all(resources::kDeployments, deployments_);
    watch_all(resources::kReplicaSets, replica_sets_, false, true);
    watch_all(resources::kPods, pods_);
    watch_all(resources::kAutoscalers, autoscalers_);
    watch_all(resources::kVerticalAutoscalers, vertical_autoscalers_, true);
    watch_all(resources::kRollouts, rollouts_, true);
    watch_all(resources::kCanaries, canaries_, true);
    watch_all(resources::kNodes, nodes_);
    // Where only one namespace is watched the agents' pods are elsewhere.
    const std::string& agents_ns = options_.agents.ns;
    if (options_.agents.name.empty() || options_.watch_namespace.empty() || options_.watch_namespace == agents_ns)
      return;
    reflectors_.push_back(std::make_unique<Reflector>(
        api_, Selection{resources::kPods, agents_ns, "", "", false}, agents_pods_, steady_,
        [](const Error& error) { spdlog::warn("watch in trouble kind=Pod of=agents error=\"{}\"", error.message); },
        ReflectorOptions{.page_turn = page_turn}));
  }

  void run(const std::stop_token& stop) {
    std::vector<std::jthread> threads;
    for (const auto& reflector : reflectors_) {
      threads.emplace_back([&reflector, stop] { reflector->run(stop); });
    }
    // A pass that saw only half of the cluster could take what it does not see for gone.
    while (!stop.stop_requested() && !wait_until_synced(stop)) {
    }
    spdlog::info("the cluster is known profiles={} deployments={} pods={}", profiles_.list().size(),
                 deployments_.list().size(), pods_.list().size());
    for (int i = 0; i < options_.workers; ++i) {
      threads.emplace_back([this, stop] { work(stop); });
    }
    const std::stop_callback wake(stop, [this] { queue_.shut_down(); });
    threads.clear();
  }

  /// An optional kind is not waited for: the server may neither have it nor let us look.
  bool synced() const {
    return profiles_.synced() && trials_.synced() && deployments_.synced() && replica_sets_.synced() &&
           pods_.synced() && autoscalers_.synced() && nodes_.synced();
  }

  std::string trouble() const {
    for (const auto& reflector : reflectors_) {
      if (std::string trouble = reflector->trouble(); !trouble.empty()) return trouble;
    }
    return {};
  }

  Duration age() const override {
    Duration oldest{0};
    for (const auto& reflector : reflectors_) oldest = std::max(oldest, reflector->silence());
    return oldest;
  }

  std::vector<WatchAge> watch_ages() const {
    std::vector<WatchAge> ages;
    for (const auto& reflector : reflectors_) ages.push_back({reflector->type().kind, reflector->silence()});
    return ages;
  }

  std::string stuck_pass() const {
    const auto longest = queue_.longest_work();
    if (!longest || longest->second <= kLongestPass) return {};
    return "the pass over profile " + longest->first.text() + " has not ended for " + in_minutes(longest->second) +
           "; the log tells what it did last";
  }

  std::shared_ptr<const Profile> profile(const ObjectKey& key) const override { return profiles_.find(key); }
  std::vector<std::shared_ptr<const Profile>> profiles(const std::string& ns) const override {
    return profiles_.list(ns);
  }
  std::shared_ptr<const Workload> deployment(const ObjectKey& key) const override { return deployments_.find(key); }
  std::string unreadable_deployment(const ObjectKey& key) const override {
    const std::optional<Error> rejection = deployments_.rejection(key);
    return rejection ? rejection->message : std::string();
  }
  std::vector<std::shared_ptr<const Workload>> deployments(const std::string& ns) const override {
    return deployments_.list(ns);
  }
  std::shared_ptr<const ReplicaSet> replica_set(const ObjectKey& key) const override { return replica_sets_.find(key); }
  std::vector<std::shared_ptr<const Trial>> trials(const std::string& ns) const override { return trials_.list(ns); }
  std::vector<std::shared_ptr<const Pod>> pods(const std::string& ns) const override { return pods_.list(ns); }
  std::vector<std::shared_ptr<const Autoscaler>> autoscalers(const std::string& ns) const override {
    return both(autoscalers_, vertical_autoscalers_, ns);
  }
  std::vector<std::shared_ptr<const Steerer>> steerers(const std::string& ns) const override {
    return both(rollouts_, canaries_, ns);
  }

 private:
  template <typename T>
  static std::vector<std::shared_ptr<const T>> both(const Store<T>& one, const Store<T>& other, const std::string& ns) {
    auto all = one.list(ns);
    const auto more = other.list(ns);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  bool wait_until_synced(const std::stop_token& stop) const {
    constexpr Duration kPatience = std::chrono::seconds(5);
    return profiles_.wait_until_synced(kPatience, stop) && trials_.wait_until_synced(kPatience, stop) &&
           deployments_.wait_until_synced(kPatience, stop) && replica_sets_.wait_until_synced(kPatience, stop) &&
           pods_.wait_until_synced(kPatience, stop) && autoscalers_.wait_until_synced(kPatience, stop) &&
           nodes_.wait_until_synced(kPatience, stop);
  }

  void work(const std::stop_token& stop) {
    while (const std::optional<ObjectKey> key = queue_.take(stop)) {
      const Requeue requeue = reconciler_.reconcile(*key);
      if (requeue.failed && requeue.after == Duration(0)) {
        queue_.add_failed(*key);
      } else {
        queue_.forget(*key);
        if (requeue.after > Duration(0)) queue_.add_after(*key, requeue.after);
      }
      queue_.done(*key);
    }
  }

  /// A Deployment or a pod changed: whoever tunes it, or runs a trial with it, has to look.
  void wake_profiles_of(const std::string& ns, const std::string& deployment) {
    for (const auto& profile : profiles_.list(ns)) {
      if (profile->spec.target == deployment) queue_.add(profile->key);
    }
  }

  void wake_owner(const std::string& ns, const Labels& labels) {
    if (const auto label = labels.find(kTrialLabel); label != labels.end()) {
      for (const auto& trial : trials_.list(ns)) {
        if (label_value(trial->key.name) == label->second) queue_.add({ns, trial->spec.profile});
      }
    }
  }

  void on_deployment(const ObjectKey& key, const Workload& deployment) {
    wake_profiles_of(key.ns, key.name);
    wake_owner(key.ns, deployment.labels);
  }

  /// Whoever looks at the Deployment that controls the pod looks at the pod.
  void on_pod(const ObjectKey& key, const Pod& pod) {
    const auto set = replica_sets_.find({key.ns, pod.controller.name});
    if (!set || set->uid != pod.controller.uid) return;
    if (const auto owner = deployments_.find({key.ns, set->controller.name})) on_deployment(owner->key, *owner);
  }

  /// A node may have two of them for a while: a new one is ready before the old one has gone. The one that came last
  /// is asked.
  void on_agents_pod(const Pod* before, const Pod* after) {
    const Pod& pod = after != nullptr ? *after : *before;
    const bool is_agents = !options_.agents.name.empty() && pod.controller.kind == "DaemonSet" &&
                           pod.controller.name == options_.agents.name && pod.key.ns == options_.agents.ns;
    if (!is_agents || pod.node.empty()) return;
    auto& ready = agents_[pod.node];
    const std::string told = ready.empty() ? std::string() : ready.back().second;
    const bool answers = after != nullptr && after->ready && after->lives() && !after->ip.empty();
    const auto known = std::find_if(ready.begin(), ready.end(), [&](const auto& one) { return one.first == pod.uid; });
    if (!answers) {
      if (known != ready.end()) ready.erase(known);
    } else if (known != ready.end()) {
      known->second = after->ip;
    } else {
      ready.emplace_back(pod.uid, after->ip);
    }
    const std::string address = ready.empty() ? std::string() : ready.back().second;
    if (ready.empty()) agents_.erase(pod.node);
    if (address != told) on_agent_(pod.node, address);
  }

  /// What scales a Deployment, or rolls it out, changed, or names another one now.
  template <typename T>
  typename Store<T>::OnChange target_moves() {
    return [this](const ObjectKey& key, const auto& before, const auto& after) {
      if (before) wake_profiles_of(key.ns, before->target_name);
      if (after && (!before || before->target_name != after->target_name)) wake_profiles_of(key.ns, after->target_name);
    };
  }

  void on_profile(const ObjectKey& key, const std::shared_ptr<const Profile>& before,
                  const std::shared_ptr<const Profile>& after) {
    // What we write into the status is no news to us.
    const bool only_status = before && after && before->uid == after->uid && before->generation == after->generation &&
                             before->deleting == after->deleting && before->finalizers == after->finalizers &&
                             before->wishes == after->wishes;
    if (only_status) return;
    queue_.add(key);
    // A profile that goes may free its target for another one.
    if (!after && before) wake_profiles_of(key.ns, before->spec.target);
  }

  void on_trial(const ObjectKey& key, const std::shared_ptr<const Trial>& before,
                const std::shared_ptr<const Trial>& after) {
    const bool only_status = before && after && before->uid == after->uid && before->deleting == after->deleting &&
                             before->finalizers == after->finalizers;
    if (!only_status) queue_.add({key.ns, (after ? after : before)->spec.profile});
  }

  /// A node's status changes every few minutes, its address never as long as it lives.
  void on_node(const ObjectKey& key, const Node* before, const Node* after) {
    const bool same = before != nullptr && after != nullptr && before->address == after->address &&
                      before->kubelet_port == after->kubelet_port;
    if (!same) on_node_(key.name, after);
  }

  template <typename T, typename Handler>
  static typename Store<T>::OnChange either(Handler handler) {
    return [handler](const ObjectKey& key, const typename Store<T>::Value& before,
                     const typename Store<T>::Value& after) { handler(key, after ? *after : *before); };
  }

  ApiServer& api_;
  EventSink& events_;
  const SteadyClock& steady_;
  const ControllerOptions options_;
  const OnNode on_node_;
  const OnAgent on_agent_;
  /// By node: uids and addresses of the agents' pods that are ready, the latest last. Only the pods' watch knows them.
  std::map<std::string, std::vector<std::pair<std::string, std::string>>> agents_;
  /// Anybody may write objects that can't be read, as often as they like.
  void warn_of(const char* what, const std::string& kind, const ObjectKey& key, const std::string& why) {
    const auto left_out = warnings_.may_log(key.ns);
    if (!left_out) return;
    spdlog::warn("{} kind={} object={} left_out_before={} error=\"{}\"", what, kind, key.text(), *left_out, why);
  }

  LogLimit warnings_{steady_, kWarningsAMinute, kWarningsOfANamespace};
  WorkQueue queue_{steady_};
  DeploymentEnv applier_;
  Actor actor_;
  Recorder recorder_;
  Reconciler reconciler_;

  Store<Profile> profiles_{
      codec::decode_profile,
      [this](const ObjectKey& key, const auto& before, const auto& after) { on_profile(key, before, after); },
      [this](const ObjectKey& key, const Error& error) {
        warn_of("object can't be decoded", resources::kProfiles.kind, key, error.message);
        events_.post({resources::kProfiles, key.ns, key.name, "", true, "ConfigUnsupported", error.message, "Read"});
      }};
  Store<Trial> trials_{
      codec::decode_trial,
      [this](const ObjectKey& key, const auto& before, const auto& after) { on_trial(key, before, after); },
      [this](const ObjectKey& key, const Error& error) {
        warn_of("object can't be decoded", resources::kTrials.kind, key, error.message);
      }};
  Store<Workload> deployments_{
      codec::decode_deployment,
      either<Workload>([this](const ObjectKey& key, const Workload& deployment) { on_deployment(key, deployment); })};
  Store<ReplicaSet> replica_sets_{codec::decode_replica_set};
  Store<Pod> pods_{codec::decode_pod, [this](const ObjectKey& key, const auto& before, const auto& after) {
                     on_agents_pod(before.get(), after.get());
                     on_pod(key, after ? *after : *before);
                   }};
  Store<Pod> agents_pods_{codec::decode_pod, [this](const ObjectKey&, const auto& before, const auto& after) {
                            on_agents_pod(before.get(), after.get());
                          }};
  Store<Autoscaler> autoscalers_{codec::decode_autoscaler, target_moves<Autoscaler>()};
  Store<Autoscaler> vertical_autoscalers_{codec::decode_vertical_autoscaler, target_moves<Autoscaler>()};
  Store<Steerer> rollouts_{codec::decode_rollout, target_moves<Steerer>()};
  Store<Steerer> canaries_{codec::decode_canary, target_moves<Steerer>()};
  Store<Node> nodes_{codec::decode_node, [this](const ObjectKey& key, const auto& before, const auto& after) {
                       on_node(key, before.get(), after.get());
                     }};
  std::vector<std::unique_ptr<Reflector>> reflectors_;
};

Controller::Controller(ApiServer& api, EventSink& events, Observations& observations, OperatorMetrics& metrics,
                       const Clock& clock, const SteadyClock& steady, ControllerOptions options, OnNode on_node,
                       OnAgent on_agent)
    : impl_(std::make_unique<Impl>(api, events, observations, metrics, clock, steady, std::move(options),
                                   std::move(on_node), std::move(on_agent))) {}
Controller::~Controller() = default;

void Controller::run(const std::stop_token& stop) { impl_->run(stop); }
bool Controller::synced() const { return impl_->synced(); }
std::string Controller::trouble() const { return impl_->trouble(); }
std::vector<WatchAge> Controller::watch_ages() const { return impl_->watch_ages(); }
std::string Controller::stuck_pass() const { return impl_->stuck_pass(); }

std::string Controller::silent_watch() const {
  for (const WatchAge& age : watch_ages()) {
    if (age.silent > kLongestSilence) {
      return "the API server has said nothing of kind " + age.kind + " for " + in_minutes(age.silent) +
             ": check the connection to it, and its load";
    }
  }
  return {};
}

}  // namespace gopacer
