#include "gopacer/domain/idle_marking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace gopacer {
namespace {

struct Seen {
  const char* program;
  double counted;  ///< cores, by GCCPUFraction
  double cores;    ///< in use
  double whole;    ///< that collection took, by the runtime's account with idle marking
};

TEST(IdleMarking, IsFoundWithinAThirdInProgramsOfTheLab) {
  // With Go's own settings and GOMAXPROCS=1, in the lab's blocks.
  for (const Seen& seen : {Seen{"checkout", 0.0310, 0.2606, 0.0855}, Seen{"caddy", 0.0366, 0.4633, 0.0639},
                           Seen{"coredns", 0.0092, 0.5158, 0.0194}, Seen{"nats", 0.0088, 0.4682, 0.0165}}) {
    EXPECT_NEAR(with_idle_marking(seen.counted, seen.cores, 1) / seen.whole, 1, 1.0 / 3) << seen.program;
    EXPECT_GT(std::abs(seen.counted / seen.whole - 1), 1.0 / 3) << seen.program << ": it is of use";
  }
}

TEST(IdleMarking, IsLittleWhereTheProgramLeavesNoCpuIdle) { EXPECT_LT(with_idle_marking(0.25, 4, 4), 1.2 * 0.25); }

TEST(IdleMarking, NeverTakesMoreThanThereWas) {
  for (const double counted : {0.0, 0.01, 0.3, 1.0, 5.0}) {
    for (const double cores : {0.0, 0.02, 0.4, 4.0}) {
      for (const double procs : {0.0, 1.0, 4.0, 64.0}) {
        const double whole = with_idle_marking(counted, cores, procs);
        EXPECT_GE(whole, counted);
        EXPECT_LE(whole, std::max(counted, cores));
      }
    }
  }
}

}  // namespace
}  // namespace gopacer
