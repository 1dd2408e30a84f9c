#pragma once

#include <memory>
#include <string>

#include "gopacer/domain/workload.h"
#include "kube/config.h"
#include "ports/api_server.h"
#include "ports/token_source.h"

namespace gopacer::kube {

struct ClientOptions {
  /// Of one attempt at anything but a watch.
  Duration request_timeout = std::chrono::seconds(30);
  /// How often a read (get, list) that failed for a passing reason is tried again before its error is returned. Writes
  /// never are: their caller is level-based and comes back with fresh knowledge.
  int read_retries = 3;
  Duration first_retry = std::chrono::milliseconds(200);
  /// A longer Retry-After is not waited for but returned.
  Duration longest_retry = std::chrono::seconds(5);
  /// How long the server keeps a watch open; about 300 s are usual.
  Duration watch_timeout = std::chrono::seconds(290);
  int page_size = 500;
  /// Of one response that is kept. An object that does not fit alone, or has too many values, is skipped.
  std::size_t most_bytes = 8U << 20U;
  /// Of one page of a list with more than one object, most_bytes at most; what does not fit is asked for in smaller
  /// pages.
  std::size_t most_page_bytes = 2U << 20U;
  /// Of one event of a watch; a longer one is skipped. etcd keeps no object above 1.5 MiB unless it was told otherwise,
  /// but as JSON that can become six times as much.
  std::size_t most_event_bytes = 8U << 20U;
  std::string user_agent = "gopacer";
  /// Whose the fields are that it writes, letters and '-' only; kFieldManager is the operator's.
  std::string field_manager = kFieldManager;
};

/// For the client that only the leader election uses: an attempt must end well before the lease's deadline.
inline ClientOptions lease_client_options() {
  ClientOptions options;
  options.request_timeout = std::chrono::seconds(3);
  options.read_retries = 0;
  return options;
}

/// A token that the API server made for a service account.
struct IssuedToken {
  std::string token;
  Duration life{0};  ///< from the moment it was asked for
};

/// The Kubernetes API over HTTPS. Each client has its own connections: give the lease one of its own, so that a busy or
/// throttled controller does not starve it.
class Client final : public ApiServer {
 public:
  /// Does not connect yet; fails when the credentials cannot be used.
  static Result<std::unique_ptr<Client>> open(const ClusterConfig& config, std::shared_ptr<TokenSource> token,
                                              const ClientOptions& options);
  ~Client() override;

  Result<nlohmann::json> get(const ObjectPath& object) override;
  Result<ListPage> list(const Selection& selection, const std::string& continue_token) override;
  Result<void> watch(const Selection& selection, const std::string& resource_version,
                     const std::function<void(WatchEventType, const nlohmann::json&)>& on_event,
                     std::stop_token stop) override;
  Result<nlohmann::json> create(const ResourceType& type, const std::string& ns, const nlohmann::json& object) override;
  Result<nlohmann::json> apply(const ObjectPath& object, const nlohmann::json& document,
                               const ApplyOptions& options) override;
  Result<nlohmann::json> merge_patch(const ObjectPath& object, const nlohmann::json& patch,
                                     const std::string& subresource) override;
  Result<nlohmann::json> replace(const ObjectPath& object, const nlohmann::json& document) override;
  Result<void> remove(const ObjectPath& object, const std::string& uid) override;
  Result<bool> kind_is_served(const ResourceType& type) override;

  /// A token of a service account that is good for about `life`; the server may choose otherwise, and allows none below
  /// ten minutes. Needs `create` on serviceaccounts/token.
  Result<IssuedToken> request_token(const std::string& ns, const std::string& account, Duration life);

  /// Breaks off all calls that run and refuses later ones, with kRetriable. For a leader that lost its lease: nothing
  /// of it may reach the server once another one acts.
  void cut_off();

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer::kube
