#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gopacer/base/result.h"
#include "gopacer/domain/profile.h"

namespace gopacer::codec {

// Sources of SLOs as they stand in the profile's spec and, just so, in the trial's.

/// A counter of a podRatio or the gauge of a podGauge. Error: it has no metric, or more labels than the CRDs allow.
Result<MetricSum> decode_metric_sum(const nlohmann::json& object);
nlohmann::json encode(const MetricSum& sum);

/// A runtime figure into the SLO, with its max. Error: it is not known, or its max is none.
Result<void> decode_runtime(const nlohmann::json& object, Slo& into);
nlohmann::json encode_runtime(const Slo& slo);

/// Error: it has no query, a window outside of its bounds, or more headers than the CRDs allow.
Result<PrometheusQuery> decode_query(const nlohmann::json& object);
nlohmann::json encode(const PrometheusQuery& query);

}  // namespace gopacer::codec
