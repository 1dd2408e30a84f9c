#include "notify/receivers.h"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "codec/fields.h"

namespace gopacer {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestReceiverName = 63;
constexpr std::size_t kLongestUrl = 2048;
constexpr std::size_t kLongestToken = 4096;
constexpr std::size_t kMostNamespaces = 256;
constexpr const char* kAlertsPath = "/api/v2/alerts";
constexpr const char* kKeys = "name, type, url, token, on and namespaces";

/// Letters, digits and what `more` has.
bool is_made_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

/// A word as a message may have it. What is no short word may be a secret that stands in the wrong place.
std::string quoted(const std::string& word) {
  constexpr std::size_t kLongest = 20;
  const bool plain = !word.empty() && word.size() <= kLongest && is_made_of(word, "");
  return plain ? "'" + word + "'" : std::string("one that is not shown here");
}

bool is_plain_line(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// Null when there is no such member.
const json* member_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

/// A text that has to be there.
Result<std::string> word_of(const json& from, const char* name) {
  const json* const value = member_of(from, name);
  if (value == nullptr || !value->is_string() || value->get_ref<const std::string&>().empty()) {
    return invalid(std::string("has no ") + name + ": give it one, a text");
  }
  return value->get<std::string>();
}

/// A list of texts, in which there is something; none where it is left out.
Result<std::optional<std::vector<std::string>>> words_of(const json& from, const char* name, std::size_t most) {
  const json* const value = member_of(from, name);
  if (value == nullptr) return std::optional<std::vector<std::string>>();
  const bool are_texts = value->is_array() && !value->empty() && value->size() <= most &&
                         std::all_of(value->begin(), value->end(), [](const json& one) { return one.is_string(); });
  if (!are_texts) {
    return invalid(std::string("has under ") + name + " something else than a list of 1 to " + std::to_string(most) +
                   " texts; leave it out for all");
  }
  return std::optional(value->get<std::vector<std::string>>());
}

Result<ReceiverType> type_of(const json& from) {
  const Result<std::string> type = word_of(from, "type");
  if (!type) return tl::unexpected(type.error());
  if (*type == "slack") return ReceiverType::kSlack;
  if (*type == "webhook") return ReceiverType::kWebhook;
  if (*type == "alertmanager") return ReceiverType::kAlertmanager;
  return invalid("has an unknown type, " + quoted(*type) + ": write slack, webhook or alertmanager");
}

/// parse_http_url() takes neither a query nor a '/' at the end, which may be what a receiver goes by.
Result<void> take_url(const json& from, Receiver& receiver) {
  const Result<std::string> url = word_of(from, "url");
  if (!url) return tl::unexpected(url.error());
  const std::size_t scheme = url->find("://");
  const std::size_t end = scheme == std::string::npos ? scheme : url->find_first_of("/?#", scheme + 3);
  const Result<HttpUrl> server = parse_http_url(url->substr(0, end));
  if (!server) return invalid("has a url that can't be used: it " + server.error().message);
  receiver.server = *server;
  receiver.target = end == std::string::npos ? "/" : url->substr(end);
  if (receiver.target.front() == '?') receiver.target.insert(0, "/");
  if (!is_made_of(server->host, "-._:")) return invalid("has a url whose host is neither a name nor an IP address");
  if (url->size() > kLongestUrl || !is_plain_line(receiver.target) || receiver.target.find('#') != std::string::npos) {
    return invalid("has a url with blanks, a '#' or other than ASCII characters, or with more than " +
                   std::to_string(kLongestUrl) + " of them");
  }
  if (receiver.type != ReceiverType::kAlertmanager) return {};
  while (receiver.target.ends_with('/')) receiver.target.pop_back();
  if (receiver.target.find('?') != std::string::npos || receiver.target.ends_with(kAlertsPath)) {
    return invalid(std::string("has a url with more than Alertmanager's address: leave out ") + kAlertsPath +
                   " and what follows '?'");
  }
  receiver.target += kAlertsPath;
  return {};
}

Result<void> take_token(const json& from, Receiver& receiver) {
  if (member_of(from, "token") == nullptr) return {};
  const Result<std::string> token = word_of(from, "token");
  if (!token || token->size() > kLongestToken || !is_plain_line(*token)) {
    return invalid("has a token that is not one line of 1 to " + std::to_string(kLongestToken) +
                   " ASCII characters without blanks; it is sent as \"Authorization: Bearer TOKEN\"");
  }
  if (!receiver.server.tls) return invalid("has a token and a url without TLS: tokens are only sent to https:// URLs");
  receiver.authorization = "Bearer " + *token;
  return {};
}

Result<void> take_choice(const json& from, Receiver& receiver) {
  const auto kinds = words_of(from, "on", kNotificationKinds.size());
  if (!kinds) return tl::unexpected(kinds.error());
  if (*kinds) receiver.on.clear();
  for (const std::string& word : kinds->value_or(std::vector<std::string>())) {
    const auto kind = parse_notification_kind(word);
    if (!kind) {
      return invalid("has under on " + quoted(word) + ": write Promoted, RolledBack, NeedsMemory or Blocked");
    }
    receiver.on.insert(*kind);
  }
  const auto namespaces = words_of(from, "namespaces", kMostNamespaces);
  if (!namespaces) return tl::unexpected(namespaces.error());
  for (const std::string& ns : namespaces->value_or(std::vector<std::string>())) {
    if (!codec::is_object_name(ns)) return invalid("has under namespaces something that is no name of one");
    receiver.namespaces.insert(ns);
  }
  return {};
}

Result<Receiver> read_receiver(const json& from, const std::string& name) {
  constexpr std::string_view kKnown[] = {"name", "type", "url", "token", "on", "namespaces"};
  for (const auto& [key, value] : from.items()) {
    if (std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown)) {
      return invalid("has an unknown key, " + quoted(key) + ": it takes " + kKeys);
    }
  }
  Receiver receiver;
  receiver.name = name;
  const Result<ReceiverType> type = type_of(from);
  if (!type) return tl::unexpected(type.error());
  receiver.type = *type;
  for (const auto take : {take_url, take_token, take_choice}) {
    if (const Result<void> taken = take(from, receiver); !taken) return tl::unexpected(taken.error());
  }
  return receiver;
}

Result<std::string> name_of(const json& from) {
  Result<std::string> name =
      from.is_object() ? word_of(from, "name") : Result<std::string>(invalid("is not an object"));
  if (name && (name->size() > kLongestReceiverName || !is_made_of(*name, "-_."))) {
    return invalid("has a name with something else than letters, digits, '-', '_' and '.', or longer than " +
                   std::to_string(kLongestReceiverName) + " characters");
  }
  return name;
}

Result<std::string> text_of(const std::string& path) {
  std::string text(kMostReceiversBytes + 1, '\0');
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return retriable("it can't be read (" + std::generic_category().message(errno) +
                     "): mount the Secret that has it, with this key");
  }
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return retriable("it can't be read to its end: look at the volume that it is mounted from");
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMostReceiversBytes) {
    return invalid("it is longer than " + std::to_string(kMostReceiversBytes) + " bytes: name fewer receivers");
  }
  return text;
}

}  // namespace

