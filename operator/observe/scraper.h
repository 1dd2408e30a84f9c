#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "gopacer/domain/sample.h"
#include "observe/fair_slots.h"
#include "observe/history_budget.h"
#include "observe/plan.h"
#include "observe/scraper_probe.h"
#include "ports/capture_store.h"
#include "ports/http_fetcher.h"
#include "ports/secret_source.h"
#include "ports/token_source.h"

namespace gopacer {

struct ScraperOptions {
  BudgetLimits history;
  /// Slow pods of one namespace, or of one profile in it, leave places to the others.
  SlotLimits fetches{.places = 128, .per_namespace = 96, .per_owner = 32};
  /// A pod that finds no place for its CPU profile tries again at its next reading and does not wait for a turn: it is
  /// read meanwhile. So nobody gets a place by waiting, and it takes four namespaces to hold all of them.
  SlotLimits cpu_profiles{.places = 64, .per_namespace = 16, .per_owner = 8};
  /// Of questions to Prometheus servers.
  SlotLimits queries{.places = 16, .per_namespace = 12, .per_owner = 4};
  /// The Prometheus servers that may be asked, as http:// or https:// URLs. The first is asked where an SLO names none.
  std::vector<std::string> prometheus;
  /// Of all readings under way. Namespaces share it: see ReadingBudget.
  std::size_t reading_bytes = std::size_t{64} << 20;
  Duration fetch_timeout = std::chrono::seconds(5);
  Duration kubelet_interval = std::chrono::seconds(15);  ///< a trial's shorter interval holds down to 5 s
  Duration fallback_interval = std::chrono::seconds(15);
  Duration background_profile_every = std::chrono::minutes(2);
  Duration background_profile_length = std::chrono::seconds(10);
  /// Where profiles of pods go whose collections stand out; they are taken where there is one. Must outlive the
  /// scraper.
  CaptureStore* captures = nullptr;
  /// In [0, 1): spreads the pods over the interval. The default is a seeded generator.
  std::function<double()> random;
  /// Called after each reading of a pod of this profile, good or bad, so that nobody has to look again and again. From
  /// the thread that read it: it must not block. May call snapshot().
  std::function<void(const ObjectKey& profile)> on_reading;
};

/// What it takes to ask Prometheus servers. Nothing is asked without a fetcher, which has to resolve names.
struct QueryPorts {
  HttpFetcher* fetcher = nullptr;
  SecretSource* secrets = nullptr;
};

/// Reads all pods of all profiles, again and again, and keeps the latest samples.
///
/// Each pod has a cycle of its own, once per interval: its MemStats, then the metrics pages of its SLOs, then, when it
/// is due, a CPU profile; one fetch at a time, so a slow pod delays only itself. Each node's kubelet is read once per
/// interval for all its pods, and Prometheus is asked once per interval and arm. Samples of one series are of one
/// process: a restart or a counter that went back begins anew. Thread-safe. Nothing here blocks but the destructor, and
/// that only for a moment.
class Scraper {
 public:
  /// `tokens` and `fallback` may be null. All must outlive the scraper.
  Scraper(HttpFetcher& fetcher, const Clock& clock, TokenSource* tokens, UsageFallback* fallback,
          ScraperOptions options = {}, QueryPorts queries = {});
  ~Scraper();
  Scraper(const Scraper&) = delete;
  Scraper& operator=(const Scraper&) = delete;

  /// Replaces what is read for a profile. Pods that are not in the plan are forgotten at once.
  void set_targets(const ObjectKey& profile, ScrapePlan plan);
  /// Forgets a profile with all its samples.
  void remove(const ObjectKey& profile);
  /// Where the kubelet of the node `name` listens now; none when the node is gone.
  void set_node(const std::string& name, std::optional<NodeAddress> address);
  /// The same of gopacer's agent on that node.
  void set_agent(const std::string& node, std::optional<NodeAddress> address);

  /// What is known of a profile's pods now; no pods for an unknown profile.
  Observation snapshot(const ObjectKey& profile, Time now) const;
  ScraperProbe probe() const;

  /// Begins to read, on a thread of its own (and another for the fallback and for Secrets).
  void start();

  /// What the thread does, for tests: begins the cycles that are due, and returns when the next one will be.
  Time run_due();
  /// What the fallback's thread does, for tests: asks the fallback for the pods that no kubelet spoke of.
  void run_fallback();
  /// The same of the Secrets that have to be read.
  void read_secrets();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
