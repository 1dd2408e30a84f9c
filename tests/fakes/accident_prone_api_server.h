#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ports/api_server.h"

namespace gopacer {

/// What can befall a call.
enum class Accident {
  kNone,
  kRefused,     ///< an error, and nothing was done
  kAnswerLost,  ///< an error, and it was done all the same
  kDeath,       ///< the operator dies before it is sent: Death is thrown
  kDeathAfter,  ///< the operator dies right after it was done
  kConflict,    ///< a change of what is there meets a newer version of it; a read or a creation is refused
};

inline std::string to_string(Accident accident) {
  switch (accident) {
    case Accident::kNone:
      return "nothing";
    case Accident::kRefused:
      return "refused";
    case Accident::kAnswerLost:
      return "answer lost";
    case Accident::kDeath:
      return "death before";
    case Accident::kDeathAfter:
      return "death after";
    case Accident::kConflict:
      return "conflict";
  }
  return {};
}

/// The operator's process is gone; what it had in memory is lost.
struct Death {};

/// Hands every call on to another API server, counts them, and lets accidents happen to some.
class AccidentProneApiServer final : public ApiServer {
 public:
  explicit AccidentProneApiServer(ApiServer& real) : real_(real) {}

  /// Calls so far.
  int calls() const { return static_cast<int>(log_.size()); }
  /// What they were, "patch GoRuntimeTrial checkout-1" and so on.
  const std::vector<std::string>& log() const { return log_; }
  /// What happens to which calls, counted from 0 and from now on.
  void plan(std::map<int, Accident> accidents) {
    log_.clear();
    accidents_ = std::move(accidents);
  }
  void plan(int call, Accident accident) { plan({{call, accident}}); }

  Result<nlohmann::json> get(const ObjectPath& object) override {
    return meet<nlohmann::json>(words("get", object.type, object.name), [&] { return real_.get(object); });
  }
  Result<ListPage> list(const Selection& selection, const std::string& token) override {
    return meet<ListPage>(words("list", selection.type, ""), [&] { return real_.list(selection, token); });
  }
  Result<void> watch(const Selection& selection, const std::string& version,
                     const std::function<void(WatchEventType, const nlohmann::json&)>& on_event,
                     std::stop_token stop) override {
    return real_.watch(selection, version, on_event, stop);
  }
  Result<nlohmann::json> create(const ResourceType& type, const std::string& ns,
                                const nlohmann::json& object) override {
    return meet<nlohmann::json>(words("create", type, ""), [&] { return real_.create(type, ns, object); });
  }
  Result<nlohmann::json> apply(const ObjectPath& object, const nlohmann::json& document,
                               const ApplyOptions& options) override {
    return meet<nlohmann::json>(words("apply", object.type, object.name),
                                [&] { return real_.apply(object, document, options); });
  }
  Result<nlohmann::json> merge_patch(const ObjectPath& object, const nlohmann::json& patch,
                                     const std::string& subresource) override {
    return meet<nlohmann::json>(words("patch", object.type, object.name),
                                [&] { return real_.merge_patch(object, patch, subresource); });
  }
  Result<nlohmann::json> replace(const ObjectPath& object, const nlohmann::json& document) override {
    return meet<nlohmann::json>(words("replace", object.type, object.name),
                                [&] { return real_.replace(object, document); });
  }
  Result<void> remove(const ObjectPath& object, const std::string& uid) override {
    return meet<void>(words("delete", object.type, object.name), [&] { return real_.remove(object, uid); });
  }
  Result<bool> kind_is_served(const ResourceType& type) override { return real_.kind_is_served(type); }

 private:
  static std::string words(const char* verb, const ResourceType& type, const std::string& name) {
    return std::string(verb) + " " + type.kind + " " + name;
  }

  template <typename T>
  Result<T> meet(const std::string& what, const std::function<Result<T>()>& call) {
    const auto planned = accidents_.find(calls());
    const Accident now = planned == accidents_.end() ? Accident::kNone : planned->second;
    log_.push_back(what);
    const bool changes = what.starts_with("apply") || what.starts_with("patch") || what.starts_with("replace");
    if (now == Accident::kConflict && changes) {
      return fail(ErrorKind::kConflict, "cannot " + what + ": it was changed since it was read");
    }
    if (now == Accident::kRefused || now == Accident::kConflict) return retriable("the connection was refused");
    if (now == Accident::kDeath) throw Death();
    Result<T> result = call();
    if (now == Accident::kAnswerLost) return retriable("the connection broke before the answer came");
    if (now == Accident::kDeathAfter) throw Death();
    return result;
  }

  ApiServer& real_;
  std::vector<std::string> log_;
  std::map<int, Accident> accidents_;
};

}  // namespace gopacer
