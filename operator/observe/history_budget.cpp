#include "observe/history_budget.h"

#include <limits>
#include <utility>

namespace gopacer {
namespace {

/// Of a lone sample, which has only its histograms to give up.
constexpr int kLast = 4;
/// Later than any turn: there is nothing to give up.
constexpr int kNever = 5;

int turn_of(const PodHistory& history, bool in_trial) {
  if (history.is_bare()) return kNever;
  if (history.samples().size() == 1) return kLast;
  return (history.is_sparse() ? 2 : 0) + (in_trial ? 1 : 0);
}

}  // namespace

void HistoryBudget::assign(Account& account, const std::string& ns, bool in_trial) {
  if (account.ns_ == ns && account.in_trial_ == in_trial) return;
  const bool booked = account.booked_;
  if (booked) unbook(account);
  account.ns_ = ns;
  account.in_trial_ = in_trial;
  if (booked) book(account);
}

void HistoryBudget::append(Account& account, Sample sample, Duration keep) {
  cut_ring(sample);
  if (account.booked_) unbook(account);
  account.history_.append(std::move(sample), keep);
  while (account.history_.samples().size() > limits_.samples_per_pod ||
         account.history_.bytes() > limits_.bytes_per_pod) {
    const std::size_t given_up = account.history_.thin();
    if (given_up == 0) break;
    shed_.by_pod += given_up;
  }
  book(account);
  while (bytes_ > limits_.bytes && give_up_some()) {
  }
}

void HistoryBudget::forget(Account& account, const std::string& slo) {
  const bool booked = account.booked_;
  if (booked) unbook(account);
  account.history_.forget(slo);
  if (booked) book(account);
}

void HistoryBudget::clear(Account& account) {
  if (account.booked_) unbook(account);
  account.history_.clear();
}

/// The ring of 256 is as large as three samples without it.
void HistoryBudget::cut_ring(Sample& sample) const {
  constexpr std::size_t kCycles = 64;
  if (!sample.mem || sample.mem->pauses.size() <= kCycles || bytes_ < limits_.bytes / 2) return;
  std::vector<GcPause>& pauses = sample.mem->pauses;
  pauses.erase(pauses.begin(), pauses.end() - kCycles);
  pauses.shrink_to_fit();
}

HistoryBudget::Rank HistoryBudget::rank_of(Account& account) {
  return {account.turn_, std::numeric_limits<std::size_t>::max() - account.bytes_, &account};
}

void HistoryBudget::book(Account& account) {
  account.bytes_ = account.history_.bytes();
  account.turn_ = turn_of(account.history_, account.in_trial_);
  account.booked_ = true;
  Namespace& ns = namespaces_[account.ns_];
  ns.bytes += account.bytes_;
  ++ns.accounts;
  if (account.turn_ != kNever) ns.ranks.insert(rank_of(account));
  bytes_ += account.bytes_;
  samples_ += account.history_.samples().size();
}

void HistoryBudget::unbook(Account& account) {
  const auto found = namespaces_.find(account.ns_);
  Namespace& ns = found->second;
  ns.ranks.erase(rank_of(account));
  ns.bytes -= account.bytes_;
  bytes_ -= account.bytes_;
  samples_ -= account.history_.samples().size();
  account.booked_ = false;
  if (--ns.accounts == 0) namespaces_.erase(found);
}

bool HistoryBudget::give_up_some() {
  Namespace* largest = nullptr;
  for (auto& [name, ns] : namespaces_) {
    if (!ns.ranks.empty() && (largest == nullptr || ns.bytes > largest->bytes)) largest = &ns;
  }
  if (largest == nullptr) return false;
  Account& account = *std::get<Account*>(*largest->ranks.begin());
  unbook(account);
  (account.in_trial_ ? shed_.inside_trials : shed_.outside_trials) += account.history_.thin();
  book(account);
  return true;
}

}  // namespace gopacer
