#include "simulate/cluster.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "gopacer/domain/orders.h"

namespace gopacer::simulating {
namespace {

/// A cluster has so many, and pods go anywhere.
constexpr int kNodes = 20;
constexpr double kMedianLatency = 0.020;
/// Queues get long near it, but a pod goes on.
constexpr double kFullyUsed = 0.95;
/// Of the processors, while a collection marks: GOMAXPROCS/4.
constexpr double kMarking = 0.25;

double requests_of(const RolloutWorld& world) { return world.requests_per_second / world.replicas; }

/// CPU seconds of a request without collection.
double work_of(const RolloutWorld& world) {
  return (1 - world.gc_share_before) * world.utilisation / requests_of(world);
}

/// CPU of collection, for each second of work. A collection costs the same whatever the settings: they say how many
/// there are.
double gc_of(const RolloutWorld& world, const Settings& settings) {
  const double before = world.gc_share_before / (1 - world.gc_share_before);
  if (world.saving && settings != kFirstSettings) return std::max(0.0, (1 + before) * (1 - *world.saving) - 1);
  const double fewer = 1 - cycle_volume(kFirstSettings) / cycle_volume(settings);
  return std::max(0.0, before * (1 - world.promise_kept * fewer));
}

bool is_new(const Settings& settings) { return settings != kFirstSettings; }

/// An agent has found a new process by then.
constexpr double kLongestSearch = 2;
/// For the windows that a judge of live trials looks back at, with 16 readings in each.
constexpr std::size_t kKeptOfLiveTrials = 150;

}  // namespace

/// A window's mean of noise whose correlation falls exponentially has 2(x − 1 + e^−x)/x² of a moment's variance, x
/// being the window's length over that of the fall; the next window's has a covariance of (1 − e^−x)²/x².
FineNoise finer(double autocorrelation, Duration length) {
  const auto of_means = [](double x) { return 2 * (x - 1 + std::exp(-x)); };
  double low = 0.01;
  double high = 50;
  for (int i = 0; i < 60; ++i) {
    const double x = (low + high) / 2;
    (std::pow(1 - std::exp(-x), 2) / of_means(x) > autocorrelation ? low : high) = x;
  }
  return {low / std::sqrt(of_means(low)), to_seconds(length) / low};
}

Cluster::Cluster(const RolloutWorld& world, Random& random)
    : world_(world),
      random_(random),
      agents_(kNodes),
      fine_noise_(finer(world.autocorrelation, world.canary.interval)) {
  for (int node = 0; node < kNodes; ++node) {
    node_slowness_.push_back(noise(world.pod_spread * std::sqrt(world.node_part)));
  }
}

double Cluster::normal() { return std::normal_distribution<double>()(random_); }
double Cluster::noise(double spread) { return std::exp(spread * normal()); }
int Cluster::any_node() { return std::uniform_int_distribution<int>(0, kNodes - 1)(random_); }

/// Canaries and baselines look for each other.
int Cluster::node_for(Track track) {
  if (track == Track::kStable || world_.placement != Placement::kSameNode) return any_node();
  std::vector<int> missing(kNodes);
  for (const LivingPod& living : pods_) {
    if (living.pod.track() != Track::kStable)
      missing[static_cast<std::size_t>(living.node)] += living.pod.track() == track ? -1 : 1;
  }
  const auto most = std::max_element(missing.begin(), missing.end());
  return *most > 0 ? static_cast<int>(most - missing.begin()) : any_node();
}

void Cluster::start_pod(Track track, const Workload& workload, Time now) {
  const int node = node_for(track);
  const double own = noise(world_.pod_spread * std::sqrt(1 - world_.node_part));
  pods_.push_back({ServingPod("pod-" + std::to_string(++pods_made_), track, settings_of(workload), now,
                              "node-" + std::to_string(node)),
                   workload.uid, workload.template_hash, node, node_slowness_[static_cast<std::size_t>(node)] * own,
                   world_.disturbance * normal(),
                   now + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(start_up_))});
  if (!is_live()) return;
  pods_.back().pod.keep(kKeptOfLiveTrials);
  pods_.back().agent_finds_at = pods_.back().ready_at + search();
}

