#pragma once

#include <string>

#include "gopacer/base/result.h"

namespace gopacer {

/// The bearer token with which gopacer presents itself to the API server and to kubelets.
///
/// Thread-safe. A projected service account token is replaced about hourly: ask for it again before each use.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  /// Empty when the credentials are a client certificate or none. kRetriable when the token's file cannot be read.
  virtual Result<std::string> token() = 0;
  /// Says that the token was refused, so that the next call reads it anew.
  virtual void refused() = 0;
};

}  // namespace gopacer
