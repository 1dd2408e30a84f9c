#include "watch/reflector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "codec/fields.h"
#include "fakes/fake_api_server.h"
#include "fakes/fake_steady_clock.h"
#include "watch/store.h"

namespace gopacer {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

const ResourceType kThings{"test.dev", "v1", "things", "Thing", true};
constexpr Duration kLong = seconds(20);

ObjectPath path(const std::string& name) { return {kThings, "shop", name}; }

/// A reflector whose steps the test takes itself; watches run until the test ends them.
class ReflectorTest : public testing::Test {
 protected:
  FakeApiServer api_;
  FakeSteadyClock clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int changes_ = 0;
  std::vector<std::string> troubles_;
  std::function<void()> while_decoding_ = [] {};
  Store<std::string> store_{[this](const json& object) -> Result<std::string> {
                              while_decoding_();
                              return codec::text(object, "color");
                            },
                            [this](const ObjectKey&, const auto&, const auto&) {
                              const std::lock_guard lock(mutex_);
                              ++changes_;
                              changed_.notify_all();
                            }};
  Reflector reflector_{api_, Selection{kThings, "", "", ""}, store_, clock_,
                       [this](const Error& error) { troubles_.push_back(error.message); }};

  void make(const std::string& name, const std::string& color) {
    ASSERT_TRUE(api_.create(kThings, "shop", {{"metadata", {{"name", name}}}, {"color", color}}));
  }
  std::string color(const std::string& name) {
    const auto value = store_.find({"shop", name});
    return value ? *value : "-";
  }
  bool wait_for_changes(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kLong, [&] { return changes_ >= count; });
  }
  /// Until what came was taken in: it is told of before that.
  void wait_until_heard() {
    const auto deadline = std::chrono::steady_clock::now() + kLong;
    while (reflector_.silence() != Duration(0) && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    EXPECT_EQ(reflector_.silence(), Duration(0));
  }
  /// One watch during which `what` happens.
  template <typename What>
  Duration watch_while(const What& what) {
    Duration wait{};
    std::jthread watching([&](const std::stop_token& stop) { wait = reflector_.step(stop); });
    EXPECT_TRUE(api_.wait_for_watches(1, kLong));
    what();
    api_.end_watches();
    watching.join();
    return wait;
  }
};

TEST_F(ReflectorTest, ListsAllPagesBeforeAnythingShows) {
  api_.set_page_size(2);
  for (const char* name : {"a", "b", "c", "d", "e"}) make(name, "red");
  EXPECT_EQ(reflector_.step({}), Duration(0));
  EXPECT_EQ(store_.list().size(), 5);
  EXPECT_EQ(reflector_.state(), ReflectorState::kWatching);
}

TEST_F(ReflectorTest, ListsAgainAfterALongWatchWithoutAWord) {
  make("a", "red");
  reflector_.step({});
  watch_while([&] { clock_.advance(std::chrono::minutes(2)); });
  EXPECT_EQ(reflector_.state(), ReflectorState::kListing) << "the server may have been restored from a backup";
  reflector_.step({});
  watch_while([&] { clock_.advance(std::chrono::minutes(1)); });
  EXPECT_EQ(reflector_.state(), ReflectorState::kWatching);
}

TEST_F(ReflectorTest, TakesAPageInWhileNobodyElseWhoSharesTheTurnHasOne) {
  ReflectorOptions options;
  const auto is_taken = [turn = options.page_turn] {
    bool free = false;
    std::thread([&] {
      free = turn->try_lock();
      if (free) turn->unlock();
    }).join();
    return !free;
  };
  std::vector<bool> seen;
  Store<std::string> store([&](const json&) -> Result<std::string> { return seen.push_back(is_taken()), "red"; });
  Reflector reflector(api_, Selection{kThings, "", "", ""}, store, clock_, nullptr, options);
  make("a", "red");
  make("b", "red");
  reflector.step({});
  EXPECT_THAT(seen, testing::ElementsAre(true, true));
  EXPECT_FALSE(is_taken()) << "a watch needs no turn";
}

TEST_F(ReflectorTest, FollowsChangesAfterTheList) {
  make("a", "red");
  make("b", "red");
  reflector_.step({});
  watch_while([&] {
    make("c", "green");
    ASSERT_TRUE(api_.merge_patch(path("a"), {{"color", "blue"}}, ""));
    ASSERT_TRUE(api_.remove(path("b"), ""));
    EXPECT_TRUE(wait_for_changes(5));
  });
  EXPECT_EQ(color("a"), "blue");
  EXPECT_EQ(color("b"), "-");
  EXPECT_EQ(color("c"), "green");
}

TEST_F(ReflectorTest, MissesNothingBetweenTwoWatches) {
  reflector_.step({});
  watch_while([&] {
    make("a", "red");
    EXPECT_TRUE(wait_for_changes(1));
  });
  make("b", "red");
  watch_while([&] { EXPECT_TRUE(wait_for_changes(2)); });
  EXPECT_EQ(changes_, 2) << "what is known is not told again";
}

TEST_F(ReflectorTest, ListsAgainWhenItsVersionIsTooOld) {
  make("a", "red");
  reflector_.step({});
  ASSERT_TRUE(api_.remove(path("a"), ""));
  make("b", "red");
  api_.compact();
  EXPECT_EQ(reflector_.step({}), Duration(0)) << "an old version is the course of things and no failure";
  EXPECT_EQ(reflector_.state(), ReflectorState::kListing);
  EXPECT_EQ(color("a"), "red") << "until the new list is whole the old one stands";
  reflector_.step({});
  EXPECT_EQ(color("a"), "-");
  EXPECT_EQ(color("b"), "red");
  EXPECT_THAT(troubles_, IsEmpty());
}

TEST_F(ReflectorTest, ABookmarkMovesItsVersion) {
  reflector_.step({});
  watch_while([&] {
    // Another kind's changes make the versions go on.
    ASSERT_TRUE(api_.create({"", "v1", "others", "Other", true}, "shop", {{"metadata", {{"name", "x"}}}}));
    api_.bookmark();
    make("a", "red");
    EXPECT_TRUE(wait_for_changes(1));
  });
  EXPECT_THAT(troubles_, IsEmpty());
  watch_while([] {});
  EXPECT_EQ(reflector_.state(), ReflectorState::kWatching);
}

TEST_F(ReflectorTest, StartsTheListAnewWhenItsTokenExpires) {
  api_.set_page_size(1);
  make("a", "red");
  make("b", "red");
  bool first = true;
  api_.before("list", [&](const std::string&) {
    if (!first) api_.compact();
    first = false;
  });
  EXPECT_EQ(reflector_.step({}), Duration(0));
  EXPECT_THAT(store_.list(), IsEmpty());
  api_.before("list", nullptr);
  reflector_.step({});
  EXPECT_EQ(store_.list().size(), 2);
}

TEST_F(ReflectorTest, SaysThatAKindIsMissingOnceAndWaitsForIt) {
  api_.stop_serving("things");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(reflector_.step({}), Duration(seconds(5)));
  EXPECT_EQ(reflector_.state(), ReflectorState::kNotServed);
  ASSERT_EQ(troubles_.size(), 1);
  EXPECT_THAT(troubles_[0], HasSubstr("does not serve things"));
  EXPECT_THAT(reflector_.trouble(), HasSubstr("does not serve things"));
  EXPECT_FALSE(store_.synced());
  api_.serve("things");
  make("a", "red");
  reflector_.step({});
  EXPECT_EQ(color("a"), "red");
  EXPECT_EQ(reflector_.trouble(), "");
}

TEST_F(ReflectorTest, TakesAnOptionalKindThatIsMissingForEmpty) {
  ReflectorOptions options;
  options.optional = true;
  Reflector reflector(
      api_, Selection{kThings, "", "", ""}, store_, clock_,
      [this](const Error& error) { troubles_.push_back(error.message); }, options);
  make("a", "red");
  EXPECT_EQ(reflector.step({}), Duration(0));
  EXPECT_EQ(color("a"), "red");
  api_.stop_serving("things");
  Duration wait(0);
  for (int i = 0; i < 5 && reflector.state() != ReflectorState::kNotServed; ++i) wait = reflector.step({});
  EXPECT_EQ(reflector.state(), ReflectorState::kNotServed);
  EXPECT_EQ(wait, Duration(seconds(5)));
  EXPECT_TRUE(store_.synced());
  EXPECT_THAT(store_.list(), IsEmpty());
  EXPECT_EQ(reflector.trouble(), "");
  api_.serve("things");
  reflector.step({});
  EXPECT_EQ(color("a"), "red");
}

TEST_F(ReflectorTest, WaitsLongerAfterEachFailureAndKeepsWhatItHas) {
  make("a", "red");
  reflector_.step({});
  api_.fail_next("watch", {ErrorKind::kRetriable, "no route"}, 3);
  Duration least(0);
  for (int i = 0; i < 3; ++i) {
    const Duration wait = reflector_.step({});
    EXPECT_GT(wait, least);
    least = wait / 2;
  }
  EXPECT_EQ(troubles_.size(), 3);
  EXPECT_EQ(reflector_.trouble(), "no route");
  EXPECT_EQ(color("a"), "red");
  EXPECT_EQ(reflector_.state(), ReflectorState::kWatching) << "a broken connection is no reason for another list";
}

TEST_F(ReflectorTest, WaitsShortlyAgainAfterAWatchThatHeld) {
  reflector_.step({});
  const auto fail = [&] {
    api_.fail_next("watch", {ErrorKind::kRetriable, "no route"});
    return reflector_.step({});
  };
  const Duration longest_first = Backoff{}.delay(0, 1);
  for (int i = 0; i < 6; ++i) fail();
  ASSERT_GT(fail(), longest_first);
  EXPECT_EQ(watch_while([&] { clock_.advance(seconds(110)); }), Duration(0));
  EXPECT_EQ(reflector_.trouble(), "");
  EXPECT_LE(fail(), longest_first);
  for (int i = 0; i < 6; ++i) fail();
  watch_while([&] {
    make("a", "red");
    ASSERT_TRUE(wait_for_changes(1));
  });
  EXPECT_LE(fail(), longest_first) << "one that brought something held as well, however short it was";
}

TEST_F(ReflectorTest, ListsAgainWhenItsWatchIsTooOldInTheMiddle) {
  make("a", "red");
  reflector_.step({});
  Duration wait{};
  std::thread watching([&] { wait = reflector_.step({}); });
  EXPECT_TRUE(api_.wait_for_watches(1, kLong));
  make("b", "blue");
  EXPECT_TRUE(wait_for_changes(2));
  api_.compact();
  api_.expire_watches();
  watching.join();
  EXPECT_EQ(wait, Duration(0)) << "the course of things";
  EXPECT_EQ(reflector_.state(), ReflectorState::kListing);
  ASSERT_TRUE(api_.remove(path("a"), ""));
  reflector_.step({});
  EXPECT_EQ(color("a"), "-");
  EXPECT_EQ(color("b"), "blue");
}

TEST_F(ReflectorTest, ForgetsWhatLeavesItsSelection) {
  Reflector of_labels(api_, Selection{kThings, "", "kept=yes", ""}, store_, clock_, [](const Error&) {});
  const auto label = [&](const char* value) {
    ASSERT_TRUE(api_.merge_patch(path("a"), {{"metadata", {{"labels", {{"kept", value}}}}}}, ""));
  };
  make("a", "red");
  label("yes");
  of_labels.step({});
  EXPECT_EQ(color("a"), "red");
  std::jthread watching([&](const std::stop_token& stop) { of_labels.step(stop); });
  ASSERT_TRUE(api_.wait_for_watches(1, kLong));
  label("no");
  ASSERT_TRUE(wait_for_changes(2));
  EXPECT_EQ(color("a"), "-");
  api_.end_watches();
}

TEST_F(ReflectorTest, WaitsAsLongAsTheServerAsks) {
  api_.fail_next("list", Error{ErrorKind::kRetriable, "too many requests", seconds(17)});
  EXPECT_EQ(reflector_.step({}), Duration(seconds(17)));
}

TEST_F(ReflectorTest, DoesNotSpinWhenEveryWatchIsTooOld) {
  api_.fail_next("watch", {ErrorKind::kExpired, "too old"}, 4);
  Duration waited(0);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(reflector_.step({}), Duration(0));
    waited += reflector_.step({});
  }
  EXPECT_GT(waited, Duration(seconds(1)));
}