Duration Cluster::search() {
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::uniform_real_distribution<double>(0, kLongestSearch)(random_)));
}

/// What lists the API server after it was away takes what is there for news.
void Cluster::hear(Agent& agent, const Objects& objects, Time now) const {
  if (now < agent.deaf_until) return;
  agent.profile = objects.profile;
  std::shared_ptr<const Trial> named;
  for (const auto& trial : objects.trials) {
    if (trial->key.name == objects.profile->memory.active_trial) named = trial;
  }
  if (named != agent.trial) agent.heard = now;
  agent.trial = std::move(named);
}

void Cluster::obey(const Objects& objects, Time now) {
  if (!is_live()) return;
  for (Agent& agent : agents_) {
    if (now < agent.away_until) continue;
    if (agent.since < agent.away_until) agent = {.since = now};
    hear(agent, objects, now);
  }
  for (LivingPod& living : pods_) {
    const Agent& agent = agent_of(living);
    if (living.owner != objects.target->uid || now < agent.away_until || now < living.agent_finds_at) continue;
    // A deaf one has its picture of before.
    if (!agent.profile) continue;
    LocalContainer container;
    container.pod_uid = living.pod.series().uid;
    container.name = objects.target->containers.front().name;
    container.environment = living.pod.series().settings;
    container.memory_limit = kContainerLimit;
    const bool holds = now - agent.heard <= kLiveLease;
    const Settings wanted = order_for(container, *agent.profile, agent.trial.get(), holds).settings;
    if (wanted != living.pod.runs()) living.pod.set(wanted);
  }
}

void Cluster::lose_agent(Time until, bool puts_back) {
  const LivingPod* const victim = any_pod(Track::kStable);
  if (victim == nullptr) return;
  const int node = victim->node;
  agents_[static_cast<std::size_t>(node)].away_until = until;
  for (LivingPod& living : pods_) {
    if (puts_back && living.node == node) living.pod.set(living.pod.series().settings);
  }
}

void Cluster::deafen_agent(Time until) {
  const LivingPod* const victim = any_pod(Track::kStable);
  if (victim != nullptr) agents_[static_cast<std::size_t>(victim->node)].deaf_until = until;
}

void Cluster::settle(std::shared_ptr<const Workload>& workload, Track track, Time now) {
  const Settings settings = settings_of(*workload);
  int alive = 0;
  std::erase_if(pods_, [&](const LivingPod& living) {
    if (living.owner != workload->uid) return false;
    const bool is_old = living.pod.series().settings != settings || living.template_hash != workload->template_hash;
    return is_old || ++alive > workload->replicas;
  });
  for (; alive < workload->replicas; ++alive) start_pod(track, *workload, now_);
  int ready = 0;
  for (const LivingPod& living : pods_) ready += living.owner == workload->uid && living.ready_at <= now ? 1 : 0;
  const auto tells = [&](const Workload& known) {
    return known.observed_generation == known.generation && known.updated_replicas == known.replicas &&
           known.total_replicas == known.replicas && known.available_replicas == ready;
  };
  if (tells(*workload)) return;
  Workload told = *workload;
  if (told.available_replicas != ready || told.observed_generation != told.generation) told.rollout.last_progress = now;
  told.observed_generation = told.generation;
  told.updated_replicas = told.total_replicas = told.replicas;
  told.available_replicas = ready;
  workload = std::make_shared<const Workload>(std::move(told));
}

void Cluster::settle(ApiServer& api, Time now) {
  Objects& objects = api.objects;
  std::erase_if(pods_, [&](const LivingPod& living) {
    const auto owns = [&](const std::shared_ptr<const Workload>& workload) {
      return workload && workload->uid == living.owner;
    };
    return !owns(objects.target) && !owns(objects.canary) && !owns(objects.baseline);
  });
  settle(objects.target, Track::kStable, now);
  if (objects.baseline) settle(objects.baseline, Track::kBaseline, now);
  if (objects.canary) settle(objects.canary, Track::kCanary, now);
  now_ = now;
}

