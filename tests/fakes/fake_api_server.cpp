#include "fakes/fake_api_server.h"

#include <algorithm>
#include <sstream>
#include <utility>

namespace gopacer {
namespace {

using nlohmann::json;
using FieldPath = std::vector<std::string>;

std::string in_words(const ResourceType& type, const std::string& ns, const std::string& name) {
  return type.kind + " " + (ns.empty() ? "" : ns + "/") + name;
}

/// Lists of named objects are merged by name, as containers and env are; others are one value.
bool is_keyed(const json& value) {
  return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), [](const json& item) {
           return item.is_object() && item.contains("name");
         });
}

std::string item_key(const std::string& name) { return "k:" + json{{"name", name}}.dump(); }
std::string item_name(const std::string& key) { return json::parse(key.substr(2))["name"].get<std::string>(); }

/// Calls `visit` with the path of each value that somebody can own.
template <typename Visit>
void for_each_field(const json& value, FieldPath& path, const Visit& visit) {
  if (value.is_object() && !value.empty()) {
    for (const auto& [name, member] : value.items()) {
      path.push_back("f:" + name);
      for_each_field(member, path, visit);
      path.pop_back();
    }
  } else if (is_keyed(value)) {
    for (const json& item : value) {
      path.push_back(item_key(item["name"].get<std::string>()));
      for_each_field(item, path, visit);
      path.pop_back();
    }
  } else {
    visit(path, value);
  }
}

bool is_ownable(const FieldPath& path) {
  if (path.front() == "f:apiVersion" || path.front() == "f:kind") return false;
  return path.front() != "f:metadata" || (path.size() > 2 && (path[1] == "f:labels" || path[1] == "f:annotations")) ||
         (path.size() > 1 && path[1] == "f:ownerReferences");
}

std::map<FieldPath, json> fields_of(const json& document) {
  std::map<FieldPath, json> fields;
  FieldPath path;
  for_each_field(document, path, [&](const FieldPath& at, const json& value) {
    if (!at.empty() && is_ownable(at)) fields[at] = value;
  });
  return fields;
}

json* find_field(json& root, const FieldPath& path, bool make) {
  json* at = &root;
  for (const std::string& step : path) {
    if (step.starts_with("f:")) {
      const std::string name = step.substr(2);
      if (!at->is_object()) {
        if (!make) return nullptr;
        *at = json::object();
      }
      if (!at->contains(name) && !make) return nullptr;
      at = &(*at)[name];
    } else {
      const std::string name = item_name(step);
      if (!at->is_array()) {
        if (!make) return nullptr;
        *at = json::array();
      }
      const auto found =
          std::find_if(at->begin(), at->end(), [&](const json& item) { return item.value("name", "") == name; });
      if (found == at->end()) {
        if (!make) return nullptr;
        at->push_back({{"name", name}});
        at = &at->back();
      } else {
        at = &*found;
      }
    }
  }
  return at;
}

/// How the map of managers names one: who it is, and how it wrote.
std::string applying(const std::string& manager) { return manager + "/Apply"; }
const std::string kUpdating = "gopacer/Update";

/// Removes the value and every list item that only its name is left of.
void drop_field(json& root, FieldPath path) {
  while (!path.empty()) {
    const std::string last = path.back();
    path.pop_back();
    json* const parent = find_field(root, path, false);
    if (parent == nullptr) return;
    const bool is_key = last == "f:name" && !path.empty() && path.back().starts_with("k:");
    if (is_key) {
      // An item keeps its key as long as anything else is left of it.
      if (parent->size() > 1) return;
    } else if (last.starts_with("f:")) {
      parent->erase(last.substr(2));
    } else {
      const std::string name = item_name(last);
      auto& items = parent->get_ref<json::array_t&>();
      std::erase_if(items, [&](const json& item) { return item.value("name", "") == name && item.size() <= 1; });
    }
    if (!parent->empty() && !(parent->is_object() && parent->size() == 1 && parent->contains("name"))) return;
  }
}

