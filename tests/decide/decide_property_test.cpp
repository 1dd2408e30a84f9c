#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "decide/go_service.h"
#include "decide/physics.h"
#include "decide/strategies.h"

namespace gopacer {
namespace {

using testing::GoService;
using testing::kNow;
using Kind = Decision::Kind;

GoService any_service() {
  GoService service;
  service.alloc_rate = *rc::gen::inRange(1, 2000) * 1e6;
  service.live = mib(*rc::gen::inRange(1, 2000));
  service.roots = kib(*rc::gen::inRange(50, 20000));
  service.non_heap = mib(*rc::gen::inRange(2, 60));
  service.non_go = mib(*rc::gen::inRange(0, 200));
  service.gc_seconds_per_cycle = *rc::gen::inRange(1, 800) / 1000.0;
  service.work_cores = *rc::gen::inRange(5, 800) / 100.0;
  service.pacing = *rc::gen::inRange(80, 110) / 100.0;
  service.settings.gogc = Gogc(*rc::gen::inRange(10, 500));
  service.container = mib(*rc::gen::inRange(32, 8192));
  if (*rc::gen::arbitrary<bool>()) {
    service.settings.go_mem_limit = mib(*rc::gen::inRange(16, 8192));
  }
  if (*rc::gen::inRange(0, 5) == 0) service.container.reset();
  service.pods = *rc::gen::inRange(1, 3);
  service.seen_for = std::chrono::minutes(1);
  service.process_metrics = *rc::gen::arbitrary<bool>();
  // Collecting without end leaves no sample that could be made sense of.
  RC_PRE(service.volume() > 1e6 && service.alloc_rate / service.volume() < 200);
  // A container that holds less than its process would have been killed.
  RC_PRE(!service.container || service.goal() + service.non_heap + service.non_go < *service.container);
  return service;
}

Objective any_objective() {
  return *rc::gen::element(Objective::kBalanced, Objective::kThroughput, Objective::kLatency, Objective::kMemory);
}

RC_GTEST_PROP(DecideProperty, ChangesStayWithinTheBoundsAndTheContainer, ()) {
  const GoService service = any_service();
  DecideInput input = service.input(kNow);
  input.spec.objective = any_objective();
  input.spec.bounds.min_gogc = *rc::gen::inRange(1, 200);
  input.spec.bounds.max_gogc = input.spec.bounds.min_gogc + *rc::gen::inRange(0, 600);
  input.spec.bounds.max_go_mem_limit_percent = *rc::gen::inRange(30, 96);
  const Decision decision = decide(input, kNow);
  RC_TAG(to_string(decision.kind) + " " + decision.reason);
  if (decision.kind != Kind::kChange) {
    RC_ASSERT(decision.settings == input.current);
    return;
  }
  RC_ASSERT(decision.settings.gogc.has_value());
  RC_ASSERT(!decision.settings.gogc->is_off());
  const int gogc = decision.settings.gogc->percent();
  RC_ASSERT(gogc <= input.spec.bounds.max_gogc);
  RC_ASSERT(gogc <= 800);
  if (service.container) {
    RC_ASSERT(decision.settings.go_mem_limit.has_value());
    RC_ASSERT(*decision.settings.go_mem_limit < *service.container);
    RC_ASSERT(decision.settings.go_mem_limit->count() * 100 <=
              service.container->count() * input.spec.bounds.max_go_mem_limit_percent);
    RC_ASSERT(gogc >= input.spec.bounds.min_gogc);
  } else {
    RC_ASSERT(gogc <= 100);
    RC_ASSERT(!decision.settings.go_mem_limit.has_value());
  }
  RC_ASSERT(!decision.message.empty());
  RC_ASSERT(!decision.binding.empty());
  RC_ASSERT(decision.predicted.has_value());
}

RC_GTEST_PROP(DecideProperty, MoreMemoryNeverLowersTheVolume, ()) {
  GoService service = any_service();
  service.process_metrics = true;
  service.settings = {Gogc(100), std::nullopt};
  RC_PRE(service.volume() > 1e6 && service.alloc_rate / service.volume() < 200);
  const Objective objective = any_objective();
  const auto volume_with = [&](Bytes container) {
    service.container = container;
    DecideInput input = service.input(kNow);
    input.spec.objective = objective;
    const Decision decision = decide(input, kNow);
    RC_PRE(decision.kind == Kind::kChange);
    return deciding::Physics(*decision.estimate).volume(decision.settings);
  };
  const Bytes less = mib(*rc::gen::inRange(128, 6000));
  const double small = volume_with(less);
  const double large = volume_with(less + mib(*rc::gen::inRange(1, 4000)));
  // GOGC comes in steps of 5.
  RC_ASSERT(large >= small * 0.93);
}

RC_GTEST_PROP(DecideProperty, SettlesOnWhatItChose, ()) {
  GoService service = any_service();
  service.process_metrics = true;
  const Objective objective = any_objective();
  // Steps are bounded: a few of them must be enough, and then there is nothing more to change.
  Decision decision;
  for (int step = 0; step < 8; ++step) {
    RC_PRE(service.volume() > 1e5 && service.alloc_rate / service.volume() < 500);
    DecideInput input = service.input(kNow);
    input.spec.objective = objective;
    decision = decide(input, kNow);
    RC_TAG(decision.reason + "/" + decision.binding);
    if (decision.kind != Kind::kChange) return;
    service.settings = decision.settings;
  }
  RC_FAIL("still changing: " + decision.message);
}

RC_GTEST_PROP(DecideProperty, PredictsTheServicesOwnLaw, ()) {
  GoService service = any_service();
  DecideInput input = service.input(kNow);
  input.spec.objective = any_objective();
  const Decision decision = decide(input, kNow);
  RC_PRE(decision.kind == Kind::kChange);
  GoService after = service;
  after.settings = decision.settings;
  RC_PRE(after.volume() > 1e6);
  // Where GOMEMLIMIT rules, only the volume tells what lives: marking that ends early looks like a larger live heap.
  RC_PRE(!decision.estimate->limit_rules || service.pacing >= 0.95);
  RC_ASSERT(std::abs(decision.predicted->cycle_volume.value() / after.volume() - 1) < 0.35);
  const double off = decision.predicted->gc_cpu_fraction - after.gc_share();
  RC_ASSERT(std::abs(off) < 0.25 * after.gc_share() + 0.01);
}

RC_GTEST_PROP(DecideProperty, LimitGoalGrowsWithTheLimit, ()) {
  const go_pacer::Heap heap{mib(*rc::gen::inRange(0, 500)), mib(*rc::gen::inRange(0, 20))};
  const Bytes limit = kib(*rc::gen::inRange(1, 4'000'000));
  const Bytes non_heap = kib(*rc::gen::inRange(0, 200'000));
  const Bytes more = limit + kib(*rc::gen::inRange(0, 1'000'000));
  RC_ASSERT(go_pacer::limit_goal(heap, more, non_heap) >= go_pacer::limit_goal(heap, limit, non_heap));
  RC_ASSERT(go_pacer::limit_goal(heap, limit, non_heap) >= heap.live);
}

}  // namespace
}  // namespace gopacer
