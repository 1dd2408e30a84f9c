#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "observe/pod_history.h"

namespace gopacer {

struct BudgetLimits {
  std::size_t samples_per_pod = 400;
  std::size_t bytes_per_pod = std::size_t{256} << 10;
  /// Of all pods together. Namespaces share it equally: one that holds less than its share gives nothing up.
  std::size_t bytes = std::size_t{96} << 20;
};

/// Samples that were given up before their age was reached. Counters.
struct HistoryShed {
  std::uint64_t by_pod = 0;          ///< because their pod had more than a pod may have
  std::uint64_t outside_trials = 0;  ///< because all pods together had too much
  std::uint64_t inside_trials = 0;   ///< likewise, of canary and baseline pods
};

/// Keeps the histories of all pods within a number of bytes.
///
/// When all of them together have too much, the namespace that holds most gives up first, and in it: every second
/// sample of pods outside a trial, then of canary and baseline pods, until these histories are sparse; then the older
/// half of sparse ones, of pods outside a trial first; each time of the pod that holds most. One sample of each pod
/// stays, whatever happens. From half of the bytes on, only the latest 64 GC cycles of a new sample are kept. Not
/// thread-safe.
class HistoryBudget {
 public:
  /// A pod's history as the budget knows it. Stays where it is while it is booked.
  class Account {
   public:
    Account() = default;
    Account(const Account&) = delete;
    Account& operator=(const Account&) = delete;

    const PodHistory& history() const { return history_; }

   private:
    friend class HistoryBudget;
    PodHistory history_;
    std::string ns_;
    bool in_trial_ = false;
    bool booked_ = false;
    std::size_t bytes_ = 0;
    int turn_ = 0;
  };

  explicit HistoryBudget(BudgetLimits limits) : limits_(limits) {}

  /// Says whose it is. May be said again when that changed.
  void assign(Account& account, const std::string& ns, bool in_trial);
  void append(Account& account, Sample sample, Duration keep);
  /// Forgets the samples, and the account until the next of them.
  void clear(Account& account);
  /// As PodHistory::forget().
  void forget(Account& account, const std::string& slo);

  std::size_t bytes() const { return bytes_; }
  std::size_t limit() const { return limits_.bytes; }
  std::size_t samples() const { return samples_; }
  const HistoryShed& shed() const { return shed_; }

 private:
  /// When it is this account's turn to give up; then by bytes, most first.
  using Rank = std::tuple<int, std::size_t, Account*>;
  struct Namespace {
    std::size_t bytes = 0;
    std::set<Rank> ranks;
    std::size_t accounts = 0;
  };

  void cut_ring(Sample& sample) const;
  static Rank rank_of(Account& account);
  void book(Account& account);
  void unbook(Account& account);
  bool give_up_some();

  BudgetLimits limits_;
  std::map<std::string, Namespace> namespaces_;
  std::size_t bytes_ = 0;
  std::size_t samples_ = 0;
  HistoryShed shed_;
};

}  // namespace gopacer
