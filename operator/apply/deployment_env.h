#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ports/settings_applier.h"

namespace gopacer {

class ApiServer;

/// Settings as two env entries of a Deployment's pod template, by server-side apply that is never forced. Each change
/// is a rollout, with a line in `kubectl rollout history`. Thread-safe.
class DeploymentEnv final : public SettingsApplier {
 public:
  explicit DeploymentEnv(ApiServer& api) : api_(api) {}

  Result<SettingsInForce> read(const SettingsPlace& place) override;
  Result<Receipt> put(const SettingsPlace& place, const Settings& settings, const std::string& version,
                      const std::string& why) override;
  Result<void> rehearse(const SettingsPlace& place, const Settings& settings) override;
  Result<void> release(const SettingsPlace& place) override;

 private:
  Result<Workload> workload(const SettingsPlace& place);
  Result<Receipt> apply(const SettingsPlace& place, const nlohmann::json& document);

  ApiServer& api_;
};

}  // namespace gopacer