/// ".spec.template.spec.containers[name=\"app\"].env[name=\"GOGC\"].value", as the server writes it.
std::string for_people(const FieldPath& path) {
  std::string out;
  for (const std::string& step : path) {
    out += step.starts_with("f:") ? "." + step.substr(2) : "[name=\"" + item_name(step) + "\"]";
  }
  return out;
}

bool selected(const std::string& selector, const json& labels) {
  std::istringstream in(selector);
  for (std::string part; std::getline(in, part, ',');) {
    const auto equals = part.find('=');
    if (equals == std::string::npos) {
      if (!labels.contains(part)) return false;
    } else if (labels.value(part.substr(0, equals), "") != part.substr(part.rfind('=') + 1)) {
      return false;
    }
  }
  return true;
}

json labels_of(const json& object) { return object["metadata"].value("labels", json::object()); }

/// Defaults and pruning as a structural schema has them. At the root, what every object has stays.
void fit(const json& schema, json& value, bool root = false) {
  static const json kNone = json::object();
  if (value.is_array() && schema.contains("items")) {
    for (json& item : value) fit(schema["items"], item);
  }
  if (!value.is_object()) return;
  const json& properties = schema.contains("properties") ? schema["properties"] : kNone;
  if (schema.contains("additionalProperties") && schema["additionalProperties"].is_object()) {
    for (auto& [name, member] : value.items()) fit(schema["additionalProperties"], member);
  } else if (!schema.value("x-kubernetes-preserve-unknown-fields", false) && !properties.empty()) {
    for (auto member = value.begin(); member != value.end();) {
      const bool known =
          properties.contains(member.key()) ||
          (root && (member.key() == "metadata" || member.key() == "kind" || member.key() == "apiVersion"));
      member = known ? std::next(member) : value.erase(member);
    }
  }
  for (const auto& [name, member] : properties.items()) {
    if (root && name == "metadata") continue;
    if (!value.contains(name) && member.contains("default")) value[name] = member["default"];
    if (value.contains(name)) fit(member, value[name]);
  }
}

}  // namespace

Result<void> FakeApiServer::enter(const std::string& verb, const ResourceType& type, const std::string& object) {
  std::function<void(const std::string&)> hook;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = hooks_.find(verb); found != hooks_.end()) hook = found->second;
  }
  if (hook) hook(object);
  const std::lock_guard lock(mutex_);
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->verb != verb || fault->after || (!fault->plural.empty() && fault->plural != type.plural)) continue;
    const Error error = fault->error;
    faults_.erase(fault);
    return tl::unexpected(error);
  }
  if (not_served_.contains(type.plural)) {
    return fail(ErrorKind::kNotFound,
                "cannot " + verb + " " + object + ": the API server does not serve " + type.plural);
  }
  if (verb != "get" && verb != "list" && verb != "watch") writes_.push_back(verb + " " + object);
  return {};
}

template <typename T>
Result<T> FakeApiServer::leave(const std::string& verb, const ResourceType& type, T value) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->verb != verb || !fault->after || (!fault->plural.empty() && fault->plural != type.plural)) continue;
    const Error error = fault->error;
    faults_.erase(fault);
    return tl::unexpected(error);
  }
  return value;
}

bool FakeApiServer::matches(const Selection& selection, const Key& key, const json& object) {
  if (std::get<0>(key) != selection.type.plural) return false;
  if (!selection.ns.empty() && std::get<1>(key) != selection.ns) return false;
  if (selection.field_selector.starts_with("metadata.name=") && std::get<2>(key) != selection.field_selector.substr(14))
    return false;
  return selected(selection.label_selector, labels_of(object));
}

/// What a watch of the selection sees of a change: an object that leaves its labels is gone for it.
std::optional<WatchEventType> FakeApiServer::event_of(const Selection& selection, const Change& change) {
  const bool before = change.before && matches(selection, change.key, *change.before);
  const bool after = !change.gone && matches(selection, change.key, *change.after);
  if (before && after) return WatchEventType::kModified;
  if (before) return WatchEventType::kDeleted;
  if (after) return WatchEventType::kAdded;
  return std::nullopt;
}

