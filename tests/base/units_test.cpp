#include "gopacer/base/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace gopacer {
namespace {

using ::testing::HasSubstr;

TEST(GoSize, IsReadAsGoReadsIt) {
  EXPECT_EQ(*parse_go_size("850MiB"), mib(850));
  EXPECT_EQ(*parse_go_size("1GiB"), gib(1));
  EXPECT_EQ(*parse_go_size("2TiB"), gib(2048));
  EXPECT_EQ(*parse_go_size("64KiB"), kib(64));
  EXPECT_EQ(*parse_go_size("1024B"), kib(1));
  EXPECT_EQ(*parse_go_size("1024"), kib(1));
  EXPECT_EQ(*parse_go_size("0"), Bytes(0));
}

TEST(GoSize, RefusesWhatGoWouldNotStartWith) {
  for (const char* bad : {"", "MiB", "1.5GiB", "-1MiB", "850 MiB", "850MB", "850mib", "off", "1e9", "99999999TiB",
                          "9223372036854775808"}) {
    const auto result = parse_go_size(bad);
    ASSERT_FALSE(result) << bad;
    EXPECT_FALSE(result.error().retriable());
  }
}

TEST(GoSize, TellsWhoWritesAKubernetesQuantityWhatGoWants) {
  EXPECT_THAT(parse_go_size("440Mi").error().message, HasSubstr("write 440MiB"));
}

TEST(GoSize, IsWrittenInTheShortestExactForm) {
  EXPECT_EQ(format_go_size(mib(850)), "850MiB");
  EXPECT_EQ(format_go_size(gib(2)), "2GiB");
  EXPECT_EQ(format_go_size(mib(1) + Bytes(1)), "1048577B");
  EXPECT_EQ(format_go_size(Bytes(0)), "0B");
}

RC_GTEST_PROP(GoSizeProperty, WhatIsWrittenReadsBackTheSame, ()) {
  const Bytes size(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50));
  RC_ASSERT(*parse_go_size(format_go_size(size)) == size);
  const Bytes whole = mib(*rc::gen::inRange(0, 1 << 20));
  RC_ASSERT(*parse_go_size(format_go_size(whole)) == whole);
}

TEST(Quantity, IsReadAsKubernetesReadsIt) {
  EXPECT_EQ(*parse_quantity("512Mi"), mib(512));
  EXPECT_EQ(*parse_quantity("1G"), Bytes(1'000'000'000));
  EXPECT_EQ(*parse_quantity("1.5Gi"), gib(1.5));
  EXPECT_EQ(*parse_quantity("128974848"), Bytes(128974848));
  EXPECT_EQ(*parse_quantity("129e6"), Bytes(129'000'000));
  EXPECT_EQ(*parse_quantity("100m"), Bytes(1));
  EXPECT_EQ(*parse_quantity("1E"), Bytes(1'000'000'000'000'000'000));
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const char* bad : {"", "Mi", "512MiB", "-1", "1 Gi", "nan", "inf", "1e99", "10Ei"}) {
    EXPECT_FALSE(parse_quantity(bad)) << bad;
  }
}

TEST(CpuQuantity, GivesCores) {
  EXPECT_DOUBLE_EQ(*parse_cpu_quantity("500m"), 0.5);
  EXPECT_DOUBLE_EQ(*parse_cpu_quantity("2"), 2);
  EXPECT_DOUBLE_EQ(*parse_cpu_quantity("0.1"), 0.1);
  EXPECT_FALSE(parse_cpu_quantity("many"));
  EXPECT_FALSE(parse_cpu_quantity("-1"));
}

TEST(Bytes, ComputeAndCompare) {
  EXPECT_EQ(mib(3) - mib(1), mib(2));
  EXPECT_EQ(mib(2) * 0.5, mib(1));
  EXPECT_DOUBLE_EQ(mib(1) / mib(4), 0.25);
  EXPECT_LT(mib(1), gib(1));
  EXPECT_EQ(-Bytes(5), Bytes(-5));
}

TEST(ForPeople, BytesHaveOneDecimal) {
  EXPECT_EQ(format_bytes(Bytes(512)), "512B");
  EXPECT_EQ(format_bytes(mib(118.4)), "118.4MiB");
  EXPECT_EQ(format_bytes(gib(1.25)), "1.2GiB");
}

TEST(ForPeople, NumbersHaveAFixedNumberOfDecimals) {
  EXPECT_EQ(format_fixed(12.345, 1), "12.3");
  EXPECT_EQ(format_fixed(2, 1), "2.0");
  EXPECT_EQ(format_fixed(-0.01, 1), "0.0");
  EXPECT_EQ(format_fixed(-3.26, 1), "-3.3");
}

TEST(ForPeople, ChangesHaveTheirSign) {
  EXPECT_EQ(signed_percent(0.043), "+4.3 %");
  EXPECT_EQ(signed_percent(-0.043), "-4.3 %");
  EXPECT_EQ(signed_percent(0), "0.0 %");
  EXPECT_EQ(signed_percent(0.0001), "0.0 %");
  EXPECT_EQ(signed_percent(0.043, " points"), "+4.3 points");
}

}  // namespace
}  // namespace gopacer
