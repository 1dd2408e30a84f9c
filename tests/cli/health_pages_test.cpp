#include "cli/health_pages.h"

#include <gmock/gmock.h>

#include <thread>

#include "codec/resources.h"
#include "fakes/fake_clock.h"
#include "fakes/hasty_clock.h"
#include "fakes/objects.h"
#include "fakes/passes_seen.h"
#include "fakes/recorded_events.h"
#include "record/operator_metrics.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// A controller on a cluster with one profile.
class HealthPages : public ::testing::Test {
 protected:
  HealthPages() {
    if (!api_.create(resources::kProfiles, "shop", objects::profile_object())) throw std::logic_error("no profile");
  }

  void start() {
    running_ = std::jthread([this](const std::stop_token& stop) { controller_.run(stop); });
  }
  template <typename Condition>
  void wait_until(const Condition& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (!is_so()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  FakeClock clock_{Time(seconds(1714557600))};
  HastyClock steady_;
  FakeApiServer api_;
  RecordedEvents events_;
  PassesSeen passes_;
  OperatorMetrics metrics_;
  Controller controller_{api_,
                         events_,
                         passes_,
                         metrics_,
                         clock_,
                         steady_,
                         {.watch_namespace = "", .workers = 1},
                         [](const std::string&, const Node*) {}};
  std::jthread running_;
};

TEST_F(HealthPages, SayThatALeaderHasYetToReadTheCluster) {
  const HttpServer::Answer answer = leaders_ready_page(controller_);
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "reading the cluster\n");
  EXPECT_EQ(health_page(controller_).status, 200) << "which is no reason to start it anew";
}

TEST_F(HealthPages, SayWhatKeepsALeaderFromTheCluster) {
  api_.stop_serving(resources::kPods.plural);
  start();
  wait_until([&] { return !controller_.trouble().empty(); });
  const HttpServer::Answer answer = leaders_ready_page(controller_);
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("does not serve pods"));
}

TEST_F(HealthPages, SayThatALeaderNoLongerHearsOfTheCluster) {
  start();
  wait_until([&] { return controller_.synced(); });
  EXPECT_EQ(leaders_ready_page(controller_).status, 200);
  EXPECT_EQ(leaders_ready_page(controller_).body, "leading\n");
  steady_.put_forward(kLongestSilence + minutes(1));
  EXPECT_EQ(leaders_ready_page(controller_).status, 503);
  EXPECT_THAT(leaders_ready_page(controller_).body, HasSubstr("has said nothing of kind"));
}

TEST_F(HealthPages, AskForANewProcessWhenAPassHangs) {
  passes_.hold(objects::kProfile);
  start();
  EXPECT_TRUE(passes_.wait_for_one_after(objects::kProfile, 0));
  EXPECT_EQ(health_page(controller_).status, 200);
  EXPECT_EQ(health_page(controller_).body, "ok\n");
  steady_.put_forward(kLongestPass + minutes(1));
  EXPECT_EQ(health_page(controller_).status, 503);
  EXPECT_THAT(health_page(controller_).body, HasSubstr("shop/checkout"));
  passes_.release();
}

TEST(AgentsHealthPage, AsksForANewProcessWhenNoPassIsFinished) {
  const SystemClock clock;
  HastyClock steady;
  FakeApiServer api;
  Agent agent(api, clock, steady, {.node = "node-1", .watch_namespace = "", .proc = "/nowhere", .state = ""});
  EXPECT_EQ(health_page(agent).status, 200);
  EXPECT_EQ(agents_ready_page(agent).status, 503);
  steady.put_forward(kLongestAgentPass + seconds(1));
  EXPECT_EQ(health_page(agent).status, 503);
  EXPECT_THAT(health_page(agent).body, HasSubstr("not been looked at for 31s"));
  const std::jthread running([&](const std::stop_token& stop) { agent.run(stop); });
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (health_page(agent).status != 200 || agents_ready_page(agent).status != 200) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
}

TEST(StandbysReadyPage, IsGoodUnlessTheLeaseCannotBeFollowed) {
  EXPECT_EQ(standbys_ready_page("").status, 200);
  EXPECT_EQ(standbys_ready_page("").body, "standing by\n");
  EXPECT_EQ(standbys_ready_page("the lease cannot be read").status, 503);
  EXPECT_EQ(standbys_ready_page("the lease cannot be read").body, "the lease cannot be read\n");
}

TEST(CapturePages, AreListedAndServedByTheirNames) {
  Captures captures;
  EXPECT_EQ(captures_page(captures).body, "[]\n");
  Capture capture;
  capture.profile = {"shop", "checkout"};
  capture.pod = "checkout-abc";
  capture.kind = "heap";
  capture.body = "of the heap";
  captures.keep(capture);
  EXPECT_EQ(captures_page(captures).content_type, "application/json");
  EXPECT_THAT(captures_page(captures).body, HasSubstr("shop-checkout-abc-1.heap.pb.gz"));
  const auto served = capture_page(captures, "/captures/shop-checkout-abc-1.heap.pb.gz");
  ASSERT_TRUE(served);
  EXPECT_EQ(served->body, "of the heap");
  EXPECT_EQ(served->content_type, "application/octet-stream");
  EXPECT_FALSE(capture_page(captures, "/captures/shop-checkout-abc-2.heap.pb.gz"));
  EXPECT_FALSE(capture_page(captures, "/shop-checkout-abc-1.heap.pb.gz"));
}

}  // namespace
}  // namespace gopacer
