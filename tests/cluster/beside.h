#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cluster/command.h"

namespace gopacer::cluster {

/// This machine, as the API server and the pods of the local cluster see it.
inline constexpr const char* kHere = "10.250.0.254";

/// Programs that run beside a test, with a directory for what they need and say. All of it ends with the object.
class Beside {
 public:
  Beside();
  ~Beside();

  const std::filesystem::path& directory() const { return directory_; }
  void run(const std::string& program, const std::vector<std::string>& arguments);
  void stop() { running_.clear(); }
  /// The last words of all of them.
  std::string said() const;

  /// A certificate of kHere that is its own authority, and its key: files.
  std::string certificate();
  std::string key() const { return directory_ / "tls.key"; }

 private:
  std::filesystem::path directory_;
  std::vector<std::unique_ptr<Background>> running_;
};

}  // namespace gopacer::cluster