TEST_F(ReflectorTest, DoesNotSpinWhenWatchesEndAtOnce) {
  reflector_.step({});
  EXPECT_GT(watch_while([] {}), Duration(0));
  EXPECT_EQ(watch_while([&] { clock_.advance(seconds(290)); }), Duration(0));
}

TEST_F(ReflectorTest, ForbiddenListsAreReportedAndTriedAgain) {
  api_.fail_next("list", {ErrorKind::kTerminal, "forbidden"});
  EXPECT_GT(reflector_.step({}), Duration(0));
  EXPECT_EQ(reflector_.trouble(), "forbidden");
  reflector_.step({});
  EXPECT_TRUE(store_.synced());
}

TEST_F(ReflectorTest, TellsSinceWhenTheServerIsSilent) {
  clock_.advance(seconds(3));
  EXPECT_EQ(reflector_.silence(), Duration(seconds(3)));
  api_.fail_next("list", {ErrorKind::kRetriable, "no route"});
  reflector_.step({});
  EXPECT_EQ(reflector_.silence(), Duration(seconds(3))) << "an error on the way is no word of the server";
  reflector_.step({});
  EXPECT_EQ(reflector_.silence(), Duration(0));
  watch_while([&] {
    clock_.advance(seconds(60));
    EXPECT_EQ(reflector_.silence(), Duration(seconds(60)));
    make("a", "red");
    EXPECT_TRUE(wait_for_changes(1));
    wait_until_heard();
    clock_.advance(seconds(60));
  });
  EXPECT_EQ(reflector_.silence(), Duration(0)) << "the server ended the watch, so it was there";
}

