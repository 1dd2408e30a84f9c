#include "agent/journal.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "agent/made_up_proc.h"
#include "fakes/builders.h"

namespace gopacer {
namespace {

using builders::settings;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TemporaryDirectory;

TEST(Journal, TellsASuccessorWhatProgramsHad) {
  const TemporaryDirectory directory;
  const auto state = directory.path() / "made";
  {
    Journal journal(state);
    ASSERT_TRUE(journal.keep("one", 7, settings(50, mib(100))));
    ASSERT_TRUE(journal.keep("two", 8, Settings{}));
    ASSERT_TRUE(journal.keep("off", 9, {Gogc::off(), mib(100)}));
  }
  const Journal successor(state);
  EXPECT_EQ(successor.original("one"), settings(50, mib(100)));
  EXPECT_EQ(successor.original("two"), Settings{});
  EXPECT_EQ(successor.original("off"), (Settings{Gogc::off(), mib(100)}));
  EXPECT_EQ(successor.original("three"), std::nullopt);
  EXPECT_EQ(successor.all().at("one").pid, 7);
}

TEST(Journal, KeepsWhatItWasToldFirst) {
  const TemporaryDirectory directory;
  Journal journal(directory.path());
  ASSERT_TRUE(journal.keep("one", 7, settings(50)));
  ASSERT_TRUE(journal.keep("one", 7, settings(400)));
  EXPECT_EQ(journal.original("one"), settings(50));
  EXPECT_EQ(Journal(directory.path()).original("one"), settings(50));
}

TEST(Journal, ForgetsWhatWasPutBack) {
  const TemporaryDirectory directory;
  Journal journal(directory.path());
  ASSERT_TRUE(journal.keep("one", 7, settings(50)));
  journal.forget("one");
  journal.forget("unknown");
  EXPECT_EQ(journal.original("one"), std::nullopt);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Journal, WithoutADirectoryRemembersForItself) {
  Journal journal({});
  ASSERT_TRUE(journal.keep("one", 7, settings(50)));
  EXPECT_EQ(journal.original("one"), settings(50));
}

TEST(Journal, TakesNothingThatItHasNotWritten) {
  const TemporaryDirectory directory;
  int n = 0;
  for (const std::string& text :
       {std::string(R"({"pid":7,"original":{"gogc":"5)"), std::string("null"), std::string("[]"), std::string(),
        std::string(R"({"pid":7})"), std::string(R"({"pid":7,"original":[]})"),
        std::string(R"({"pid":7,"original":{"gogc":"rubbish"}})"), std::string(R"({"pid":7,"original":{"gogc":50}})"),
        std::string(R"({"pid":0,"original":{}})"), std::string(R"({"pid":-1,"original":{}})"),
        std::string(R"({"pid":7,"original":{"gogc":"50","other":1}})"), std::string(1 << 20, '['),
        std::string(1 << 20, '\0')}) {
    std::ofstream(directory.path() / ("bad" + std::to_string(n++) + ".json")) << text;
  }
  std::ofstream(directory.path() / "half.json.new") << R"({"pid":7,"original":{}})";
  std::filesystem::create_directories(directory.path() / "directory.json");
  Journal journal(directory.path());
  EXPECT_THAT(journal.all(), IsEmpty());
  ASSERT_TRUE(journal.keep("bad0", 7, settings(50)));
  EXPECT_EQ(Journal(directory.path()).original("bad0"), settings(50));
}

TEST(Journal, SaysThatItCantWriteAndKeepsNothing) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "";
  // Whoever is root may write into any directory, and nobody into one that is a file.
  Journal journal(directory.path() / "file");
  const auto kept = journal.keep("one", 7, settings(50));
  ASSERT_FALSE(kept);
  EXPECT_THAT(kept.error().message, HasSubstr("nothing was changed"));
  EXPECT_EQ(journal.original("one"), std::nullopt);
}

}  // namespace
}  // namespace gopacer
