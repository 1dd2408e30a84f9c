#include "watch/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

struct Thing {
  std::string name;
  std::string color;
};

Result<Thing> decode(const json& object) {
  Thing thing{codec::text(codec::child(object, "metadata"), "name"), codec::text(object, "color")};
  if (thing.color == "bad") return invalid("no such color");
  return thing;
}

json thing(const std::string& ns, const std::string& name, int version, const std::string& color) {
  return {{"metadata", {{"namespace", ns}, {"name", name}, {"resourceVersion", std::to_string(version)}}},
          {"color", color}};
}

class StoreTest : public testing::Test {
 protected:
  using Value = Store<Thing>::Value;
  std::vector<std::string> changes_;
  std::vector<std::string> rejected_;
  Store<Thing> store_{
      decode,
      [this](const ObjectKey& key, const Value& before, const Value& after) {
        changes_.push_back(key.text() + ": " + (before ? before->color : "-") + " → " + (after ? after->color : "-"));
      },
      [this](const ObjectKey& key, const Error& error) { rejected_.push_back(key.text() + ": " + error.message); }};

  void list(const std::vector<json>& objects) {
    store_.begin();
    for (const json& object : objects) store_.add(object);
    store_.commit();
  }
};

TEST_F(StoreTest, IsSyncedAfterTheFirstWholeList) {
  store_.begin();
  store_.add(thing("shop", "a", 1, "red"));
  EXPECT_FALSE(store_.synced());
  EXPECT_EQ(store_.find({"shop", "a"}), nullptr) << "half a list must not show";
  store_.commit();
  EXPECT_TRUE(store_.synced());
  EXPECT_EQ(store_.find({"shop", "a"})->color, "red");
}

TEST_F(StoreTest, TellsWhatAListChanged) {
  list({thing("shop", "a", 1, "red"), thing("shop", "b", 1, "red"), thing("shop", "c", 1, "red")});
  changes_.clear();
  list({thing("shop", "a", 1, "red"), thing("shop", "b", 2, "blue"), thing("shop", "d", 3, "red")});
  EXPECT_THAT(changes_, testing::UnorderedElementsAre("shop/b: red → blue", "shop/c: red → -", "shop/d: - → red"));
}

TEST_F(StoreTest, FollowsSingleChanges) {
  list({});
  store_.put(thing("shop", "a", 1, "red"));
  store_.put(thing("shop", "a", 2, "blue"));
  store_.put(thing("shop", "a", 2, "blue"));
  store_.remove(thing("shop", "a", 3, "blue"));
  store_.remove(thing("shop", "a", 3, "blue"));
  EXPECT_THAT(changes_, ElementsAre("shop/a: - → red", "shop/a: red → blue", "shop/a: blue → -"));
}

TEST_F(StoreTest, KeepsOutWhatItCannotDecodeAndNothingElse) {
  list({thing("shop", "a", 1, "bad"), thing("shop", "b", 1, "red")});
  EXPECT_EQ(store_.find({"shop", "a"}), nullptr);
  EXPECT_EQ(store_.rejection({"shop", "a"})->message, "no such color");
  EXPECT_NE(store_.find({"shop", "b"}), nullptr);
  EXPECT_EQ(store_.list().size(), 1);
  EXPECT_THAT(rejected_, ElementsAre("shop/a: no such color"));
  EXPECT_THAT(changes_, ElementsAre("shop/b: - → red"));
}

TEST_F(StoreTest, AnObjectThatTurnsBadLeavesTheStoreAndComesBackWhenItIsMended) {
  list({thing("shop", "a", 1, "red")});
  store_.put(thing("shop", "a", 2, "bad"));
  EXPECT_EQ(store_.find({"shop", "a"}), nullptr);
  store_.put(thing("shop", "a", 3, "blue"));
  EXPECT_EQ(store_.rejection({"shop", "a"}), std::nullopt);
  EXPECT_THAT(changes_, ElementsAre("shop/a: - → red", "shop/a: red → -", "shop/a: - → blue"));
  EXPECT_EQ(rejected_.size(), 1);
}

json outline(const std::string& name, int version) {
  return {{"metadata", {{"namespace", "shop"}, {"name", name}, {"resourceVersion", std::to_string(version)}}},
          {"message", "it is too large"}};
}

TEST_F(StoreTest, AnObjectThatCannotBeReadIsKeptOutWithTheReason) {
  store_.begin();
  store_.add(thing("shop", "a", 1, "red"));
  store_.add_unreadable(outline("b", 2));
  store_.commit();
  EXPECT_NE(store_.find({"shop", "a"}), nullptr);
  EXPECT_EQ(store_.find({"shop", "b"}), nullptr);
  EXPECT_EQ(store_.rejection({"shop", "b"})->message, "it is too large");
  EXPECT_THAT(rejected_, ElementsAre("shop/b: it is too large"));
}

TEST_F(StoreTest, NothingIsDecidedOnWhatAnUnreadableObjectWasBefore) {
  list({thing("shop", "a", 1, "red")});
  store_.put_unreadable(outline("a", 2));
  EXPECT_EQ(store_.find({"shop", "a"}), nullptr);
  store_.put(thing("shop", "a", 3, "blue"));
  EXPECT_THAT(changes_, ElementsAre("shop/a: - → red", "shop/a: red → -", "shop/a: - → blue"));
  store_.put_unreadable(outline("a", 4));
  store_.remove(outline("a", 5));
  EXPECT_EQ(store_.rejection({"shop", "a"}), std::nullopt);
}

TEST_F(StoreTest, OutlivesADecoderThatThrows) {
  Store<Thing> store([](const json& object) -> Result<Thing> { return Thing{object.at("name"), object.at("color")}; });
  store.put(thing("shop", "a", 1, "red"));
  EXPECT_EQ(store.find({"shop", "a"}), nullptr);
  EXPECT_THAT(store.rejection({"shop", "a"})->message, testing::HasSubstr("can't be decoded"));
}

TEST_F(StoreTest, ListsOneNamespace) {
  list({thing("shop", "a", 1, "red"), thing("shop", "b", 1, "bad"), thing("shop-2", "c", 1, "red"),
        thing("sho", "d", 1, "red")});
  const auto shop = store_.list("shop");
  ASSERT_EQ(shop.size(), 1);
  EXPECT_EQ(shop[0]->name, "a");
  EXPECT_THAT(store_.list("nowhere"), IsEmpty());
}

TEST_F(StoreTest, ValuesStayValidAfterTheyWereReplaced) {
  list({thing("shop", "a", 1, "red")});
  const auto before = store_.find({"shop", "a"});
  list({});
  EXPECT_EQ(before->color, "red");
}

TEST_F(StoreTest, ListenersMayReadTheStore) {
  Store<Thing>* self = nullptr;
  std::size_t size = 99;
  Store<Thing> store(decode, [&](const ObjectKey&, const Value&, const Value&) { size = self->list().size(); });
  self = &store;
  store.put(thing("shop", "a", 1, "red"));
  EXPECT_EQ(size, 1);
}

TEST_F(StoreTest, WaitingForTheFirstListEndsAtStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(store_.wait_until_synced(std::chrono::hours(1), stop.get_token()));
  list({});
  EXPECT_TRUE(store_.wait_until_synced(std::chrono::hours(1), {}));
}

}  // namespace
}  // namespace gopacer
