#pragma once

#include <functional>
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
};

/// The operator's process is gone; what it had in memory is lost.
struct Death {};

/// Hands every call on to another API server, counts them, and lets an accident happen to one.
class AccidentProneApiServer final : public ApiServer {
 public:
  explicit AccidentProneApiServer(ApiServer& real) : real_(real) {}

  /// Calls so far.
  int calls() const { return static_cast<int>(log_.size()); }
  /// What they were, "patch GoRuntimeTrial checkout-1" and so on.
  const std::vector<std::string>& log() const { return log_; }
  /// `accident` happens to call number `call`, from 0 and from now on.
  void plan(int call, Accident accident) {
    log_.clear();
    at_ = call;
    accident_ = accident;
  }

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
    const Accident now = calls() == at_ ? accident_ : Accident::kNone;
    log_.push_back(what);
    if (now == Accident::kRefused) return retriable("the connection was refused");
    if (now == Accident::kDeath) throw Death();
    Result<T> result = call();
    if (now == Accident::kAnswerLost) return retriable("the connection broke before the answer came");
    if (now == Accident::kDeathAfter) throw Death();
    return result;
  }

  ApiServer& real_;
  std::vector<std::string> log_;
  int at_ = -1;
  Accident accident_ = Accident::kNone;
};

}  // namespace gopacer