json FakeApiServer::store(Stored& stored, bool gone) {
  json& metadata = stored.object["metadata"];
  metadata["resourceVersion"] = std::to_string(++version_);
  json managed = json::array();
  for (const auto& [manager, paths] : stored.managers) {
    if (paths.empty()) continue;
    json fields = json::object();
    for (const FieldPath& path : paths) {
      json* at = &fields;
      for (const std::string& step : path) at = &(*at)[step];
      if (at->is_null()) *at = json::object();
    }
    const auto slash = manager.rfind('/');
    managed.push_back({{"manager", manager.substr(0, slash)},
                       {"operation", manager.substr(slash + 1)},
                       {"fieldsType", "FieldsV1"},
                       {"fieldsV1", fields}});
  }
  metadata["managedFields"] = managed;
  const Key key{stored.type.plural, metadata.value("namespace", ""), metadata.value("name", "")};
  Snapshot& latest = latest_[key];
  const auto now = std::make_shared<const json>(stored.object);
  history_.push_back({version_, key, latest, now, gone});
  latest = gone ? nullptr : now;
  changed_.notify_all();
  return stored.object;
}

void FakeApiServer::delete_locked(const Key& key) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return;
  json& metadata = found->second.object["metadata"];
  const bool held =
      !metadata.value("finalizers", json::array()).empty() || slowly_deleted_.contains(found->second.type.plural);
  if (!held) return erase(key);
  if (metadata.contains("deletionTimestamp")) return;
  metadata["deletionTimestamp"] = format_time(now_);
  store(found->second);
}

void FakeApiServer::erase(const Key& key) {
  const auto found = objects_.find(key);
  if (found == objects_.end()) return;
  Stored gone = std::move(found->second);
  objects_.erase(found);
  store(gone, true);
  const std::string uid = gone.object["metadata"].value("uid", "");
  std::vector<Key> dependents;
  for (const auto& [other, stored] : objects_) {
    const json owners = stored.object["metadata"].value("ownerReferences", json::array());
    if (std::any_of(owners.begin(), owners.end(), [&](const json& owner) { return owner.value("uid", "") == uid; })) {
      dependents.push_back(other);
    }
  }
  for (const Key& dependent : dependents) delete_locked(dependent);
}

void FakeApiServer::fit_schema(const ResourceType& type, json& object) const {
  const auto schema = schemas_.find(type.plural);
  if (schema != schemas_.end()) fit(schema->second, object, /*root=*/true);
}

void FakeApiServer::own_changes(Stored& stored, const json& before, const std::string& manager) {
  const std::map<FieldPath, json> then = fields_of(before);
  const std::map<FieldPath, json> now = fields_of(stored.object);
  const auto nobody_owns = [&](const FieldPath& path) {
    for (auto& [other, owned] : stored.managers) owned.erase(path);
  };
  for (const auto& [path, value] : then) {
    if (!now.contains(path)) nobody_owns(path);
  }
  for (const auto& [path, value] : now) {
    const auto old = then.find(path);
    if (old != then.end() && old->second == value) continue;
    nobody_owns(path);
    stored.managers[manager].insert(path);
  }
}

void FakeApiServer::count_generation(json& object, const json& before) {
  if (object.value("spec", json()) == before.value("spec", json())) return;
  object["metadata"]["generation"] = before["metadata"].value("generation", 1) + 1;
}

FakeApiServer::Stored FakeApiServer::fresh(const ResourceType& type, const std::string& ns, json object) {
  json& metadata = object["metadata"];
  if (!metadata.contains("name")) metadata["name"] = metadata.value("generateName", "") + std::to_string(next_uid_);
  if (!ns.empty()) metadata["namespace"] = ns;
  metadata["uid"] = "uid-" + std::to_string(next_uid_++);
  metadata["generation"] = 1;
  metadata["creationTimestamp"] = format_time(now_);
  object["kind"] = type.kind;
  object["apiVersion"] = type.group.empty() ? type.version : type.group + "/" + type.version;
  return Stored{type, std::move(object), {}};
}

Result<json> FakeApiServer::get(const ObjectPath& object) {
  const std::string words = in_words(object.type, object.ns, object.name);
  if (const Result<void> entered = enter("get", object.type, words); !entered) return tl::unexpected(entered.error());
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find({object.type.plural, object.ns, object.name});
  if (found == objects_.end()) return fail(ErrorKind::kNotFound, "cannot get " + words + ": not found");
  return leave("get", object.type, found->second.object);
}

