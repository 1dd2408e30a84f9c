#include "codec/fields.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace gopacer::codec {
namespace {

using nlohmann::json;
using testing::IsEmpty;

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