TEST_F(ReflectorTest, IsSilentWhileItIsBusyWithWhatTheServerSaid) {
  reflector_.step({});
  Duration silence{};
  while_decoding_ = [&] { silence = reflector_.silence(); };
  watch_while([&] {
    clock_.advance(seconds(60));
    make("a", "red");
    EXPECT_TRUE(wait_for_changes(1));
    wait_until_heard();
  });
  EXPECT_EQ(silence, Duration(seconds(60))) << "what is not taken in is not known";
}

TEST_F(ReflectorTest, ABookmarkIsAWordOfTheServer) {
  reflector_.step({});
  watch_while([&] {
    clock_.advance(seconds(60));
    api_.bookmark();
    wait_until_heard();
  });
}

/// An API server that says what the test tells it to.
struct ToldApi : ApiServer {
  using Listener = std::function<void(WatchEventType, const json&)>;
  MOCK_METHOD(Result<json>, get, (const ObjectPath&), (override));
  MOCK_METHOD(Result<ListPage>, list, (const Selection&, const std::string&), (override));
  MOCK_METHOD(Result<void>, watch, (const Selection&, const std::string&, const Listener&, std::stop_token),
              (override));
  MOCK_METHOD(Result<json>, create, (const ResourceType&, const std::string&, const json&), (override));
  MOCK_METHOD(Result<json>, apply, (const ObjectPath&, const json&, const ApplyOptions&), (override));
  MOCK_METHOD(Result<json>, merge_patch, (const ObjectPath&, const json&, const std::string&), (override));
  MOCK_METHOD(Result<json>, replace, (const ObjectPath&, const json&), (override));
  MOCK_METHOD(Result<void>, remove, (const ObjectPath&, const std::string&), (override));
  MOCK_METHOD(Result<bool>, kind_is_served, (const ResourceType&), (override));
};

