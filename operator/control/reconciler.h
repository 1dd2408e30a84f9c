#pragma once

#include "act/actor.h"
#include "control/desired.h"
#include "gopacer/base/clock.h"
#include "record/recorder.h"

namespace gopacer {

/// Samples of each profile's pods. Implemented over the scraper, and by a table in tests. Thread-safe.
class Observations {
 public:
  virtual ~Observations() = default;
  /// Which pods to read from now on, and how.
  virtual void follow(const Desired& desired) = 0;
  virtual Observation snapshot(const ObjectKey& profile, Time now) const = 0;
  virtual void forget(const ObjectKey& profile) = 0;
};

/// When a key wants its next pass.
struct Requeue {
  Duration after{0};       ///< 0: only when something changes
  bool failed = false;     ///< `after` is a wish only; the queue's back-off rules
  std::string error = {};  ///< why it failed  NOLINT(readability-redundant-member-init): left out by initializers
};

/// One pass over one profile: reads, decides, acts, records. Level-based: it never matters what woke it.
/// Thread-safe for different keys.
class Reconciler {
 public:
  Reconciler(const ClusterView& cluster, Observations& observations, Actor& actor, Recorder& recorder,
             OperatorMetrics& metrics, const Clock& clock)
      : cluster_(cluster),
        observations_(observations),
        actor_(actor),
        recorder_(recorder),
        metrics_(metrics),
        clock_(clock) {}

  Requeue reconcile(const ObjectKey& key);

 private:
  Requeue conclude(const Desired& desired, const Step& step, const std::optional<Error>& act_error,
                   const Result<void>& recorded);

  const ClusterView& cluster_;
  Observations& observations_;
  Actor& actor_;
  Recorder& recorder_;
  OperatorMetrics& metrics_;
  const Clock& clock_;
};

}  // namespace gopacer
