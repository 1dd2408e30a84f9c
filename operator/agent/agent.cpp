#include "agent/agent.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "agent/processes.h"
#include "codec/agent_sample.h"
#include "codec/fields.h"
#include "codec/pod.h"
#include "codec/profile.h"
#include "codec/resources.h"
#include "codec/trial.h"
#include "watch/reflector.h"
#include "watch/store.h"

namespace gopacer {
namespace {

using nlohmann::json;

/// Nothing waits longer than this for what time alone brings: the end of a lease.
constexpr Duration kLongestSleep = std::chrono::milliseconds(100);
/// How long a container without a process that can be read is looked for often.
constexpr Duration kYoung = std::chrono::seconds(10);
constexpr Duration kLookRarely = std::chrono::seconds(10);
/// Listing processes takes a while: so many times as long nobody lists them again.
constexpr int kRests = 50;
/// What is due within this part of its own time is done at once: one wake for many.
constexpr int kTogether = 8;
/// Orders change with the cluster, and at the latest so much later with time alone, however often a program is read.
constexpr Duration kFollow = std::chrono::milliseconds(50);
/// Between two changes of a program's settings, or tries; putting back waits for nothing.
constexpr Duration kBetweenWrites = std::chrono::seconds(1);

/// A collection that marks is waited for no longer than this.
constexpr Duration kLongestMarking = std::chrono::seconds(1);
/// Threads that look for programs. One may wait for a file system that answers nobody.
constexpr int kMostSearches = 8;

/// Looking for a program, on a thread of its own: what its owner makes it wait for holds up nobody else. Whoever waits
/// no longer lets go of it.
class Search {
 public:
  static std::shared_ptr<Search> begin(std::function<Result<Program::Found>()> look,
                                       const std::shared_ptr<std::atomic<int>>& running) {
    auto search = std::make_shared<Search>();
    ++*running;
    std::thread([search, look = std::move(look), running] {
      auto found = look();
      const std::lock_guard lock(search->mutex_);
      search->outcome_.emplace(std::move(found));
      --*running;
    }).detach();
    return search;
  }

