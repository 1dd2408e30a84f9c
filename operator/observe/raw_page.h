#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

/// Keeps a page as it comes.
class RawPage {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;

  /// False when the page is too long to be kept.
  bool feed(std::string_view piece) {
    body_.append(piece.substr(0, kMostBytes + 1 - std::min(body_.size(), kMostBytes + 1)));
    return body_.size() <= kMostBytes;
  }
  Result<std::string> finish() {
    if (body_.size() > kMostBytes) return invalid("is longer than 1 MiB");
    return std::move(body_);
  }
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return body_.capacity(); }

 private:
  std::string body_;
};

}  // namespace gopacer
