#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "gopacer/base/result.h"

namespace gopacer {

/// Keeps a page as it comes, up to a length; the error of a longer one is `too_long`, a clause without a subject.
class RawPage {
 public:
  RawPage(std::size_t most, std::string too_long) : most_(most), too_long_(std::move(too_long)) {}

  /// False when the page is too long to be kept.
  bool feed(std::string_view piece) {
    body_.append(piece.substr(0, most_ + 1 - std::min(body_.size(), most_ + 1)));
    return body_.size() <= most_;
  }
  Result<std::string> finish() {
    if (body_.size() > most_) return invalid(too_long_);
    return std::move(body_);
  }
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return body_.capacity(); }

 private:
  std::size_t most_;
  std::string too_long_;
  std::string body_;
};

}  // namespace gopacer
