#include "kube/client.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>

#include "base/backoff.h"
#include "codec/fields.h"
#include "kube/transport.h"
#include "kube/wire.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;

constexpr const char* kJson = "application/json";
/// A watch that says nothing for this much longer than it should last has lost its connection.
constexpr Duration kWatchGrace = std::chrono::seconds(20);
constexpr int kSmallestPage = 1;
/// How many times as long as what is kept an answer may be that is only skimmed.
constexpr std::size_t kSkimmed = 8;
const std::vector<std::string> kEventOutline{"type", "object.metadata.namespace", "object.metadata.name",
                                             "object.metadata.resourceVersion"};
const std::vector<std::string> kListOutline{"metadata.resourceVersion", "metadata.continue", "items.metadata.namespace",
                                            "items.metadata.name", "items.metadata.resourceVersion"};

/// "?a=b&c=d" of what is not empty.
class Query {
 public:
  Query& add(const std::string& key, const std::string& value) {
    if (!value.empty()) text_ += (text_.empty() ? "?" : "&") + key + "=" + percent_encode(value);
    return *this;
  }
  Query& add(const Selection& selection) {
    return add("labelSelector", selection.label_selector).add("fieldSelector", selection.field_selector);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::optional<WatchEventType> event_type(const std::string& text) {
  if (text == "ADDED") return WatchEventType::kAdded;
  if (text == "MODIFIED") return WatchEventType::kModified;
  if (text == "DELETED") return WatchEventType::kDeleted;
  if (text == "BOOKMARK") return WatchEventType::kBookmark;
  return std::nullopt;
}

/// What is known of an object that can't be read. `place`: the skimmer's path to the object.
json outline(const Skimmer& skimmer, const std::string& place, const std::string& why) {
  return {{"metadata",
           {{"namespace", skimmer.value(place + ".metadata.namespace")},
            {"name", skimmer.value(place + ".metadata.name")},
            {"resourceVersion", skimmer.value(place + ".metadata.resourceVersion")}}},
          {"message", why}};
}

/// How many objects to ask for at once, by what is listed: as many as fitted before, and more again when they are
/// small. Thread-safe.
class PageSizes {
 public:
  int get(const std::string& collection, int most) const {
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(collection);
    return found == sizes_.end() ? most : std::min(found->second, most);
  }
  void set(const std::string& collection, int size) {
    const std::lock_guard lock(mutex_);
    sizes_[collection] = size;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, int> sizes_;
};

constexpr const char* kUnreadableEvent =
    "it is larger than gopacer reads, has too many values, is nested too deep, or its event was broken: look for what "
    "fills it, or make it smaller";

bool says_what_it_is(const ResourceType& type, const json& object) {
  return codec::text(object, "kind") == type.kind && codec::text(object, "apiVersion") == api_version(type);
}

/// The API wants an object to say what it is, though the path has said it.
json whole(const ResourceType& type, const json& object) {
  json out = object;
  out["apiVersion"] = api_version(type);
  out["kind"] = type.kind;
  return out;
}

double jitter() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace

struct Client::Impl {
  std::unique_ptr<Transport> transport;
  std::shared_ptr<TokenSource> token;
  ClientOptions options;
  std::stop_source cut;
  std::unique_ptr<PageSizes> page_sizes;

  std::string by_us() const { return "?fieldManager=" + options.field_manager; }

  HttpLimits limits() const { return limits(options.most_bytes); }
  HttpLimits limits(std::size_t most_bytes) const {
    HttpLimits limits;
    limits.total = options.request_timeout;
    limits.idle = options.request_timeout;
    limits.most_bytes = most_bytes;
    return limits;
  }

  /// One attempt, and a second one when the token was refused: it may just have been replaced.
  Result<ApiResponse> attempt(const ApiRequest& request, std::size_t most_bytes) {
    Result<ApiResponse> response = transport->send(request, limits(most_bytes), cut.get_token());
    if (!response || response->status != 401) return response;
    token->refused();
    return transport->send(request, limits(most_bytes), cut.get_token());
  }

  /// `what`: the attempt in words. A response that is too large comes back as such.
  Result<ApiResponse> once(const ApiRequest& request, const std::string& what, const ResourceType& type) {
    return once(request, what, type, options.most_bytes);
  }
  Result<ApiResponse> once(const ApiRequest& request, const std::string& what, const ResourceType& type,
                           std::size_t most_bytes) {
    Result<ApiResponse> response = attempt(request, most_bytes);
    if (!response) {
      Error error = response.error();
      error.message = "cannot " + what + ": " + error.message;
      return tl::unexpected(std::move(error));
    }
    if (response->status >= 300 || response->status < 200) return tl::unexpected(error_of(*response, what, type));
    return response;
  }

  Result<ApiResponse> read(const ApiRequest& request, const std::string& what, const ResourceType& type) {
    return read(request, what, type, options.most_bytes);
  }
  Result<ApiResponse> read(const ApiRequest& request, const std::string& what, const ResourceType& type,
                           std::size_t most_bytes) {
    const Backoff backoff{options.first_retry, options.longest_retry};
    for (int failures = 0;; ++failures) {
      Result<ApiResponse> response = once(request, what, type, most_bytes);
      if (response || response.error().kind != ErrorKind::kRetriable || failures >= options.read_retries)
        return response;
      const Duration asked = response.error().retry_after.value_or(std::chrono::milliseconds(0));
      if (asked > options.longest_retry) return response;
      wait(std::max(asked, backoff.delay(failures, jitter())));
    }
  }

  void wait(Duration time) const {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, cut.get_token(), time, [] { return false; });
  }

  static Result<json> parse(const ApiResponse& response, const std::string& what) {
    if (response.too_large) return invalid("cannot " + what + ": the answer is too large");
    std::optional<json> document = parse_json(response.body);
    if (!document || !document->is_object()) {
      return retriable("cannot " + what + ": the answer is not JSON; is something between gopacer and the API server?");
    }
    return std::move(*document);
  }

  static Result<ListPage> page_of(json document, const std::string& what) {
    const auto items = document.find("items");
    if (!document.is_object() || items == document.end() || (!items->is_array() && !items->is_null())) {
      return retriable("cannot " + what + ": the answer is not a list");
    }
    const json& metadata = codec::child(document, "metadata");
    ListPage page;
    page.resource_version = codec::text(metadata, "resourceVersion");
    page.continue_token = codec::text(metadata, "continue");
    if (items->is_array()) page.items = std::move(items->get_ref<json::array_t&>());
    return page;
  }

  /// The page of a list that holds one object which can't be read: its outline, and where the list goes on.
  Result<ListPage> skip(const ApiRequest& request, const std::string& what, const ResourceType& type) {
    Skimmer skimmer(kListOutline);
    std::size_t bytes = 0;
    const auto deadline = std::chrono::steady_clock::now() + options.request_timeout;
    const Result<ApiResponse> response = transport->stream(
        request, limits(),
        [&](std::string_view data) -> Result<void> {
          skimmer.feed(data);
          bytes += data.size();
          if (bytes / kSkimmed > options.most_bytes) return invalid("cannot " + what + ": the answer has no end");
          if (std::chrono::steady_clock::now() > deadline) return retriable("cannot " + what + ": no answer in time");
          return {};
        },
        cut.get_token());
    if (!response) return tl::unexpected(response.error());
    if (response->status < 200 || response->status >= 300) return tl::unexpected(error_of(*response, what, type));
    ListPage page;
    page.resource_version = skimmer.value("metadata.resourceVersion");
    page.continue_token = skimmer.value("metadata.continue");
    if (page.resource_version.empty() && !skimmer.value("items.metadata.name").empty()) {
      return retriable("cannot " + what + ": the server gives no smaller pages, and " + std::to_string(bytes) +
                       " bytes are more than gopacer reads at once");
    }
    if (page.resource_version.empty() || skimmer.value("items.metadata.name").empty()) {
      return retriable("cannot " + what + ": the answer is not JSON; is something between gopacer and the API server?");
    }
    page.unreadable.push_back(outline(skimmer, "items", unreadable(bytes)));
    return page;
  }

  std::string unreadable(std::size_t bytes) const {
    return "it has " + std::to_string(bytes) + " bytes as JSON, of which gopacer reads " +
           std::to_string(options.most_bytes) +
           ", or has too many values, or is nested too deep: look for what fills it, or make it smaller";
  }

  Result<json> write(const ApiRequest& request, const std::string& what, const ResourceType& type) {
    const Result<ApiResponse> response = once(request, what, type);
    if (!response) return tl::unexpected(response.error());
    return parse(*response, what);
  }
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::open(const ClusterConfig& config, std::shared_ptr<TokenSource> token,
                                             const ClientOptions& options) {
  auto transport = Transport::open(config, token, options.user_agent);
  if (!transport) return tl::unexpected(transport.error());
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(
      Impl{std::move(*transport), std::move(token), options, {}, std::make_unique<PageSizes>()})));
}

void Client::cut_off() { impl_->cut.request_stop(); }

Result<json> Client::get(const ObjectPath& object) {
  const std::string what = "get " + describe(object);
  const Result<ApiResponse> response = impl_->read({"GET", object_path(object, ""), "", ""}, what, object.type);
  if (!response) return tl::unexpected(response.error());
  return Impl::parse(*response, what);
}

/// The Accept header: the objects as they are, or as the kind that has only their metadata.
static std::string format_of(const Selection& selection, const std::string& metadata_kind) {
  return "application/json" +
         (selection.metadata_only ? ";as=" + metadata_kind + ";g=meta.k8s.io;v=v1" : std::string());
}

Result<ListPage> Client::list(const Selection& selection, const std::string& continue_token) {
  const std::string what = "list " + describe(selection.type, selection.ns);
  const std::string collection = collection_path(selection.type, selection.ns);
  const std::size_t most_bytes = impl_->options.most_bytes;
  const std::size_t most_page_bytes = std::min(impl_->options.most_page_bytes, most_bytes);
  for (int limit = impl_->page_sizes->get(collection, impl_->options.page_size);;
       limit = std::max(limit / 10, kSmallestPage)) {
    const Query query = Query().add("limit", std::to_string(limit)).add("continue", continue_token).add(selection);
    const ApiRequest request{"GET", collection + query.text(), "", "",
                             format_of(selection, "PartialObjectMetadataList")};
    const Result<ApiResponse> response =
        impl_->read(request, what, selection.type, limit == kSmallestPage ? most_bytes : most_page_bytes);
    if (!response) return tl::unexpected(response.error());
    std::optional<json> document = response->too_large ? std::nullopt : parse_json(response->body);
    if (document) {
      const bool has_room = response->body.size() < most_page_bytes / 4;
      impl_->page_sizes->set(collection, has_room ? std::min(limit * 2, impl_->options.page_size) : limit);
      return Impl::page_of(std::move(*document), what);
    }
    // Somebody may fill objects to the brim: fewer of them fit, and whoever does not fit alone is skipped.
    impl_->page_sizes->set(collection, kSmallestPage);
    if (limit == kSmallestPage) return impl_->skip(request, what, selection.type);
  }
}

Result<void> Client::watch(const Selection& selection, const std::string& resource_version,
                           const std::function<void(WatchEventType, const json&)>& on_event, std::stop_token stop) {
  const std::string what = "watch " + describe(selection.type, selection.ns);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(impl_->options.watch_timeout).count();
  const Query query = Query()
                          .add("watch", "1")
                          .add("allowWatchBookmarks", "true")
                          .add("resourceVersion", resource_version)
                          .add("timeoutSeconds", std::to_string(std::max<long>(seconds, 1)))
                          .add(selection);
  const ApiRequest request{"GET", collection_path(selection.type, selection.ns) + query.text(), "", "",
                           format_of(selection, "PartialObjectMetadata")};

  // What can't be told of one event, a new list tells: the same version would bring the same event again.
  const auto list_again = [&](const std::string& why) -> Result<void> {
    return tl::unexpected(Error{ErrorKind::kExpired, "cannot " + what + ": " + why});
  };
  const auto on_unreadable = [&](const Skimmer& skimmer) -> Result<void> {
    const auto type = event_type(skimmer.value("type"));
    if (!type || skimmer.value("object.metadata.name").empty()) {
      return list_again("an event can't be read and does not say what it is about");
    }
    on_event(*type == WatchEventType::kDeleted ? *type : WatchEventType::kUnreadable,
             outline(skimmer, "object", kUnreadableEvent));
    return {};
  };
  const auto on_line = [&](std::string_view line) -> Result<void> {
    const std::optional<json> event = parse_json(line);
    if (!event) {
      Skimmer skimmer(kEventOutline);
      skimmer.feed(line);
      return on_unreadable(skimmer);
    }
    const std::string type = codec::text(*event, "type");
    const json& object = codec::child(*event, "object");
    if (!object.is_object() || object.empty()) return list_again("an event has no object");
    if (type == "ERROR") {
      Error error = error_of_status(object, what);
      error.kind = ErrorKind::kExpired;
      return tl::unexpected(std::move(error));
    }
    // A type that a later server may have is none of ours.
    if (const auto known = event_type(type)) on_event(*known, object);
    return {};
  };
  LineReader lines(impl_->options.most_event_bytes, kEventOutline);
  HttpLimits limits = impl_->limits();
  limits.idle = impl_->options.watch_timeout + kWatchGrace;
  std::stop_source either;
  const std::stop_callback at_stop(stop, [&] { either.request_stop(); });
  const std::stop_callback at_cut(impl_->cut.get_token(), [&] { either.request_stop(); });
  const Result<ApiResponse> response = impl_->transport->stream(
      request, limits,
      [&](std::string_view data) {
        Result<void> fed = lines.feed(data, on_line, on_unreadable);
        // The reader's own error: a line without end.
        if (!fed && fed.error().kind != ErrorKind::kExpired) return list_again(fed.error().message);
        return fed;
      },
      either.get_token());
  if (!response) return tl::unexpected(response.error());
  if (stop.stop_requested()) return {};
  if (impl_->cut.stop_requested()) return retriable("cannot " + what + ": this client was cut off");
  if (response->status == 401) impl_->token->refused();
  if (response->status < 200 || response->status >= 300)
    return tl::unexpected(error_of(*response, what, selection.type));
  return {};
}

Result<json> Client::create(const ResourceType& type, const std::string& ns, const json& object) {
  const auto metadata = object.find("metadata");
  std::string name = metadata == object.end() ? "" : codec::text(*metadata, "name");
  if (name.empty() && metadata != object.end()) name = codec::text(*metadata, "generateName") + "…";
  // It may be large: it is copied only where something is missing.
  const std::string body = says_what_it_is(type, object) ? to_text(object) : to_text(whole(type, object));
  return impl_->write({"POST", collection_path(type, ns) + impl_->by_us(), kJson, body},
                      "create " + describe(ObjectPath{type, ns, name}), type);
}

Result<json> Client::apply(const ObjectPath& object, const json& document, const ApplyOptions& options) {
  json applied = whole(object.type, document);
  applied["metadata"]["name"] = object.name;
  if (!object.ns.empty()) applied["metadata"]["namespace"] = object.ns;
  const std::string target = object_path(object, options.subresource) + impl_->by_us() + "&force=false" +
                             (options.dry_run ? "&dryRun=All" : "");
  return impl_->write({"PATCH", target, "application/apply-patch+yaml", to_text(applied)}, "apply " + describe(object),
                      object.type);
}

Result<json> Client::merge_patch(const ObjectPath& object, const json& patch, const std::string& subresource) {
  return impl_->write(
      {"PATCH", object_path(object, subresource) + impl_->by_us(), "application/merge-patch+json", to_text(patch)},
      "patch " + (subresource.empty() ? "" : "the " + subresource + " of ") + describe(object), object.type);
}

Result<json> Client::replace(const ObjectPath& object, const json& document) {
  return impl_->write({"PUT", object_path(object, "") + impl_->by_us(), kJson, to_text(whole(object.type, document))},
                      "replace " + describe(object), object.type);
}

Result<void> Client::remove(const ObjectPath& object, const std::string& uid) {
  json options = {{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"propagationPolicy", "Background"}};
  if (!uid.empty()) options["preconditions"] = {{"uid", uid}};
  const Result<ApiResponse> response = impl_->once({"DELETE", object_path(object, ""), kJson, to_text(options)},
                                                   "delete " + describe(object), object.type);
  if (!response && response.error().kind != ErrorKind::kNotFound) return tl::unexpected(response.error());
  return {};
}

Result<bool> Client::kind_is_served(const ResourceType& type) {
  const std::string what = "ask for the kinds of " + api_version(type);
  const std::string path = (type.group.empty() ? "/api/" : "/apis/") + api_version(type);
  const Result<ApiResponse> response = impl_->read({"GET", path, "", ""}, what, type);
  if (!response) {
    if (response.error().kind == ErrorKind::kNotFound) return false;
    return tl::unexpected(response.error());
  }
  const Result<json> document = Impl::parse(*response, what);
  if (!document) return tl::unexpected(document.error());
  const auto resources = document->find("resources");
  if (resources == document->end() || !resources->is_array()) return false;
  return std::any_of(resources->begin(), resources->end(), [&](const json& resource) {
    return resource.is_object() && codec::text(resource, "name") == type.plural;
  });
}

Result<IssuedToken> Client::request_token(const std::string& ns, const std::string& account, Duration life) {
  const ResourceType accounts{"", "v1", "serviceaccounts", "ServiceAccount", true};
  const std::string what = "make a token of ServiceAccount " + ns + "/" + account;
  const json request{{"apiVersion", "authentication.k8s.io/v1"},
                     {"kind", "TokenRequest"},
                     {"spec", {{"expirationSeconds", std::chrono::duration_cast<std::chrono::seconds>(life).count()}}}};
  const Result<json> made =
      impl_->write({"POST", object_path({accounts, ns, account}, "token"), kJson, to_text(request)}, what, accounts);
  if (!made) return tl::unexpected(made.error());
  IssuedToken issued;
  issued.token = codec::text(codec::child(*made, "status"), "token");
  issued.life = std::chrono::seconds(codec::integer(codec::child(*made, "spec"), "expirationSeconds",
                                                    std::chrono::duration_cast<std::chrono::seconds>(life).count()));
  if (issued.token.empty()) return retriable("cannot " + what + ": the answer holds none");
  return issued;
}

}  // namespace gopacer::kube
