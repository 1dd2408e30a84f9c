#include "runtime_memory/churn.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "source_dir.h"

namespace gopacer::testing {

namespace fs = std::filesystem;

namespace {

/// Debian's libraries of arm64 programs, in its package for cross-compiling.
constexpr const char* kArm64Root = "/usr/aarch64-linux-gnu";

bool is_emulated(const std::string& mode) { return mode.starts_with("arm64-"); }

std::optional<std::string> in_path(const std::string& program) {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string candidate = directory + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

/// What is started to run it: itself, or the emulator.
std::string started(const std::string& mode, const std::string& program) {
  return is_emulated(mode) ? in_path("qemu-aarch64").value() : program;
}

std::vector<std::string> with_emulator(const EmulatedProc* emulated, const std::string& program,
                                       std::vector<std::string> arguments) {
  if (emulated == nullptr) return arguments;
  arguments.insert(arguments.begin(), {"-L", kArm64Root, program, "-auxv=" + emulated->told_at_start().string()});
  return arguments;
}

Told parse(const std::string& line) {
  Told told;
  std::istringstream words(line);
  words >> told.gogc >> told.go_mem_limit >> told.live >> told.goal >> told.allocated >> told.collections >>
      told.assist_seconds >> told.dedicated_seconds >> told.idle_seconds >> told.pauses >> told.pause_seconds >>
      told.pause_median >> told.pause_p99 >> told.stops;
  if (!words) throw std::runtime_error("churn said: " + line);
  return told;
}

}  // namespace

std::string built_churn(const std::string& mode, const std::string& version) {
  const std::string command = in_source("tests/runtime_memory/build.sh") + " " + mode + " " + version;
  FILE* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) throw std::runtime_error("cannot run " + command);
  std::array<char, 4096> line{};
  std::string path;
  while (std::fgets(line.data(), line.size(), output) != nullptr) path = line.data();
  if (::pclose(output) != 0 || path.empty()) throw std::runtime_error(command + " failed");
  path.pop_back();  // the end of the line
  return path;
}

void EmulatedProc::add(int pid, const std::string& program) const {
  const fs::path process = path() / std::to_string(pid);
  fs::create_directory(process);
  fs::create_symlink(program, process / "exe");
  fs::create_symlink(told_at_start(), process / "auxv");
  fs::create_symlink(fs::path("/proc") / std::to_string(pid) / "mem", process / "mem");
}

std::string cannot_run(const std::string& mode) {
  if (!is_emulated(mode)) return "";
  if (!in_path("qemu-aarch64")) return "no qemu-aarch64, which runs programs of arm64, is installed: ./dev setup";
  if (mode == "arm64-static" || mode == "arm64-symbols") return "";
  const bool can_link = in_path("aarch64-linux-gnu-gcc") && fs::exists(fs::path(kArm64Root) / "lib");
  return can_link ? "" : "no C compiler and libraries of arm64 are installed: ./dev setup";
}

Churn::Churn(const std::string& mode, std::vector<std::string> arguments, const std::string& version)
    : Churn(mode, built_churn(mode, version), std::move(arguments)) {}

Churn::Churn(const std::string& mode, const std::string& program, std::vector<std::string> arguments)
    : emulated_(is_emulated(mode) ? std::make_unique<EmulatedProc>() : nullptr),
      process_(started(mode, program), with_emulator(emulated_.get(), program, std::move(arguments)),
               "churn is ready") {
  if (emulated_) emulated_->add(pid(), program);
}

fs::path Churn::proc() const { return emulated_ ? emulated_->path() : "/proc"; }

Told Churn::tell() { return parse(process_.answer_to(SIGUSR1, "state")); }

Told Churn::set_its_own() { return parse(process_.answer_to(SIGUSR2, "state")); }

void Churn::become_another() { ::kill(process_.pid(), SIGUSR2); }

void Churn::kill() { ::kill(process_.pid(), SIGKILL); }

}  // namespace gopacer::testing
