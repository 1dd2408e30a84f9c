#include "cli/agent_metrics.h"

#include <gmock/gmock.h>

namespace gopacer {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using testing::HasSubstr;
using testing::Not;

void add(PauseHistogram& pauses, nanoseconds pause) {
  ++pauses.buckets[pause_bucket(static_cast<std::uint64_t>(pause.count()))];
  pauses.sum += pause;
}

TEST(AgentMetrics, TellWhatTheAgentDid) {
  AgentCounts counts;
  counts.programs = 3;
  counts.written = 7;
  const std::string text = agent_metrics(counts, {});
  EXPECT_THAT(text, HasSubstr("# TYPE gopacer_agent_programs gauge\ngopacer_agent_programs 3\n"));
  EXPECT_THAT(text, HasSubstr("\ngopacer_agent_writes_total 7\n"));
  EXPECT_THAT(text, Not(HasSubstr("_seconds")));
}

TEST(AgentMetrics, TellStopsByTheirKindAndMarking) {
  ContainerStops stops{"shop", "checkout-abc", "app", {}};
  add(stops.pauses.sweep_termination, microseconds(10));
  add(stops.pauses.sweep_termination, microseconds(100));
  add(stops.pauses.mark_termination, microseconds(20));
  add(stops.pauses.marking, std::chrono::seconds(10));
  const std::string text = agent_metrics({}, {stops});
  const std::string of = R"({namespace="shop",pod="checkout-abc",container="app")";
  for (const char* const line :
       {R"(,kind="sweep_termination",le="1.6384e-05"} 1)", R"(,kind="sweep_termination",le="6.5536e-05"} 1)",
        R"(,kind="sweep_termination",le="0.000262144"} 2)", R"(,kind="sweep_termination",le="4.294967296"} 2)",
        R"(,kind="sweep_termination",le="+Inf"} 2)", R"(,kind="mark_termination",le="1.6384e-05"} 0)",
        R"(,kind="other",le="+Inf"} 0)"}) {
    EXPECT_THAT(text, HasSubstr("\ngopacer_agent_stop_seconds_bucket" + of + line + "\n"));
  }
  EXPECT_THAT(text, HasSubstr("gopacer_agent_stop_seconds_sum" + of + R"(,kind="sweep_termination"} 0.00011)" + "\n"));
  EXPECT_THAT(text, HasSubstr("gopacer_agent_mark_seconds_bucket" + of + R"(,le="4.294967296"} 0)" + "\n"));
  EXPECT_THAT(text, HasSubstr("gopacer_agent_mark_seconds_count" + of + "} 1\n"));
}

}  // namespace
}  // namespace gopacer
