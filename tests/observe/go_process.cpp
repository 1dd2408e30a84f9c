#include "observe/go_process.h"
#include "source_dir.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <stdexcept>

namespace gopacer {
namespace {

constexpr int kPatienceMs = 30'000;

/// The path of a program of tests/workloads, as its build script tells it: "NAME PROGRAM IMAGE".
std::string built(const std::string& program) {
  const std::string command = in_source("tests/workloads/build.sh") + " " + program;
  FILE* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) throw std::runtime_error("cannot run " + command);
  std::array<char, 4096> line{};
  std::string text;
  while (std::fgets(line.data(), line.size(), output) != nullptr) text = line.data();
  if (::pclose(output) != 0) throw std::runtime_error(command + " failed");
  const std::size_t from = text.find(' ') + 1;
  return text.substr(from, text.find(' ', from) - from);
}

}  // namespace

GoProcess::GoProcess(const std::string& program, const std::vector<std::string>& arguments, const std::string& ready) {
  const std::string path = program.find('/') == std::string::npos ? built(program) : program;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  output_ = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int spawned = ::posix_spawn(&pid_, path.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (spawned != 0) throw std::runtime_error("cannot start " + path);
  while (log_.find(ready) == std::string::npos) {
    if (!read_more()) throw std::runtime_error(program + " did not become ready; it said: " + log_);
  }
}

GoProcess::~GoProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(output_);
}

bool GoProcess::read_more() {
  pollfd fd{output_, POLLIN, 0};
  if (::poll(&fd, 1, kPatienceMs) <= 0) return false;
  std::array<char, 4096> piece{};
  const ssize_t n = ::read(output_, piece.data(), piece.size());
  if (n > 0) log_.append(piece.data(), static_cast<std::size_t>(n));
  return n > 0;
}

int GoProcess::port(const std::string& name) const {
  const std::string listens = name + " listens on 127.0.0.1:";
  const std::size_t at = log_.find(listens);
  if (at == std::string::npos) throw std::runtime_error("no '" + listens + "' in: " + log_);
  return std::stoi(log_.substr(at + listens.size()));
}

std::string GoProcess::answer_to(int signal, const std::string& prefix) {
  const std::size_t from = log_.size();
  ::kill(pid_, signal);
  while (true) {
    const std::size_t at = log_.find(prefix, from);
    const std::size_t end = at == std::string::npos ? at : log_.find(" .\n", at);
    if (end != std::string::npos) return log_.substr(at + prefix.size(), end - at - prefix.size());
    if (!read_more()) throw std::runtime_error("no answer; it said: " + log_);
  }
}

int GoProcess::wait() {
  while (read_more()) {
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace gopacer
