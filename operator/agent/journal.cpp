#include "agent/journal.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "codec/fields.h"
#include "codec/settings.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEnding = ".json";
/// More programs than a node has, and a longer file than is ever written.
constexpr std::size_t kMostKept = 10'000;
constexpr std::size_t kLongestFile = 1024;

std::optional<Journal::Kept> read(const fs::path& path) {
  std::string text(kLongestFile, '\0');
  std::ifstream file(path);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  const nlohmann::json from = nlohmann::json::parse(text, nullptr, false);
  if (!from.is_object() || !from.contains("original") || !from["original"].is_object()) return std::nullopt;
  const int pid = codec::small(from, "pid");
  const Settings original = codec::decode_settings(from["original"]);
  // What has more than these, or others, is not what was written.
  if (pid <= 0 || codec::encode(original) != from["original"]) return std::nullopt;
  return Journal::Kept{pid, original};
}

}  // namespace

Journal::Journal(fs::path directory) : directory_(std::move(directory)) {
  if (directory_.empty()) return;
  std::error_code error;
  for (auto entry = fs::directory_iterator(directory_, error);
       !error && entry != fs::directory_iterator() && kept_.size() < kMostKept; entry.increment(error)) {
    if (entry->path().extension() != kEnding) continue;
    if (const auto found = read(entry->path())) kept_.emplace(entry->path().stem().string(), *found);
  }
}

fs::path Journal::path_of(const std::string& identity) const { return directory_ / (identity + kEnding); }

std::optional<Settings> Journal::original(const std::string& identity) const {
  const auto found = kept_.find(identity);
  return found == kept_.end() ? std::nullopt : std::optional(found->second.original);
}

Result<void> Journal::keep(const std::string& identity, int pid, const Settings& original) {
  if (kept_.contains(identity)) return {};
  if (!directory_.empty()) {
    std::error_code error;
    fs::create_directories(directory_, error);
    const fs::path path = path_of(identity);
    const fs::path fresh = path.string() + ".new";
    const auto failed = [&](int number) {
      return retriable(path.string() + " can't be written: " + std::generic_category().message(number) +
                       "; without it nobody would know what to put back, so nothing was changed");
    };
    // What is half written must not be taken for the whole.
    std::ofstream file(fresh, std::ios::trunc);
    file << nlohmann::json{{"pid", pid}, {"original", codec::encode(original)}}.dump() << "\n";
    file.close();
    if (!file) return failed(errno);
    fs::rename(fresh, path, error);
    if (error) return failed(error.value());
  }
  kept_[identity] = {pid, original};
  return {};
}

void Journal::forget(const std::string& identity) {
  if (kept_.erase(identity) == 0 || directory_.empty()) return;
  std::error_code ignored;
  fs::remove(path_of(identity), ignored);
}

}  // namespace gopacer
