#include "kube/leader_elector.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "codec/fields.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;

const ResourceType kLeases{"coordination.k8s.io", "v1", "leases", "Lease", true};

std::int64_t seconds_of(Duration duration) {
  return std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count(), 1);
}

/// The lease as its new holder has it; the rest of it stays.
json held(json lease, const LeaseOptions& options, Time now, std::int64_t transitions, bool acquire) {
  lease["apiVersion"] = api_version(kLeases);
  lease["kind"] = kLeases.kind;
  json& spec = lease["spec"];
  if (!spec.is_object()) spec = json::object();
  spec["holderIdentity"] = options.identity;
  spec["leaseDurationSeconds"] = seconds_of(options.lease_duration);
  spec["renewTime"] = format_micro_time(now);
  spec["leaseTransitions"] = transitions;
  if (acquire) spec["acquireTime"] = format_micro_time(now);
  return lease;
}

}  // namespace

LeaderElector::LeaderElector(ApiServer& api, LeaseOptions options, const Clock& clock, const SteadyClock& steady,
                             std::function<void()> started, std::function<void()> lost, std::function<void()> cut_off)
    : api_(api),
      options_(std::move(options)),
      clock_(clock),
      steady_(steady),
      started_(std::move(started)),
      lost_(std::move(lost)),
      cut_off_(std::move(cut_off)) {}

void LeaderElector::run(std::stop_token stop) {
  // Keeps the deadline while the other thread may hang in a request.
  std::jthread watchdog([this](const std::stop_token& end) {
    while (!end.stop_requested()) {
      const std::optional<Duration> left = check_deadline();
      std::unique_lock lock(mutex_);
      if (left) {
        changed_.wait_for(lock, end, *left, [] { return false; });
      } else {
        changed_.wait(lock, end, [this] { return leading_; });
      }
    }
  });

  std::mutex mutex;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    const Duration wait = step();
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, wait, [] { return false; });
  }
  watchdog.request_stop();
  watchdog.join();
  release();
}

Duration LeaderElector::step() {
  const Result<void> done = attempt();
  std::string trouble = done ? "" : done.error().message;
  {
    const std::lock_guard lock(mutex_);
    std::swap(trouble_, trouble);
  }
  if (!done && done.error().message != trouble) {
    spdlog::warn("lease not held lease={}/{} error=\"{}\"", options_.ns, options_.name, done.error().message);
  }
  check_deadline();
  return options_.retry_period;
}

Result<void> LeaderElector::attempt() {
  const ObjectPath path{kLeases, options_.ns, options_.name};
  Result<json> lease = api_.get(path);
  if (!lease && lease.error().kind != ErrorKind::kNotFound) return tl::unexpected(lease.error());
  if (!lease) return write(json{{"metadata", {{"name", options_.name}}}}, false, 0, true);

  const json& spec = codec::child(*lease, "spec");
  const std::string holder = codec::text(spec, "holderIdentity");
  const std::string version = codec::text(codec::child(*lease, "metadata"), "resourceVersion");
  if (version != seen_version_) {
    seen_version_ = version;
    seen_at_ = steady_.now();
  }
  {
    const std::lock_guard lock(mutex_);
    holder_ = holder;
  }
  const auto transitions = static_cast<int>(codec::integer(spec, "leaseTransitions"));
  if (holder == options_.identity) {
    // Ours, perhaps from a former life of this process: then it is won anew.
    return write(std::move(*lease), true, transitions, !leads());
  }
  if (leads()) {
    cut_off_();
    give_up();
    return invalid("lease " + options_.ns + "/" + options_.name + " was taken by '" + holder + "'");
  }
  const Duration theirs = std::chrono::seconds(std::clamp<std::int64_t>(
      codec::integer(spec, "leaseDurationSeconds", seconds_of(options_.lease_duration)), 1, 3600));
  if (!holder.empty() && steady_.now() < seen_at_ + theirs) {
    if (std::exchange(waited_for_, holder) != holder) {
      spdlog::info("standing by lease={}/{} holder={} seconds={}", options_.ns, options_.name, holder,
                   seconds_of(theirs));
    }
    return {};
  }
  return write(std::move(*lease), true, transitions + 1, true);
}

