#include "notify/notifier.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "codec/resources.h"
#include "fakes/fake_clock.h"
#include "fakes/fake_steady_clock.h"
#include "fakes/recorded_events.h"
#include "fakes/scripted_poster.h"
#include "fakes/temporary_directory.h"

namespace gopacer {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

json receiver(const std::string& name) {
  return {{"name", name}, {"type", "webhook"}, {"url", "https://hooks.example.com/" + name}};
}

Event event(const std::string& profile, const std::string& note, const std::string& reason = "RolledBack",
            const std::string& ns = "shop") {
  return {resources::kProfiles, ns, profile, "uid of " + profile, true, reason, note, "End"};
}

class NotifierTest : public ::testing::Test {
 protected:
  /// Writes the file with these receivers, and reads it as at the start.
  void open(const std::vector<json>& receivers, NotifierOptions options = {}) {
    write(receivers);
    notifier_.emplace(next_, poster_, ReceiversFile::open(path_).value(), clock_, steady_, std::move(options));
  }
  void write(const std::vector<json>& receivers) const { std::ofstream(path_) << json{{"receivers", receivers}}; }

  void post(const Event& told) { notifier_->post(told); }
  /// So many events that differ.
  void post_many(int count) {
    for (int i = 0; i < count; ++i) post(event("checkout", std::to_string(i)));
  }
  /// Lets all that waits be sent and taken.
  void deliver() {
    for (notifier_->send_due(); poster_.pending() > 0; notifier_->send_due()) poster_.answer(200);
  }
  /// Answers the latest post so, and sends what is due then.
  Duration answer(int status, std::optional<seconds> retry_after = std::nullopt) {
    poster_.answer(status, retry_after);
    return notifier_->send_due();
  }
  json body(std::size_t i) const { return json::parse(poster_.sent.at(i).body); }
  json last_body() const { return body(poster_.sent.size() - 1); }

