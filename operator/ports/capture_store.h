#pragma once

#include <string>

#include "gopacer/base/clock.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// What a pod did when its collections stood out: a profile of Go, as its pprof gave it, for people to look at.
struct Capture {
  ObjectKey profile;   ///< the GoRuntimeProfile
  std::string pod;     ///< its name
  std::string uid;     ///< of the pod
  Time at;             ///< when the reason was seen
  std::string reason;  ///< "LongPause" or "AllocationStorm"
  std::string what;    ///< a sentence
  std::string kind;    ///< "cpu" or "heap"
  std::string body;    ///< gzipped protobuf; empty where there is none
  std::string error;   ///< why there is none, a sentence
};

/// Keeps captures. Thread-safe; nothing blocks.
class CaptureStore {
 public:
  virtual ~CaptureStore() = default;
  /// Whether one may be taken for the profile now. Yes is given once in ten minutes.
  virtual bool admit(const ObjectKey& profile, Time now) = 0;
  virtual void keep(Capture capture) = 0;
};

}  // namespace gopacer
