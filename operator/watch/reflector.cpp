#include "watch/reflector.h"

#include <algorithm>
#include <condition_variable>
#include <nlohmann/json.hpp>
#include <utility>

#include "codec/fields.h"

namespace gopacer {

std::string message_of(const nlohmann::json& outline) { return codec::text(outline, "message"); }

Reflector::Reflector(ApiServer& api, Selection selection, Mirror& mirror, const SteadyClock& clock,
                     OnTrouble on_trouble, ReflectorOptions options)
    : api_(api),
      selection_(std::move(selection)),
      mirror_(mirror),
      clock_(clock),
      on_trouble_(std::move(on_trouble)),
      options_(std::move(options)),
      heard_(clock.now()) {}

void Reflector::run(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    const Duration wait = step(stop);
    if (wait > Duration(0)) wake.wait_for(lock, stop, wait, [] { return false; });
  }
}

Duration Reflector::step(std::stop_token stop) {
  return state_ == ReflectorState::kWatching ? watch(stop) : list(stop);
}

Duration Reflector::list(const std::stop_token& stop) {
  mirror_.begin();
  std::string token;
  do {
    const std::lock_guard turn(*options_.page_turn);
    if (stop.stop_requested()) return Duration(0);
    const Result<ListPage> page = api_.list(selection_, token);
    if (stop.stop_requested()) return Duration(0);
    if (!page) {
      return page.error().kind == ErrorKind::kNotFound ? not_served(page.error()) : failed(page.error());
    }
    for (const nlohmann::json& object : page->items) mirror_.add(object);
    for (const nlohmann::json& outline : page->unreadable) {
      mirror_.add_unreadable(outline);
      options_.on_unreadable(codec::key_of(outline), message_of(outline));
    }
    heard();
    resource_version_ = page->resource_version;
    token = page->continue_token;
  } while (!token.empty());
  mirror_.commit();
  state_ = ReflectorState::kWatching;
  // A row of failures ends only with a watch that holds: a server whose lists are good and whose watches are not must
  // not be asked for lists in a tight loop.
  clear_trouble();
  return Duration(0);
}

Duration Reflector::watch(const std::stop_token& stop) {
  const Duration begun = clock_.now();
  bool was_event = false;
  const auto on_event = [&](WatchEventType type, const nlohmann::json& object) {
    was_event = true;
    clear_trouble();
    switch (type) {
      case WatchEventType::kAdded:
      case WatchEventType::kModified:
        mirror_.put(object);
        break;
      case WatchEventType::kDeleted:
        mirror_.remove(object);
        break;
      case WatchEventType::kUnreadable:
        mirror_.put_unreadable(object);
        options_.on_unreadable(codec::key_of(object), message_of(object));
        break;
      case WatchEventType::kBookmark:
        break;
    }
    if (std::string version = codec::resource_version_of(object); !version.empty())
      resource_version_ = std::move(version);
    // Only now: what is heard and not taken in is not known.
    heard();
  };
  const Result<void> ended = api_.watch(selection_, resource_version_, on_event, stop);
  if (stop.stop_requested()) return Duration(0);
  if (ended) {
    heard();
    if (!was_event && clock_.now() - begun < options_.shortest_watch) {
      return failed({ErrorKind::kRetriable, "the watch of " + selection_.type.plural + " ended as soon as it began"});
    }
    failures_ = 0;
    clear_trouble();
    // A server that was restored from a backup may know no change after the version that is asked for, for hours.
    if (!was_event && clock_.now() - begun >= options_.longest_silent_watch) state_ = ReflectorState::kListing;
    return Duration(0);
  }
  if (was_event || clock_.now() - begun >= options_.shortest_watch) failures_ = 0;
  if (ended.error().kind == ErrorKind::kExpired || ended.error().kind == ErrorKind::kNotFound) {
    state_ = ReflectorState::kListing;
  }
  return failed(ended.error());
}

Duration Reflector::not_served(const Error& error) {
  heard();
  const bool is_news = state_.exchange(ReflectorState::kNotServed) != ReflectorState::kNotServed;
  if (options_.optional) {
    mirror_.begin();
    mirror_.commit();
    clear_trouble();
    return options_.not_served_wait;
  }
  {
    const std::lock_guard lock(trouble_mutex_);
    trouble_ = error.message;
  }
  if (is_news && on_trouble_) on_trouble_(error);
  return options_.not_served_wait;
}

Duration Reflector::failed(const Error& error) {
  // Who may not look at an optional kind sees all that there is for them.
  if (options_.optional && error.kind == ErrorKind::kTerminal) heard();
  // That a version is too old is the course of things; only a row of it is a failure.
  if (error.kind == ErrorKind::kExpired && failures_ == 0 && !error.retry_after) {
    ++failures_;
    return Duration(0);
  }
  {
    const std::lock_guard lock(trouble_mutex_);
    trouble_ = error.message;
  }
  if (on_trouble_) on_trouble_(error);
  const Duration wait = options_.backoff.delay(failures_, std::uniform_real_distribution<double>(0, 1)(random_));
  failures_ = std::min(failures_ + 1, 30);
  return std::max<Duration>(wait, error.retry_after.value_or(std::chrono::milliseconds(0)));
}

std::string Reflector::trouble() const {
  const std::lock_guard lock(trouble_mutex_);
  return trouble_;
}

void Reflector::clear_trouble() {
  const std::lock_guard lock(trouble_mutex_);
  trouble_.clear();
}

}  // namespace gopacer
