#include "notify/receivers.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "fakes/temporary_directory.h"

namespace gopacer {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

json receiver(const char* type = "slack") {
  return {{"name", "team"}, {"type", type}, {"url", "https://hooks.example.com/services/T1/s3cret"}};
}

Result<std::vector<Receiver>> read(const json& one) {
  return parse_receivers(json{{"receivers", json::array({one})}}.dump());
}

/// The error's words.
std::string refusal(const json& one) {
  const auto read_receivers = read(one);
  return read_receivers ? "it was taken" : read_receivers.error().message;
}

std::string refusal_of(const std::string& text) {
  const auto read_receivers = parse_receivers(text);
  return read_receivers ? "it was taken" : read_receivers.error().message;
}

/// `one` with another value of a member.
json with(json one, const char* member, json value) {
  one[member] = std::move(value);
  return one;
}

TEST(Receivers, AreReadWithAllThatTheyMayHave) {
  const auto receivers = parse_receivers(R"({"receivers": [
    {"name": "team", "type": "webhook", "url": "https://example.com:8443/a/?key=b", "token": "t0ken",
     "on": ["RolledBack", "Blocked"], "namespaces": ["shop", "pay"]}]})");
  ASSERT_TRUE(receivers) << receivers.error().message;
  ASSERT_EQ(receivers->size(), 1);
  const Receiver& team = receivers->front();
  EXPECT_EQ(team.name, "team");
  EXPECT_EQ(team.type, ReceiverType::kWebhook);
  EXPECT_TRUE(team.server.tls);
  EXPECT_EQ(team.server.place(), "example.com:8443");
  EXPECT_EQ(team.target, "/a/?key=b");
  EXPECT_EQ(team.authorization, "Bearer t0ken");
  EXPECT_EQ(team.on, (std::set{NotificationKind::kRolledBack, NotificationKind::kBlocked}));
  EXPECT_EQ(team.namespaces, (std::set<std::string>{"shop", "pay"}));
}

TEST(Receivers, AreToldEverythingUnlessTheyChoose) {
  const auto all = read(receiver());
  ASSERT_TRUE(all) << all.error().message;
  Notification what;
  what.ns = "shop";
  for (const NotificationKind kind : kNotificationKinds) {
    what.kind = kind;
    EXPECT_TRUE(all->front().wants(what)) << to_string(kind);
  }
  const auto some = read(with(with(receiver(), "on", {"RolledBack"}), "namespaces", {"shop"}));
  ASSERT_TRUE(some) << some.error().message;
  what.kind = NotificationKind::kRolledBack;
  EXPECT_TRUE(some->front().wants(what));
  what.ns = "pay";
  EXPECT_FALSE(some->front().wants(what));
  what = {};
  what.ns = "shop";
  what.kind = NotificationKind::kPromoted;
  EXPECT_FALSE(some->front().wants(what));
}

TEST(Receivers, OfAlertmanagerAreGivenByItsAddress) {
  const auto target = [](const char* url) {
    const auto receivers = read(with(receiver("alertmanager"), "url", url));
    return receivers ? receivers->front().target : receivers.error().message;
  };
  EXPECT_EQ(target("http://alertmanager.monitoring:9093"), "/api/v2/alerts");
  EXPECT_EQ(target("https://example.com/am/"), "/am/api/v2/alerts");
  EXPECT_THAT(target("http://alertmanager:9093/api/v2/alerts"), HasSubstr("leave out /api/v2/alerts"));
}

TEST(Receivers, AreRefusedWithTheirNameAndWhatToDo) {
  EXPECT_THAT(refusal(with(receiver(), "type", "email")),
              AllOf(HasSubstr("receiver 'team'"), HasSubstr("'email'"), HasSubstr("slack, webhook or alertmanager")));
  EXPECT_THAT(refusal(with(receiver(), "chanel", "x")),
              AllOf(HasSubstr("receiver 'team'"), HasSubstr("'chanel'"), HasSubstr("name, type, url")));
  EXPECT_THAT(refusal(with(receiver(), "on", {"Failed"})),
              AllOf(HasSubstr("receiver 'team'"), HasSubstr("'Failed'"), HasSubstr("RolledBack")));
  EXPECT_THAT(refusal(with(receiver(), "on", json::array())), HasSubstr("leave it out for all"));
  EXPECT_THAT(refusal(with(receiver(), "namespaces", "shop")), HasSubstr("namespaces"));
  EXPECT_THAT(refusal(with(receiver(), "namespaces", {"Shop *"})), HasSubstr("namespaces"));
  EXPECT_THAT(refusal(with(receiver(), "token", "two words")), HasSubstr("Authorization: Bearer"));
  EXPECT_THAT(refusal(with(receiver(), "name", "a b")), AllOf(HasSubstr("receiver 1"), HasSubstr("name")));
  json nameless = receiver();
  nameless.erase("name");
  EXPECT_THAT(refusal(nameless), HasSubstr("receiver 1 has no name"));
  json placeless = receiver();
  placeless.erase("url");
  EXPECT_THAT(refusal(placeless), HasSubstr("receiver 'team' has no url"));
}

