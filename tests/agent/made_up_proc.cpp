#include "agent/made_up_proc.h"

#include <fstream>

namespace gopacer::testing {

namespace fs = std::filesystem;

void MadeUpProc::write(const std::string& file, const std::string& text) const {
  const fs::path path = this->path() / file;
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void MadeUpProc::put(const std::string& pid, const std::string& cgroup) const { write(pid + "/cgroup", cgroup); }

void MadeUpProc::adopt(int pid, const std::string& container) const {
  const std::string name = std::to_string(pid);
  put(name, "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + container + ".scope\n");
  for (const char* const file : {"mem", "maps", "exe", "auxv", "stat", "environ"}) {
    fs::create_symlink(fs::path("/proc") / name / file, path() / name / file);
  }
}

void MadeUpProc::remove(int pid) const { fs::remove_all(path() / std::to_string(pid)); }

}  // namespace gopacer::testing
