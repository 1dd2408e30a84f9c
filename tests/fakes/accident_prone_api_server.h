#pragma once

#include <functional>

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
  int calls() const { return calls_; }
  /// `accident` happens to call number `call`, from 0 and from now on.
  void plan(int call, Accident accident) {
    calls_ = 0;
    at_ = call;
    accident_ = accident;
  }

  Result<nlohmann::json> get(const ObjectPath& object) override {
    return meet<nlohmann::json>([&] { return real_.get(object); });
  }
  Result<ListPage> list(const Selection& selection, const std::string& token) override {
    return meet<ListPage>([&] { return real_.list(selection, token); });
  }
  Result<void> watch(const Selection& selection, const std::string& version,
                     const std::function<void(WatchEventType, const nlohmann::json&)>& on_event,
                     std::stop_token stop) override {
    return real_.watch(selection, version, on_event, stop);
  }
  Result<nlohmann::json> create(const ResourceType& type, const std::string& ns, const nlohmann::json& object) override {
    return meet<nlohmann::json>([&] { return real_.create(type, ns, object); });
  }
  Result<nlohmann::json> apply(const ObjectPath& object, const nlohmann::json& document,
                               const ApplyOptions& options) override {
    return meet<nlohmann::json>([&] { return real_.apply(object, document, options); });
  }
  Result<nlohmann::json> merge_patch(const ObjectPath& object, const nlohmann::json& patch,
                                     const std::string& subresource) override {
    return meet<nlohmann::json>([&] { return real_.merge_patch(object, patch, subresource); });
  }
  Result<nlohmann::json> replace(const ObjectPath& object, const nlohmann::json& document) override {
    return meet<nlohmann::json>([&] { return real_.replace(object, document); });
  }
  Result<void> remove(const ObjectPath& object, const std::string& uid) override {
    return meet<void>([&] { return real_.remove(object, uid); });
  }
  Result<bool> kind_is_served(const ResourceType& type) override { return real_.kind_is_served(type); }

 private:
  template <typename T>
  Result<T> meet(const std::function<Result<T>()>& call) {
    const Accident now = calls_++ == at_ ? accident_ : Accident::kNone;
    if (now == Accident::kRefused) return retriable("the connection was refused");
    if (now == Accident::kDeath) throw Death();
    Result<T> result = call();
    if (now == Accident::kAnswerLost) return retriable("the connection broke before the answer came");
    if (now == Accident::kDeathAfter) throw Death();
    return result;
  }

  ApiServer& real_;
  int calls_ = 0;
  int at_ = -1;
  Accident accident_ = Accident::kNone;
};

}  // namespace gopacer
