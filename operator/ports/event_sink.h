#pragma once

#include <string>

#include "ports/api_server.h"

namespace gopacer {

/// One thing that a person should hear about, as `kubectl describe` and `kubectl events` show it.
struct Event {
  ResourceType type;  ///< of the object that it is about
  std::string ns;
  std::string name;
  std::string uid;
  bool warning = false;
  std::string reason;  ///< CamelCase
  std::string note;    ///< a sentence; cut at 1,024 bytes
  std::string action;  ///< what was done or tried, CamelCase
};

/// Takes events; never blocks and never fails its caller: an event that can't be written is dropped and counted.
/// Thread-safe.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void post(const Event& event) = 0;
};

}  // namespace gopacer