/// Latency over that of an idle pod: requests wait for each other, and for marking.
double Cluster::waits(double utilisation, double gc_share) const {
  const double used = std::min(utilisation, kFullyUsed);
  const double marking = std::min(1.0, used * gc_share / kMarking);
  return (1 + marking * kMarking / (1 - kMarking)) / (1 - used);
}

Serving Cluster::serving_of(LivingPod& living, double rate, const Weather& weather) {
  const Settings& settings = living.pod.runs();
  const double gc = gc_of(world_, settings);
  Serving serving;
  serving.one_by_one = is_live();
  serving.gc_share = gc / (1 + gc);
  const double work = living.slowness * work_of(world_);
  serving.cpu_of_request = work * (1 + gc);
  const double before = gc_of(world_, kFirstSettings);
  double waiting = waits(rate * serving.cpu_of_request, serving.gc_share);
  if (is_new(settings)) {
    std::optional<double> in_all = world_.slowdown;
    if (living.pod.track() == Track::kStable && weather.harm_of_target) {
      in_all = in_all.value_or(1) * *weather.harm_of_target;
    }
    // By so much at any load: what the settings do to the queue is a part of it.
    if (in_all) waiting = *in_all * waits(rate * work * (1 + before), world_.gc_share_before);
    if (world_.burst_share > 0 && now_ >= living.bursts_until) {
      living.bursts = std::bernoulli_distribution(world_.burst_share)(random_);
      living.bursts_until = now_ + world_.canary.interval;
    }
    if (living.bursts) waiting *= world_.burst;
  }
  serving.median_latency = kMedianLatency * living.slowness * weather.slowness * std::exp(living.disturbance) *
                           waiting / waits(world_.utilisation, world_.gc_share_before);
  return serving;
}

void Cluster::serve(Duration window, std::optional<Time> read_at, const Weather& weather) {
  const auto serves = [&](const LivingPod& living) { return living.ready_at <= now_; };
  const auto serving = std::count_if(pods_.begin(), pods_.end(), serves);
  const double rate =
      world_.requests_per_second * weather.load / static_cast<double>(std::max<std::ptrdiff_t>(1, serving));
  const bool finely = window < world_.canary.interval;
  const double rho = finely ? std::exp(-to_seconds(window) / fine_noise_.seconds) : world_.autocorrelation;
  const double spread = finely ? fine_noise_.spread : 1;
  for (LivingPod& living : pods_) {
    if (!serves(living)) continue;
    const auto go_on = [&](double& noise, double of_windows) {
      noise = rho * noise + std::sqrt(1 - rho * rho) * spread * of_windows * normal();
    };
    go_on(living.disturbance, world_.disturbance);
    if (world_.cpu_disturbance > 0) go_on(living.cpu_disturbance, world_.cpu_disturbance);
    Serving its = serving_of(living, rate, weather);
    its.cpu_of_request *= std::exp(living.cpu_disturbance);
    its.requests = rate * to_seconds(window);
    const Agent& agent = agent_of(living);
    const bool unread = is_live() && (now_ < agent.away_until || now_ < living.agent_finds_at);
    living.pod.serve(unread ? std::nullopt : read_at, its, random_);
    if (unread) living.pod.was_unread("the node agent does not answer");
  }
}

void Cluster::forget_samples() {
  for (LivingPod& living : pods_) living.pod.forget_samples();
}

Cluster::LivingPod* Cluster::any_pod(Track track) {
  std::vector<LivingPod*> found;
  for (LivingPod& living : pods_) {
    if (living.pod.track() == track) found.push_back(&living);
  }
  if (found.empty()) return nullptr;
  return found[std::uniform_int_distribution<std::size_t>(0, found.size() - 1)(random_)];
}

bool Cluster::evict(Track track) {
  const LivingPod* const victim = any_pod(track);
  if (victim == nullptr) return false;
  pods_.erase(pods_.begin() + (victim - pods_.data()));
  return true;
}

bool Cluster::restart(Track track, Time now, bool out_of_memory) {
  LivingPod* const victim = any_pod(track);
  if (victim == nullptr) return false;
  victim->pod.restart(now, out_of_memory);
  if (is_live()) victim->agent_finds_at = now + search();
  return true;
}

}  // namespace gopacer::simulating