Result<ListPage> FakeApiServer::list(const Selection& selection, const std::string& continue_token) {
  if (const Result<void> entered = enter("list", selection.type, selection.type.plural); !entered)
    return tl::unexpected(entered.error());
  const std::lock_guard lock(mutex_);
  std::int64_t version = version_;
  std::vector<json> rest;
  if (continue_token.empty()) {
    for (const auto& [key, stored] : objects_) {
      if (matches(selection, key, stored.object)) rest.push_back(stored.object);
    }
  } else {
    const auto found = pages_.find(continue_token);
    if (found == pages_.end() || found->second.first < compacted_) {
      return fail(ErrorKind::kExpired, "cannot list " + selection.type.plural + ": the continue token is too old");
    }
    std::tie(version, rest) = found->second;
  }
  ListPage page;
  page.resource_version = std::to_string(version);
  if (rest.size() > page_size_) {
    page.continue_token = "token-" + std::to_string(pages_.size());
    pages_[page.continue_token] = {
        version, std::vector<json>(rest.begin() + static_cast<std::ptrdiff_t>(page_size_), rest.end())};
    rest.resize(page_size_);
  }
  page.items = std::move(rest);
  return leave("list", selection.type, std::move(page));
}

Result<void> FakeApiServer::watch(const Selection& selection, const std::string& resource_version,
                                  const std::function<void(WatchEventType, const json&)>& on_event,
                                  std::stop_token stop) {
  if (const Result<void> entered = enter("watch", selection.type, selection.type.plural); !entered) return entered;
  std::unique_lock lock(mutex_);
  std::int64_t seen = std::stoll(resource_version);
  if (seen < compacted_)
    return fail(ErrorKind::kExpired, "cannot watch " + selection.type.plural + ": too old resource version");
  const std::uint64_t epoch = watch_epoch_;
  const std::uint64_t expired = expired_epoch_;
  std::uint64_t bookmarks = bookmarks_;
  const std::uint64_t watch = next_watch_++;
  watches_[watch] = seen;
  changed_.notify_all();
  while (!stop.stop_requested() && watch_epoch_ == epoch && expired_epoch_ == expired) {
    std::vector<std::pair<WatchEventType, Snapshot>> events;
    for (const Change& change : history_) {
      if (change.version <= seen) continue;
      if (const auto event = event_of(selection, change)) events.emplace_back(*event, change.after);
    }
    const std::int64_t told = std::exchange(seen, version_);
    const bool mark = bookmarks_ != bookmarks;
    bookmarks = bookmarks_;
    if (!events.empty() || mark) {
      const json bookmark{{"kind", selection.type.kind}, {"metadata", {{"resourceVersion", std::to_string(seen)}}}};
      lock.unlock();
      for (const auto& [type, object] : events) on_event(type, *object);
      if (mark) on_event(WatchEventType::kBookmark, bookmark);
      lock.lock();
    }
    if (told != seen || !events.empty()) {
      watches_[watch] = seen;
      changed_.notify_all();
      continue;
    }
    changed_.wait(lock, stop, [&] {
      return version_ != seen || watch_epoch_ != epoch || expired_epoch_ != expired || bookmarks_ != bookmarks;
    });
  }
  watches_.erase(watch);
  changed_.notify_all();
  if (expired_epoch_ != expired)
    return fail(ErrorKind::kExpired, "cannot watch " + selection.type.plural + ": too old resource version");
  return {};
}

Result<json> FakeApiServer::create(const ResourceType& type, const std::string& ns, const json& object) {
  const std::string name = object.contains("metadata") ? object["metadata"].value("name", "") : "";
  const std::string words = in_words(type, ns, name);
  if (const Result<void> entered = enter("create", type, words); !entered) return tl::unexpected(entered.error());
  const std::lock_guard lock(mutex_);
  Stored made = fresh(type, ns, object);
  // The status is written apart, and nobody can say themselves when an object is to go.
  made.object.erase("status");
  made.object["metadata"].erase("deletionTimestamp");
  fit_schema(type, made.object);
  const Key key{type.plural, ns, made.object["metadata"]["name"].get<std::string>()};
  if (objects_.contains(key)) return fail(ErrorKind::kConflict, "cannot create " + words + ": it already exists");
  own_changes(made, json::object(), kUpdating);
  Stored& stored = objects_[key] = std::move(made);
  return leave("create", type, store(stored));
}

