#include "kube/wire.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "codec/fields.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;

constexpr std::size_t kMostMessage = 2000;
constexpr std::size_t kMostCauses = 5;
constexpr int kMostLevels = 100;
/// Values of one document. In memory each takes 64 bytes and more, were it two bytes of text; a page of a hundred
/// pods has 50,000.
constexpr std::size_t kMostValues = 100'000;
/// A line that is longer than this many times what is kept has no end.
constexpr std::size_t kEndless = 8;

/// What a person can do about a refusal.
std::string advice(int code) {
  switch (code) {
    case 401:
      return "; check the credentials, and that a service account token has not expired";
    case 403:
      return "; grant it to gopacer's service account, or check that the namespace is not being deleted";
    default:
      return "";
  }
}

ErrorKind kind_of(int code, bool field_conflict) {
  if (code == 404) return ErrorKind::kNotFound;
  if (code == 409) return field_conflict ? ErrorKind::kOwned : ErrorKind::kConflict;
  if (code == 410) return ErrorKind::kExpired;
  if (code == 408 || code == 429 || code >= 500) return ErrorKind::kRetriable;
  return ErrorKind::kTerminal;
}

Error from_status(const json& status, int code, const std::string& what) {
  std::string message = codec::text(status, "message");
  if (message.empty()) message = codec::text(status, "reason");
  bool field_conflict = false;
  std::optional<std::chrono::milliseconds> retry_after;
  if (const auto details = status.find("details"); details != status.end() && details->is_object()) {
    if (const std::int64_t seconds = codec::integer(*details, "retryAfterSeconds"); seconds > 0)
      retry_after = std::chrono::seconds(std::min<std::int64_t>(seconds, 3600));
    if (const auto causes = details->find("causes"); causes != details->end() && causes->is_array()) {
      std::size_t told = 0;
      for (const json& cause : *causes) {
        if (!cause.is_object()) continue;
        field_conflict |= codec::text(cause, "reason") == "FieldManagerConflict";
        const std::string text = codec::text(cause, "message");
        if (text.empty() || message.find(text) != std::string::npos || ++told > kMostCauses) continue;
        const std::string field = codec::text(cause, "field");
        message += "; ";
        if (!field.empty()) message += field + ": ";
        message += text;
      }
    }
  }
  if (message.empty()) message = "HTTP status " + std::to_string(code);
  if (message.size() > kMostMessage) message = message.substr(0, kMostMessage) + "…";
  return Error{kind_of(code, field_conflict), "cannot " + what + ": " + message + advice(code), retry_after};
}

/// Whether the text, once it is taken apart, is neither too deep nor too much.
bool is_modest(std::string_view text) {
  int level = 0;
  std::size_t values = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++level > kMostLevels || ++values > kMostValues) return false;
    } else if (c == ',') {
      if (++values > kMostValues) return false;
    } else if (c == '}' || c == ']') {
      --level;
    }
  }
  return true;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr std::array<char, 17> kDigits{"0123456789ABCDEF"};
  std::string out;
  for (const char c : text) {
    if (unreserved(c)) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return out;
}

std::string collection_path(const ResourceType& type, const std::string& ns) {
  std::string path = (type.group.empty() ? "/api/" : "/apis/") + api_version(type);
  if (type.namespaced && !ns.empty()) path += "/namespaces/" + percent_encode(ns);
  return path + "/" + type.plural;
}

std::string object_path(const ObjectPath& object, const std::string& subresource) {
  std::string path = collection_path(object.type, object.ns) + "/" + percent_encode(object.name);
  if (!subresource.empty()) path += "/" + percent_encode(subresource);
  return path;
}

std::string describe(const ObjectPath& object) {
  return object.type.kind + " " + (object.ns.empty() ? "" : object.ns + "/") + object.name;
}

std::string describe(const ResourceType& type, const std::string& ns) {
  if (!type.namespaced) return type.plural;
  return type.plural + (ns.empty() ? " in all namespaces" : " in " + ns);
}

Error error_of_status(const json& status, const std::string& what) {
  return from_status(status, static_cast<int>(codec::integer(status, "code")), what);
}

Error error_of(const ApiResponse& response, const std::string& what, const ResourceType& type) {
  const std::optional<json> body = parse_json(response.body);
  Error error;
  if (body && body->is_object() && codec::text(*body, "kind") == "Status") {
    error = from_status(*body, response.status, what);
  } else if (response.status == 404) {
    error = Error{ErrorKind::kNotFound, "cannot " + what + ": the API server does not serve " + type.plural + " of " +
                                            api_version(type) +
                                            "; install its CustomResourceDefinition or check the cluster's version"};
  } else {
    // Not an answer of Kubernetes: a proxy or a load balancer in between.
    std::string text = response.body.substr(0, 200);
    std::replace_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 32; }, ' ');
    error =
        Error{kind_of(response.status, false), "cannot " + what + ": HTTP status " + std::to_string(response.status) +
                                                   (text.empty() ? "" : ": " + text) + advice(response.status)};
  }
  if (response.retry_after) error.retry_after = response.retry_after;
  return error;
}

std::optional<json> parse_json(std::string_view text) {
  if (!is_modest(text)) return std::nullopt;
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return std::nullopt;
  return document;
}

std::string to_text(const json& document) { return document.dump(-1, ' ', false, json::error_handler_t::replace); }

Result<void> LineReader::feed(std::string_view data, const std::function<Result<void>(std::string_view)>& on_line,
                              const std::function<Result<void>(const Skimmer&)>& on_long) {
  while (!data.empty()) {
    const auto end = data.find('\n');
    const std::string_view part = data.substr(0, end);
    const bool is_whole = end != std::string_view::npos;
    data.remove_prefix(is_whole ? end + 1 : data.size());

    if (!skimmer_ && rest_.size() + part.size() > most_) {
      skimmer_.emplace(outline_);
      skimmer_->feed(rest_);
      skimmed_ = rest_.size();
      rest_ = {};
    }
    if (skimmer_) {
      skimmer_->feed(part);
      skimmed_ += part.size();
      if (skimmed_ > most_ * kEndless) return invalid("a line of more than " + std::to_string(skimmed_) + " bytes");
      if (!is_whole) return {};
      const Skimmer skimmer = *std::exchange(skimmer_, std::nullopt);
      if (Result<void> taken = on_long(skimmer); !taken) return taken;
    } else if (!is_whole) {
      rest_ += part;
    } else if (rest_.empty()) {
      if (part.empty()) continue;
      if (Result<void> taken = on_line(part); !taken) return taken;
    } else {
      rest_ += part;
      const std::string line = std::exchange(rest_, {});
      if (Result<void> taken = on_line(line); !taken) return taken;
    }
  }
  return {};
}

}  // namespace gopacer::kube
