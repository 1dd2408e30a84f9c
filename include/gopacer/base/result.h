#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace gopacer {

/// What a caller can do about an error; nothing else about it matters for control flow.
enum class ErrorKind {
  kRetriable,  ///< may go away by itself: a time-out, a refused connection, HTTP 429 or 5xx
  kTerminal,   ///< stays until somebody changes something: bad input, forbidden, unsupported
  kNotFound,   ///< the object, or its kind, is not there
  kConflict,   ///< the object changed since it was read, or exists already
  kOwned,      ///< another field manager owns a field that we would set (server-side apply)
  kExpired,    ///< the resource version is too old (HTTP 410): list again
};

struct Error {
  ErrorKind kind = ErrorKind::kTerminal;
  std::string message;  ///< what happened, to which object, and what to do
  /// How long the other side asked us to wait (Retry-After); none when it did not say.
  std::optional<std::chrono::milliseconds> retry_after = std::nullopt;

  bool retriable() const { return kind == ErrorKind::kRetriable || kind == ErrorKind::kExpired; }
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::unexpected<Error>(Error{kind, std::move(message)});
}

/// An error that stays until somebody changes the input.
inline tl::unexpected<Error> invalid(std::string message) { return fail(ErrorKind::kTerminal, std::move(message)); }

/// An error that may go away by itself.
inline tl::unexpected<Error> retriable(std::string message) { return fail(ErrorKind::kRetriable, std::move(message)); }

}  // namespace gopacer
