#include "kube/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gopacer::kube {
namespace {

using testing::ElementsAre;

TEST(Path, FollowsTheKind) {
  EXPECT_EQ(collection_path({"", "v1", "pods", "Pod", true}, "shop"), "/api/v1/namespaces/shop/pods");
  EXPECT_EQ(collection_path({"", "v1", "nodes", "Node", false}, "shop"), "/api/v1/nodes");
  EXPECT_EQ(object_path({{"apps", "v1", "deployments", "Deployment", true}, "shop", "a"}, "status"),
            "/apis/apps/v1/namespaces/shop/deployments/a/status");
}

TEST(Path, CannotBeLeftByAName) {
  EXPECT_EQ(object_path({{"", "v1", "pods", "Pod", true}, "a/../b", "x?y#z %"}, ""),
            "/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy%23z%20%25");
}

class Lines : public testing::Test {
 protected:
  std::vector<std::string> lines_;
  Result<void> feed(LineReader& reader, std::string_view data) {
    return reader.feed(data, [this](std::string_view line) -> Result<void> {
      if (line == "stop") return invalid("stopped");
      lines_.emplace_back(line);
      return {};
    });
  }
};

TEST_F(Lines, AreTheSameHoweverTheDataIsCut) {
  const std::string data = "one\ntwo\n\nthree\n";
  for (std::size_t size = 1; size <= data.size(); ++size) {
    lines_.clear();
    LineReader reader(100);
    for (std::size_t at = 0; at < data.size(); at += size)
      ASSERT_TRUE(feed(reader, std::string_view(data).substr(at, size)));
    EXPECT_THAT(lines_, ElementsAre("one", "two", "three")) << size;
  }
}

TEST_F(Lines, WithoutEndAreNotDelivered) {
  LineReader reader(100);
  ASSERT_TRUE(feed(reader, "one\ntw"));
  EXPECT_THAT(lines_, ElementsAre("one"));
}

TEST_F(Lines, AreBounded) {
  LineReader reader(4);
  EXPECT_TRUE(feed(reader, "1234\n"));
  EXPECT_FALSE(feed(reader, "12345\n"));
  LineReader slow(4);
  EXPECT_TRUE(feed(slow, "12"));
  EXPECT_TRUE(feed(slow, "34"));
  EXPECT_FALSE(feed(slow, "5"));
}

TEST_F(Lines, EndWithTheFirstError) {
  LineReader reader(100);
  EXPECT_FALSE(feed(reader, "one\nstop\ntwo\n"));
  EXPECT_THAT(lines_, ElementsAre("one"));
}

TEST(Json, NeverThrows) {
  EXPECT_EQ(parse_json("{"), std::nullopt);
  EXPECT_EQ(parse_json(""), std::nullopt);
  EXPECT_EQ(parse_json("\xff\xfe"), std::nullopt);
  EXPECT_EQ(to_text({{"a", "\xff"}}), "{\"a\":\"\xEF\xBF\xBD\"}");
}

TEST(StatusError, SurvivesWrongTypes) {
  for (const char* text : {R"({})", R"({"code": "x", "message": 5, "details": 7})",
                           R"({"details": {"causes": 3, "retryAfterSeconds": "x"}})",
                           R"({"details": {"causes": [1, null, {"message": {}}]}})"}) {
    EXPECT_EQ(error_of_status(nlohmann::json::parse(text), "watch pods").message.rfind("cannot watch pods: ", 0), 0)
        << text;
  }
}

TEST(StatusError, IsBounded) {
  const nlohmann::json status{{"code", 422}, {"message", std::string(100'000, 'x')}};
  EXPECT_LT(error_of_status(status, "create it").message.size(), 3000);
}

}  // namespace
}  // namespace gopacer::kube
