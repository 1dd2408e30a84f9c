#pragma once

#include <string>
#include <string_view>

#include "gopacer/base/result.h"
#include "gopacer/domain/sample.h"

namespace gopacer {

/// Reads runtime.MemStats from expvar's page (/debug/vars), which is JSON with whatever else the program publishes.
class Expvar {
 public:
  static constexpr std::size_t kMostBytes = 1 << 20;

  /// False when the page is too long to be read.
  bool feed(std::string_view piece);
  /// kNotFound when the page is JSON, or anything else, without memstats: it is not expvar's.
  Result<MemStats> finish();
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return body_.capacity(); }

 private:
  std::string body_;
  bool too_long_ = false;
};

}  // namespace gopacer
