#include "kube/event_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "kube/wire.h"

namespace gopacer::kube {

using codec::clipped;

namespace {

using nlohmann::json;

const ResourceType kEvents{"events.k8s.io", "v1", "events", "Event", true};
constexpr std::size_t kLongestNote = 1024;
constexpr std::size_t kLongestWord = 128;
constexpr std::size_t kLongestNamePrefix = 220;
constexpr Duration kLongestWait = std::chrono::minutes(1);

std::string series_key(const Event& event) {
  std::string key;
  for (const std::string& part :
       {event.type.plural, event.ns, event.name, event.uid, event.reason, event.action, event.note}) {
    key += part + '\n';
  }
  return key + (event.warning ? "W" : "N");
}

std::string object_key(const Event& event) { return event.type.plural + "/" + event.ns + "/" + event.name; }

std::string hexadecimal(std::uint64_t value) {
  std::array<char, 24> out{};
  std::snprintf(out.data(), out.size(), "%llx", static_cast<unsigned long long>(value));
  return out.data();
}

}  // namespace

EventWriter::EventWriter(ApiServer& api, const Clock& clock, const SteadyClock& steady, EventWriterOptions options)
    : api_(api), clock_(clock), steady_(steady), options_(std::move(options)) {}

void EventWriter::post(const Event& event) {
  {
    const std::lock_guard lock(mutex_);
    pending_.push(event.ns, {event, clock_.now(), 0});
    if (pending_.size() > options_.most_pending) {
      pending_.drop_from_longest(event.ns);
      drop();
    }
    ++posts_;
  }
  posted_.notify_one();
}

void EventWriter::run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    // Counted from before the writing, so that what is posted meanwhile does not wait for the next time.
    const std::uint64_t seen = posts_;
    lock.unlock();
    const Duration wait = write_due();
    lock.lock();
    posted_.wait_for(lock, stop, wait, [&] { return posts_ != seen; });
  }
  lock.unlock();
  write_due();
}

bool EventWriter::has_room(const Bucket& bucket, int burst, Duration refill) const {
  return bucket.full_at + refill <= steady_.now() + refill * burst;
}

bool EventWriter::allow(Bucket& bucket, int burst, Duration refill) const {
  if (!has_room(bucket, burst, refill)) return false;
  bucket.full_at = std::max(bucket.full_at, steady_.now()) + refill;
  return true;
}

Duration EventWriter::write_due() {
  if (steady_.now() < not_before_) return not_before_ - steady_.now();
  forget_old();
  while (has_room(bucket_, options_.burst, options_.refill)) {
    std::optional<Pending> next;
    {
      const std::lock_guard lock(mutex_);
      next = pending_.pop();
    }
    if (!next) break;
    const Result<void> written = write(*next);
    if (written) continue;
    if (!written.error().retriable() || ++next->attempts >= options_.attempts) {
      drop();
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      const std::string ns = next->event.ns;
      pending_.put_back(ns, std::move(*next));
    }
    const Duration wait =
        std::max<Duration>(options_.retry, written.error().retry_after.value_or(std::chrono::milliseconds(0)));
    not_before_ = steady_.now() + std::min(wait, kLongestWait);
    return std::min(wait, kLongestWait);
  }

  Duration wait = kLongestWait;
  for (auto& [key, series] : series_) {
    if (series.count == series.written_count) continue;
    const Duration due = series.written + options_.series_period;
    if (due <= steady_.now() && allow(bucket_, options_.burst, options_.refill)) {
      static_cast<void>(update(series));
    } else {
      wait = std::min(wait, std::max(due - steady_.now(), options_.refill));
    }
  }
  const std::lock_guard lock(mutex_);
  return pending_.size() == 0 ? wait : std::min(wait, options_.refill);
}

Result<void> EventWriter::write(const Pending& pending) {
  const std::string key = series_key(pending.event);
  if (const auto found = series_.find(key); found != series_.end()) {
    Series& series = found->second;
    ++series.count;
    series.last_seen = steady_.now();
    series.last_at = pending.at;
    // Its count is written when it is due; the event itself is there already.
    return {};
  }
  Bucket& bucket = buckets_[object_key(pending.event)];
  if (pending.attempts == 0 && !allow(bucket, options_.object_burst, options_.object_refill)) {
    drop();
    return {};
  }
  allow(bucket_, options_.burst, options_.refill);
  return create(key, pending);
}

Result<void> EventWriter::create(const std::string& key, const Pending& pending) {
  const Event& event = pending.event;
  const std::string ns = event.ns.empty() ? "default" : event.ns;
  // Unlike that of any other event, also after a restart; and the same when a lost answer makes us try again.
  const auto stamp = static_cast<std::uint64_t>(pending.at.time_since_epoch().count());
  if (pending.attempts == 0) ++next_name_;
  const std::string name =
      clipped(event.name, kLongestNamePrefix) + "." + hexadecimal(stamp) + hexadecimal(next_name_ & 0xfffU);
  json regarding{{"apiVersion", api_version(event.type)}, {"kind", event.type.kind}, {"name", event.name}};
  if (!event.ns.empty()) regarding["namespace"] = event.ns;
  if (!event.uid.empty()) regarding["uid"] = event.uid;
  const json object{
      {"apiVersion", "events.k8s.io/v1"},
      {"kind", "Event"},
      {"metadata", {{"name", name}, {"namespace", ns}}},
      {"eventTime", format_micro_time(pending.at)},
      {"reportingController", "gopacer.dev/operator"},
      {"reportingInstance", clipped(options_.instance.empty() ? "gopacer" : options_.instance, kLongestWord)},
      {"regarding", regarding},
      {"type", event.warning ? "Warning" : "Normal"},
      {"reason", clipped(event.reason, kLongestWord)},
      {"action", clipped(event.action.empty() ? event.reason : event.action, kLongestWord)},
      {"note", clipped(event.note, kLongestNote)}};
  const Result<json> created = api_.create(kEvents, ns, object);
  // One of that name is ours: an earlier attempt went well and its answer was lost.
  if (!created && created.error().kind != ErrorKind::kConflict) return tl::unexpected(created.error());
  const Duration now = steady_.now();
  series_[key] = Series{ns, name, 1, 1, now, now, pending.at};
  return {};
}

Result<void> EventWriter::update(Series& series) {
  series.written = steady_.now();
  series.written_count = series.count;
  const json patch{{"series", {{"count", series.count}, {"lastObservedTime", format_micro_time(series.last_at)}}}};
  const Result<json> patched = api_.merge_patch({kEvents, series.ns, series.name}, patch, "");
  if (!patched) return tl::unexpected(patched.error());
  return {};
}

void EventWriter::forget_old() {
  const Duration now = steady_.now();
  std::erase_if(series_, [&](const auto& entry) {
    return entry.second.count == entry.second.written_count && entry.second.last_seen + options_.series_gap < now;
  });
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.full_at < now; });
  while (series_.size() > options_.most_series) {
    series_.erase(std::min_element(series_.begin(), series_.end(), [](const auto& a, const auto& b) {
      return a.second.last_seen < b.second.last_seen;
    }));
  }
}

}  // namespace gopacer::kube
