#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "gopacer/rollout/advance.h"
#include "simulate/api_server.h"
#include "simulate/cluster.h"

namespace gopacer::simulating {

/// One pass of the operator: the real decide_on(), a judge, the real advance(), and their writes in the order in which
/// operator/act and operator/record send them.
class OperatorProcess {
 public:
  using Judge = std::function<Verdict(const Facts&)>;
  OperatorProcess(ApiServer& api, Judge judge) : api_(api), judge_(std::move(judge)) {}

  struct Pass {
    Facts facts;
    Step step;
    std::optional<Error> error;
  };
  /// `seen` is what its watches show, which may be older than what is there.
  Pass pass(const Objects& seen, const Cluster& cluster, Time now);

 private:
  std::optional<Error> act(const Objects& seen, const std::shared_ptr<const Trial>& trial, const Step& step, Time now,
                           std::optional<std::int64_t>& generation);
  std::optional<Error> record(const Objects& seen, const Facts& facts, const Step& step, bool failed);

  ApiServer& api_;
  Judge judge_;
};

}  // namespace gopacer::simulating
