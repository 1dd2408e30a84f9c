#include "runtime_memory/random_access.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace gopacer {
namespace {

/// Goes on until all is done; false at the end, and at an error. `move` is pread or pwrite.
template <typename Byte, typename Move>
bool whole(int fd, std::uint64_t at, std::span<Byte> bytes, const Move& move) {
  while (!bytes.empty()) {
    const ssize_t moved = move(fd, bytes.data(), bytes.size(), static_cast<off64_t>(at));
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(moved));
    at += static_cast<std::uint64_t>(moved);
  }
  return true;
}

}  // namespace

Result<RandomAccessFile> RandomAccessFile::open(const std::filesystem::path& path, Mode mode) {
  const int fd = ::open(path.c_str(), (mode == Mode::kRead ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (fd >= 0) return RandomAccessFile(fd);
  const int why = errno;
  const std::string message = path.string() + ": " + std::generic_category().message(why);
  if (why == ENOENT || why == ESRCH) return fail(ErrorKind::kNotFound, message);
  if (why == EACCES || why == EPERM)
    return invalid(message + "; run as the same user, or with CAP_SYS_PTRACE as root has it");
  return retriable(message);
}

RandomAccessFile::~RandomAccessFile() {
  if (fd_ >= 0) ::close(fd_);
}

bool RandomAccessFile::read(std::uint64_t at, std::span<std::byte> into) const {
  return whole(fd_, at, into, ::pread64);
}

bool RandomAccessFile::write(std::uint64_t at, std::span<const std::byte> bytes) const {
  return whole(fd_, at, bytes, ::pwrite64);
}

}  // namespace gopacer
