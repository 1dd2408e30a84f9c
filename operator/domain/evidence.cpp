#include "gopacer/domain/evidence.h"

namespace gopacer {

void RunningStats::add(double x) {
  ++n;
  const double delta = x - mean;
  mean += delta / static_cast<double>(n);
  m2 += delta * (x - mean);
  if (last) {
    ++pairs;
    steps2 += (x - *last) * (x - *last);
  }
  last = x;
}

}  // namespace gopacer
