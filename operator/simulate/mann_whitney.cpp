#include "simulate/mann_whitney.h"

#include <algorithm>
#include <cmath>

namespace gopacer::simulating {

double p_of_higher(const std::vector<double>& ours, const std::vector<double>& theirs) {
  constexpr std::size_t kFewest = 8;
  if (std::min(ours.size(), theirs.size()) < kFewest) return 1;
  double higher = 0;
  for (const double x : ours) {
    for (const double y : theirs) higher += x > y ? 1 : x == y ? 0.5 : 0;
  }
  const auto n = static_cast<double>(ours.size());
  const auto m = static_cast<double>(theirs.size());
  const double deviation = std::sqrt(n * m * (n + m + 1) / 12);
  return 0.5 * std::erfc((higher - n * m / 2 - 0.5) / deviation / std::sqrt(2.0));
}

}  // namespace gopacer::simulating
