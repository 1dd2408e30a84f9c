#include "kube/event_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "fakes/fake_api_server.h"
#include "fakes/fake_steady_clock.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;

const ResourceType kEvents{"events.k8s.io", "v1", "events", "Event", true};
const ResourceType kProfiles{"gopacer.dev", "v1alpha1", "goruntimeprofiles", "GoRuntimeProfile", true};

struct WallClock final : Clock {
  Time now() const override { return parse_time("2024-05-01T10:00:00Z").value(); }
};

Event event(const std::string& name, const std::string& note, const std::string& ns = "shop") {
  return {kProfiles, ns, name, "uid-1", false, "TrialStarted", note, "StartTrial"};
}

class EventWriterTest : public testing::Test {
 protected:
  FakeApiServer api_;
  WallClock wall_;
  FakeSteadyClock clock_;
  EventWriter writer_{api_, wall_, clock_, [] {
                        EventWriterOptions options;
                        options.instance = "gopacer-0";
                        return options;
                      }()};

  std::vector<json> events(const std::string& ns = "shop") { return api_.list({kEvents, ns, "", ""}, "")->items; }
};

TEST_F(EventWriterTest, WritesWhatKubectlShows) {
  writer_.post(event("checkout", "trial 3 began"));
  writer_.write_due();
  ASSERT_EQ(events().size(), 1);
  const json got = events()[0];
  EXPECT_EQ(got["regarding"], (json{{"apiVersion", "gopacer.dev/v1alpha1"},
                                    {"kind", "GoRuntimeProfile"},
                                    {"name", "checkout"},
                                    {"namespace", "shop"},
                                    {"uid", "uid-1"}}));
  EXPECT_EQ(got["type"], "Normal");
  EXPECT_EQ(got["reason"], "TrialStarted");
  EXPECT_EQ(got["action"], "StartTrial");
  EXPECT_EQ(got["note"], "trial 3 began");
  EXPECT_EQ(got["reportingInstance"], "gopacer-0");
  EXPECT_EQ(got["eventTime"], "2024-05-01T10:00:00.000000Z");
}

TEST_F(EventWriterTest, CountsARepeatedEventOnTheFirst) {
  for (int i = 0; i < 5; ++i) {
    writer_.post(event("checkout", "no data"));
    writer_.write_due();
    clock_.advance(seconds(1));
  }
  ASSERT_EQ(events().size(), 1);
  EXPECT_FALSE(events()[0].contains("series")) << "the count is written at most every 30 s";
  clock_.advance(seconds(30));
  writer_.write_due();
  EXPECT_EQ(events()[0]["series"]["count"], 5);
  EXPECT_EQ(api_.writes().size(), 2);
}

TEST_F(EventWriterTest, WritesAnewAfterALongPause) {
  writer_.post(event("checkout", "no data"));
  writer_.write_due();
  clock_.advance(minutes(7));
  writer_.post(event("checkout", "no data"));
  writer_.write_due();
  EXPECT_EQ(events().size(), 2);
}

TEST_F(EventWriterTest, OtherNotesAreOtherEvents) {
  writer_.post(event("checkout", "trial 3 began"));
  writer_.post(event("checkout", "trial 4 began"));
  writer_.post(event("cart", "trial 3 began"));
  writer_.write_due();
  EXPECT_EQ(events().size(), 3);
}

TEST_F(EventWriterTest, OneNoisyObjectSilencesOnlyItself) {
  for (int i = 0; i < 40; ++i) writer_.post(event("noisy", std::to_string(i)));
  writer_.post(event("quiet", "once"));
  writer_.write_due();
  EXPECT_EQ(events().size(), 15 + 1);
  EXPECT_EQ(writer_.dropped(), 25);
  clock_.advance(seconds(10));
  writer_.post(event("noisy", "later"));
  writer_.write_due();
  EXPECT_EQ(events().size(), 15 + 2);
}

TEST_F(EventWriterTest, KeepsToItsRateOverAll) {
  for (int i = 0; i < 100; ++i) writer_.post(event("profile-" + std::to_string(i), "x"));
  writer_.write_due();
  EXPECT_EQ(events().size(), 50);
  clock_.advance(seconds(10));
  writer_.write_due();
  EXPECT_EQ(events().size(), 60);
  EXPECT_EQ(writer_.dropped(), 0) << "the rest waits";
}

