#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/settings.h"

namespace gopacer {

/// What programs had before the agent changed anything, kept where a restarted agent finds it. Each program has a file
/// of its own, named after its identity, which is written before the program is. One thread.
class Journal {
 public:
  struct Kept {
    int pid = 0;
    Settings original;
  };

  /// Takes in what is kept in this directory, which is made if need be. What can't be read there counts as not kept.
  /// Empty: what is kept does not outlive this.
  explicit Journal(std::filesystem::path directory);

  /// None when the program was never changed, or was put back.
  std::optional<Settings> original(const std::string& identity) const;
  /// All, by identity.
  const std::map<std::string, Kept>& all() const { return kept_; }
  /// Does nothing when it is there already.
  Result<void> keep(const std::string& identity, int pid, const Settings& original);
  void forget(const std::string& identity);

 private:
  std::filesystem::path path_of(const std::string& identity) const;

  std::filesystem::path directory_;
  std::map<std::string, Kept> kept_;
};

}  // namespace gopacer