Result<json> FakeApiServer::apply_locked(const std::string& manager, const ObjectPath& object, const json& document,
                                         bool force, bool dry_run, bool status) {
  const Key key{object.type.plural, object.ns, object.name};
  const std::string words = in_words(object.type, object.ns, object.name);
  const auto found = objects_.find(key);
  const json meant = document.value("metadata", json::object());
  const json uid = found == objects_.end() ? json() : found->second.object["metadata"]["uid"];
  if (meant.contains("uid") && meant["uid"] != uid) {
    return fail(ErrorKind::kConflict, "cannot apply " + words + ": it is not the object of uid " + meant["uid"].dump());
  }
  Stored next;
  if (found == objects_.end()) {
    if (status) return fail(ErrorKind::kNotFound, "cannot apply " + words + ": not found");
    next = fresh(object.type, object.ns, {{"metadata", {{"name", object.name}}}});
  } else {
    next = found->second;
  }
  const json before = next.object;
  const std::map<FieldPath, json> wanted = fields_of(document);

  std::vector<std::string> conflicts;
  for (const auto& [path, value] : wanted) {
    const json* const now = find_field(next.object, path, false);
    for (auto& [other, owned] : next.managers) {
      // Sharing a field is no conflict as long as both want the same.
      if (other == manager || !owned.contains(path) || (now != nullptr && *now == value)) continue;
      if (force) {
        owned.erase(path);
      } else {
        conflicts.push_back("conflict with \"" + other.substr(0, other.rfind('/')) + "\": " + for_people(path));
      }
    }
  }
  if (!conflicts.empty()) {
    std::string message = "cannot apply " + words + ": Apply failed with " + std::to_string(conflicts.size()) +
                          " conflict" + (conflicts.size() == 1 ? "" : "s");
    for (const std::string& conflict : conflicts) message += ": " + conflict;
    return fail(ErrorKind::kOwned, message);
  }
  if (found != objects_.end() && meant.contains("resourceVersion") &&
      meant["resourceVersion"] != found->second.object["metadata"]["resourceVersion"]) {
    return fail(ErrorKind::kConflict, "cannot apply " + words + ": the object has been modified");
  }

  std::set<FieldPath>& mine = next.managers[manager];
  for (const FieldPath& path : mine) {
    if (wanted.contains(path)) continue;
    const bool shared = std::any_of(next.managers.begin(), next.managers.end(), [&](const auto& other) {
      return other.first != manager && other.second.contains(path);
    });
    if (!shared) drop_field(next.object, path);
  }
  mine.clear();
  for (const auto& [path, value] : wanted) {
    *find_field(next.object, path, true) = value;
    mine.insert(path);
  }
  if (mine.empty()) next.managers.erase(manager);
  fit_schema(object.type, next.object);

  if (dry_run) return next.object;
  if (found == objects_.end()) {
    Stored& stored = objects_[key] = std::move(next);
    return store(stored);
  }
  const bool owners_changed = next.managers != found->second.managers;
  const bool changed = next.object != before;
  found->second = std::move(next);
  if (!changed && !owners_changed) return found->second.object;
  count_generation(found->second.object, before);
  return store(found->second);
}

Result<json> FakeApiServer::apply(const ObjectPath& object, const json& document, const ApplyOptions& options) {
  const std::string words = in_words(object.type, object.ns, object.name);
  if (const Result<void> entered = enter("apply", object.type, words); !entered) return tl::unexpected(entered.error());
  const std::lock_guard lock(mutex_);
  Result<json> applied =
      apply_locked(applying("gopacer"), object, document, false, options.dry_run, options.subresource == "status");
  if (!applied) return applied;
  return leave("apply", object.type, std::move(*applied));
}

