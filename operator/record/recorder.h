#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "record/profile_status.h"

namespace gopacer {

class ApiServer;
class EventSink;
class OperatorMetrics;

/// Writes down what a pass found and did: the trial's status, the profile's status, events, metrics; and drops trials
/// beyond the history limits. Thread-safe for different profiles.
class Recorder {
 public:
  Recorder(ApiServer& api, EventSink& events, OperatorMetrics& metrics);
  ~Recorder();

  /// Error: something that the next pass relies on could not be written; the pass has to be repeated.
  Result<void> write(const record::Pass& pass);

  /// Forgets a profile that is gone.
  void forget(const ObjectKey& key);

 private:
  struct Written;

  Result<void> write_trial(const record::Pass& pass);
  Result<void> write_profile(const record::Pass& pass);
  void tell(const record::Pass& pass);
  void prune(const Desired& desired);
  std::shared_ptr<Written> written(const ObjectKey& key);

  ApiServer& api_;
  EventSink& events_;
  OperatorMetrics& metrics_;
  std::mutex mutex_;  ///< guards the map, not its values: one pass per key at a time
  std::map<ObjectKey, std::shared_ptr<Written>> written_;
};

}  // namespace gopacer