bool Receiver::wants(const Notification& what) const {
  return on.contains(what.kind) && (namespaces.empty() || namespaces.contains(what.ns));
}

Result<std::vector<Receiver>> parse_receivers(std::string_view text) {
  // Without the library's own words, which show the text around an error.
  const json from = json::parse(text.begin(), text.end(), nullptr, false);
  if (from.is_discarded()) return invalid("it is not JSON: look for a comma or a quote that is missing");
  const json* const list = from.is_object() && from.size() == 1 ? member_of(from, "receivers") : nullptr;
  if (list == nullptr || !list->is_array()) {
    return invalid("it has to be an object with one key, receivers, which is a list");
  }
  if (list->size() > kMostReceivers) {
    return invalid("it has " + std::to_string(list->size()) + " receivers, of which it may have " +
                   std::to_string(kMostReceivers));
  }
  std::vector<Receiver> receivers;
  for (const json& one : *list) {
    const Result<std::string> name = name_of(one);
    const std::string number = "receiver " + std::to_string(receivers.size() + 1);
    if (!name) return invalid(number + " " + name.error().message);
    Result<Receiver> receiver = read_receiver(one, *name);
    if (!receiver) return invalid("receiver '" + *name + "' " + receiver.error().message);
    const bool known =
        std::any_of(receivers.begin(), receivers.end(), [&](const Receiver& other) { return other.name == *name; });
    if (known) return invalid(number + " has the name of another, '" + *name + "': give it one of its own");
    receivers.push_back(std::move(*receiver));
  }
  return receivers;
}

Result<ReceiversFile> ReceiversFile::open(std::string path) {
  ReceiversFile file(std::move(path));
  if (const Result<bool> read = file.refresh(); !read) return tl::unexpected(read.error());
  return file;
}

Result<bool> ReceiversFile::refresh() {
  const auto refused = [&](Error error) {
    error.message = "the notifications file " + path_ + " can't be used: " + error.message;
    return tl::unexpected(std::move(error));
  };
  Result<std::string> text = text_of(path_);
  if (!text) return refused(text.error());
  // An empty file is refused, so that it is never taken for what was read before.
  if (*text == text_ && !text_.empty()) return false;
  Result<std::vector<Receiver>> receivers = parse_receivers(*text);
  if (!receivers) return refused(receivers.error());
  text_ = std::move(*text);
  receivers_ = std::move(*receivers);
  return true;
}

}  // namespace gopacer