json FakeApiServer::apply_as(const std::string& manager, const ObjectPath& object, const json& document) {
  const std::lock_guard lock(mutex_);
  return *apply_locked(applying(manager), object, document, true, false, false);
}

json FakeApiServer::update_as(const std::string& manager, const ObjectPath& object,
                              const std::function<void(json&)>& change) {
  const std::lock_guard lock(mutex_);
  Stored& stored = objects_.at({object.type.plural, object.ns, object.name});
  json before = stored.object;
  change(stored.object);
  fit_schema(object.type, stored.object);
  if (stored.object == before) return before;
  own_changes(stored, before, manager + "/Update");
  count_generation(stored.object, before);
  return store(stored);
}

void FakeApiServer::use_schema(const std::string& plural, json schema) {
  const std::lock_guard lock(mutex_);
  schemas_[plural] = std::move(schema);
}

void FakeApiServer::delete_slowly(const std::string& plural) {
  const std::lock_guard lock(mutex_);
  slowly_deleted_.insert(plural);
}

void FakeApiServer::finish_deletions() {
  const std::lock_guard lock(mutex_);
  std::vector<Key> marked;
  for (const auto& [key, stored] : objects_) {
    const json& metadata = stored.object["metadata"];
    if (metadata.contains("deletionTimestamp") && metadata.value("finalizers", json::array()).empty())
      marked.push_back(key);
  }
  for (const Key& key : marked) erase(key);
}

Result<json> FakeApiServer::merge_patch(const ObjectPath& object, const json& patch, const std::string& subresource) {
  const std::string words = in_words(object.type, object.ns, object.name);
  if (const Result<void> entered = enter("patch", object.type, words); !entered) return tl::unexpected(entered.error());
  const std::lock_guard lock(mutex_);
  const Key key{object.type.plural, object.ns, object.name};
  const auto found = objects_.find(key);
  if (found == objects_.end()) return fail(ErrorKind::kNotFound, "cannot patch " + words + ": not found");
  Stored& stored = found->second;
  json change = patch;
  if (change.contains("metadata") && change["metadata"].contains("resourceVersion")) {
    if (change["metadata"]["resourceVersion"] != stored.object["metadata"]["resourceVersion"]) {
      return fail(ErrorKind::kConflict, "cannot patch " + words + ": it was changed since it was read");
    }
    change["metadata"].erase("resourceVersion");
  }
  if (subresource == "status") {
    change = {{"status", change.value("status", json::object())}};
  } else {
    change.erase("status");
  }
  const json before = stored.object;
  stored.object.merge_patch(change);
  fit_schema(object.type, stored.object);
  if (stored.object == before) return leave("patch", object.type, stored.object);
  if (subresource.empty()) own_changes(stored, before, kUpdating);
  count_generation(stored.object, before);
  const json& metadata = stored.object["metadata"];
  if (metadata.contains("deletionTimestamp") && metadata.value("finalizers", json::array()).empty() &&
      !slowly_deleted_.contains(object.type.plural)) {
    const json last = stored.object;
    erase(key);
    return leave("patch", object.type, last);
  }
  return leave("patch", object.type, store(stored));
}

Result<json> FakeApiServer::replace(const ObjectPath& object, const json& document) {
  const std::string words = in_words(object.type, object.ns, object.name);
  if (const Result<void> entered = enter("replace", object.type, words); !entered)
    return tl::unexpected(entered.error());
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find({object.type.plural, object.ns, object.name});
  if (found == objects_.end()) return fail(ErrorKind::kNotFound, "cannot replace " + words + ": not found");
  Stored& stored = found->second;
  const std::string version = document["metadata"].value("resourceVersion", "");
  if (!version.empty() && version != stored.object["metadata"]["resourceVersion"].get<std::string>()) {
    return fail(ErrorKind::kConflict, "cannot replace " + words + ": it was changed since it was read");
  }
  if (const json uid = document["metadata"].value("uid", json());
      !uid.is_null() && uid != stored.object["metadata"]["uid"])
    return fail(ErrorKind::kConflict, "cannot replace " + words + ": it is another object of the same name");
  const json before = stored.object;
  json next = document;
  for (const char* kept : {"uid", "creationTimestamp", "generation", "deletionTimestamp"}) {
    if (before["metadata"].contains(kept)) next["metadata"][kept] = before["metadata"][kept];
  }
  // The status is written apart.
  next.erase("status");
  if (before.contains("status")) next["status"] = before["status"];
  stored.object = std::move(next);
  fit_schema(object.type, stored.object);
  own_changes(stored, before, kUpdating);
  count_generation(stored.object, before);
  return leave("replace", object.type, store(stored));
}

