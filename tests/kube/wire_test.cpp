#include "kube/wire.h"

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
    return reader.feed(
        data,
        [this](std::string_view line) -> Result<void> {
          if (line == "stop") return invalid("stopped");
          lines_.emplace_back(line);
          return {};
        },
        [this](const Skimmer& skimmer) -> Result<void> {
          lines_.push_back("too long: " + skimmer.value("name"));
          return {};
        });
  }
};

TEST_F(Lines, AreTheSameHoweverTheDataIsCut) {
  const std::string data = "one\ntwo\n\nthree\n";
  for (std::size_t size = 1; size <= data.size(); ++size) {
    lines_.clear();
    LineReader reader(100, {});
    for (std::size_t at = 0; at < data.size(); at += size)
      ASSERT_TRUE(feed(reader, std::string_view(data).substr(at, size)));
    EXPECT_THAT(lines_, ElementsAre("one", "two", "three")) << size;
  }
}

TEST_F(Lines, WithoutEndAreNotDelivered) {
  LineReader reader(100, {});
  ASSERT_TRUE(feed(reader, "one\ntw"));
  EXPECT_THAT(lines_, ElementsAre("one"));
}

TEST_F(Lines, ThatAreTooLongAreSkimmedAndThoseBehindThemRead) {
  const std::string data =
      "1234\n"
      R"({"fat": "12345678901234567890", "name": "a"})"
      "\n"
      R"({"name": "bc"})"
      "\nnext\n";
  for (std::size_t size = 1; size <= data.size(); ++size) {
    lines_.clear();
    LineReader reader(8, {"name"});
    for (std::size_t at = 0; at < data.size(); at += size)
      ASSERT_TRUE(feed(reader, std::string_view(data).substr(at, size)));
    EXPECT_THAT(lines_, ElementsAre("1234", "too long: a", "too long: bc", "next")) << size;
  }
}

TEST_F(Lines, WithoutEndAreGivenUp) {
  LineReader reader(4, {"name"});
  EXPECT_TRUE(feed(reader, std::string(32, 'x')));
  EXPECT_FALSE(feed(reader, "x"));
}

TEST_F(Lines, EndWithTheFirstError) {
  LineReader reader(100, {});
  EXPECT_FALSE(feed(reader, "one\nstop\ntwo\n"));
  EXPECT_THAT(lines_, ElementsAre("one"));
}

TEST(Json, NeverThrows) {
  EXPECT_EQ(parse_json("{"), std::nullopt);
  EXPECT_EQ(parse_json(""), std::nullopt);
  EXPECT_EQ(parse_json("\xff\xfe"), std::nullopt);
  EXPECT_EQ(to_text({{"a", "\xff"}}), "{\"a\":\"\xEF\xBF\xBD\"}");
}

TEST(Json, OfTooManyValuesIsNone) {
  // Three bytes each on the wire, sixty and more in memory.
  const auto list = [](std::size_t values) {
    std::string text = "[\"\"";
    for (std::size_t i = 1; i < values; ++i) text += ",\"\"";
    return text + "]";
  };
  EXPECT_NE(parse_json(list(100'000)), std::nullopt);
  EXPECT_EQ(parse_json(list(100'001)), std::nullopt);
  std::string objects = "[{}";
  for (int i = 1; i < 60'000; ++i) objects += ",{}";
  EXPECT_EQ(parse_json(objects + "]"), std::nullopt);
  EXPECT_NE(parse_json("[\"" + std::string(200'000, ',') + "\"]"), std::nullopt) << "a text is one value";
}

TEST(Json, ThatIsNestedTooDeepIsNone) {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  EXPECT_NE(parse_json(nested(100)), std::nullopt);
  EXPECT_EQ(parse_json(nested(101)), std::nullopt);
  EXPECT_EQ(parse_json(nested(1'000'000)), std::nullopt);
  EXPECT_NE(parse_json("[" + std::string("[],", 3).append("\"") + std::string(500, '[') + "\"]"), std::nullopt)
      << "brackets of a string nest nothing";
  std::string siblings = "[[]";
  for (int i = 0; i < 500; ++i) siblings += ",[]";
  EXPECT_NE(parse_json(siblings + "]"), std::nullopt) << "nor do those that are closed again";
}

std::string skimmed(const std::string& text, const std::string& path, std::size_t piece = 1000) {
  Skimmer skimmer({path});
  for (std::size_t at = 0; at < text.size(); at += piece) skimmer.feed(std::string_view(text).substr(at, piece));
  return skimmer.value(path);
}

TEST(Skimmer, FindsAStringByItsPathHoweverTheTextIsCut) {
  const std::string text =
      R"({"type": "ADDED", "object": {"metadata": {"labels": {"name": "no"}, "a": [1, {"name": "no"}, "name"],)"
      R"( "name": "yes", "n": null}, "spec": {"metadata": {"name": "no"}}, "name": "no"}, "name": "no"})";
  for (std::size_t piece = 1; piece <= text.size(); ++piece)
    ASSERT_EQ(skimmed(text, "object.metadata.name", piece), "yes") << piece;
  EXPECT_EQ(skimmed(text, "object.metadata.n"), "") << "it is no string";
  EXPECT_EQ(skimmed(text, "object.metadata"), "");
  EXPECT_EQ(skimmed(text, "type"), "ADDED");
}

TEST(Skimmer, TakesTheFirstOfAList) {
  EXPECT_EQ(skimmed(R"({"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]})", "items.metadata.name"),
            "a");
}

TEST(Skimmer, FindsWhatFollowsSomethingFatOrDeep) {
  const std::string fat(100'000, '<');
  EXPECT_EQ(skimmed(R"({"x": ")" + fat + R"(\"\\", "name": "a"})", "name"), "a");
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(skimmed(R"({"x": )" + deep + R"(, "name": "a"})", "name"), "a");
}

TEST(Skimmer, FindsNothingThatItCannotGiveWhole) {
  EXPECT_EQ(skimmed(R"({"name": ")" + std::string(5000, 'x') + R"("})", "name"), "");
  EXPECT_EQ(skimmed(R"({"name": "a\"b"})", "name"), "");
  EXPECT_EQ(skimmed(R"({"name": "a)", "name"), "");
  for (const char* text : {"", "}}}]]]", "\"", ",:,:", "{,\"name\"", "[{\"name\":", "<html name=\"x\">", "\\\\\\"})
    EXPECT_EQ(skimmed(text, "name", 1), "") << text;
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
