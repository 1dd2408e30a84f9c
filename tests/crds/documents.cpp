// Prints what gopacer writes to the cluster, every member filled in, for state_test.py to put before a real API server;
// and reads back what the server kept.
//   crds_documents write         → {"trial": object, "trialStatus": status, "profileStatus": status}
//   crds_documents read-trial    ← a GoRuntimeTrial; → {"spec": as gopacer would write it, "status": likewise}
//   crds_documents read-profile  ← a GoRuntimeProfile; → the parts of its status that gopacer reads back, or the error

#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "codec/fields.h"
#include "codec/profile.h"
#include "codec/settings.h"
#include "codec/trial.h"
#include "record/profile_status.h"

namespace gopacer {
namespace {

using nlohmann::json;

Time at(int second) { return parse_time("2026-03-04T05:06:07Z").value() + std::chrono::seconds(second); }

Settings settings(int gogc, std::int64_t mebibytes) { return {Gogc(gogc), Bytes(mebibytes << 20)}; }

Slo slo() {
  Slo slo;
  slo.name = "latency-p99";
  slo.port = 9000;
  slo.path = "/internal/metrics";
  slo.source = PodHistogram{"http_request_duration_seconds", 0.999, {{"handler", "/checkout"}}};
  slo.max = 0.3;
  slo.max_regression_percent = 7;
  return slo;
}

/// Of each kind, with a max whose text is not what a person would have written.
std::vector<Slo> all_slos() {
  std::vector<Slo> slos(5, slo());
  slos[1].source = PodRatio{{"requests_total", {}, {{"code", "5"}}}, {"requests_total", {{"a", "b"}}, {}}, 0.00025};
  slos[1].max = 0.015;
  slos[2].source = PodGauge{{"queue_depth", {{"a", "b"}}, {{"queue", "mail-"}}}};
  slos[2].max = 1e-7;
  slos[3].source = PrometheusQuery{"https://prom:9090/x",
                                   "max(x{pod=~\"{{ pods }}\"})",
                                   std::chrono::seconds(90),
                                   {{"X-Scope-OrgID", "shop"}},
                                   SecretKey{"prom", "token"}};
  slos[3].max = 123456789012345.0;
  slos[4].source = RuntimePauses{0.999};
  slos[4].max = 90;
  for (std::size_t i = 1; i < slos.size(); ++i) slos[i].name = "slo-" + std::to_string(i);
  slos.push_back(slos[1]);
  slos.back().name = "throttled";
  slos.back().source = RuntimeShare{RuntimePart::kThrottling};
  return slos;
}

Evidence evidence() {
  MetricEvidence metric;
  metric.name = "latency-p99";
  metric.stats.n = 21;
  metric.stats.mean = -0.123456789012345678;
  metric.stats.m2 = 0.00098765432109876543;
  metric.stats.pairs = 20;
  metric.stats.steps2 = 1.0 / 3;
  metric.stats.last = -1.0 / 7;
  metric.canary = 0.0123456789;
  metric.baseline = 0.1 + 0.2;  // needs all digits to be read back
  // What the intervals are before there are enough windows.
  metric.low = -std::numeric_limits<double>::infinity();
  metric.high = std::numeric_limits<double>::infinity();
  metric.threshold = -1e-17;
  metric.relative = true;
  metric.violations = 2;
  metric.state = MetricState::kPass;
  metric.source = "runtime metrics";
  metric.missing = 4;
  metric.pending_since = at(300);
  metric.summary = std::string(5000, 's');
  Evidence evidence;
  evidence.metrics = {metric};
  evidence.windows = 21;
  evidence.empty_windows = 3;
  evidence.canary_requests = 123456789012;
  evidence.baseline_requests = 5;
  evidence.until = at(400) + std::chrono::milliseconds(250);
  return evidence;
}

TrialSpec trial_spec() {
  TrialSpec spec;
  spec.profile = "checkout";
  spec.profile_uid = "0d62ddcf-cd6e-4afc-8b07-b61be3d560de";
  spec.target.name = "checkout";
  spec.target.uid = "28f822e8-ef5d-4b0c-b96a-e4b5c34a9112";
  spec.container = "app";
  spec.number = 3;
  spec.from = {Gogc::off(), std::nullopt};
  spec.to = settings(180, 430);
  spec.reason = "GOGC=180 GOMEMLIMIT=430MiB instead of Go's defaults. " + std::string(5000, 'x');
  spec.predicted = {"4.1", "6.2", "310.0 MiB", "104857600B", "GOGC=400 GOMEMLIMIT=900MiB"};
  spec.template_hash = "0123456789abcdef";
  spec.slos = all_slos();
  spec.canary = {40, {}, std::chrono::seconds(90), std::chrono::milliseconds(2500), std::chrono::hours(24), 12345};
  spec.steps = {{2, std::chrono::hours(5)}, {40, Duration(0)}};
  spec.watch_for = std::chrono::minutes(61);
  spec.min_saving = -0.05;
  spec.deadline = at(3600);
  return spec;
}

TrialStatus trial_status() {
  TrialStatus status;
  status.phase = TrialPhase::kEnded;
  status.verdict = TrialVerdict::kPromote;
  status.reason = "Better";
  status.message = "Better: " + std::string(4000, 'y');
  status.started = at(1);
  status.warm_until = at(2);
  status.measuring_since = at(3) + std::chrono::microseconds(123456);
  status.promoted = at(4);
  status.step = 1;
  status.put_back = settings(200, 400);
  status.watching_since = at(5);
  status.ended = at(6);
  status.evidence = evidence();
  status.watch_evidence = evidence();
  status.latency_change = -0.031;
  status.gc_change = 0.502;
  for (std::size_t i = 0; i < kMostTrialSteps; ++i) {
    status.steps.push_back({at(static_cast<int>(i)), TrialPhase::kRollingBack, std::string(5000, 'z')});
  }
  return status;
}

json profile_status() {
  Profile profile;
  profile.key = {"shop", "checkout"};
  profile.generation = 4;
  ProfileMemory& memory = profile.memory;
  memory.trial_count = 7;
  memory.active_trial = "checkout-7";
  memory.applied = settings(150, 400);
  memory.applied_over = settings(100, 300);
  memory.applied_beside = settings(75, 350);
  memory.applied_uid = "28f822e8-ef5d-4b0c-b96a-e4b5c34a9112";
  memory.applied_container = "app";
  memory.putting_back = PutBack{settings(120, 350), settings(100, 300), "SteppedDown", std::string(5000, 'b'),
                                "latency-p99",      "0123456789abcdef", at(25),        "SloViolated"};
  for (std::size_t i = 0; i < kMostChanges; ++i) {
    memory.changes.push_back({at(static_cast<int>(i)), {}, settings(200, 400), std::string(5000, 'c')});
  }
  memory.cool_down_until = at(20);
  memory.missed_predictions = 1;
  memory.missed_template = "hash-1";
  memory.undone_to = "checkout-6";
  memory.retried = "checkout-5";
  memory.marking = MarkingCost{0.75, 0.125, "hash-1"};
  for (int i = 0; i < 10; ++i)
    profile.memory.banned.push_back({settings(10 + i, 400), "0123456789abcdef", "GcShare", at(i)});

  Facts facts;
  facts.now = at(30);
  Desired& desired = facts.desired;
  desired.key = profile.key;
  desired.profile = std::make_shared<Profile>(profile);
  desired.container = "app";
  desired.current = settings(150, 400);
  Workload target;
  target.key = profile.key;
  target.containers.emplace_back().name = "app";
  target.env_owners = {{"app", "GOGC", "kubectl-set"}};
  desired.target_name = target.key.name;
  desired.target = std::make_shared<Workload>(target);

  PodSeries pod;
  pod.pod = "checkout-1";
  pod.samples.push_back({});
  Observation& observed = facts.observed;
  observed.pods = {pod};
  observed.container_source = "kubelet";

  Decision& decision = facts.decision;
  decision.kind = Decision::Kind::kChange;
  decision.settings = settings(180, 430);
  decision.reason = "Recommended";
  decision.message = std::string(5000, 'm');
  decision.binding = "bounds.maxAllowed.goMemLimitPercent";
  decision.estimate.emplace();
  decision.estimate->gc_cpu_source = "CPU profile";
  decision.estimate->gc_cpu_others = "runtime metrics 3.5%, GCCPUFraction 1.0%";
  decision.estimate->container_limit = Bytes(512 << 20);
  decision.predicted.emplace();

  Step step;
  step.reason = "Recommended";
  step.message = std::string(5000, 'n');
  const std::optional<Error> error;
  return record::profile_status({facts, step, error});
}

json write() {
  return {{"trial", codec::trial_object({"", "checkout-3"}, trial_spec())},
          {"trialStatus", codec::encode(trial_status())},
          {"profileStatus", profile_status()}};
}

json read_trial(const json& object) {
  const Result<Trial> trial = codec::decode_trial(object);
  if (!trial) return {{"error", trial.error().message}};
  return {{"spec", codec::trial_object(trial->key, trial->spec)["spec"]}, {"status", codec::encode(trial->status)}};
}

json putting_back_of(const ProfileMemory& memory) {
  if (!memory.putting_back) return nullptr;
  const PutBack& wanted = *memory.putting_back;
  json object = codec::encode(wanted.settings);
  if (wanted.over) object["over"] = codec::encode(*wanted.over);
  object["reason"] = wanted.reason;
  object["message"] = wanted.message;
  object["slo"] = wanted.slo;
  object["templateHash"] = wanted.template_hash;
  object["at"] = format_time(wanted.at);
  object["banReason"] = wanted.ban_reason;
  return object;
}

json applied(const ProfileMemory& memory) {
  if (!memory.applied) return nullptr;
  json object = codec::encode(*memory.applied);
  object["targetUid"] = memory.applied_uid;
  object["container"] = memory.applied_container;
  if (memory.applied_over) object["over"] = codec::encode(*memory.applied_over);
  if (memory.applied_beside) object["beside"] = codec::encode(*memory.applied_beside);
  return object;
}

json changes_of(const ProfileMemory& memory) {
  json all = json::array();
  for (const AppliedChange& change : memory.changes) {
    all.push_back({{"at", format_time(change.at)},
                   {"from", codec::encode(change.from)},
                   {"to", codec::encode(change.to)},
                   {"why", change.why}});
  }
  return all;
}

json marking_of(const ProfileMemory& memory) {
  if (!memory.marking) return nullptr;
  return {{"nanosecondsPerByte", codec::exact(memory.marking->nanoseconds_per_byte)},
          {"relativeError", codec::exact(memory.marking->rel_error)},
          {"templateHash", memory.marking->template_hash}};
}

json read_profile(const json& object) {
  const Result<Profile> profile = codec::decode_profile(object);
  if (!profile) return {{"error", profile.error().message}};
  const ProfileMemory& memory = profile->memory;
  return {{"trialCount", memory.trial_count},
          {"activeTrial", memory.active_trial},
          {"applied", applied(memory)},
          {"puttingBack", putting_back_of(memory)},
          {"coolDownUntil", memory.cool_down_until ? json(format_time(*memory.cool_down_until)) : json(nullptr)},
          {"missedPredictions", memory.missed_predictions},
          {"retried", memory.retried},
          {"marking", marking_of(memory)},
          {"bannedRegions", memory.banned.size()},
          {"changes", changes_of(memory)},
          {"conditions", profile->conditions.size()}};
}

}  // namespace
}  // namespace gopacer

int main(int argc, char** argv) {
  const std::string command = argc == 2 ? argv[1] : "";
  nlohmann::json out;
  if (command == "write") {
    out = gopacer::write();
  } else if (command == "read-trial") {
    out = gopacer::read_trial(nlohmann::json::parse(std::cin));
  } else if (command == "read-profile") {
    out = gopacer::read_profile(nlohmann::json::parse(std::cin));
  } else {
    std::cerr << "usage: crds_documents write|read-trial|read-profile\n";
    return 2;
  }
  std::cout << out.dump() << "\n";
}
