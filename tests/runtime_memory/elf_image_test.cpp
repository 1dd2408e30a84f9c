#include "runtime_memory/elf_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "runtime_memory/elf_builder.h"
#include "runtime_memory/layout.h"
#include "runtime_memory/locate.h"

namespace gopacer {
namespace {

using testing::ElfBuilder;
using ::testing::HasSubstr;

ReadAt reads(const std::string& bytes) {
  return [&bytes](std::uint64_t at, std::span<std::byte> into) {
    if (at > bytes.size() || bytes.size() - at < into.size()) return false;
    std::memcpy(into.data(), bytes.data() + at, into.size());
    return true;
  };
}

std::string version_in(const std::string& program) {
  const auto image = read_elf(reads(program));
  if (!image) return image.error().message;
  const auto version = go_version_of(*image, reads(program));
  return version ? *version : version.error().message;
}

TEST(GoVersion, StandsAtTheBeginningOfTheData) {
  EXPECT_EQ(version_in(testing::go_program("go1.22.3")), "go1.22.3");
  EXPECT_EQ(version_in(testing::go_program("go1.24.1 X:nocoverageredesign")), "go1.24.1 X:nocoverageredesign");
  ElfBuilder later;
  later.data = std::string(64, 'x') + ElfBuilder::build_info("go1.21.0");
  EXPECT_EQ(version_in(later.bytes()), "go1.21.0");
}

TEST(GoVersion, IsNotWhatAProgramHasInItsOwnTexts) {
  ElfBuilder odd;  // the linker aligns it, a program that reads other programs has the word anywhere
  odd.data = "x" + ElfBuilder::build_info("go1.21.0");
  EXPECT_THAT(version_in(odd.bytes()), HasSubstr("no Go program"));
}

TEST(GoVersion, IsPrintable) {
  EXPECT_THAT(version_in(testing::go_program("go1.22.3 \x1b[2J")), HasSubstr("no Go program"));
  EXPECT_THAT(version_in(testing::go_program("go1.22.3 \xff")), HasSubstr("no Go program"));
}

TEST(GoVersion, OfBefore118IsOneForAll) {
  ElfBuilder old;
  old.data = ElfBuilder::build_info("", 0);
  EXPECT_EQ(version_in(old.bytes()), "go1.17");
}

TEST(ElfImage, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(version_in(""), HasSubstr("no ELF file"));
  EXPECT_THAT(version_in(std::string(100000, 'x')), HasSubstr("no ELF file"));
  ElfBuilder other;
  other.machine = EM_RISCV;
  EXPECT_THAT(version_in(other.bytes()), HasSubstr("amd64 and arm64"));
  std::string narrow = testing::go_program("go1.22.3");
  narrow[EI_CLASS] = ELFCLASS32;
  EXPECT_THAT(version_in(narrow), HasSubstr("64-bit"));
  EXPECT_THAT(version_in(testing::go_program("go1.22.3").substr(0, 100)), HasSubstr("ends before"));
}

TEST(ElfImage, BearsAnythingThatAStrangerMakesOfAProgram) {
  const std::string whole = testing::go_program("go1.22.3");
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string broken = whole;
    // The headers are what everything else follows from.
    for (int i = 0; i < 8; ++i) broken[random() % 256] = static_cast<char>(random());
    std::memcpy(broken.data(), ELFMAG, SELFMAG);
    broken[EI_CLASS] = ELFCLASS64;
    broken[EI_DATA] = ELFDATA2LSB;
    if (round % 3 == 0) broken.resize(random() % broken.size());
    const auto image = read_elf(reads(broken));
    if (!image) continue;
    static_cast<void>(go_version_of(*image, reads(broken)));
    static_cast<void>(symbol_address(*image, reads(broken), "runtime.gcController"));
    static_cast<void>(image->is_writable(random()));
  }
}

TEST(Layout, IsKnownForReleasedVersions) {
  for (const char* version : {"go1.21.0", "go1.22", "go1.26.8", "go1.24.1 X:nocoverageredesign", "go1.25.1-fips"}) {
    EXPECT_TRUE(layout_of(version)) << version;
  }
  EXPECT_THAT(layout_of("go1.20.14").error().message, HasSubstr("go1.20.14 is not supported: Go 1.21 to 1."));
  EXPECT_THAT(layout_of("go1.99.0").error().message, HasSubstr("is not supported"));
  for (const char* version : {"", "go1", "go1.", "go2.22.0", "go1.27rc1", "go1.27beta1", "devel go1.28-abcdef",
                              "go1.27-devel_0123456789", "1.22.3"}) {
    EXPECT_THAT(layout_of(version).error().message, HasSubstr("is no released version")) << version;
  }
}

/// A program whose data hold a variable like the collector's, at `at`.
class Pattern : public ::testing::Test {
 protected:
  Pattern() {
    program_.data =
        ElfBuilder::build_info("go1.22.3") + std::string(4000 - ElfBuilder::build_info("go1.22.3").size(), '\0');
  }

  void put(std::size_t at, std::int32_t percent, std::int64_t limit, std::uint64_t minimum) {
    std::memcpy(program_.data.data() + at, &percent, 4);
    std::memcpy(program_.data.data() + at + 8, &limit, 8);
    std::memcpy(program_.data.data() + at + 16, &minimum, 8);
  }
  std::vector<std::uint64_t> located() {
    const std::string bytes = program_.bytes();
    const auto image = read_elf(reads(bytes));
    const ReadAt memory = [&](std::uint64_t at, std::span<std::byte> into) {
      const auto offset = image->offset_of(at);
      return offset && reads(bytes)(*offset, into);
    };
    return locate_by_pattern({*image, reads(bytes), memory, 0}, *layout_of("go1.22.3"));
  }

  ElfBuilder program_;
};

constexpr std::uint64_t kMinimum = 4 << 20;

TEST_F(Pattern, IsFoundByItsThreeWords) {
  put(1000, 100, INT64_MAX, kMinimum);
  EXPECT_EQ(located(), std::vector<std::uint64_t>{program_.data_address + 1000});
  put(1000, 250, 1 << 30, kMinimum * 250 / 100);
  EXPECT_EQ(located().size(), 1U);
  put(1000, -1, 1 << 30, (UINT64_MAX - kMinimum + 1) / 100);
  EXPECT_EQ(located().size(), 1U) << "off wraps around before it is divided";
}

TEST_F(Pattern, IsNotWhatOnlyLooksLikeIt) {
  put(1000, 100, INT64_MAX, kMinimum + 1);
  EXPECT_TRUE(located().empty());
  put(1000, 0, INT64_MAX, 0);
  EXPECT_TRUE(located().empty());
  put(1000, 100, 1000, kMinimum);
  EXPECT_TRUE(located().empty()) << "a limit below a MiB";
}

TEST_F(Pattern, IsTwoWhereAProgramFakesOne) {
  put(1000, 100, INT64_MAX, kMinimum);
  put(2000, 100, INT64_MAX, kMinimum);
  EXPECT_EQ(located().size(), 2U);
}

}  // namespace
}  // namespace gopacer
