#pragma once

#include <filesystem>
#include <string>

#include "fakes/temporary_directory.h"

namespace gopacer::testing {

/// A /proc whose processes are those of the machine, in containers that a test says.
class MadeUpProc {
 public:
  /// A process without anything but its control groups.
  void put(const std::string& pid, const std::string& cgroup) const;
  /// A process of the machine, in that container.
  void adopt(int pid, const std::string& container) const;
  void remove(int pid) const;
  void write(const std::string& file, const std::string& text) const;

  const std::filesystem::path& path() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
};

/// An id as container runtimes give it, of that digit.
inline std::string container_id(char digit) { return std::string(64, digit); }

}  // namespace gopacer::testing
