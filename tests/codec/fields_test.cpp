#include "codec/fields.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace gopacer::codec {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(Field, ThatIsMissingGivesTheNeutralValue) {
  const json object = json::object();
  EXPECT_THAT(text(object, "x"), IsEmpty());
  EXPECT_EQ(integer(object, "x", 7), 7);
  EXPECT_TRUE(boolean(object, "x", true));
  EXPECT_EQ(number(object, "x", 1.5), 1.5);
  EXPECT_FALSE(time(object, "x"));
  EXPECT_EQ(duration(object, "x", std::chrono::seconds(3)), std::chrono::seconds(3));
  EXPECT_EQ(child(object, "x"), json::object());
}

TEST(Field, TooLargeForAnIntegerIsNotRoundAboutToANegativeOne) {
  EXPECT_EQ(integer(json{{"x", 18446744073709551615U}}, "x", 7), 7);
  EXPECT_EQ(integer(json{{"x", 9223372036854775807U}}, "x", 7), INT64_MAX);
}

TEST(Field, OfAnotherTypeCountsAsMissing) {
  for (const json& odd : {json(nullptr), json(12), json("twelve"), json(true), json::array({1}), json{{"a", 1}}}) {
    const json object{{"x", odd}};
    if (!odd.is_string()) {
      EXPECT_THAT(text(object, "x"), IsEmpty()) << odd;
    }
    if (!odd.is_number()) {
      EXPECT_EQ(integer(object, "x", 7), 7) << odd;
    }
    if (!odd.is_boolean()) {
      EXPECT_TRUE(boolean(object, "x", true)) << odd;
    }
    EXPECT_EQ(number(object, "x", 1.5), 1.5) << odd;
    EXPECT_FALSE(time(object, "x")) << odd;
  }
}

TEST(Field, OfSomethingThatIsNoObjectIsMissing) {
  for (const json& odd : {json(nullptr), json(12), json("twelve"), json::array({1})}) {
    EXPECT_THAT(text(odd, "x"), IsEmpty());
    EXPECT_EQ(child(child(odd, "x"), "y"), json::object());
  }
}

TEST(NumberAsText, WithAnythingAfterItIsNoNumber) {
  EXPECT_EQ(number(json{{"x", "12.5"}}, "x"), 12.5);
  EXPECT_EQ(number(json{{"x", "12.5%"}}, "x", -1), -1);
  EXPECT_EQ(number(json{{"x", ""}}, "x", -1), -1);
}

RC_GTEST_PROP(NumberAsText, ComesBackExactly, (double value)) {
  RC_ASSERT(number(json{{"x", exact(value)}}, "x", -1) == value);
}

TEST(SeriesLabels, AreThoseThatTheDefinitionsAllow) {
  const std::string longest(128, 'a');
  const json fits{{"labels", {{"method", "GET"}, {longest, longest}, {"odd", 7}}}};
  EXPECT_THAT(series_labels(fits, "labels").value(), ElementsAre(Pair(longest, longest), Pair("method", "GET")));
  EXPECT_THAT(series_labels(json::object(), "labels").value(), IsEmpty());
  EXPECT_THAT(series_labels({{"labels", {{longest + "a", "x"}}}}, "labels").error().message,
              HasSubstr("at most 128 characters"));
  std::string value;
  for (int i = 0; i < 128; ++i) value += "😀";
  EXPECT_EQ(series_labels({{"labels", {{"a", value}}}}, "labels")->at("a"), value);
  EXPECT_FALSE(series_labels({{"labels", {{"a", value + "a"}}}}, "labels"));
  json many = json::object();
  for (int i = 0; i < 9; ++i) many["labels"]["l" + std::to_string(i)] = "x";
  EXPECT_THAT(series_labels(many, "labels").error().message, HasSubstr("8 labels"));
}

TEST(Finalizers, AreAllKeptOrTheObjectIsNot) {
  json object{{"metadata", {{"namespace", "shop"}, {"name", "checkout"}}}};
  EXPECT_THAT(finalizers_of(object).value(), IsEmpty());
  for (std::size_t i = 0; i < kMostKept; ++i) object["metadata"]["finalizers"].push_back("x/" + std::to_string(i));
  EXPECT_EQ(finalizers_of(object)->size(), kMostKept);
  object["metadata"]["finalizers"].push_back("one/more");
  EXPECT_THAT(finalizers_of(object).error().message, HasSubstr("shop/checkout has 101 finalizers"));
}

TEST(ClippedText, IsLeftAloneWhenItIsShortEnough) {
  EXPECT_EQ(clipped("p99 12ms → 13ms", 100), "p99 12ms → 13ms");
  EXPECT_EQ(clipped("abc", 3), "abc");
}

TEST(ClippedText, EndsWhereACharacterEnds) {
  EXPECT_EQ(clipped("12ms → 13ms", 5), "12ms ");
  EXPECT_EQ(clipped("12ms → 13ms", 6), "12ms ");
  EXPECT_EQ(clipped("12ms → 13ms", 7), "12ms ");
  EXPECT_EQ(clipped("12ms → 13ms", 8), "12ms →");
  EXPECT_EQ(clipped("→", 1), "");
}

}  // namespace
}  // namespace gopacer::codec