TEST(Receivers, SendTokensOverTlsOnly) {
  const json plain = with(receiver("webhook"), "url", "http://receiver.tools:8080/hook");
  EXPECT_TRUE(read(plain));
  EXPECT_THAT(refusal(with(plain, "token", "t0ken")), HasSubstr("https"));
}

TEST(Receivers, AreRefusedWithoutASecretInTheWords) {
  for (const char* const url :
       {"ftp://hooks.example.com/s3cret", "https://user:s3cret@example.com/x", "https://example.com:99999/s3cret",
        "https://example.com/s3cret#x", "s3cret", "https://example.com/s3cret x", "https:///s3cret"}) {
    EXPECT_THAT(refusal(with(receiver(), "url", url)), AllOf(HasSubstr("receiver 'team'"), Not(HasSubstr("s3cret"))));
  }
  EXPECT_THAT(refusal(with(receiver(), "https://example.com/s3cret", "url")), Not(HasSubstr("s3cret")));
  EXPECT_THAT(refusal(with(receiver(), "type", "https://example.com/s3cret")), Not(HasSubstr("s3cret")));
  EXPECT_THAT(refusal_of(R"({"receivers": [{"url": "https://example.com/s3cret", }]})"),
              AllOf(HasSubstr("not JSON"), Not(HasSubstr("s3cret"))));
}

TEST(Receivers, AreAListOfSixteenAtMostInAnObject) {
  for (const char* const text : {"", "[]", "{}", R"({"receivers": {}})", R"({"receivers": [], "more": 1})"}) {
    EXPECT_NE(refusal_of(text), "it was taken") << text;
  }
  EXPECT_EQ(refusal_of(R"({"receivers": []})"), "it was taken") << "nobody is told then";
  EXPECT_THAT(refusal_of(R"({"receivers": [7]})"), HasSubstr("receiver 1"));
  json many = json::array();
  for (int i = 0; i < 17; ++i) many.push_back(with(receiver(), "name", "team" + std::to_string(i)));
  EXPECT_THAT(refusal_of(json{{"receivers", many}}.dump()), HasSubstr("16"));
  many.erase(16);
  EXPECT_EQ(refusal_of(json{{"receivers", many}}.dump()), "it was taken");
  many[1]["name"] = "team0";
  EXPECT_THAT(refusal_of(json{{"receivers", many}}.dump()), HasSubstr("'team0'"));
}

class ReceiversFileTest : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path_) << text; }
  void write_receiver(const json& one) const { write(json{{"receivers", json::array({one})}}.dump()); }

  testing::TemporaryDirectory directory_;
  std::string path_ = (directory_.path() / "config.json").string();
};

TEST_F(ReceiversFileTest, HasToBeThere) {
  const auto file = ReceiversFile::open(path_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, AllOf(HasSubstr(path_), HasSubstr("mount the Secret")));
}

TEST_F(ReceiversFileTest, IsReadAgainWhenItChanges) {
  write_receiver(receiver());
  auto file = ReceiversFile::open(path_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_FALSE(file->refresh().value());
  write_receiver(with(receiver(), "url", "https://hooks.example.com/new"));
  EXPECT_TRUE(file->refresh().value());
  EXPECT_EQ(file->receivers().front().target, "/new");
  EXPECT_FALSE(file->refresh().value());
}

TEST_F(ReceiversFileTest, KeepsItsReceiversWhenItTurnsBad) {
  write_receiver(receiver());
  auto file = ReceiversFile::open(path_);
  ASSERT_TRUE(file) << file.error().message;
  write("{");
  const Result<bool> bad = file->refresh();
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr(path_));
  EXPECT_EQ(file->receivers().size(), 1);
  std::filesystem::remove(path_);
  EXPECT_FALSE(file->refresh());
  EXPECT_EQ(file->receivers().size(), 1);
}

TEST_F(ReceiversFileTest, IsNotReadBeyondItsBound) {
  write(std::string(kMostReceiversBytes + 1, ' '));
  const auto file = ReceiversFile::open(path_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("longer than 65536 bytes"));
}

}  // namespace
}  // namespace gopacer
