#include "record/captures.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace gopacer {
namespace {

using nlohmann::json;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr Time kStart{seconds(1'800'000'000)};
const ObjectKey kCheckout{"shop", "checkout"};
const ObjectKey kSearch{"shop", "search"};

Capture capture(const ObjectKey& profile, std::string body) {
  Capture capture;
  capture.profile = profile;
  capture.pod = profile.name + "-abc";
  capture.uid = "uid";
  capture.at = kStart;
  capture.reason = "LongPause";
  capture.what = "A collection stopped it for 5ms.";
  capture.kind = "cpu";
  capture.body = std::move(body);
  return capture;
}

json listed(const Captures& captures) { return json::parse(captures.list()); }

std::size_t count(const Captures& captures, const ObjectKey& profile) {
  std::size_t count = 0;
  for (const json& entry : listed(captures)) count += entry["profile"] == profile.text() ? 1 : 0;
  return count;
}

TEST(Captures, AreListedAndHandedOutByTheirNames) {
  Captures captures;
  captures.keep(capture(kCheckout, "first"));
  captures.keep(capture(kCheckout, "second"));
  const json all = listed(captures);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0], json({{"profile", "shop/checkout"},
                          {"pod", "checkout-abc"},
                          {"uid", "uid"},
                          {"at", "2027-01-15T08:00:00Z"},
                          {"reason", "LongPause"},
                          {"what", "A collection stopped it for 5ms."},
                          {"kind", "cpu"},
                          {"name", "shop-checkout-abc-2.cpu.pb.gz"},
                          {"bytes", 6}}));
  EXPECT_EQ(captures.body("shop-checkout-abc-2.cpu.pb.gz"), "second");
  EXPECT_EQ(captures.body(all[1]["name"].get<std::string>()), "first");
  EXPECT_EQ(captures.body("shop-checkout-abc-3.cpu.pb.gz"), std::nullopt);
}

TEST(Captures, SayWhyThereIsNone) {
  Captures captures;
  Capture failed = capture(kCheckout, "");
  failed.error = "shop/checkout-abc: nothing listens on 6060.";
  captures.keep(failed);
  const json all = listed(captures);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0]["error"], failed.error);
  EXPECT_FALSE(all[0].contains("name"));
  EXPECT_EQ(captures.body("shop-checkout-abc-1.cpu.pb.gz"), std::nullopt);
}

TEST(Captures, KeepOneFailureOfEachKind) {
  Captures captures;
  captures.keep(capture(kCheckout, "body"));
  Capture failed = capture(kCheckout, "");
  failed.error = "nothing listens";
  for (int i = 0; i < 20; ++i) captures.keep(failed);
  EXPECT_EQ(count(captures, kCheckout), 2U);
  captures.keep(capture(kCheckout, "another body"));
  EXPECT_EQ(count(captures, kCheckout), 2U) << "which is over";
}

TEST(Captures, AreAdmittedOnceInTenMinutesForEachProfile) {
  Captures captures;
  EXPECT_TRUE(captures.admit(kCheckout, kStart));
  EXPECT_FALSE(captures.admit(kCheckout, kStart + minutes(10) - seconds(1)));
  EXPECT_TRUE(captures.admit(kSearch, kStart + seconds(1)));
  EXPECT_TRUE(captures.admit(kCheckout, kStart + minutes(10)));
  EXPECT_TRUE(captures.admit(kCheckout, kStart)) << "after the clock was set back";
}

TEST(Captures, KeepTheLatestOfEachProfile) {
  Captures captures;
  captures.keep(capture(kSearch, "rare"));
  for (int i = 0; i < 20; ++i) captures.keep(capture(kCheckout, std::to_string(i)));
  EXPECT_EQ(count(captures, kCheckout), Captures::kMostOfProfile);
  EXPECT_EQ(count(captures, kSearch), 1U);
  EXPECT_EQ(captures.body(listed(captures)[0]["name"].get<std::string>()), "19");
}

TEST(Captures, AreBoundedInBytesAtTheCostOfWhoHasMost) {
  Captures captures;
  captures.keep(capture(kSearch, std::string(1000, 'x')));
  for (int i = 0; i < 4; ++i) captures.keep(capture(kCheckout, std::string(Captures::kMostBytes / 3, 'x')));
  EXPECT_EQ(count(captures, kCheckout), 2U) << "three of them and the thousand are too many";
  EXPECT_EQ(count(captures, kSearch), 1U);
}

TEST(Captures, AreBoundedInNumber) {
  Captures captures;
  for (int i = 0; i < 200; ++i) captures.keep(capture({"shop", "p" + std::to_string(i)}, "body"));
  EXPECT_EQ(listed(captures).size(), Captures::kMost);
}

}  // namespace
}  // namespace gopacer
