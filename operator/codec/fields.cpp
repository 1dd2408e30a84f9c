#include "codec/fields.h"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace gopacer::codec {

using nlohmann::json;

const json& child(const json& object, const char* member) {
  static const json kNothing = json::object();
  if (!object.is_object()) return kNothing;
  const auto found = object.find(member);
  return found == object.end() ? kNothing : *found;
}

std::string text(const json& object, const char* member) {
  const json& value = child(object, member);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t integer(const json& object, const char* member, std::int64_t otherwise) {
  const json& value = child(object, member);
  const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX;
  return value.is_number_integer() && !too_large ? value.get<std::int64_t>() : otherwise;
}

bool boolean(const json& object, const char* member, bool otherwise) {
  const json& value = child(object, member);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

double number(const json& object, const char* member, double otherwise) {
  const std::string digits = text(object, member);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() && !digits.empty() ? value : otherwise;
}

std::optional<Time> time(const json& object, const char* member) {
  const Result<Time> parsed = parse_time(text(object, member));
  return parsed ? std::optional<Time>(*parsed) : std::nullopt;
}

Duration duration(const json& object, const char* member, Duration otherwise) {
  return parse_duration(text(object, member)).value_or(otherwise);
}

std::string clipped(const std::string& text, std::size_t most) {
  if (text.size() <= most) return text;
  // Bytes 10xxxxxx go on with a character.
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  return text.substr(0, most);
}

std::string exact(double value) {
  std::array<char, 64> out{};
  const auto [end, error] = std::to_chars(out.data(), out.data() + out.size(), value);
  return error == std::errc() ? std::string(out.data(), end) : std::string("0");
}

}  // namespace gopacer::codec
