#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "observe/history_budget.h"
#include "observe/page_reader.h"
#include "observe/plan.h"
#include "observe/query_reader.h"
#include "observe/usage_reader.h"

namespace gopacer {

/// Where one pod's MemStats come from; found out once per process.
enum class MemSource { kUnknown, kVars, kHeap };

/// One container that is read again and again.
struct PodState {
  /// The profiles that want it. It is read as the first of them asks for.
  std::vector<ObjectKey> profiles;
  PodTarget target;
  HistoryBudget::Account kept;
  std::string error;
  std::vector<std::string> notes;
  std::map<std::string, std::string> unread;  ///< as PodSeries::unread

  Time due;
  std::optional<Time> scheduled;  ///< its place in the row of those that will be due
  std::uint64_t number = 0;       ///< in the order in which pods became known
  bool busy = false;              ///< a cycle is under way
  bool gone = false;              ///< not in any plan any more
  int process = 0;  ///< goes up when the container was started again: what is under way is then worth nothing
  MemSource source = MemSource::kUnknown;

  Profiling profiling = Profiling::kNever;
  Time profile_due;
  int longest_profile = 60;   ///< seconds that the pod's server allows
  bool no_profiles = false;   ///< this process has none
  bool ask_protobuf = false;  ///< for metrics: a histogram of this process has native buckets only
  std::string profile_note;
  std::optional<GcProfile> taken_profile;  ///< and not yet part of a sample

  Time last_usage;

  /// By SLO: the readings of this process's numbers so far, added up. A window's mean is the difference of two such
  /// sums.
  std::map<std::string, Histogram> readings;
  std::map<std::string, Time> answered;  ///< by SLO: when Prometheus gave the answer that was taken last

  /// SLOs that became others while a cycle was under way: what it reads for them is not taken.
  std::set<std::string> changed_slos;

  const ObjectKey& owner() const { return profiles.front(); }
  void begin_process();
};
using PodPtr = std::shared_ptr<PodState>;

/// Where the agents of the nodes listen, by the nodes' names.
using AgentAddresses = std::map<std::string, NodeAddress>;

/// Reads one pod once: its MemStats, then the metrics pages, then, when it is due, a CPU profile; one fetch at a time.
/// Where its collections stand out, what it does then is captured instead.
/// Called with the lock of the PageReader held.
class PodReader {
 public:
  /// `on_end` is told of each pod whose cycle has ended.
  PodReader(PageReader& pages, UsageReader& usage, QueryReader& queries, HistoryBudget& histories, const Clock& clock,
            const ScraperOptions& options, const AgentAddresses& agents, std::function<void(const PodPtr&)> on_end)
      : pages_(pages),
        usage_(usage),
        queries_(queries),
        histories_(histories),
        clock_(clock),
        options_(options),
        agents_(agents),
        on_end_(std::move(on_end)) {}

  /// Begins a cycle; `pod.busy` is false again when it has ended.
  void begin(const PodPtr& pod, const ScrapePlan& plan, Time now);

 private:
  struct Cycle;
  using CyclePtr = std::shared_ptr<Cycle>;

  HttpRequest request_to(const PodState& pod, int port, std::string target, std::size_t most) const;
  /// `length` in seconds.
  HttpRequest request_for_profile(const PodState& pod, const MetricsEndpoint& endpoint, int length,
                                  std::size_t most) const;
  void read_agent(const CyclePtr& cycle);
  void read_vars(const CyclePtr& cycle);
  void read_heap(const CyclePtr& cycle);
  void take_mem(const CyclePtr& cycle, const MemStats& mem);
  void miss_mem(const CyclePtr& cycle, PageKind kind, const HttpRequest& request, const PageError& error);
  void read_next_page(const CyclePtr& cycle);
  void take_answers(const CyclePtr& cycle);
  void finish(const CyclePtr& cycle);
  void end(const PodPtr& pod);
  int profile_seconds(const PodState& pod, const ScrapePlan& plan) const;
  bool take_profile(const CyclePtr& cycle, Time now);
  bool look_for_episodes(const CyclePtr& cycle, Time now);
  bool capture(const CyclePtr& cycle, const Capture& wanted);
  void miss_profile(PodState& pod, const ScrapePlan& plan, const HttpRequest& request, int length,
                    const PageError& error);

  PageReader& pages_;
  UsageReader& usage_;
  QueryReader& queries_;
  HistoryBudget& histories_;
  const Clock& clock_;
  const ScraperOptions& options_;
  const AgentAddresses& agents_;
  const std::function<void(const PodPtr&)> on_end_;
};

}  // namespace gopacer
