#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ports/event_sink.h"

namespace gopacer {

/// Keeps all events, in order. For one thread.
class RecordedEvents final : public EventSink {
 public:
  void post(const Event& event) override { all.push_back(event); }

  /// How many have this reason and are about an object of this kind.
  long count(const std::string& reason, const std::string& kind) const {
    return std::count_if(all.begin(), all.end(),
                         [&](const Event& event) { return event.reason == reason && event.type.kind == kind; });
  }

  std::vector<Event> all;
};

}  // namespace gopacer
