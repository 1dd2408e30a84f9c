#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "gopacer/base/result.h"
#include "gopacer/domain/settings.h"
#include "gopacer/domain/workload.h"

namespace gopacer {

/// Where settings are to be put: a container of a workload. The uid makes sure that it is still the same one.
struct SettingsPlace {
  ObjectKey workload;
  std::string uid;
  std::string container;
};

/// What is in force there, as of now.
struct SettingsInForce {
  Settings settings;
  std::vector<EnvOwner> owners;
  Rollout rollout;
  bool settled = false;  ///< all pods run with them
  std::string template_hash;
  std::int64_t generation = 0;
  std::string version;  ///< for put(): the write fails with kConflict when anything changed since
};

/// What a write left behind.
struct Receipt {
  std::int64_t generation = 0;  ///< of the workload; a picture of it with a lower one is older than the write
};

/// A way to put the two settings in force for a workload. Thread-safe; each call blocks and is bounded in time.
/// Errors: kNotFound and kConflict when the place is gone or has changed, kOwned when somebody else owns a setting (the
/// message names them), kRetriable, else kTerminal with the server's words.
class SettingsApplier {
 public:
  virtual ~SettingsApplier() = default;

  virtual Result<SettingsInForce> read(const SettingsPlace& place) = 0;
  /// Sets both; one that `settings` leaves out is released. A value that somebody else has set stays where `settings`
  /// leaves it out or has the same. `why` is one line for people, kept with the revision; empty takes the line away.
  virtual Result<Receipt> put(const SettingsPlace& place, const Settings& settings, const std::string& version,
                              const std::string& why) = 0;
  /// Whether put() would succeed now; changes nothing.
  virtual Result<void> rehearse(const SettingsPlace& place, const Settings& settings) = 0;
  /// Gives up all that is ours there; values that somebody else has set stay.
  virtual Result<void> release(const SettingsPlace& place) = 0;
};

}  // namespace gopacer