TEST_F(ReflectorTest, LeavesOutWhatCannotBeReadAndGoesOn) {
  const auto thing = [](const std::string& name, int version) {
    return json{{"metadata", {{"namespace", "shop"}, {"name", name}, {"resourceVersion", std::to_string(version)}}},
                {"color", "red"},
                {"message", "it is too large"}};
  };
  testing::NiceMock<ToldApi> api;
  ListPage first;
  first.unreadable = {thing("fat", 1)};
  first.continue_token = "more";
  ListPage second;
  second.items = {thing("a", 2)};
  second.resource_version = "2";
  EXPECT_CALL(api, list(testing::_, "")).WillOnce(testing::Return(first));
  EXPECT_CALL(api, list(testing::_, "more")).WillOnce(testing::Return(second));
  EXPECT_CALL(api, watch(testing::_, "2", testing::_, testing::_))
      .WillOnce([&](const Selection&, const std::string&, const ToldApi::Listener& tell, const std::stop_token&) {
        tell(WatchEventType::kUnreadable, thing("a", 3));
        tell(WatchEventType::kAdded, thing("b", 4));
        return Result<void>();
      });
  EXPECT_CALL(api, watch(testing::_, "4", testing::_, testing::_)).WillOnce(testing::Return(Result<void>()));
  std::vector<std::string> left_out;
  ReflectorOptions options;
  options.on_unreadable = [&](const ObjectKey& key, const std::string& why) {
    left_out.push_back(key.text() + ": " + why);
  };
  Reflector reflector(
      api, Selection{kThings, "", "", ""}, store_, clock_,
      [this](const Error& error) { troubles_.push_back(error.message); }, options);
  reflector.step({});
  EXPECT_TRUE(store_.synced());
  EXPECT_EQ(color("a"), "red");
  EXPECT_EQ(color("fat"), "-");
  EXPECT_EQ(reflector.step({}), Duration(0));
  EXPECT_EQ(color("a"), "-");
  EXPECT_EQ(color("b"), "red");
  reflector.step({});
  EXPECT_THAT(left_out, testing::ElementsAre("shop/fat: it is too large", "shop/a: it is too large"));
}

TEST_F(ReflectorTest, RunEndsAtStopInTheMiddleOfAWatch) {
  make("a", "red");
  std::jthread running([&](std::stop_token stop) { reflector_.run(std::move(stop)); });
  ASSERT_TRUE(api_.wait_for_watches(1, kLong));
  EXPECT_EQ(color("a"), "red");
  running.request_stop();
  running.join();
  EXPECT_EQ(api_.watches(), 0);
}

TEST_F(ReflectorTest, RunEndsAtStopWhileItWaits) {
  api_.stop_serving("things");
  std::jthread running([&](std::stop_token stop) { reflector_.run(std::move(stop)); });
  running.request_stop();
  running.join();
}

}  // namespace
}  // namespace gopacer
