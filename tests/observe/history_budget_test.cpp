#include "observe/history_budget.h"

#include <gmock/gmock.h>

#include <deque>

namespace gopacer {
namespace {

using std::chrono::seconds;

constexpr Duration kKeep = std::chrono::minutes(12);
constexpr std::size_t kFull = 50;  ///< samples in it, and one before
/// No pod needs to have fewer for the sake of a longer look back.
constexpr std::size_t kSparse = 8;

Sample reading(int number) {
  MemStats mem;
  mem.total_alloc = mib(number);
  Sample sample;
  sample.at = Time(seconds(15 * number));
  sample.mem = mem;
  sample.latency["p99"] = Histogram({{0.1, 1}, {0.2, 2}});
  return sample;
}

/// Pods that are read every 15 s, all at the same time.
class Pods {
 public:
  explicit Pods(BudgetLimits limits) : budget(limits) {}

  HistoryBudget::Account& add(const std::string& ns, bool in_trial = false) {
    accounts.emplace_back();
    budget.assign(accounts.back(), ns, in_trial);
    return accounts.back();
  }
  void read(HistoryBudget::Account& account, int times = 1) {
    for (int i = 0; i < times; ++i) budget.append(account, reading(++readings_), kKeep);
  }
  void read_all(int times) {
    for (int i = 0; i < times; ++i) {
      ++readings_;
      for (HistoryBudget::Account& account : accounts) budget.append(account, reading(readings_), kKeep);
    }
  }

  HistoryBudget budget;
  std::deque<HistoryBudget::Account> accounts;

