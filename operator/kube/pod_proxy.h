#pragma once

#include <map>
#include <memory>
#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"
#include "kube/config.h"
#include "ports/http_fetcher.h"

namespace gopacer::kube {

/// Pages of pods by way of the API server, for whoever is outside of the cluster's network. Needs the right to get
/// pods/proxy.
///
/// A request's address is that of a pod that was named to know(); others are unreachable, and so is TLS. Requests wait
/// for one of a few threads in the order in which they came. Thread-safe. Destruction ends what runs and waits for it.
class PodProxy final : public HttpFetcher {
 public:
  /// Does not connect yet; fails when the credentials can't be used.
  static Result<std::unique_ptr<PodProxy>> open(const ClusterConfig& config, std::shared_ptr<TokenSource> token,
                                                const std::string& user_agent);
  ~PodProxy() override;

  /// From now on `address` is that pod's.
  void know(const std::string& address, const ObjectKey& pod);
  /// "pods/proxy is forbidden …" once the API server itself refused; empty while it did not.
  std::string refusal() const;

  void fetch(HttpRequest request, BodySink sink, FetchDone done) override;

 private:
  class Impl;
  explicit PodProxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer::kube