Result<void> LeaderElector::write(json lease, bool exists, int transitions, bool acquire) {
  // Counted from before the request: whenever the server took it in, others count from a later moment.
  const Duration begun = steady_.now();
  const ObjectPath path{kLeases, options_.ns, options_.name};
  const json document = held(std::move(lease), options_, clock_.now(), transitions, acquire);
  // The resource version makes it conditional: of two who try at once, one fails.
  const Result<json> written = exists ? api_.replace(path, document) : api_.create(kLeases, options_.ns, document);
  if (!written) {
    // Of those who tried at once another one was first: no trouble for whoever does not lead.
    if (written.error().kind == ErrorKind::kConflict && !leads()) return {};
    return tl::unexpected(written.error());
  }
  lead(begun);
  return {};
}

void LeaderElector::lead(Duration since) {
  const std::lock_guard callbacks(callbacks_);
  {
    const std::lock_guard lock(mutex_);
    deadline_ = since + options_.renew_deadline;
    holder_ = options_.identity;
    if (leading_ || steady_.now() >= deadline_) return;
    leading_ = true;
  }
  changed_.notify_all();
  told_started_ = true;
  started_();
}

void LeaderElector::give_up() {
  {
    const std::lock_guard lock(mutex_);
    leading_ = false;
  }
  const std::lock_guard callbacks(callbacks_);
  if (!told_started_) return;
  told_started_ = false;
  lost_();
}

std::optional<Duration> LeaderElector::check_deadline() {
  {
    const std::lock_guard lock(mutex_);
    if (!leading_) return std::nullopt;
    const Duration left = deadline_ - steady_.now();
    if (left > Duration(0)) return left;
  }
  cut_off_();
  give_up();
  return std::nullopt;
}

/// Lets the work end by itself, but no longer than the lease is safe.
void LeaderElector::end_in_time() {
  Duration deadline;
  {
    const std::lock_guard lock(mutex_);
    deadline = deadline_;
  }
  std::jthread guard([this, deadline](const std::stop_token& ended) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, ended, deadline - steady_.now(), [] { return false; });
    if (!ended.stop_requested()) cut_off_();
  });
  give_up();
}

void LeaderElector::release() {
  const bool led = leads();
  end_in_time();
  if (!led) return;
  const ObjectPath path{kLeases, options_.ns, options_.name};
  Result<json> lease = api_.get(path);
  if (!lease || codec::text(codec::child(*lease, "spec"), "holderIdentity") != options_.identity) return;
  (*lease)["spec"]["holderIdentity"] = "";
  (*lease)["spec"]["leaseDurationSeconds"] = 1;
  (*lease)["spec"]["renewTime"] = format_micro_time(clock_.now());
  // If it fails the successor waits for the lease to run out: nothing more to do about it here.
  static_cast<void>(api_.replace(path, *lease));
}

bool LeaderElector::leads() const {
  const std::lock_guard lock(mutex_);
  return leading_ && steady_.now() < deadline_;
}

std::string LeaderElector::holder() const {
  const std::lock_guard lock(mutex_);
  return holder_;
}

std::string LeaderElector::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

Result<std::string> seize_lease(ApiServer& api, const LeaseOptions& options, const Clock& clock) {
  constexpr int kMostTries = 10;
  const ObjectPath path{kLeases, options.ns, options.name};
  for (int left = kMostTries;; --left) {
    const Result<json> lease = api.get(path);
    if (!lease && lease.error().kind != ErrorKind::kNotFound) return tl::unexpected(lease.error());
    const json spec = lease ? codec::child(*lease, "spec") : json::object();
    std::string holder = codec::text(spec, "holderIdentity");
    const bool acquire = holder != options.identity;
    const json document = held(lease ? *lease : json{{"metadata", {{"name", options.name}}}}, options, clock.now(),
                               codec::integer(spec, "leaseTransitions") + (lease && acquire ? 1 : 0), acquire);
    const Result<json> written = lease ? api.replace(path, document) : api.create(kLeases, options.ns, document);
    if (written) return holder;
    // The leader renews it every few seconds.
    if (written.error().kind != ErrorKind::kConflict || left <= 1) return tl::unexpected(written.error());
  }
}

}  // namespace gopacer::kube
