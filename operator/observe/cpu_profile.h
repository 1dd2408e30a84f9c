#pragma once

#include <string>
#include <string_view>

#include "gopacer/base/result.h"
#include "gopacer/domain/sample.h"

namespace gopacer {

/// Reads the GC's share out of a CPU profile of Go: gzipped protobuf, as /debug/pprof/profile writes it.
///
/// A stack counts as GC when one of its functions marks in the background (gcBgMarkWorker), marks for an allocation
/// (gcAssistAlloc) or sweeps in the background (bgsweep), and it counts once. CpuUse has the other kinds.
class CpuProfileReader {
 public:
  static constexpr std::size_t kMostBytes = 1 << 20;     ///< compressed
  static constexpr std::size_t kMostInflated = 8 << 20;  ///< of which a profile of 30 s has one or two

  /// False when the profile is too long to be read.
  bool feed(std::string_view piece);
  Result<GcProfile> finish();
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return body_.capacity(); }

 private:
  std::string body_;
  bool too_long_ = false;
};

}  // namespace gopacer
