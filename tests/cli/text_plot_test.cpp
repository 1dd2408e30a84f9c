#include "cli/text_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace gopacer {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(TextPlot, HasScalesWithUnitsOnBothAxes) {
  const std::string plot = text_plot("Memory", "MiB", {{'*', "heap", {{0, 100}, {6, 380}, {12, 200}}}}, 60, 9);
  const auto lines = lines_of(plot);
  EXPECT_EQ(lines.front(), "Memory, MiB");
  EXPECT_THAT(lines[1], StartsWith("      400 +"));
  EXPECT_THAT(lines[9], StartsWith("        0 +"));
  EXPECT_THAT(plot, HasSubstr("12 h"));
  EXPECT_THAT(plot, HasSubstr("* heap"));
}

TEST(TextPlot, DrawsHighValuesAboveLowOnes) {
  const auto lines = lines_of(text_plot("x", "y", {{'*', "a", {{0, 10}, {10, 0}}}}, 60, 9));
  const std::size_t left = lines[1].find('*');
  const std::size_t right = lines[9].rfind('*');
  ASSERT_NE(left, std::string::npos);
  ASSERT_NE(right, std::string::npos);
  EXPECT_LT(left, right);
}

TEST(TextPlot, StaysWithinItsWidth) {
  std::vector<std::pair<double, double>> points;
  for (int i = 0; i <= 1000; ++i) points.emplace_back(i, i % 17);
  for (const std::string& line : lines_of(text_plot("x", "y", {{'*', "a", points}}, 70, 10)))
    EXPECT_LE(line.size(), 70u);
}

TEST(TextPlot, DrawsNothingOfNothing) { EXPECT_THAT(text_plot("x", "y", {{'*', "a", {}}}), HasSubstr("x, y")); }

TEST(TextTable, PutsNumbersUnderEachOtherAndCountsCharactersNotBytes) {
  const auto lines = lines_of(text_table({{"", "GC"}, {"µ", "1"}, {"long name", "10"}}));
  EXPECT_EQ(lines[0], "           GC");
  EXPECT_EQ(lines[1], "µ           1");
  EXPECT_EQ(lines[2], "long name  10");
}

}  // namespace
}  // namespace gopacer
