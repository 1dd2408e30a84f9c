#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "decide/go_service.h"
#include "decide/physics.h"
#include "decide/strategies.h"
#include "gopacer/decide/go_pacer.h"

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
    RC_ASSERT(gogc <= 100 || decision.settings.go_mem_limit.has_value());
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

/// A program may ask for anything; this is what each strategy may be asked about.
DecideInput any_input(const GoService& service) {
  DecideInput input = service.input(kNow);
  input.spec.objective = any_objective();
  input.spec.strategy = *rc::gen::element(Strategy::kModel, Strategy::kModel, Strategy::kFixed,
                                          Strategy::kLatencyMemoryRate, Strategy::kTwoFactor, Strategy::kPauseFeedback);
  input.spec.bounds.min_gogc = *rc::gen::inRange(1, 200);
  input.spec.bounds.max_gogc = input.spec.bounds.min_gogc + *rc::gen::inRange(0, 600);
  input.spec.bounds.max_go_mem_limit_percent = *rc::gen::inRange(30, 96);
  if (*rc::gen::arbitrary<bool>()) input.spec.fixed.gogc = Gogc(*rc::gen::inRange(10, 900));
  if (*rc::gen::arbitrary<bool>()) input.spec.fixed.go_mem_limit = mib(*rc::gen::inRange(16, 8192));
  Slo slo;
  slo.name = "latency";
  input.spec.slos = {slo};
  const double rate = *rc::gen::inRange(1, 3000);
  const double slowest = *rc::gen::inRange(1, 900) / 1000.0;
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) {
      const double count = 1e6 + rate * to_seconds(sample.at - (kNow - std::chrono::hours(1)));
      sample.latency["latency"] =
          Histogram(std::map<double, double>{{slowest / 2, count / 2}, {slowest, count}}, count * slowest / 2);
    });
  }
  return input;
}

/// Within five per cent, an unset GOGC being Go's 100: what "the same settings" means to people.
bool alike(const Settings& a, const Settings& b) {
  const auto near = [](double x, double y) { return std::abs(x - y) <= 0.05 * std::max(x, y); };
  const double first = a.gogc ? a.gogc->percent() : 100;
  const double second = b.gogc ? b.gogc->percent() : 100;
  if (!near(first, second) || a.go_mem_limit.has_value() != b.go_mem_limit.has_value()) return false;
  return !a.go_mem_limit || near(a.go_mem_limit->value(), b.go_mem_limit->value());
}

