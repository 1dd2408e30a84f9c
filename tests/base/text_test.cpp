#include "gopacer/base/text.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

TEST(ShownText, KeepsWhatAPersonCanRead) {
  EXPECT_EQ(shown("p99 12ms → 13ms, größer 😀"), "p99 12ms → 13ms, größer 😀");
  EXPECT_EQ(shown(""), "");
}

TEST(ShownText, ShowsNoControlCharacters) {
  EXPECT_EQ(shown("a\r\n\x1b[2Jb\x7f"), "a...[2Jb.");
  EXPECT_EQ(shown(std::string_view("\0x", 2)), ".x");
  EXPECT_EQ(shown("\u0085"), "..") << "a line's end, of the C1 controls";
  EXPECT_EQ(shown("a\u2028b"), "a...b") << "a line's end, of Unicode's";
  EXPECT_EQ(shown("\u202Egnp.exe"), "...gnp.exe") << "it would be read from the right";
}

TEST(ShownText, IsAlwaysUtf8) {
  EXPECT_EQ(shown("\xff\xfe"), "..");
  EXPECT_EQ(shown("\xe2\x86"), "..") << "cut off in a character";
  EXPECT_EQ(shown("\xc3x"), ".x");
  EXPECT_EQ(shown("\xc0\xaf"), "..") << "longer than it need be";
  EXPECT_EQ(shown("\xe0\x80\xaf"), "...") << "longer than it need be";
  EXPECT_EQ(shown("\xf0\x80\x80\xaf"), "....") << "longer than it need be";
  EXPECT_EQ(shown("\xed\xa0\x80"), "...") << "half of a pair of UTF-16";
  EXPECT_EQ(shown("\xf4\x90\x80\x80"), "....") << "beyond Unicode";
}

TEST(ShownText, IsCutWhereACharacterEndsAndSaysSo) {
  EXPECT_EQ(shown("abcdef", 6), "abcdef");
  EXPECT_EQ(shown("abcdef", 5), "abcde...");
  EXPECT_EQ(shown("ab→", 4), "ab...");
  EXPECT_EQ(shown("ab→", 5), "ab→");
}

}  // namespace
}  // namespace gopacer
