#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "codec/spec_fields.h"
#include "gopacer/base/clock.h"

namespace gopacer::codec {

/// "canary.replicas is 70, and must be from 1 to 10".
std::string out_of_bounds(const std::string& what, const nlohmann::json& value, const std::string& least,
                          const std::string& most);

/// Reads members that have bounds and collects what is out of them, so that one message tells it all.
class Complaints {
 public:
  /// The integer, or `otherwise` when it is not there. Complains of one below `least` or above `most`.
  std::int64_t integer(const nlohmann::json& object, const char* member, std::int64_t otherwise, std::int64_t least,
                       std::int64_t most);
  int integer(const nlohmann::json& object, const char* member, int otherwise, const SpecField& field);
  Duration duration(const nlohmann::json& object, const char* member, Duration otherwise, const SpecField& field);
  /// A number written as text, neither NaN nor outside of the bounds.
  double number(const nlohmann::json& object, const char* member, double otherwise, double least, double most);

  /// Keeps what fits into a message.
  void add(const std::string& what);
  bool none() const { return text_.empty(); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace gopacer::codec
