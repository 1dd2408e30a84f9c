#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace gopacer::codec {

enum class FieldKind { kText, kBoolean, kInteger, kDuration };

/// One field of a GoRuntimeProfile's spec.
struct SpecField {
  std::string_view path;       ///< below spec, "[]" for the elements of a list
  std::string_view otherwise;  ///< what it is when it is left out; empty: nothing
  FieldKind kind = FieldKind::kText;
  // Of integers, and of durations in milliseconds; both ends are allowed.
  std::int64_t least = 0;
  std::int64_t most = 0;
};

namespace detail {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;

}  // namespace detail

/// All of them. The CRDs, the decoders and the reference page say the same: tests hold them against this table.
inline constexpr std::array kSpecFields{
    SpecField{"targetRef.apiVersion", ""},
    SpecField{"targetRef.kind", ""},
    SpecField{"targetRef.name", ""},
    SpecField{"containerName", ""},
    SpecField{"updatePolicy.updateMode", "Off"},
    SpecField{"updatePolicy.apply", "Restart"},
    SpecField{"updatePolicy.suspend", "false", FieldKind::kBoolean},
    SpecField{"updatePolicy.revertOnDeletion", "false", FieldKind::kBoolean},
    SpecField{"objective.type", "Balanced"},
    SpecField{"objective.memoryPricePerGiBCores", "0.083"},
    SpecField{"objective.strategy", "Model"},
    SpecField{"objective.settings.gogc", "", FieldKind::kInteger, 1, 10000},
    SpecField{"objective.settings.goMemLimit", ""},
    SpecField{"bounds.minAllowed.gogc", "50", FieldKind::kInteger, 1, 10000},
    SpecField{"bounds.minAllowed.goMemLimit", ""},
    SpecField{"bounds.maxAllowed.gogc", "400", FieldKind::kInteger, 1, 10000},
    SpecField{"bounds.maxAllowed.goMemLimitPercent", "90", FieldKind::kInteger, 10, 95},
    SpecField{"runtimeMetrics.source", "Pages"},
    SpecField{"runtimeMetrics.port", "6060", FieldKind::kInteger, 1, 65535},
    SpecField{"runtimeMetrics.path", "/debug/pprof"},
    SpecField{"runtimeMetrics.interval", "15s", FieldKind::kDuration, detail::kSecond, 5 * detail::kMinute},
    SpecField{"runtimeMetrics.allowHostNetwork", "false", FieldKind::kBoolean},
    SpecField{"slos[].name", ""},
    SpecField{"slos[].podHistogram.port", "8080", FieldKind::kInteger, 1, 65535},
    SpecField{"slos[].podHistogram.path", "/metrics"},
    SpecField{"slos[].podHistogram.metric", ""},
    SpecField{"slos[].podHistogram.quantile", "0.99"},
    SpecField{"slos[].podHistogram.labels", ""},
    SpecField{"slos[].podHistogram.unit", ""},
    SpecField{"slos[].podRatio.port", "8080", FieldKind::kInteger, 1, 65535},
    SpecField{"slos[].podRatio.path", "/metrics"},
    SpecField{"slos[].podRatio.bad.metric", ""},
    SpecField{"slos[].podRatio.bad.labels", ""},
    SpecField{"slos[].podRatio.bad.labelPrefixes", ""},
    SpecField{"slos[].podRatio.total.metric", ""},
    SpecField{"slos[].podRatio.total.labels", ""},
    SpecField{"slos[].podRatio.total.labelPrefixes", ""},
    SpecField{"slos[].podRatio.max", ""},
    SpecField{"slos[].podRatio.maxIncrease", "0.5%"},
    SpecField{"slos[].podGauge.port", "8080", FieldKind::kInteger, 1, 65535},
    SpecField{"slos[].podGauge.path", "/metrics"},
    SpecField{"slos[].podGauge.metric", ""},
    SpecField{"slos[].podGauge.labels", ""},
    SpecField{"slos[].podGauge.labelPrefixes", ""},
    SpecField{"slos[].podGauge.max", ""},
    SpecField{"slos[].prometheus.address", ""},
    SpecField{"slos[].prometheus.query", ""},
    SpecField{"slos[].prometheus.window", "1m", FieldKind::kDuration, 15 * detail::kSecond, 10 * detail::kMinute},
    SpecField{"slos[].prometheus.headers", ""},
    SpecField{"slos[].prometheus.authorization.secretName", ""},
    SpecField{"slos[].prometheus.authorization.key", "authorization"},
    SpecField{"slos[].prometheus.max", ""},
    SpecField{"slos[].runtime.figure", ""},
    SpecField{"slos[].runtime.quantile", "0.5"},
    SpecField{"slos[].runtime.max", ""},
    SpecField{"slos[].max", "", FieldKind::kDuration, 1, detail::kHour},
    SpecField{"slos[].maxFor", "", FieldKind::kDuration, detail::kSecond, detail::kHour},
    SpecField{"slos[].action", "RollBack"},
    SpecField{"slos[].onNoData", "Inconclusive"},
    SpecField{"slos[].maxRegressionPercent", "10", FieldKind::kInteger, 1, 100},
    SpecField{"canary.replicas", "1", FieldKind::kInteger, 1, 10},
    SpecField{"canary.steps[].percent", "", FieldKind::kInteger, 1, 100},
    SpecField{"canary.steps[].pause", "0s", FieldKind::kDuration, 0, detail::kHour},
    SpecField{"canary.baseline", "Fresh"},
    SpecField{"canary.allowDuplicates", "false", FieldKind::kBoolean},
    SpecField{"canary.warmUp", "2m", FieldKind::kDuration, 0, detail::kHour},
    SpecField{"canary.interval", "15s", FieldKind::kDuration, detail::kSecond, 5 * detail::kMinute},
    SpecField{"canary.maxDuration", "30m", FieldKind::kDuration, 10 * detail::kSecond, 24 * detail::kHour},
    SpecField{"canary.minSamples", "2000", FieldKind::kInteger, 1, 100'000'000},
    SpecField{"rollback.watchFor", "30m", FieldKind::kDuration, 0, 24 * detail::kHour},
    SpecField{"rollback.coolDown", "6h", FieldKind::kDuration, 0, 720 * detail::kHour},
    SpecField{"rollback.guard", "false", FieldKind::kBoolean},
    SpecField{"history.successfulTrialsLimit", "5", FieldKind::kInteger, 0, 50},
    SpecField{"history.unsuccessfulTrialsLimit", "5", FieldKind::kInteger, 0, 50},
};

/// The field of this path; a path that is not there does not compile.
consteval SpecField spec_field(std::string_view path) {
  for (const SpecField& field : kSpecFields) {
    if (field.path == path) return field;
  }
  throw "there is no such field";
}

}  // namespace gopacer::codec
