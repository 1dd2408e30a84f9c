#include "watch/work_queue.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "fakes/fake_steady_clock.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const ObjectKey kA{"shop", "a"};
const ObjectKey kB{"shop", "b"};

class WorkQueueTest : public testing::Test {
 protected:
  FakeSteadyClock clock_;
  WorkQueue queue_{clock_, Backoff{milliseconds(100), seconds(10)}};
};

TEST_F(WorkQueueTest, HandsOutKeysInTheOrderOfTheirArrival) {
  queue_.add(kB);
  queue_.add(kA);
  EXPECT_EQ(queue_.try_take(), kB);
  EXPECT_EQ(queue_.try_take(), kA);
  EXPECT_EQ(queue_.try_take(), std::nullopt);
}

TEST_F(WorkQueueTest, NamespacesTakeTurnsHoweverManyKeysOneHas) {
  for (int i = 0; i < 5000; ++i) queue_.add({"crowd", std::to_string(i)});
  queue_.add(kA);
  queue_.add_after({"cart", "c"}, seconds(1));
  clock_.advance(seconds(1));
  std::vector<std::string> order;
  for (int i = 0; i < 5; ++i) {
    const ObjectKey key = queue_.try_take().value();
    order.push_back(key.text());
    queue_.done(key);
  }
  EXPECT_THAT(order, testing::ElementsAre("crowd/0", "shop/a", "cart/c", "crowd/1", "crowd/2"));
}

TEST_F(WorkQueueTest, ANamespaceGetsNoSecondWorkerWhileAnotherOneHasNone) {
  for (int i = 0; i < 3; ++i) queue_.add({"crowd", std::to_string(i)});
  queue_.add(kA);
  ASSERT_EQ(queue_.try_take(), (ObjectKey{"crowd", "0"}));
  ASSERT_EQ(queue_.try_take(), kA);
  queue_.done(kA);
  queue_.add(kB);
  EXPECT_EQ(queue_.try_take(), kB) << "it would be the crowd's turn, but the crowd has a worker";
  EXPECT_EQ(queue_.try_take(), (ObjectKey{"crowd", "1"})) << "nobody else waits";
}

TEST_F(WorkQueueTest, HoldsAKeyOnlyOnce) {
  queue_.add(kA);
  queue_.add(kA);
  queue_.add_after(kA, seconds(5));
  EXPECT_EQ(queue_.size(), 1);
  EXPECT_EQ(queue_.try_take(), kA);
  queue_.done(kA);
  clock_.advance(seconds(10));
  EXPECT_EQ(queue_.try_take(), std::nullopt);
}

TEST_F(WorkQueueTest, NeverGivesAKeyToTwoWorkers) {
  queue_.add(kA);
  ASSERT_EQ(queue_.try_take(), kA);
  queue_.add(kA);
  EXPECT_EQ(queue_.try_take(), std::nullopt) << "the first worker has not finished";
  queue_.done(kA);
  EXPECT_EQ(queue_.try_take(), kA) << "what happened meanwhile must not be lost";
  queue_.done(kA);
  EXPECT_EQ(queue_.try_take(), std::nullopt);
}

TEST_F(WorkQueueTest, TellsWhichWorkTakesLongest) {
  EXPECT_EQ(queue_.longest_work(), std::nullopt);
  queue_.add(kA);
  queue_.add(kB);
  EXPECT_EQ(queue_.longest_work(), std::nullopt) << "what waits is not worked on";
  ASSERT_EQ(queue_.try_take(), kA);
  clock_.advance(seconds(5));
  ASSERT_EQ(queue_.try_take(), kB);
  clock_.advance(seconds(2));
  EXPECT_EQ(queue_.longest_work(), std::pair(kA, Duration(seconds(7))));
  queue_.done(kA);
  EXPECT_EQ(queue_.longest_work(), std::pair(kB, Duration(seconds(2))));
  queue_.done(kB);
  EXPECT_EQ(queue_.longest_work(), std::nullopt);
}

TEST_F(WorkQueueTest, KeepsADelayedKeyUntilItIsDue) {
  queue_.add_after(kA, seconds(5));
  clock_.advance(milliseconds(4999));
  EXPECT_EQ(queue_.try_take(), std::nullopt);
  clock_.advance(milliseconds(1));
  EXPECT_EQ(queue_.try_take(), kA);
}

