#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/steady_clock.h"
#include "gopacer/base/clock.h"
#include "ports/api_server.h"

namespace gopacer::kube {

/// Kubernetes' usual figures. A leader that cannot renew gives up after `renew_deadline`, and nobody takes its lease
/// before `lease_duration` has passed: the difference is what clocks and the last writes may be late.
struct LeaseOptions {
  std::string ns;
  std::string name = "gopacer";
  std::string identity;  ///< unlike anybody else's: the pod's name
  Duration lease_duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry_period = std::chrono::seconds(2);
};

/// Holds a Lease of coordination.k8s.io/v1 so that only one operator acts.
///
/// Give it an ApiServer of its own whose requests take less than `renew_deadline`. `started` is called when the lease
/// is won, and `lost` once for each of these when it is not held any longer; `lost` must not return before all work has
/// ended. Both are called on a thread of run(), never at once. `cut_off` is called when nothing may reach the server
/// any more because another one may lead soon: before `lost` when the deadline passed or the lease was taken, and
/// during `lost` when the work takes so long to end. It must be safe on any thread and must not block.
class LeaderElector {
 public:
  LeaderElector(
      ApiServer& api, LeaseOptions options, const Clock& clock, const SteadyClock& steady,
      std::function<void()> started, std::function<void()> lost, std::function<void()> cut_off = [] {});

  /// Seeks and keeps the lease until `stop`; then calls `lost` if it leads, and lets the lease go so that a successor
  /// starts at once. The deadline is kept even while a request hangs.
  void run(std::stop_token stop);

  /// One attempt to win or renew; gives the wait until the next one.
  Duration step();
  /// Stops leading if the deadline has passed. Gives the time left, none when not leading.
  std::optional<Duration> check_deadline();
  /// Gives the lease back if it is held, once the work has ended. Call it only after the last step().
  void release();

  /// True while it is safe to act. Becomes false by itself at the deadline, before anybody else can be leader.
  bool leads() const;
  /// Who holds the lease as far as is known; for logs and health.
  std::string holder() const;
  /// Why the latest attempt failed; empty when it did not.
  std::string trouble() const;

 private:
  Result<void> attempt();
  Result<void> write(nlohmann::json lease, bool exists, int transitions, bool acquire);
  void lead(Duration since);
  void give_up();
  void end_in_time();

  ApiServer& api_;
  const LeaseOptions options_;
  const Clock& clock_;
  const SteadyClock& steady_;
  const std::function<void()> started_;
  const std::function<void()> lost_;
  const std::function<void()> cut_off_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  bool leading_ = false;
  Duration deadline_{0};
  std::string holder_;
  std::string trouble_;
  /// Held around the callbacks, so that `lost` of one thread waits for `started` of another.
  std::mutex callbacks_;
  bool told_started_ = false;

  // Of the thread that steps: what was last seen of the lease, and when by our own clock. Other machines' clocks are
  // not to be trusted.
  std::string seen_version_;
  Duration seen_at_{0};
  std::string waited_for_;  ///< the holder that was logged last
};

/// Takes the lease from whoever has it, so that no operator acts, and keeps the others away for
/// `options.lease_duration` from now on; it is not renewed. Gives who had it, empty for nobody: such a leader may act
/// until it sees the change, and never longer than its own lease would have lasted, so wait for that. Call it again to
/// set another duration. Error kNotFound: there is no such namespace.
Result<std::string> seize_lease(ApiServer& api, const LeaseOptions& options, const Clock& clock);

}  // namespace gopacer::kube
