#include "runtime_memory/churn.h"

#include <signal.h>

#include <array>
#include <cstdio>
#include <sstream>
#include <stdexcept>

#include "source_dir.h"

namespace gopacer::testing {
namespace {

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

Churn::Churn(const std::string& mode, std::vector<std::string> arguments, const std::string& version)
    : process_(built_churn(mode, version), arguments, "churn is ready") {}

Told Churn::tell() { return parse(process_.answer_to(SIGUSR1, "state")); }

Told Churn::set_its_own() { return parse(process_.answer_to(SIGUSR2, "state")); }

void Churn::become_another() { ::kill(process_.pid(), SIGUSR2); }

void Churn::kill() { ::kill(process_.pid(), SIGKILL); }

}  // namespace gopacer::testing
