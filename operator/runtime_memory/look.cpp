#include "runtime_memory/look.h"

#include <time.h>

#include <fstream>

namespace gopacer {
namespace {

constexpr std::chrono::seconds kLongestLook(1);

std::chrono::nanoseconds cpu_time() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

LookLimit::LookLimit() : until_(cpu_time() + kLongestLook) {}

bool LookLimit::reached() const { return cpu_time() > until_; }

std::optional<std::uint64_t> told_at_start(const std::filesystem::path& process, std::uint64_t wanted) {
  struct Entry {
    std::uint64_t type;
    std::uint64_t value;
  };
  constexpr int kMostEntries = 64;
  std::ifstream in(process / "auxv", std::ios::binary);
  Entry entry{};
  for (int i = 0; i < kMostEntries && in.read(reinterpret_cast<char*>(&entry), sizeof(entry)); ++i) {
    if (entry.type == wanted) return entry.value;
  }
  return std::nullopt;
}

}  // namespace gopacer