  /// None while it is looking; else what it found, once.
  std::optional<Result<Program::Found>> outcome() {
    const std::lock_guard lock(mutex_);
    return std::exchange(outcome_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::optional<Result<Program::Found>> outcome_;
};

/// A pod with what the agent needs beside.
struct LocalPod {
  Pod pod;
  std::map<std::string, std::string> ids;  ///< of its running containers, by name
  std::string template_hash;               ///< that a Deployment's pods have as a label
};

/// A profile, and the container that the operator found for it.
struct LocalProfile {
  Profile profile;
  std::string container;
};

/// "containerd://0123…" without the runtime.
std::string bare_id(const std::string& id) {
  const std::size_t slashes = id.find("://");
  return slashes == std::string::npos ? id : id.substr(slashes + 3);
}

Result<LocalPod> decode_local_pod(const json& object) {
  auto pod = codec::decode_pod(object);
  if (!pod) return tl::unexpected(pod.error());
  const json& labels = codec::child(codec::child(object, "metadata"), "labels");
  LocalPod local{std::move(*pod), {}, codec::text(labels, "pod-template-hash")};
  for (const json& from : codec::elements(codec::child(object, "status"), "containerStatuses")) {
    if (local.ids.size() == codec::kMostKept) break;
    if (!codec::child(codec::child(from, "state"), "running").empty()) {
      local.ids[codec::text(from, "name")] = bare_id(codec::text(from, "containerID"));
    }
  }
  return local;
}

/// Of a trial that has ended nobody wants more than that, and of no trial what it has measured.
Result<Trial> decode_local_trial(const json& object) {
  auto trial = codec::decode_trial(object);
  if (!trial) return tl::unexpected(trial.error());
  TrialSpec spec;
  spec.profile = trial->spec.profile;
  spec.profile_uid = trial->spec.profile_uid;
  spec.container = trial->spec.container;
  spec.from = trial->spec.from;
  spec.to = trial->spec.to;
  spec.live = trial->spec.live;
  TrialStatus status;
  status.phase = trial->status.phase;
  if (trial->running()) status.live = std::move(trial->status.live);
  trial->spec = std::move(spec);
  trial->status = std::move(status);
  return trial;
}

Result<LocalProfile> decode_local_profile(const json& object) {
  auto profile = codec::decode_profile(object);
  if (!profile) return tl::unexpected(profile.error());
  std::string container = profile->spec.container;
  if (container.empty()) container = codec::text(codec::child(object, "status"), "targetContainer");
  // Not needed here, and many.
  profile->spec.slos.clear();
  profile->conditions.clear();
  profile->memory.banned.clear();
  return LocalProfile{std::move(*profile), std::move(container)};
}

/// A ReplicaSet is named after its Deployment and the pod template's hash; one that is nobody's has no such hash.
std::string deployment_of(const LocalPod& local) {
  const std::string& name = local.pod.controller.name;
  const std::string ending = "-" + local.template_hash;
  if (local.pod.controller.kind != "ReplicaSet" || local.template_hash.empty() || !name.ends_with(ending)) return {};
  return name.substr(0, name.size() - ending.size());
}

/// Whether the operator has said something of the trial. What was there when the agent began tells nothing: nobody
/// knows when it was written.
bool is_renewed(const std::shared_ptr<const Trial>& before, const std::shared_ptr<const Trial>& after) {
  return before && after && after->status.live && before->status.live != after->status.live;
}

/// As std::erase_if, which lets nobody change what stays.
template <typename Map, typename Predicate>
void erase_where(Map& map, const Predicate& is_over) {
  for (auto at = map.begin(); at != map.end();) at = is_over(at->first, at->second) ? map.erase(at) : std::next(at);
}

/// What can't be measured is left out; the rest of what the agent does needs none of it.
void measure_pauses(PauseProbe& probe, int pid) {
  const auto watched = probe.watch(pid);
  if (!watched) spdlog::warn("pauses are not measured pid={} error=\"{}\"", pid, watched.error().message);
}

bool wants_agent(const ProfileSpec& spec) {
  return spec.apply == ApplyMode::kLive || spec.metrics.source == RuntimeSource::kAgent;
}

}  // namespace

class Agent::Impl {
 public:
  Impl(ApiServer& api, const Clock& clock, const SteadyClock& steady, AgentOptions options)
      : clock_(clock),
        steady_(steady),
        options_(std::move(options)),
        journal_(options_.state),
        passed_at_(steady.now().count()),
        pods_(decode_local_pod, [this](auto&&...) { changed(); }),
        profiles_(decode_local_profile, [this](auto&&...) { changed(); }),
        trials_(decode_local_trial, [this](const ObjectKey& key, const auto& before, const auto& after) {
          {
            const std::lock_guard lock(mutex_);
            if (is_renewed(before, after)) heard_[key] = steady_.now();
            if (!after) heard_.erase(key);
          }
          changed();
        }) {
    ReflectorOptions how;
    how.page_turn = std::make_shared<std::mutex>();
    const auto watch = [&](const ResourceType& type, Mirror& mirror, const std::string& field_selector) {
      reflectors_.push_back(std::make_unique<Reflector>(
          api, Selection{type, options_.watch_namespace, "", field_selector, false}, mirror, steady_,
          [kind = type.kind](const Error& error) {
            spdlog::warn("watch failed kind={} error=\"{}\"", kind, error.message);
          },
          how));
    };
    watch(resources::kPods, pods_, "spec.nodeName=" + options_.node);
    watch(resources::kProfiles, profiles_, "");
    watch(resources::kTrials, trials_, "");
  }