TEST_F(EventWriterTest, DropsInsteadOfGrowing) {
  for (int i = 0; i < 1000; ++i) writer_.post(event("p" + std::to_string(i), "x"));
  EXPECT_EQ(writer_.dropped(), 1000 - 256);
}

TEST_F(EventWriterTest, NamespacesTakeTurnsHoweverMuchOneHasToTell) {
  for (int i = 0; i < 200; ++i) writer_.post(event("p" + std::to_string(i), "x", "crowd"));
  writer_.post(event("checkout", "x"));
  writer_.post(event("cart", "x"));
  writer_.write_due();
  EXPECT_EQ(events("crowd").size(), 48);
  EXPECT_EQ(events("shop").size(), 2);
}

TEST_F(EventWriterTest, DropsOfTheNamespaceThatHasMostWhenTooManyWait) {
  for (int i = 0; i < 1000; ++i) writer_.post(event("p" + std::to_string(i), "x", "crowd"));
  const std::uint64_t dropped = writer_.dropped();
  for (int i = 0; i < 10; ++i) writer_.post(event("p" + std::to_string(i), "x"));
  EXPECT_EQ(writer_.dropped(), dropped + 10);
  writer_.write_due();
  EXPECT_EQ(events("shop").size(), 10);
}

TEST_F(EventWriterTest, TriesAgainLaterAndThenNoMore) {
  api_.fail_next("create", {ErrorKind::kRetriable, "busy"}, 2);
  writer_.post(event("checkout", "x"));
  EXPECT_EQ(writer_.write_due(), Duration(seconds(2)));
  writer_.write_due();
  EXPECT_TRUE(events().empty()) << "not before the wait is over";
  for (int i = 0; i < 2; ++i) {
    clock_.advance(seconds(2));
    writer_.write_due();
  }
  EXPECT_EQ(events().size(), 1);

  api_.fail_next("create", {ErrorKind::kRetriable, "busy"}, 3);
  writer_.post(event("cart", "x"));
  for (int i = 0; i < 5; ++i) {
    writer_.write_due();
    clock_.advance(seconds(2));
  }
  EXPECT_EQ(events().size(), 1);
  EXPECT_EQ(writer_.dropped(), 1);
}

TEST_F(EventWriterTest, DoesNotWriteTwiceWhenAnAnswerWasLost) {
  api_.lose_next_answer("create", {ErrorKind::kRetriable, "broken"});
  writer_.post(event("checkout", "x"));
  writer_.write_due();
  clock_.advance(seconds(2));
  writer_.write_due();
  EXPECT_EQ(events().size(), 1);
  EXPECT_EQ(writer_.dropped(), 0);
}

TEST_F(EventWriterTest, DropsWhatTheServerRefuses) {
  api_.fail_next("create", {ErrorKind::kTerminal, "namespace is being terminated"});
  writer_.post(event("checkout", "x"));
  writer_.post(event("cart", "x"));
  writer_.write_due();
  EXPECT_EQ(events().size(), 1);
  EXPECT_EQ(writer_.dropped(), 1);
}

TEST_F(EventWriterTest, CutsLongNotesBetweenCharacters) {
  std::string note(1023, 'x');
  note += "é and more";
  writer_.post(event("checkout", note));
  writer_.write_due();
  EXPECT_EQ(events()[0]["note"], std::string(1023, 'x'));
}

TEST_F(EventWriterTest, ClusterScopedObjectsHaveTheirsInDefault) {
  writer_.post({{"", "v1", "nodes", "Node", false}, "", "node1", "u", true, "Bad", "x", ""});
  writer_.write_due();
  ASSERT_EQ(events("default").size(), 1);
  EXPECT_EQ(events("default")[0]["type"], "Warning");
  EXPECT_EQ(events("default")[0]["action"], "Bad") << "the API wants one";
}

TEST_F(EventWriterTest, WritesWhatIsPostedWhileItRuns) {
  std::jthread running([&](std::stop_token stop) { writer_.run(std::move(stop)); });
  for (std::size_t i = 1; i <= 10; ++i) {
    writer_.post(event("p" + std::to_string(i), "x"));
    // Without the wait of a minute that a missed notification would cost.
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (events().size() < i) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
}

TEST_F(EventWriterTest, WritesWhatIsLeftWhenItStops) {
  std::jthread running([&](std::stop_token stop) { writer_.run(std::move(stop)); });
  writer_.post(event("checkout", "the last words"));
  running.request_stop();
  running.join();
  EXPECT_EQ(events().size(), 1);
}

}  // namespace
}  // namespace gopacer::kube