 private:
  int readings_ = 0;
};

std::size_t kept(const HistoryBudget::Account& account) { return account.history().samples().size(); }

/// What `samples` of one pod take.
std::size_t bytes_of(int samples) {
  Pods pods({});
  pods.read(pods.add("any"), samples);
  return pods.budget.bytes();
}

TEST(HistoryBudget, GivesNothingUpThatHasRoom) {
  Pods pods({});
  pods.add("a");
  pods.add("b", true);
  pods.read_all(100);
  EXPECT_EQ(kept(pods.accounts[0]), kFull);
  EXPECT_EQ(kept(pods.accounts[1]), kFull);
  EXPECT_EQ(pods.budget.samples(), 2 * kFull);
  EXPECT_EQ(pods.budget.shed().by_pod + pods.budget.shed().outside_trials + pods.budget.shed().inside_trials, 0U);
}

TEST(HistoryBudget, BoundsEachPod) {
  BudgetLimits limits;
  limits.bytes_per_pod = bytes_of(20);
  Pods pods(limits);
  pods.read(pods.add("a"), 300);
  EXPECT_LE(pods.budget.bytes(), limits.bytes_per_pod);
  EXPECT_GE(kept(pods.accounts[0]), kSparse);
  EXPECT_GT(pods.budget.shed().by_pod, 0U);
  EXPECT_EQ(pods.budget.shed().outside_trials, 0U);
}

TEST(HistoryBudget, BoundsAllPodsTogether) {
  BudgetLimits limits;
  limits.bytes = bytes_of(40) * 4;
  Pods pods(limits);
  for (int i = 0; i < 10; ++i) pods.add("a");
  for (int i = 0; i < 300; ++i) {
    pods.read_all(1);
    ASSERT_LE(pods.budget.bytes(), limits.bytes);
  }
  for (const auto& account : pods.accounts) EXPECT_GE(kept(account), kSparse) << "all give about equally";
}

TEST(HistoryBudget, TakesFromPodsOutsideATrialFirst) {
  BudgetLimits limits;
  limits.bytes = bytes_of(40) * 4;
  Pods pods(limits);
  HistoryBudget::Account& canary = pods.add("a", true);
  for (int i = 0; i < 5; ++i) pods.add("a");
  pods.read_all(60);
  EXPECT_EQ(kept(canary), kFull);
  EXPECT_GT(pods.budget.shed().outside_trials, 0U);
  EXPECT_EQ(pods.budget.shed().inside_trials, 0U);
  for (std::size_t i = 1; i < pods.accounts.size(); ++i) EXPECT_GE(kept(pods.accounts[i]), kSparse);
}

TEST(HistoryBudget, TakesFromATrialsPodsBeforeOthersLoseTheirNewest) {
  BudgetLimits limits;
  limits.bytes = bytes_of(45) * 2;
  Pods pods(limits);
  HistoryBudget::Account& canary = pods.add("a", true);
  for (int i = 0; i < 5; ++i) pods.add("a");
  pods.read_all(60);
  EXPECT_GT(pods.budget.shed().inside_trials, 0U);
  for (const auto& account : pods.accounts) EXPECT_GE(kept(account), kSparse);
  EXPECT_LT(kept(canary), kFull);
}

TEST(HistoryBudget, LeavesANamespaceAloneThatHoldsLessThanItsShare) {
  BudgetLimits limits;
  limits.bytes = bytes_of(50) * 20;
  Pods pods(limits);
  HistoryBudget::Account& quiet = pods.add("quiet");
  for (int i = 0; i < 50; ++i) pods.add("crowd", i % 2 == 0);
  pods.read_all(80);
  EXPECT_EQ(kept(quiet), kFull);
}

TEST(HistoryBudget, TakesFromACrowdOfSingleSamplesBeforeItTakesFromOthers) {
  BudgetLimits limits;
  limits.bytes = bytes_of(50) * 10;
  Pods pods(limits);
  HistoryBudget::Account& quiet = pods.add("quiet");
  pods.read(quiet, 50);
  std::map<double, double> wide;
  for (int i = 0; i < 200; ++i) wide[i] = i;
  for (int i = 0; i < 300; ++i) {
    HistoryBudget::Account& one = pods.add("crowd");
    Sample sample = reading(100);
    sample.latency["p99"] = Histogram(wide);
    pods.budget.append(one, sample, kKeep);
    EXPECT_EQ(kept(one), 1U);
  }
  EXPECT_EQ(kept(quiet), 50U);
  EXPECT_LE(pods.budget.bytes(), limits.bytes);
}

TEST(HistoryBudget, LeavesEachPodASampleHoweverSmallItIs) {
  BudgetLimits limits;
  limits.bytes = 1;
  Pods pods(limits);
  for (int i = 0; i < 3; ++i) pods.add("a", i == 0);
  pods.read_all(10);
  for (const auto& account : pods.accounts) EXPECT_EQ(kept(account), 1U);
}

TEST(HistoryBudget, KeepsFewerCyclesOfANewSampleOnceHalfOfItIsUsed) {
  BudgetLimits limits;
  limits.bytes = bytes_of(40);
  Pods pods(limits);
  HistoryBudget::Account& account = pods.add("a");
  const auto cycles_after = [&](int number) {
    Sample sample = reading(number);
    for (int i = 0; i < 256; ++i) sample.mem->pauses.push_back({Time(Duration(i)), Duration(1)});
    pods.budget.append(account, sample, kKeep);
    return account.history().samples().back().mem->pauses;
  };
  EXPECT_EQ(cycles_after(1).size(), 256U);
  for (int i = 2; i < 40; ++i) cycles_after(i);
  ASSERT_EQ(cycles_after(40).size(), 64U);
  EXPECT_EQ(cycles_after(41).back().end, Time(Duration(255)));
}

TEST(HistoryBudget, CountsOnlyWhatIsThere) {
  Pods pods({});
  HistoryBudget::Account& gone = pods.add("a");
  HistoryBudget::Account& moved = pods.add("a");
  pods.read_all(10);
  const std::size_t both = pods.budget.bytes();
  pods.budget.clear(gone);
  EXPECT_EQ(pods.budget.bytes(), both / 2);
  pods.budget.assign(moved, "b", true);
  EXPECT_EQ(pods.budget.bytes(), both / 2);
  pods.budget.clear(gone);
  pods.budget.clear(moved);
  EXPECT_EQ(pods.budget.bytes(), 0U);
  EXPECT_EQ(pods.budget.samples(), 0U);
}

}  // namespace
}  // namespace gopacer
