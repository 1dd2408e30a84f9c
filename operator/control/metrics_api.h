#pragma once

#include "observe/plan.h"

namespace gopacer {

class ApiServer;

/// Containers' memory as metrics.k8s.io has it: the second choice where a kubelet can't be read.
class MetricsApi final : public UsageFallback {
 public:
  explicit MetricsApi(ApiServer& api) : api_(api) {}
  std::string name() const override { return "metrics.k8s.io"; }
  Result<std::vector<PodUsage>> list(const std::string& ns) override;

 private:
  ApiServer& api_;
};

}  // namespace gopacer