RC_GTEST_PROP(AnyStrategy, StaysBelowTheContainerAndWithinThePersonsBounds, ()) {
  const GoService service = any_service();
  DecideInput input = any_input(service);
  if (*rc::gen::inRange(0, 3) == 0) input.spec.bounds.min_go_mem_limit = mib(*rc::gen::inRange(16, 4096));
  const Decision decision = decide(input, kNow);
  RC_TAG(to_string(input.spec.strategy) + " " + to_string(decision.kind));
  RC_LOG() << to_string(input.spec.strategy) << ": " << decision.message << "\n";
  if (decision.kind != Kind::kChange) {
    RC_ASSERT(decision.settings == input.current);
    return;
  }
  RC_ASSERT(decision.settings != input.current);
  const auto& limit = decision.settings.go_mem_limit;
  if (service.container && limit) RC_ASSERT(*limit < *service.container);
  const Gogc gogc = decision.settings.gogc.value_or(Gogc(100));
  RC_ASSERT(!gogc.is_off() || limit);
  RC_ASSERT(gogc.percent() <= 100 || limit);
  // Settings of a person's own are theirs.
  if (input.spec.strategy == Strategy::kFixed) return;
  RC_ASSERT(gogc.percent() <= input.spec.bounds.max_gogc);
  RC_ASSERT(gogc.percent() >= std::min(input.spec.bounds.min_gogc, limit ? 10'000 : 100));
  if (!limit) return;
  RC_ASSERT(*limit >= input.spec.bounds.min_go_mem_limit.value_or(Bytes(0)));
  if (!service.container) return;
  RC_ASSERT(limit->count() * 100 <= service.container->count() * input.spec.bounds.max_go_mem_limit_percent);
}

RC_GTEST_PROP(AnyStrategy, NeverGoesWhereATrialOfThisTemplateFailed, ()) {
  const GoService service = any_service();
  DecideInput input = any_input(service);
  const Decision free = decide(input, kNow);
  RC_PRE(free.kind == Kind::kChange);
  // A ban at what it wants, or near to it, or somewhere.
  for (int i = *rc::gen::inRange(1, 4); i > 0; --i) {
    BannedRegion ban{free.settings, "aaaa",
                     *rc::gen::element<std::string>("LatencyRegression", "NoBenefit", "OOMKilled"), kNow};
    const int percent = *rc::gen::element(100, 100, 97, 104, 80, 50);
    if (ban.settings.gogc) ban.settings.gogc = Gogc(std::max(1, ban.settings.gogc->percent() * percent / 100));
    input.memory.banned.push_back(ban);
  }
  const Decision decision = decide(input, kNow);
  RC_TAG(to_string(decision.kind) + " " + decision.reason);
  for (const Settings& shown : {decision.settings, decision.recommended.value_or(input.current)}) {
    for (const BannedRegion& ban : input.memory.banned) {
      RC_ASSERT(shown == input.current || !alike(shown, ban.settings));
    }
  }
  for (BannedRegion& ban : input.memory.banned) ban.template_hash = "of another image";
  RC_ASSERT(decide(input, kNow).settings == free.settings);
}

RC_GTEST_PROP(AnyStrategy, StartsNothingUnderACoolDownUnlessItIsUrgent, ()) {
  const GoService service = any_service();
  DecideInput input = any_input(service);
  const Decision free = decide(input, kNow);
  RC_PRE(free.kind == Kind::kChange);
  input.spec.rollback.cool_down = std::chrono::minutes(*rc::gen::inRange(1, 600));
  const auto left = std::chrono::minutes(*rc::gen::inRange(1, 600));
  RC_PRE(left <= input.spec.rollback.cool_down);
  input.memory.cool_down_until = kNow + left;
  const Decision decision = decide(input, kNow);
  // Of an urgent one's cool-down only the first ten minutes count; what is left of a pause as short is waited for.
  const auto gone = input.spec.rollback.cool_down - left;
  if (free.urgent && gone >= std::chrono::minutes(10) && left > std::chrono::minutes(10)) {
    RC_ASSERT(decision.kind == Kind::kChange);
    return;
  }
  RC_ASSERT(decision.kind == Kind::kKeep);
  RC_ASSERT(decision.reason == "CoolDown");
  RC_ASSERT(decision.settings == input.current);
  RC_ASSERT(decision.recommended == free.settings);
  input.memory.cool_down_until = kNow;
  RC_ASSERT(decide(input, kNow).kind == Kind::kChange);
}

RC_GTEST_PROP(AnyStrategy, DoesNotDependOnTheOrderOfThePods, ()) {
  GoService service = any_service();
  service.pods = 2;
  DecideInput input = any_input(service);
  GoService other = service;
  other.alloc_rate *= 1.3;
  other.live = service.live * 1.2;
  RC_PRE(other.volume() > 1e6 && other.alloc_rate / other.volume() < 200);
  input.observed.pods.push_back(other.pod(kNow, "other"));
  const auto latency = input.observed.pods.front().samples.front().latency;
  input.observed.pods.back().samples.change_each([&](Sample& sample) { sample.latency = latency; });
  const Decision one = decide(input, kNow);
  std::reverse(input.observed.pods.begin(), input.observed.pods.end());
  const Decision two = decide(input, kNow);
  RC_ASSERT(one.kind == two.kind);
  RC_ASSERT(one.reason == two.reason);
  RC_ASSERT(one.settings == two.settings);
}

RC_GTEST_PROP(AnyStrategy, ChangesNothingOnReadingsThatAreNone, ()) {
  const GoService service = any_service();
  DecideInput input = any_input(service);
  const double bad =
      *rc::gen::element(std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), -1e12);
  const bool missing = *rc::gen::arbitrary<bool>();
  for (PodSeries& pod : input.observed.pods) {
    pod.samples.change_each([&](Sample& sample) {
      if (missing) {
        sample.mem.reset();
        return;
      }
      sample.mem->gc_cpu_fraction = bad;
      sample.process.emplace();
      sample.process->cpu_seconds = bad;
      sample.process->gc_cpu_seconds = bad;
      sample.process->busy_cpu_seconds = bad;
      if (sample.usage) sample.usage->cpu_seconds = bad;
      if (sample.profile) sample.profile->total_cpu_seconds = sample.profile->gc_cpu_seconds = bad;
    });
  }
  const Decision decision = decide(input, kNow);
  RC_LOG() << to_string(decision.kind) << " " << decision.reason << ": " << decision.message << "\n";
  RC_ASSERT(decision.kind != Kind::kChange);
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
