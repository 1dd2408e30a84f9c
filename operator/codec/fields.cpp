#include "codec/fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "gopacer/base/text.h"

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

std::string strange(const json& object, const char* member, std::size_t most) {
  const json& value = child(object, member);
  return value.is_string() ? shown(value.get_ref<const std::string&>(), most) : std::string();
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

int small(const json& object, const char* member, int otherwise) {
  return static_cast<int>(std::clamp<std::int64_t>(integer(object, member, otherwise), INT32_MIN, INT32_MAX));
}

const json& elements(const json& object, const char* member) {
  static const json kNone = json::array();
  const json& list = child(object, member);
  return list.is_array() ? list : kNone;
}

Result<Labels> series_labels(const json& object, const char* member) {
  Labels out;
  const json& from = child(object, member);
  if (!from.is_object()) return out;
  for (const auto& [key, value] : from.items()) {
    if (!value.is_string()) continue;
    const auto& wanted = value.get_ref<const std::string&>();
    // Names are ASCII; of a value the API server counts characters, each of up to four bytes.
    const bool fits = key.size() <= kLongestSeriesLabel && wanted.size() <= 4 * kLongestSeriesLabel;
    if (out.size() == kMostSeriesLabels || !fits) {
      return invalid(std::string(member) + " may have " + std::to_string(kMostSeriesLabels) +
                     " labels, with names and values of at most " + std::to_string(kLongestSeriesLabel) +
                     " characters");
    }
    out.emplace(key, wanted);
  }
  return out;
}

ObjectKey key_of(const json& object) {
  const json& metadata = child(object, "metadata");
  return {text(metadata, "namespace"), text(metadata, "name")};
}

std::string resource_version_of(const json& object) { return text(child(object, "metadata"), "resourceVersion"); }

bool is_object_name(const std::string& text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kLongestName && plain(text.front()) && plain(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-' || c == '.'; });
}

Result<ObjectKey> named(const json& object) {
  ObjectKey key = key_of(object);
  if (key.name.empty()) return invalid("an object without metadata.name cannot be read");
  return key;
}

OwnerRef controller_of(const json& object) {
  for (const json& owner : elements(child(object, "metadata"), "ownerReferences")) {
    if (boolean(owner, "controller")) {
      return {strange(owner, "kind", kLongestName), strange(owner, "name", kLongestName),
              strange(owner, "uid", kLongestName)};
    }
  }
  return {};
}

Result<std::vector<std::string>> finalizers_of(const json& object) {
  const json& from = elements(child(object, "metadata"), "finalizers");
  if (from.size() > kMostKept) {
    return invalid(key_of(object).text() + " has " + std::to_string(from.size()) +
                   " finalizers, of which gopacer reads " + std::to_string(kMostKept) +
                   ": take off those that nobody needs");
  }
  std::vector<std::string> out;
  for (const json& finalizer : from) {
    if (finalizer.is_string()) out.push_back(finalizer.get<std::string>());
  }
  return out;
}

bool deleting(const json& object) { return !text(child(object, "metadata"), "deletionTimestamp").empty(); }

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
