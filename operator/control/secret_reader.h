#pragma once

#include "ports/secret_source.h"

namespace gopacer {

class ApiServer;

/// Secrets that profiles name, one at a time by its name: nothing more is asked for, so a right on that name is enough.
class SecretReader final : public SecretSource {
 public:
  explicit SecretReader(ApiServer& api) : api_(api) {}
  Result<SecretValue> read(const std::string& ns, const SecretKey& key) override;

 private:
  ApiServer& api_;
};

}  // namespace gopacer
