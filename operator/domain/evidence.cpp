#include "gopacer/domain/evidence.h"

namespace gopacer {

void RunningStats::add(double x) {
  ++n;
  const double delta = x - mean;
  mean += delta / static_cast<double>(n);
  m2 += delta * (x - mean);
}

}  // namespace gopacer
