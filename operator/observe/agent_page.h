#pragma once

#include <string>
#include <string_view>

#include "codec/agent_sample.h"
#include "observe/raw_page.h"

namespace gopacer {

/// Reads what a node's agent says of one container.
class AgentPage {
 public:
  static constexpr std::size_t kMostBytes = 16 << 10;

  /// False when the page is too long to be read.
  bool feed(std::string_view piece) { return page_.feed(piece); }
  Result<codec::AgentSample> finish() {
    const Result<std::string> body = page_.finish();
    if (!body) return tl::unexpected(body.error());
    return codec::decode_agent_sample(*body);
  }
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return page_.kept(); }

 private:
  RawPage page_{kMostBytes, "is longer than an agent's answer"};
};

}  // namespace gopacer