  testing::TemporaryDirectory directory_;
  std::string path_ = (directory_.path() / "config.json").string();
  RecordedEvents next_;
  ScriptedPoster poster_;
  FakeClock clock_{parse_time("2026-05-01T10:00:00Z").value()};
  FakeSteadyClock steady_;
  std::optional<Notifier> notifier_;
};

TEST_F(NotifierTest, HandsEveryEventOnAndTellsOfSome) {
  open({receiver("team")});
  post(event("checkout", "A trial began.", "TrialStarted"));
  post(event("checkout", "Trial checkout-3: it got worse."));
  notifier_->send_due();
  EXPECT_EQ(next_.all.size(), 2);
  ASSERT_EQ(poster_.sent.size(), 1);
  const HttpRequest& to = poster_.sent[0].to;
  EXPECT_EQ(to.address, "hooks.example.com");
  EXPECT_EQ(to.port, 443);
  EXPECT_EQ(to.target, "/team");
  EXPECT_TRUE(to.tls);
  EXPECT_EQ(to.timeout, Duration(seconds(10)));
  EXPECT_EQ(body(0)["trial"], "checkout-3");
  EXPECT_EQ(body(0)["time"], "2026-05-01T10:00:00Z");
}

TEST_F(NotifierTest, TellsEachReceiverWhatItWants) {
  json memory = receiver("memory");
  memory["on"] = {"NeedsMemory"};
  json pay = receiver("pay");
  pay["namespaces"] = {"pay"};
  open({receiver("all"), memory, pay});
  post(event("checkout", "x", "NeedsMemory", "shop"));
  post(event("checkout", "x", "RolledBack", "pay"));
  deliver();
  std::vector<std::string> told;
  for (const HttpPost& sent : poster_.sent) told.push_back(sent.to.target);
  EXPECT_THAT(told, ::testing::UnorderedElementsAre("/all", "/all", "/memory", "/pay"));
}

TEST_F(NotifierTest, SendsOneAtATimeToAReceiver) {
  open({receiver("team")});
  post_many(3);
  notifier_->send_due();
  notifier_->send_due();
  EXPECT_EQ(poster_.sent.size(), 1);
  deliver();
  ASSERT_EQ(poster_.sent.size(), 3);
  EXPECT_EQ(body(2)["message"], "2") << "in order";
  EXPECT_EQ(notifier_->counts().sent, 3);
}

TEST_F(NotifierTest, TellsTheSameOnceInAnHourUnlessItsTextChanges) {
  open({receiver("team")});
  post(event("checkout", "it got worse"));
  post(event("checkout", "it got worse"));
  post(event("cart", "it got worse"));
  post(event("checkout", "it got much worse"));
  deliver();
  EXPECT_EQ(poster_.sent.size(), 3);
  steady_.advance(minutes(59));
  post(event("checkout", "it got much worse"));
  deliver();
  EXPECT_EQ(poster_.sent.size(), 3);
  steady_.advance(minutes(1));
  post(event("checkout", "it got much worse"));
  deliver();
  EXPECT_EQ(poster_.sent.size(), 4);
}

TEST_F(NotifierTest, RemembersABoundedNumberOfEvents) {
  open({receiver("team")}, NotifierOptions{.most_told = 2});
  post(event("a", "x"));
  steady_.advance(seconds(1));
  post(event("b", "x"));
  steady_.advance(seconds(1));
  post(event("c", "x"));
  post(event("c", "x"));
  post(event("a", "x"));
  deliver();
  EXPECT_EQ(poster_.sent.size(), 4) << "the oldest was forgotten";
}

TEST_F(NotifierTest, SendsTenAtOnceAndThenOneInTenSeconds) {
  open({receiver("team")});
  post_many(17);
  deliver();
  EXPECT_EQ(poster_.sent.size(), 10);
  EXPECT_EQ(notifier_->counts().dropped, 7);
  steady_.advance(seconds(10));
  post(event("cart", "later"));
  post(event("cart", "and later"));
  deliver();
  ASSERT_EQ(poster_.sent.size(), 11);
  EXPECT_EQ(last_body()["message"], "later");
  EXPECT_EQ(last_body()["notSent"], 7);
  steady_.advance(seconds(10));
  post(event("cart", "at last"));
  deliver();
  EXPECT_EQ(last_body()["notSent"], 1) << "the seven were told of";
}

TEST_F(NotifierTest, LimitsEachReceiverByItself) {
  json quiet = receiver("quiet");
  quiet["namespaces"] = {"pay"};
  open({receiver("all"), quiet});
  post_many(20);
  post(event("cart", "x", "RolledBack", "pay"));
  deliver();
  EXPECT_EQ(poster_.sent.size(), 11);
  EXPECT_TRUE(std::any_of(poster_.sent.begin(), poster_.sent.end(),
                          [](const HttpPost& sent) { return sent.to.target == "/quiet"; }));
}

TEST_F(NotifierTest, DropsInsteadOfGrowing) {
  open({receiver("team")}, NotifierOptions{.burst = 10'000});
  post_many(1000);
  EXPECT_EQ(notifier_->counts().dropped, 1000 - 256);
  deliver();
  post(event("checkout", "the next one"));
  deliver();
  EXPECT_EQ(last_body()["notSent"], 1000 - 256);
}

TEST_F(NotifierTest, TriesAgainWithWaitsThatGrow) {
  open({receiver("team")});
  post(event("checkout", "x"));
  notifier_->send_due();
  EXPECT_EQ(answer(503), Duration(seconds(5)));
  EXPECT_EQ(poster_.sent.size(), 1) << "not before the wait is over";
  steady_.advance(seconds(5));
  notifier_->send_due();
  ASSERT_EQ(poster_.sent.size(), 2);
  EXPECT_EQ(poster_.sent[1].body, poster_.sent[0].body);
  poster_.fail(FetchFailure::kTimedOut);
  notifier_->send_due();
  steady_.advance(seconds(10));
  notifier_->send_due();
  ASSERT_EQ(poster_.sent.size(), 3);
  answer(200);
  EXPECT_EQ(notifier_->counts().sent, 1);
  EXPECT_EQ(notifier_->counts().failed, 0);
}

TEST_F(NotifierTest, GivesUpAfterThreeRepetitionsAndTellsOfIt) {
  open({receiver("team")});
  post(event("checkout", "x"));
  notifier_->send_due();
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(poster_.pending(), 1) << i;
    answer(500);
    steady_.advance(minutes(1));
    notifier_->send_due();
  }
  EXPECT_EQ(poster_.sent.size(), 4);
  EXPECT_EQ(notifier_->counts().failed, 1);
  post(event("cart", "y"));
  deliver();
  EXPECT_EQ(last_body()["notSent"], 1);
}

TEST_F(NotifierTest, DoesNotRepeatWhatIsRefusedForGood) {
  open({receiver("team")});
  for (const int status : {400, 401, 404, 302}) {
    post(event("checkout", std::to_string(status)));
    notifier_->send_due();
    answer(status);
  }
  post(event("checkout", "a bad certificate"));
  notifier_->send_due();
  poster_.fail(FetchFailure::kTls);
  notifier_->send_due();
  EXPECT_EQ(poster_.sent.size(), 5);
  EXPECT_EQ(poster_.pending(), 0);
  EXPECT_EQ(notifier_->counts().failed, 5);
}

TEST_F(NotifierTest, WaitsAsLongAsTheReceiverAsksUpToAMinute) {
  open({receiver("team")});
  post(event("checkout", "x"));
  notifier_->send_due();
  answer(429, seconds(30));
  steady_.advance(seconds(29));
  notifier_->send_due();
  EXPECT_EQ(poster_.sent.size(), 1);
  steady_.advance(seconds(1));
  notifier_->send_due();
  EXPECT_EQ(poster_.sent.size(), 2);
  answer(429, seconds(3600));
  steady_.advance(minutes(1));
  notifier_->send_due();
  EXPECT_EQ(poster_.sent.size(), 3);
}

TEST_F(NotifierTest, LetsADeadReceiverDelayNobodyElse) {
  open({receiver("dead"), receiver("team")});
  post(event("checkout", "x"));
  post(event("checkout", "y"));
  notifier_->send_due();
  ASSERT_EQ(poster_.sent.size(), 2);
  ASSERT_EQ(poster_.sent[0].to.target, "/dead");
  poster_.move_first_to_the_end();
  answer(200);
  ASSERT_EQ(poster_.sent.size(), 3);
  EXPECT_EQ(poster_.sent[2].to.target, "/team");
}

TEST_F(NotifierTest, TakesRotatedSecretsWithoutLosingWhatWaits) {
  open({receiver("team")});
  post(event("checkout", "x"));
  notifier_->send_due();
  answer(503);
  json moved = receiver("team");
  moved["url"] = "https://hooks.example.com/rotated";
  write({moved});
  steady_.advance(seconds(10));
  notifier_->send_due();
  ASSERT_EQ(poster_.sent.size(), 2);
  EXPECT_EQ(poster_.sent[1].to.target, "/rotated");
}

TEST_F(NotifierTest, KeepsItsReceiversWhenTheFileTurnsBad) {
  open({receiver("team")});
  std::ofstream(path_) << "no JSON";
  steady_.advance(seconds(10));
  notifier_->send_due();
  post(event("checkout", "x"));
  notifier_->send_due();
  EXPECT_EQ(poster_.sent.size(), 1);
}

TEST_F(NotifierTest, ForgetsAReceiverThatIsTakenOut) {
  open({receiver("old"), receiver("team")});
  post(event("checkout", "x"));
  post(event("checkout", "y"));
  notifier_->send_due();
  write({receiver("team")});
  steady_.advance(seconds(10));
  notifier_->send_due();
  deliver();
  EXPECT_EQ(poster_.sent.size(), 3) << "the old one had one, which was on its way";
  EXPECT_EQ(notifier_->counts().sent, 2);
  EXPECT_EQ(notifier_->counts().dropped, 2);
}

TEST_F(NotifierTest, IsNotMissedByAnAnswerThatComesLate) {
  open({receiver("team")});
  post(event("checkout", "x"));
  notifier_->send_due();
  notifier_.reset();
  poster_.answer(200);
}

}  // namespace
}  // namespace gopacer
