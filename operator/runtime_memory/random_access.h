#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "gopacer/base/result.h"

namespace gopacer {

/// Reads all of the bytes at an offset of a file, or at an address of a process; false where not all of them are there.
using ReadAt = std::function<bool(std::uint64_t at, std::span<std::byte> into)>;

/// A plain value at a place, little-endian as this machine is; none where it is not there.
template <typename Value>
std::optional<Value> value_at(const ReadAt& read, std::uint64_t at) {
  static_assert(std::is_trivially_copyable_v<Value>);
  Value value{};
  if (!read(at, std::as_writable_bytes(std::span(&value, 1)))) return std::nullopt;
  return value;
}

/// A file that is read and written at any place: a program, or /proc/PID/mem. Owns its descriptor.
class RandomAccessFile {
 public:
  enum class Mode { kRead, kReadWrite };

  /// The error says why the system refuses it. kNotFound when there is no such file.
  static Result<RandomAccessFile> open(const std::filesystem::path& path, Mode mode);
  ~RandomAccessFile();
  RandomAccessFile(RandomAccessFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  RandomAccessFile& operator=(RandomAccessFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  bool read(std::uint64_t at, std::span<std::byte> into) const;
  bool write(std::uint64_t at, std::span<const std::byte> bytes) const;
  int descriptor() const { return fd_; }

 private:
  explicit RandomAccessFile(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace gopacer
