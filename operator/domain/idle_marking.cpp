#include "gopacer/domain/idle_marking.h"

#include <algorithm>

namespace gopacer {
namespace {

constexpr double kIdleMarkers = 2.1;
/// Where collection itself is most of the CPU in use, the equation has no solution: no more than twice as much.
constexpr double kLeastRest = 0.5;

}  // namespace

double with_idle_marking(double counted, double cores, double procs) {
  if (!(procs > 0) || !(cores > counted)) return counted;
  // u = (cores − collection) / procs, solved for collection.
  const double idle = std::max(0.0, 1 - cores / procs);
  const double rest = std::max(kLeastRest, 1 - counted * kIdleMarkers / procs);
  return std::clamp(counted * (1 + kIdleMarkers * idle) / rest, counted, cores);
}

}  // namespace gopacer
