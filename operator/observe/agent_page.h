#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "codec/agent_sample.h"

namespace gopacer {

/// Reads what a node's agent says of one container.
class AgentPage {
 public:
  static constexpr std::size_t kMostBytes = 16 << 10;

  /// False when the page is too long to be read.
  bool feed(std::string_view piece) {
    body_.append(piece.substr(0, kMostBytes + 1 - std::min(body_.size(), kMostBytes + 1)));
    return body_.size() <= kMostBytes;
  }
  Result<codec::AgentSample> finish() const {
    if (body_.size() > kMostBytes) return invalid("is longer than an agent's answer");
    return codec::decode_agent_sample(body_);
  }
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return body_.capacity(); }

 private:
  std::string body_;
};

}  // namespace gopacer
