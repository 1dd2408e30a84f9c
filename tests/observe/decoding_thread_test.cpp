#include "observe/decoding_thread.h"

#include <gmock/gmock.h>

#include <functional>
#include <future>
#include <string>
#include <vector>

#include "fakes/fake_steady_clock.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;

TEST(DecodingThread, DoesJobsInTheirOrderAndDropsWhatComesAfterItsEnd) {
  FakeSteadyClock clock;
  DecodingThread thread(clock);
  std::string done;
  thread.post("shop", [&] { done += "1"; });
  EXPECT_EQ(done, "1") << "before its start whoever brings a job does it";
  thread.start();
  std::promise<void> last;
  thread.post("shop", [&] { done += "2"; });
  thread.post("shop", [&] { done += "3"; });
  thread.post("shop", [&] { last.set_value(); });
  last.get_future().wait();
  EXPECT_EQ(done, "123");
  thread.stop();
  thread.post("shop", [&] { done += "4"; });
  EXPECT_EQ(done, "123");
}

/// Jobs that take a time by the clock, and the order in which they were done.
class DecodingThreadTest : public testing::Test {
 protected:
  DecodingThreadTest() {
    thread_.start();
    // Nothing is done before all jobs of the test are there.
    thread_.post("first", [all_there = all_there_.get_future().share()] { all_there.wait(); });
  }

  void post(const std::string& ns, Duration takes, std::function<void()> and_then = [] {}) {
    thread_.post(ns, [this, ns, takes, and_then = std::move(and_then)] {
      done_.push_back(ns);
      clock_.advance(takes);
      and_then();
    });
  }

  std::vector<std::string> order() {
    std::promise<void> over;
    // Whoever took most comes last.
    thread_.post("slow", [&] { over.set_value(); });
    all_there_.set_value();
    over.get_future().wait();
    thread_.stop();
    return done_;
  }

 private:
  FakeSteadyClock clock_;
  std::promise<void> all_there_;
  std::vector<std::string> done_;
  DecodingThread thread_{clock_};
};

TEST_F(DecodingThreadTest, TakesTheNamespaceNextWhoseJobsTookLeast) {
  for (int i = 0; i < 3; ++i) post("slow", milliseconds(200));
  for (int i = 0; i < 5; ++i) post("quick", milliseconds(1));
  EXPECT_THAT(order(), ElementsAre("quick", "slow", "quick", "quick", "quick", "quick", "slow", "slow"));
}

TEST_F(DecodingThreadTest, LetsNobodySaveUpTurnsByHavingNone) {
  for (int i = 0; i < 2; ++i) post("slow", milliseconds(10));
  post("slow", milliseconds(10), [this] {
    for (int i = 0; i < 3; ++i) post("late", milliseconds(10));
  });
  for (int i = 0; i < 2; ++i) post("slow", milliseconds(10));
  EXPECT_THAT(order(), ElementsAre("slow", "slow", "slow", "late", "late", "slow", "late", "slow"));
}

}  // namespace
}  // namespace gopacer
