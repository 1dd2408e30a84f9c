#pragma once

#include <string>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"

namespace gopacer {

/// A key of a Secret, and the server that it is for.
struct SecretValue {
  std::string value;
  std::string server;  ///< as the Secret's own key "address" has it
};

/// Values of Secrets that profiles name.
class SecretSource {
 public:
  virtual ~SecretSource() = default;
  /// Of a Secret in the namespace `ns`. Blocks, but not without end. The error is a sentence that names the Secret and
  /// says what to do.
  virtual Result<SecretValue> read(const std::string& ns, const SecretKey& key) = 0;
};

}  // namespace gopacer