Result<void> FakeApiServer::remove(const ObjectPath& object, const std::string& uid) {
  const std::string words = in_words(object.type, object.ns, object.name);
  if (Result<void> entered = enter("delete", object.type, words); !entered) {
    if (entered.error().kind == ErrorKind::kNotFound) return {};
    return entered;
  }
  const std::lock_guard lock(mutex_);
  const Key key{object.type.plural, object.ns, object.name};
  const auto found = objects_.find(key);
  if (found == objects_.end()) return {};
  const json& metadata = found->second.object["metadata"];
  if (!uid.empty() && metadata.value("uid", "") != uid) {
    return fail(ErrorKind::kConflict, "cannot delete " + words + ": it is another object of the same name");
  }
  delete_locked(key);
  const Result<bool> left = leave("delete", object.type, true);
  if (!left) return tl::unexpected(left.error());
  return {};
}

Result<bool> FakeApiServer::kind_is_served(const ResourceType& type) {
  const std::lock_guard lock(mutex_);
  return !not_served_.contains(type.plural);
}

void FakeApiServer::fail_next(const std::string& verb, const Error& error, int times, const std::string& plural) {
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < times; ++i) faults_.push_back({verb, plural, error, false});
}

void FakeApiServer::lose_next_answer(const std::string& verb, Error error) {
  const std::lock_guard lock(mutex_);
  faults_.push_back({verb, "", std::move(error), true});
}

void FakeApiServer::before(const std::string& verb, std::function<void(const std::string&)> hook) {
  const std::lock_guard lock(mutex_);
  hooks_[verb] = std::move(hook);
}

void FakeApiServer::stop_serving(const std::string& plural) {
  const std::lock_guard lock(mutex_);
  not_served_.insert(plural);
}

void FakeApiServer::serve(const std::string& plural) {
  const std::lock_guard lock(mutex_);
  not_served_.erase(plural);
}

void FakeApiServer::set_page_size(std::size_t size) {
  const std::lock_guard lock(mutex_);
  page_size_ = size;
}

void FakeApiServer::set_now(Time now) {
  const std::lock_guard lock(mutex_);
  now_ = now;
}

void FakeApiServer::compact() {
  const std::lock_guard lock(mutex_);
  compacted_ = ++version_;
  history_.clear();
}

void FakeApiServer::end_watches() {
  const std::lock_guard lock(mutex_);
  ++watch_epoch_;
  changed_.notify_all();
}

void FakeApiServer::expire_watches() {
  const std::lock_guard lock(mutex_);
  ++expired_epoch_;
  changed_.notify_all();
}

void FakeApiServer::bookmark() {
  const std::lock_guard lock(mutex_);
  ++bookmarks_;
  changed_.notify_all();
}

json FakeApiServer::peek(const ObjectPath& object) const {
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find({object.type.plural, object.ns, object.name});
  return found == objects_.end() ? json() : found->second.object;
}

std::vector<std::string> FakeApiServer::writes() const {
  const std::lock_guard lock(mutex_);
  return writes_;
}

void FakeApiServer::forget_writes() {
  const std::lock_guard lock(mutex_);
  writes_.clear();
}

std::size_t FakeApiServer::watches() const {
  const std::lock_guard lock(mutex_);
  return watches_.size();
}

bool FakeApiServer::wait_for_watches(std::size_t count, Duration most) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return watches_.size() == count; });
}

bool FakeApiServer::wait_until_watched(std::size_t count, Duration most) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] {
    return watches_.size() == count &&
           std::all_of(watches_.begin(), watches_.end(), [&](const auto& watch) { return watch.second == version_; });
  });
}

}  // namespace gopacer
