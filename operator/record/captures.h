#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "ports/capture_store.h"

namespace gopacer {

/// Captures in memory, the latest of them: 16 MiB, 8 of a profile and 128 in all at most, and one failure of each kind.
/// They end with the process. Thread-safe.
class Captures final : public CaptureStore {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;
  static constexpr std::size_t kMostOfProfile = 8;
  static constexpr std::size_t kMost = 128;
  static constexpr Duration kBetween = std::chrono::minutes(10);

  bool admit(const ObjectKey& profile, Time now) override;
  void keep(Capture capture) override;

  /// A JSON array, the latest first: profile, pod, uid, at, reason, what, kind, and either name and bytes, or error.
  std::string list() const;
  /// The profile of that name, as Go's pprof reads it.
  std::optional<std::string> body(const std::string& name) const;

 private:
  struct Kept {
    std::string name;
    Capture capture;
  };
  void drop_oldest_of(const ObjectKey& profile);
  /// Whose captures give way: whoever has many pods takes nothing from the others.
  ObjectKey who_has_most() const;

  mutable std::mutex mutex_;
  std::deque<Kept> kept_;  ///< oldest first
  std::size_t bytes_ = 0;
  std::uint64_t number_ = 0;
  std::map<ObjectKey, Time> admitted_;  ///< within the last kBetween
};

}  // namespace gopacer
