#include "codec/complaints.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer::codec {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

/// What a message shows of a value that somebody else wrote.
std::string shown(const json& value) { return clipped(value.dump(-1, ' ', false, json::error_handler_t::replace), 40); }

}  // namespace

std::string out_of_bounds(const std::string& what, const json& value, const std::string& least,
                          const std::string& most) {
  return what + " is " + shown(value) + ", and must be from " + least + " to " + most;
}

void Complaints::add(const std::string& what) {
  constexpr std::size_t kLongest = 1000;
  if (text_.size() < kLongest) text_ += (text_.empty() ? "" : "; ") + clipped(what, kLongest - text_.size());
}

std::int64_t Complaints::integer(const json& object, const char* member, std::int64_t otherwise, std::int64_t least,
                                 std::int64_t most) {
  const json& value = child(object, member);
  if (!value.is_number()) return otherwise;
  const std::int64_t read = codec::integer(object, member, least - 1);
  if (read >= least && read <= most) return read;
  add(out_of_bounds(member, value, std::to_string(least), std::to_string(most)));
  return otherwise;
}

int Complaints::integer(const json& object, const char* member, int otherwise, const SpecField& field) {
  return static_cast<int>(integer(object, member, otherwise, field.least, field.most));
}

Duration Complaints::duration(const json& object, const char* member, Duration otherwise, const SpecField& field) {
  const json& value = child(object, member);
  if (!value.is_string()) return otherwise;
  const milliseconds least(field.least);
  const milliseconds most(field.most);
  const Result<Duration> read = parse_duration(value.get_ref<const std::string&>());
  if (read && *read >= least && *read <= most) return *read;
  add(out_of_bounds(member, value, format_duration(least), format_duration(most)));
  return otherwise;
}

double Complaints::number(const json& object, const char* member, double otherwise, double least, double most) {
  const double read = codec::number(object, member, otherwise);
  if (read >= least && read <= most) return read;
  add(out_of_bounds(member, child(object, member), exact(least), exact(most)));
  return otherwise;
}

}  // namespace gopacer::codec
