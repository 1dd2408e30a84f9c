#pragma once

#include <nlohmann/json_fwd.hpp>

namespace gopacer {

/// What a reflector fills: a copy of the cluster's objects of one kind. Called by one thread only.
class Mirror {
 public:
  virtual ~Mirror() = default;
  /// A new list begins: what add() brings from now on replaces everything at commit().
  virtual void begin() = 0;
  virtual void add(const nlohmann::json& object) = 0;
  virtual void commit() = 0;
  /// One object changed or came.
  virtual void put(const nlohmann::json& object) = 0;
  virtual void remove(const nlohmann::json& object) = 0;
  /// The same as add() and put() for an object that can't be read; of it there is only an outline, see ListPage.
  virtual void add_unreadable(const nlohmann::json& outline) = 0;
  virtual void put_unreadable(const nlohmann::json& outline) = 0;
};

/// Why an object can't be read, of its outline.
std::string message_of(const nlohmann::json& outline);

}  // namespace gopacer
