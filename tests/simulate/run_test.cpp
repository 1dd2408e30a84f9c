#include "gopacer/simulate/run.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace gopacer {
namespace {

using simulate::Outcome;
using simulate::Plan;
using simulate::Trace;

constexpr std::uint64_t kSeeds = 20;

Trace trace_of(const std::string& name, std::uint64_t seed) {
  auto trace = simulate::generate(name, seed);
  EXPECT_TRUE(trace) << trace.error().message;
  return *trace;
}

class EveryTrace : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryTrace, IsWellFormedAndTheSameForTheSameSeed) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Trace trace = trace_of(GetParam(), seed);
    const auto checked = simulate::check(trace);
    ASSERT_TRUE(checked) << checked.error().message;
    const Trace again = trace_of(GetParam(), seed);
    EXPECT_EQ(trace.points.back().load.request_rate, again.points.back().load.request_rate);
    EXPECT_NE(trace.points.back().load.request_rate, trace_of(GetParam(), seed + 1).points.back().load.request_rate);
  }
}

TEST_P(EveryTrace, NeverRunsOutOfMemoryUnderTheModel) {
  for (const Objective objective : {Objective::kBalanced, Objective::kThroughput}) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const Trace trace = trace_of(GetParam(), seed);
      Plan plan;
      plan.spec.objective = objective;
      plan.seed = seed;
      const Outcome outcome = simulate::run_strategy(trace, plan);
      EXPECT_EQ(outcome.ooms, 0) << "objective " << static_cast<int>(objective) << ", seed " << seed << ": "
                                 << outcome.rollouts.size() << " rollouts, last " << describe(outcome.last) << " of "
                                 << format_bytes(*trace.memory_limit);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Simulated, EveryTrace, ::testing::ValuesIn(simulate::trace_names()), [](const auto& param) {
  std::string name = param.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace gopacer
