#include "cluster/command.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace gopacer::cluster {
namespace {

std::string joined(const std::vector<std::string>& command) {
  std::string text;
  for (const std::string& word : command) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::runtime_error failure(const std::vector<std::string>& command, const std::string& what,
                           const CommandResult& result) {
  return std::runtime_error(joined(command) + ": " + what + "\n" + result.out + result.error);
}

struct Pipe {
  int ends[2];
  Pipe() {
    if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  void close_end(int i) {
    if (ends[i] >= 0) ::close(ends[i]);
    ends[i] = -1;
  }
};

/// A file rather than a pipe: however long the input is, nobody has to wait for anybody.
std::unique_ptr<FILE, int (*)(FILE*)> file_with(const std::string& input) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(std::tmpfile(), &std::fclose);
  if (!file) throw std::system_error(errno, std::generic_category(), "tmpfile");
  std::fwrite(input.data(), 1, input.size(), file.get());
  if (std::fseek(file.get(), 0, SEEK_SET) != 0) throw std::system_error(errno, std::generic_category(), "fseek");
  return file;
}

}  // namespace

CommandResult run(const std::vector<std::string>& command, const std::string& input, std::chrono::seconds patience) {
  using Clock = std::chrono::steady_clock;
  CommandResult result;
  const auto in = file_with(input);
  Pipe out, error;
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  const pid_t child = ::fork();
  if (child < 0) throw failure(command, std::string("fork: ") + std::generic_category().message(errno), result);
  if (child == 0) {
    // A group of its own, so that scripts end with what they started.
    ::setpgid(0, 0);
    ::dup2(::fileno(in.get()), 0);
    ::dup2(out.ends[1], 1);
    ::dup2(error.ends[1], 2);
    for (const int end : {out.ends[0], out.ends[1], error.ends[0], error.ends[1]}) ::close(end);
    ::execvp(words[0], words.data());
    std::perror(words[0]);
    ::_exit(127);
  }
  out.close_end(1);
  error.close_end(1);

  const auto deadline = Clock::now() + patience;
  bool late = false;
  std::array<char, 65536> block;
  while (out.ends[0] >= 0 || error.ends[0] >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      late = true;
      break;
    }
    std::array<pollfd, 2> ready{{{out.ends[0], POLLIN, 0}, {error.ends[0], POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), static_cast<int>(left)) < 0 && errno != EINTR) break;
    for (Pipe* const pipe : {&out, &error}) {
      if ((pipe == &out ? ready[0] : ready[1]).revents == 0) continue;
      const ssize_t count = ::read(pipe->ends[0], block.data(), block.size());
      if (count <= 0) {
        pipe->close_end(0);
      } else {
        (pipe == &out ? result.out : result.error).append(block.data(), static_cast<std::size_t>(count));
      }
    }
  }
  if (late) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (late) throw failure(command, "did not end within " + std::to_string(patience.count()) + " s", result);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

Background::Background(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  process_ = ::fork();
  if (process_ < 0) throw failure(command, std::string("fork: ") + std::generic_category().message(errno), {});
  if (process_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int file = ::open(log.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0644);
  if (file < 0 || ::dup2(file, 1) < 0 || ::dup2(file, 2) < 0) {
    std::perror(log.c_str());
    ::_exit(127);
  }
  ::execvp(words[0], words.data());
  std::perror(words[0]);
  ::_exit(127);
}

Background::~Background() {
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int free_port() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  const bool is_bound = listener >= 0 && ::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  if (listener >= 0) ::close(listener);
  if (!is_bound) throw std::runtime_error(std::string("no free port: ") + std::generic_category().message(error));
  return ntohs(address.sin_port);
}

std::string must_run(const std::vector<std::string>& command, const std::string& input, std::chrono::seconds patience) {
  const CommandResult result = run(command, input, patience);
  if (result.exit_code != 0) throw failure(command, "exit code " + std::to_string(result.exit_code), result);
  return result.out;
}

}  // namespace gopacer::cluster
