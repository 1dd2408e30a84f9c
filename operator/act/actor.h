#pragma once

#include <optional>

#include "act/arms.h"
#include "act/finalizers.h"
#include "act/trials.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/desired.h"
#include "gopacer/rollout/advance.h"
#include "ports/settings_applier.h"

namespace gopacer {

class ApiServer;

/// What became of a step. On an error the step counts as not taken, and is tried again.
struct ActResult {
  std::optional<Error> error = std::nullopt;
  std::optional<Receipt> receipt = std::nullopt;  ///< of a write to the target
  bool done() const { return !error.has_value(); }
  /// The server will say the same again.
  bool refused() const { return error && error->kind == ErrorKind::kTerminal; }
};

/// Carries out steps. Every step may be repeated after a crash at any point of it.
/// Thread-safe for different profiles.
class Actor {
 public:
  Actor(ApiServer& api, SettingsApplier& applier) : trials_(api), arms_(api), finalizers_(api), applier_(applier) {}

  ActResult perform(const Desired& desired, const Step& step);

 private:
  void clear_up(const Step& step);
  Result<std::optional<Receipt>> act(const Desired& desired, const Step& step);
  Result<void> note_trial(const Desired& desired, const Step& step);
  Result<Receipt> put(const Desired& desired, const Settings& settings, const std::string& why);
  Result<void> check_unpatched(const Desired& desired);
  Result<void> untell(const Desired& desired);
  void untell_put_back(const Desired& desired);
  Result<void> revert(const Desired& desired);

  Trials trials_;
  Arms arms_;
  Finalizers finalizers_;
  SettingsApplier& applier_;
};

}  // namespace gopacer
