#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"

namespace gopacer {

/// The one number that Prometheus answers to an instant query (/api/v1/query).
class QueryAnswer {
 public:
  /// Of a few hundred series, so that it can be said how many there are.
  static constexpr std::size_t kMostBytes = std::size_t{64} << 10;

  bool feed(std::string_view piece);
  /// A finite number from 0 on. Error: why there is none, and what to do; a clause whose subject is the query.
  Result<double> finish();
  std::size_t kept() const { return body_.capacity(); }

 private:
  std::string body_;
};

}  // namespace gopacer