  void run(const std::stop_token& stop) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [identity, kept] : journal_.all()) left_.try_emplace(identity);
    }
    std::vector<std::jthread> threads;
    for (const auto& reflector : reflectors_) {
      threads.emplace_back([&reflector](const std::stop_token& own) { reflector->run(own); });
    }
    while (!stop.stop_requested()) {
      const Duration next = pass();
      passed_at_ = steady_.now().count();
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, next, [this] { return news_; });
      news_ = false;
    }
    for (auto& thread : threads) thread.request_stop();
    // Before the reflectors have ended, who may wait for an answer.
    put_all_back();
  }

  std::optional<std::string> page(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = cares_.find(path);
    if (found == cares_.end()) return std::nullopt;
    const Care& care = found->second;
    if (!care.program || !care.trouble.empty()) return codec::encode_unread(care.trouble).dump();
    auto sample = care.program->sample(clock_.now());
    if (!sample) return codec::encode_unread(sample.error().message).dump();
    if (care.pauses) sample->mem->pauses = care.pauses->latest();
    return codec::encode(codec::AgentSample{std::move(*sample), care.note}).dump();
  }

  AgentCounts counts() const {
    const std::lock_guard lock(mutex_);
    AgentCounts counts = counts_;
    for (const auto& [key, care] : cares_) counts.programs += care.program ? 1 : 0;
    counts.owed = owed_.size() + left_.size();
    return counts;
  }

  std::vector<ContainerStops> stops() const {
    const std::lock_guard lock(mutex_);
    std::vector<ContainerStops> stops;
    for (const auto& [path, care] : cares_) {
      const auto counted = care.pauses ? care.pauses->counted() : std::nullopt;
      if (counted) stops.push_back({care.container.pod.ns, care.container.pod.name, care.container.name, *counted});
    }
    return stops;
  }

  std::string stuck() const {
    const Duration silence = steady_.now() - Duration(passed_at_);
    if (silence <= kLongestAgentPass) return {};
    return "The programs have not been looked at for " +
           format_duration(std::chrono::floor<std::chrono::seconds>(silence)) + ".";
  }

  std::string trouble() const {
    for (const auto& reflector : reflectors_) {
      if (std::string trouble = reflector->trouble(); !trouble.empty()) return trouble;
    }
    const bool all = pods_.synced() && profiles_.synced() && trials_.synced();
    return all ? std::string() : "pods, profiles and trials are being listed";
  }

 private:
  /// A container under care.
  struct Care {
    LocalContainer container;
    std::shared_ptr<const LocalProfile> profile;
    std::optional<Program> program;
    std::unique_ptr<PausesOf> pauses;  ///< of the program; null: they are not measured
    std::shared_ptr<Search> search;    ///< for it, while there is one
    Duration since{0};                 ///< when this container was seen first
    Duration look_at{0};               ///< when its process is looked for again
    Duration poll_at{0};               ///< when it is read again
    Duration follow_at{0};             ///< when it is looked again at what it is to have
    Duration write_at{0};              ///< when it may be written again
    Duration marking_since{0};         ///< since when a write waits for a collection; 0: none does
    std::string trouble;               ///< why it can't be read
    std::string note;                  ///< why an order is not followed
    std::optional<Order> refused;      ///< the order that the note is about
    bool had_turn = false;             ///< a trial's settings were in force by the latest order
    std::string not_back;              ///< why what it had could not be put back
  };

  /// A program that a predecessor has changed.
  struct Left {
    std::shared_ptr<Search> search;  ///< for it, while there is one
    Duration look_at{0};             ///< when it is looked for again
    std::string why;                 ///< why what it had could not be put back
  };

  void changed() {
    {
      const std::lock_guard lock(mutex_);
      news_ = stale_ = true;
    }
    wake_.notify_all();
  }

  /// Puts back what a predecessor had changed. What is under care by now has what it is to have.
  void put_back_predecessors() {
    const Duration now = steady_.now();
    const std::lock_guard lock(mutex_);
    erase_where(left_, [&](const std::string& identity, Left& left) {
      const auto kept = journal_.all().find(identity);
      if (kept == journal_.all().end() || is_in_hand(identity)) return true;
      if (left.search) {
        auto found = left.search->outcome();
        return found && settle(identity, left, std::move(*found), now);
      }
      if (left.look_at > now || *searches_ >= kMostSearches) return false;
      const auto open = [pid = kept->second.pid, proc = options_.proc]() -> Result<Program::Found> {
        auto runtime = GoRuntime::open(pid, proc);
        if (!runtime) return tl::unexpected(runtime.error());
        return Program::Found{pid, std::move(*runtime)};
      };
      left.search = Search::begin(open, searches_);
      return false;
    });
  }

  /// Whether nothing of the predecessor's is left in it.
  bool settle(const std::string& identity, Left& left, Result<Program::Found> found, Duration now) {
    left.search.reset();
    left.look_at = now + kLookRarely;
    auto opened = found ? Result<GoRuntime>(std::move(found->runtime)) : tl::unexpected(found.error());
    const auto written = put_back_left(journal_, identity, std::move(opened));
    if (!written) {
      const std::string& why = written.error().message;
      if (why != left.why) spdlog::warn("not put back program={} why=\"{}\"", identity, why);
      left.why = why;
      return false;
    }
    if (!*written) return true;
    spdlog::info("put back what a predecessor had changed program={}", identity);
    ++counts_.written;
    return true;
  }

  bool is_in_hand(const std::string& identity) const {
    const auto has = [&](const auto& entry) {
      return entry.second.program && entry.second.program->identity() == identity;
    };
    return std::any_of(cares_.begin(), cares_.end(), has) || std::any_of(owed_.begin(), owed_.end(), has);
  }

  /// All that is due; gives the time until something is due again. Only this thread changes cares_, so it may read them
  /// without the lock.
  Duration pass() {
    put_back_predecessors();
    if (!pods_.synced() || !profiles_.synced() || !trials_.synced()) return kLongestSleep;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(stale_, false)) gather();
    }
    find_programs();
    const Duration now = steady_.now();
    {
      const std::lock_guard lock(mutex_);
      go_on_putting_back(now);
    }
    Duration next = now + kLongestSleep;
    for (auto& [key, care] : cares_) {
      if (!care.program) continue;
      if (care.poll_at <= now + care.program->next() / kTogether) {
        const std::lock_guard lock(mutex_);
        attend(key, care, now);
      }
      if (care.program) next = std::min(next, care.poll_at);
    }
    return std::max<Duration>(next - steady_.now(), Duration(0));
  }

  /// Reads the program, and sees to it that it has what it is to have.
  void attend(const std::string& key, Care& care, Duration now) {
    const auto read = care.program->poll();
    care.poll_at = now + care.program->next();
    care.trouble = read ? std::string() : read.error().message;
    // What is read while the program changes it may not hang together; what it had must not be forgotten for that.
    if (!read && read.error().kind == ErrorKind::kNotFound) return lose(care, now);
    if (!read || now < care.follow_at) return;
    care.follow_at = now + kFollow;
    follow_order(key, care, now);
  }

  /// Which containers are under care, after the cluster has changed.
  void gather() {
    const Duration now = steady_.now();
    std::map<std::string, Care> cares;
    for (const auto& local : pods_.list()) {
      const Pod& pod = local->pod;
      const std::string deployment = deployment_of(*local);
      if (deployment.empty() || !pod.lives()) continue;
      const auto profile = profile_of({pod.key.ns, deployment});
      if (!profile || !wants_agent(profile->profile.spec)) continue;
      const ContainerSpec* const spec = container_of(*profile, pod);
      if (spec == nullptr) continue;
      const auto id = local->ids.find(spec->name);
      if (id == local->ids.end() || id->second.empty()) continue;
      const std::string key = "/pods/" + pod.uid + "/" + spec->name;
      if (cares.contains(key)) continue;
      Care care = known_care(key, id->second).value_or(Care{});
      if (care.container.id.empty()) {
        care.since = now;
        care.trouble = "its process is being looked for";
      }
      care.container = {
          pod.key, pod.uid, deployment, spec->name, id->second, readable_settings(env_of(*spec)), spec->memory_limit};
      care.profile = profile;
      // Orders may have changed.
      care.poll_at = care.follow_at = now;
      cares.emplace(key, std::move(care));
    }
    // Whom nobody asks for any more has its own again.
    for (auto& [key, care] : cares_) let_go(key, std::move(care), now);
    cares_ = std::move(cares);
  }

  /// Takes what is known of the container already, also when it was let go and is still owed something: two that hold
  /// one program would take each other's settings for its own.
  std::optional<Care> known_care(const std::string& key, const std::string& id) {
    const auto known = cares_.find(key);
    if (known != cares_.end() && known->second.container.id == id) return std::move(cares_.extract(known).mapped());
    if (auto owed = owed_.extract({key, id})) return std::move(owed.mapped());
    return std::nullopt;
  }

  /// Puts back what it had; what can't be is owed to it.
  void let_go(const std::string& key, Care care, Duration now) {
    if (put_back(key, care)) return;
    care.search.reset();
    care.write_at = now + kBetweenWrites;
    owed_.insert_or_assign({key, care.container.id}, std::move(care));
  }

  void go_on_putting_back(Duration now) {
    erase_where(owed_, [&](const auto& program, Care& care) {
      if (now < care.write_at) return false;
      care.write_at = now + kBetweenWrites;
      return put_back(program.first, care);
    });
  }

  /// What can't be put back by then is left to the journal.
  void put_all_back() {
    const Duration begun = steady_.now();
    {
      const std::lock_guard lock(mutex_);
      for (auto& [key, care] : std::exchange(cares_, {})) let_go(key, std::move(care), begun);
    }
    while (!owed_.empty() && steady_.now() - begun < kLongestEnd) {
      std::this_thread::sleep_for(kFollow);
      const std::lock_guard lock(mutex_);
      erase_where(owed_, [this](const auto& program, Care& care) { return put_back(program.first, care); });
    }
    for (const auto& [program, care] : owed_) {
      spdlog::error("left for a successor to put back pod={} path={} why=\"{}\"", care.container.pod.text(),
                    program.first, care.not_back);
    }
  }

  /// Of several profiles for one target the oldest counts, as for the operator; by name when they are of the same age.
  /// One that is being deleted stands in nobody's way.
  std::shared_ptr<const LocalProfile> profile_of(const ObjectKey& target) const {
    std::shared_ptr<const LocalProfile> oldest;
    for (const auto& candidate : profiles_.list(target.ns)) {
      if (candidate->profile.spec.target != target.name || candidate->profile.deleting) continue;
      // They come in the order of their names.
      if (!oldest || candidate->profile.created < oldest->profile.created) oldest = candidate;
    }
    return oldest;
  }

  static const ContainerSpec* container_of(const LocalProfile& profile, const Pod& pod) {
    if (!profile.container.empty()) return container_named(pod.containers, profile.container);
    return pod.containers.size() == 1 ? &pod.containers.front() : nullptr;
  }

  void find_programs() {
    const Duration now = steady_.now();
    for (auto& [key, care] : cares_) {
      if (!care.search) continue;
      if (auto outcome = care.search->outcome()) take_found(care, std::move(*outcome), now);
    }
    const auto is_due = [&](const Care& care) { return !care.program && !care.search && care.look_at <= now; };
    const bool any = std::any_of(cares_.begin(), cares_.end(), [&](const auto& entry) { return is_due(entry.second); });
    if (!any || now < search_at_) return;
    const auto processes = processes_by_container(options_.proc);
    const Duration listed = steady_.now();
    search_at_ = listed + kRests * (listed - now);
    std::set<std::string> known;
    for (const auto& [identity, kept] : journal_.all()) known.insert(identity);
    for (auto& [key, care] : cares_) {
      if (!is_due(care)) continue;
      const ContainerPlace place{care.container.id, care.container.pod_uid};
      const std::vector<int> pids = processes_of(place, processes);
      const std::lock_guard lock(mutex_);
      care.look_at = listed + (listed - care.since < kYoung ? options_.look_again : kLookRarely);
      if (pids.empty()) {
        care.trouble = "no process of the container is found in /proc: is hostPID set for the agent?";
      } else if (*searches_ >= kMostSearches) {
        care.trouble =
            "too many other programs of the node are being looked for: one of them may be on a file system "
            "that does not answer";
      } else {
        const auto look = [place, pids, proc = options_.proc, known, pauses = options_.pauses] {
          auto found = Program::look(place, pids, proc, known);
          if (found && pauses) measure_pauses(*pauses, found->pid);
          return found;
        };
        care.search = Search::begin(look, searches_);
      }
    }
  }

  void take_found(Care& care, Result<Program::Found> found, Duration now) {
    auto program =
        found ? Program::take(std::move(*found), options_.proc, care.container.environment, traces(care), journal_)
              : Result<Program>(tl::unexpected(found.error()));
    const std::lock_guard lock(mutex_);
    care.search.reset();
    care.trouble = program ? std::string() : program.error().message;
    if (!program) return;
    care.program = std::move(*program);
    if (options_.pauses) care.pauses = std::make_unique<PausesOf>(options_.pauses, care.program->pid());
    care.poll_at = care.follow_at = now;
    spdlog::info("program found pod={} pid={}", care.container.pod.text(), care.program->pid());
  }

  /// Of an agent whose journal went with its pod.
  Program::Traces traces(const Care& care) const {
    const Profile& profile = care.profile->profile;
    const ProfileMemory& memory = profile.memory;
    Program::Traces traces;
    if (memory.applied_beside == care.container.environment) {
      if (memory.applied) traces.ours.push_back(*memory.applied);
      if (memory.applied_over) traces.ours.push_back(*memory.applied_over);
    }
    if (memory.putting_back) traces.ours.push_back(memory.putting_back->settings);
    for (const AppliedChange& change : memory.changes) {
      for (const Settings& settings : {change.from, change.to}) traces.ours.push_back(settings);
    }
    traces.ours.push_back(confirmed_for(care.container, profile));
    std::optional<Time> latest;
    for (const auto& trial : trials_.list(care.container.pod.ns)) {
      const TrialSpec& spec = trial->spec;
      if (!spec.live || spec.profile_uid != profile.uid || spec.container != care.container.name) continue;
      traces.ours.push_back(spec.to);
      const auto limit = spec.live->own ? spec.live->own->go_mem_limit : std::nullopt;
      if (!limit || !may_be_own(*limit, care) || (latest && trial->created < *latest)) continue;
      latest = trial->created;
      traces.own_mem_limit = limit;
    }
    return traces;
  }

  /// The operator's word alone puts nothing in force that a person did not allow.
  static bool may_be_own(Bytes limit, const Care& care) {
    const auto& least = care.profile->profile.spec.bounds.min_go_mem_limit;
    const auto& most = care.container.memory_limit;
    return (!least || limit >= *least) && (!most || limit < *most);
  }

  /// The program has ended; another one may take its place.
  static void lose(Care& care, Duration now) {
    care.program->forget();
    care.pauses.reset();
    care.program.reset();
    care.trouble = "its process has ended";
    care.note.clear();
    care.refused.reset();
    care.had_turn = false;
    care.not_back.clear();
    care.since = now;
  }

  bool lease_holds(const std::string& ns, const Profile& profile, std::shared_ptr<const Trial>& trial, Duration now) {
    if (profile.memory.active_trial.empty()) return false;
    const ObjectKey key{ns, profile.memory.active_trial};
    trial = trials_.find(key);
    const auto heard = heard_.find(key);
    return trial && heard != heard_.end() && now - heard->second <= kLiveLease;
  }

  void follow_order(const std::string& key, Care& care, Duration now) {
    const Profile& profile = care.profile->profile;
    std::shared_ptr<const Trial> trial;
    const bool holds = lease_holds(care.container.pod.ns, profile, trial, now);
    const Settings& own = care.program->own();
    care.container.own = care.program->is_own(care.container.environment) ? std::nullopt : std::optional(own);
    const Order order = order_for(care.container, profile, trial.get(), holds);
    if (care.had_turn && trial && trial->status.live && !holds) {
      ++counts_.expired;
      spdlog::warn("lease ran out pod={} trial={}", care.container.pod.text(), trial->key.name);
    }
    care.had_turn = order.is_turn;
    std::string note = order.refused;
    const Program& program = *care.program;
    if (profile.spec.apply == ApplyMode::kLive) {
      const Settings settings = for_program(order.settings, care);
      const Settings usual = for_program(order.usual, care);
      if (!program.has(settings) && !program.is_own(settings) && now < care.write_at) return;
      const auto change = put_in_force(care, settings, now);
      if (!change && change.error().kind == ErrorKind::kNotFound) return lose(care, now);
      if (!change) {
        note = change.error().message;
        // A turn that has ended must not last because what comes next can't be had.
        if (!program.has(usual)) put_back(key, care);
      }
    } else if (!program.is_own(program.written())) {
      // Live it was, and is no more.
      put_back(key, care);
    }
    // Its words may have numbers that change.
    if (!note.empty() && care.refused != order) {
      ++counts_.refused;
      spdlog::warn("order not followed pod={} path={} why=\"{}\"", care.container.pod.text(), key, note);
      care.refused = order;
    }
    if (note.empty()) care.refused.reset();
    care.note = std::move(note);
  }

  /// The environment's settings are the program's own. A limit that the program gave itself stays where the order has
  /// none.
  static Settings for_program(Settings settings, const Care& care) {
    const Settings& own = care.program->own();
    if (settings == care.container.environment) return own;
    if (!settings.go_mem_limit && !care.container.environment.go_mem_limit) settings.go_mem_limit = own.go_mem_limit;
    return settings;
  }

  Result<Program::Change> put_in_force(Care& care, const Settings& settings, Duration now) {
    const bool waited = care.marking_since > Duration(0) && now - care.marking_since >= kLongestMarking;
    auto change = care.program->set(settings, waited);
    if (change && *change == Program::Change::kLater) {
      if (care.marking_since == Duration(0)) care.marking_since = now;
      // As soon as it is read again.
      care.follow_at = Duration(0);
      return change;
    }
    care.marking_since = Duration(0);
    if (change && *change == Program::Change::kNone) return change;
    care.write_at = now + kBetweenWrites;
    if (!change) return change;
    ++counts_.written;
    spdlog::info("settings put in force pod={} pid={} settings=\"{}\"", care.container.pod.text(), care.program->pid(),
                 describe(settings));
    return change;
  }

  /// Whether nothing of ours is left in it: it has what it had, sets its own, or has ended.
  bool put_back(const std::string& key, Care& care) {
    if (!care.program) return true;
    const auto change = care.program->put_back();
    if (!change && change.error().kind == ErrorKind::kNotFound) {
      care.program->forget();
      return true;
    }
    std::string why = change ? std::string() : change.error().message;
    if (!why.empty() && why != care.not_back) {
      spdlog::warn("not put back pod={} why=\"{}\"", care.container.pod.text(), why);
    }
    care.not_back = std::move(why);
    if (change && *change == Program::Change::kWritten) {
      ++counts_.written;
      spdlog::info("put back pod={} path={}", care.container.pod.text(), key);
    }
    return change && *change != Program::Change::kLater;
  }

  const Clock& clock_;
  const SteadyClock& steady_;
  const AgentOptions options_;
  Journal journal_;
  std::atomic<Duration::rep> passed_at_;  ///< when a pass was over last
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  bool news_ = false;
  bool stale_ = true;
  std::map<ObjectKey, Duration> heard_;  ///< when a trial last changed
  std::map<std::string, Care> cares_;    ///< by the path of their pages
  /// Whose own settings could not be put back yet, by the path and the container's id.
  std::map<std::pair<std::string, std::string>, Care> owed_;
  std::map<std::string, Left> left_;  ///< by identity
  Duration search_at_{0};             ///< when processes may be listed again
  const std::shared_ptr<std::atomic<int>> searches_ = std::make_shared<std::atomic<int>>(0);
  AgentCounts counts_;
  Store<LocalPod> pods_;
  Store<LocalProfile> profiles_;
  Store<Trial> trials_;
  std::vector<std::unique_ptr<Reflector>> reflectors_;
};

Agent::Agent(ApiServer& api, const Clock& clock, const SteadyClock& steady, AgentOptions options)
    : impl_(std::make_unique<Impl>(api, clock, steady, std::move(options))) {}
Agent::~Agent() = default;

void Agent::run(std::stop_token stop) { impl_->run(stop); }
std::optional<std::string> Agent::page(const std::string& path) const { return impl_->page(path); }
AgentCounts Agent::counts() const { return impl_->counts(); }
std::vector<ContainerStops> Agent::stops() const { return impl_->stops(); }
std::string Agent::trouble() const { return impl_->trouble(); }
std::string Agent::stuck() const { return impl_->stuck(); }

}  // namespace gopacer