TEST_F(WorkQueueTest, TakesTheEarliestTimeThatAKeyWasAskedFor) {
  queue_.add_after(kA, seconds(60));
  queue_.add_after(kA, seconds(2));
  queue_.add_after(kA, seconds(30));
  clock_.advance(seconds(2));
  EXPECT_EQ(queue_.try_take(), kA);
  queue_.done(kA);
  clock_.advance(seconds(100));
  EXPECT_EQ(queue_.try_take(), std::nullopt);
}

TEST_F(WorkQueueTest, ReadyKeysOvertakeDelayedOnes) {
  queue_.add_after(kA, seconds(1));
  queue_.add(kB);
  EXPECT_EQ(queue_.try_take(), kB);
}

TEST_F(WorkQueueTest, WaitsLongerAfterEachFailureUntilTheKeyIsForgotten) {
  // The wait is between half and all of 100 ms, 200 ms, 400 ms …
  for (const int full : {100, 200, 400, 800}) {
    queue_.add_failed(kA);
    clock_.advance(milliseconds(full / 2 - 1));
    EXPECT_EQ(queue_.try_take(), std::nullopt) << full;
    clock_.advance(milliseconds(full / 2 + 1));
    ASSERT_EQ(queue_.try_take(), kA) << full;
    queue_.done(kA);
  }
  queue_.forget(kA);
  queue_.add_failed(kA);
  clock_.advance(milliseconds(100));
  EXPECT_EQ(queue_.try_take(), kA);
}

TEST_F(WorkQueueTest, FailureOfOneKeyDelaysNoOther) {
  queue_.add_failed(kA);
  queue_.add(kB);
  EXPECT_EQ(queue_.try_take(), kB);
}

TEST_F(WorkQueueTest, GivesNothingAfterShutDown) {
  queue_.add(kA);
  queue_.shut_down();
  EXPECT_EQ(queue_.try_take(), std::nullopt);
  queue_.add(kB);
  EXPECT_EQ(queue_.take({}), std::nullopt);
}

TEST_F(WorkQueueTest, ShutDownWakesThoseWhoWait) {
  std::jthread worker([&](const std::stop_token& stop) { EXPECT_EQ(queue_.take(stop), std::nullopt); });
  queue_.shut_down();
  worker.join();
}

TEST_F(WorkQueueTest, StopWakesThoseWhoWaitForADelayedKey) {
  queue_.add_after(kA, std::chrono::hours(1));
  std::jthread worker([&](const std::stop_token& stop) { EXPECT_EQ(queue_.take(stop), std::nullopt); });
  worker.request_stop();
  worker.join();
}

TEST_F(WorkQueueTest, WakesAWorkerForAKeyThatComesLater) {
  std::jthread worker([&](const std::stop_token& stop) { EXPECT_EQ(queue_.take(stop), kA); });
  queue_.add(kA);
  worker.join();
}

TEST(WorkQueue, GivesEveryKeyToOneWorkerAtATimeUnderLoad) {
  const SystemSteadyClock clock;
  WorkQueue queue(clock, Backoff{std::chrono::microseconds(10), milliseconds(1)});
  constexpr int kKeys = 8;
  constexpr int kRounds = 200;
  std::array<std::atomic<int>, kKeys> busy{};
  std::array<std::atomic<int>, kKeys> seen{};
  std::array<std::atomic<int>, kKeys> version{};
  std::atomic<int> collisions = 0;
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 4; ++i) {
      workers.emplace_back([&](const std::stop_token& stop) {
        while (const auto key = queue.take(stop)) {
          const auto n = static_cast<std::size_t>(std::stoi(key->name));
          if (busy.at(n)++ != 0) ++collisions;
          seen.at(n) = version.at(n).load();
          --busy.at(n);
          queue.done(*key);
        }
      });
    }
    for (int round = 1; round <= kRounds; ++round) {
      for (std::size_t n = 0; n < kKeys; ++n) {
        version.at(n) = round;
        queue.add({"shop", std::to_string(n)});
      }
    }
    const auto caught_up = [&] {
      return std::all_of(seen.begin(), seen.end(), [](const std::atomic<int>& last) { return last == kRounds; });
    };
    while (!caught_up()) std::this_thread::yield();
    queue.shut_down();
  }
  EXPECT_EQ(collisions, 0);
}

}  // namespace
}  // namespace gopacer
