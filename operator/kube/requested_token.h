#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/steady_clock.h"
#include "kube/client.h"
#include "ports/token_source.h"

namespace gopacer::kube {

/// Short-lived tokens of an account that may do little, for servers that must never see gopacer's own: the kubelets.
///
/// One thread calls run() (or step()); token() and refused() may be called from any thread and never wait.
class RequestedToken final : public TokenSource {
 public:
  using Issue = std::function<Result<IssuedToken>()>;

  RequestedToken(Issue issue, const SteadyClock& clock);

  /// Keeps a fresh token until `stop`: asks for the next one when half the life of the present one is over.
  void run(std::stop_token stop);
  /// Asks for a token if it is time to. Gives the wait until the next time.
  Duration step();

  /// kRetriable before the first one is there; else the error of the latest request, once the last token is no good.
  Result<std::string> token() override;
  void refused() override;

 private:
  const Issue issue_;
  const SteadyClock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::optional<IssuedToken> issued_;
  Duration asked_{0};     ///< when the present token was
  Duration due_{0};       ///< when to ask for the next one
  Duration earliest_{0};  ///< not to ask again before, however often it is refused
  Error error_{ErrorKind::kRetriable, "its token has been asked for and is not there yet"};
};

}  // namespace gopacer::kube
