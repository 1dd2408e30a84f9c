// Notifications on their whole way: by the real poster, over a socket, to a server.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "codec/resources.h"
#include "fakes/recorded_events.h"
#include "fakes/temporary_directory.h"
#include "fakes/webhook_imposter.h"
#include "net/fetcher.h"
#include "notify/notifier.h"

namespace gopacer {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

/// A notifier that runs, as in the operator.
class Desk {
 public:
  explicit Desk(const json& receivers) {
    std::ofstream(path_) << json{{"receivers", receivers}};
    notifier_.emplace(next_, poster_, ReceiversFile::open(path_).value(), clock_, steady_,
                      NotifierOptions{.version = "1.2.3"});
    thread_ = std::jthread([this](std::stop_token stop) { notifier_->run(std::move(stop)); });
  }

  void post(const std::string& reason, const std::string& note) {
    notifier_->post({resources::kProfiles, "shop", "checkout", "uid-1", true, reason, note, "End"});
  }
  /// Ends the thread, which waits for what is on its way.
  NotificationCounts end() {
    thread_ = {};
    return notifier_->counts();
  }

 private:
  testing::TemporaryDirectory directory_;
  std::string path_ = (directory_.path() / "config.json").string();
  RecordedEvents next_;
  SystemClock clock_;
  SystemSteadyClock steady_;
  Fetcher poster_{{}, FetcherLimits{.local_addresses = true}};
  std::optional<Notifier> notifier_;
  std::jthread thread_;
};

json receiver(const char* type, const std::string& url) { return {{"name", type}, {"type", type}, {"url", url}}; }

TEST(RealReceiver, OfSlackGetsALine) {
  WebhookImposter slack;
  Desk desk(json::array({receiver("slack", slack.url("/services/T1/B2/s3cret"))}));
  desk.post("Promoted", "Trial checkout-3: All of the target's pods run GOGC=300.");
  ASSERT_TRUE(slack.wait_for_requests(1));
  EXPECT_EQ(desk.end().sent, 1);
  const WebhookImposter::Request got = slack.requests().front();
  EXPECT_THAT(got.head, HasSubstr("POST /services/T1/B2/s3cret HTTP/1.1\r\n"));
  EXPECT_THAT(got.head, HasSubstr("Content-Type: application/json"));
  EXPECT_EQ(json::parse(got.body)["text"],
            "*shop/checkout* has new settings: Trial checkout-3: All of the target's pods run GOGC=300.");
}

TEST(RealReceiver, OfAWebhookGetsTheDocument) {
  WebhookImposter hook;
  Desk desk(json::array({receiver("webhook", hook.url("/hook?key=1"))}));
  desk.post("FieldConflict", "kubectl-set owns GOGC.");
  ASSERT_TRUE(hook.wait_for_requests(1));
  EXPECT_EQ(desk.end().sent, 1);
  EXPECT_EQ(hook.requests().front().target, "/hook?key=1");
  const json body = json::parse(hook.requests().front().body);
  EXPECT_EQ(body["kind"], "Blocked");
  EXPECT_EQ(body["gopacer"], "1.2.3");
}

TEST(RealReceiver, OfAlertmanagerGetsAlerts) {
  WebhookImposter alertmanager;
  Desk desk(json::array({receiver("alertmanager", alertmanager.url(""))}));
  desk.post("NeedsMemory", "256MiB would do.");
  ASSERT_TRUE(alertmanager.wait_for_requests(1));
  EXPECT_EQ(desk.end().sent, 1);
  EXPECT_EQ(alertmanager.requests().front().target, "/api/v2/alerts");
  EXPECT_EQ(json::parse(alertmanager.requests().front().body)[0]["labels"]["alertname"], "GopacerNeedsMemory");
}

TEST(RealReceiver, IsToldWhileAnotherOneIsSilent) {
  WebhookImposter silent;
  silent.fall_silent();
  WebhookImposter hook;
  Desk desk(json::array({receiver("slack", silent.url("/")), receiver("webhook", hook.url("/"))}));
  desk.post("RolledBack", "x");
  ASSERT_TRUE(silent.wait_for_requests(1));
  desk.post("RolledBack", "y");
  ASSERT_TRUE(hook.wait_for_requests(2));
  EXPECT_EQ(silent.requests().size(), 1);
}

TEST(RealReceiver, ThatRefusesIsNotAskedAgain) {
  WebhookImposter hook;
  hook.answer(404);
  Desk desk(json::array({receiver("webhook", hook.url("/gone"))}));
  desk.post("RolledBack", "x");
  ASSERT_TRUE(hook.wait_for_requests(1));
  const NotificationCounts counts = desk.end();
  EXPECT_EQ(counts.failed, 1);
  EXPECT_EQ(counts.sent, 0);
}

TEST(RealReceiver, GetsTheLastWordsOfAProcessThatEnds) {
  WebhookImposter hook;
  Desk desk(json::array({receiver("webhook", hook.url("/"))}));
  desk.post("RolledBack", "x");
  EXPECT_EQ(desk.end().sent, 1);
  EXPECT_EQ(hook.requests().size(), 1);
}

}  // namespace
}  // namespace gopacer
