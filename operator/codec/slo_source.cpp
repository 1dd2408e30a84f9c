#include "codec/slo_source.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "codec/fields.h"
#include "codec/spec_fields.h"

namespace gopacer::codec {

using nlohmann::json;

namespace {

constexpr const char* kGcPause = "GcPause";

}  // namespace

Result<MetricSum> decode_metric_sum(const json& object) {
  MetricSum out;
  out.metric = text(object, "metric");
  if (out.metric.empty()) return invalid("the metric's name is missing");
  for (const auto& [member, into] :
       {std::pair{"labels", &out.labels}, std::pair{"labelPrefixes", &out.label_prefixes}}) {
    Result<Labels> labels = series_labels(object, member);
    if (!labels) return tl::unexpected(labels.error());
    *into = std::move(*labels);
  }
  return out;
}

json encode(const MetricSum& sum) {
  json object{{"metric", sum.metric}};
  if (!sum.labels.empty()) object["labels"] = sum.labels;
  if (!sum.label_prefixes.empty()) object["labelPrefixes"] = sum.label_prefixes;
  return object;
}

Result<void> decode_runtime(const json& object, Slo& into) {
  const std::string figure = text(object, "figure");
  const std::string max = text(object, "max");
  const auto named = std::find_if(kRuntimePartNames.begin(), kRuntimePartNames.end(),
                                  [&](const auto& name) { return figure == name.first; });
  if (named != kRuntimePartNames.end()) {
    into.source = RuntimeShare{named->second};
    if (max.empty()) return {};
    const Result<double> share = parse_percent(max);
    if (!share) return invalid("max: " + share.error().message);
    into.max = *share;
    return {};
  }
  if (figure != kGcPause) return invalid("'" + figure + "' is no figure that this version of gopacer knows");
  RuntimePauses pauses;
  pauses.quantile = number(object, "quantile", 0.5);
  if (!(pauses.quantile > 0 && pauses.quantile < 1))
    return invalid("quantile must be between 0 and 1, such as \"0.99\"");
  into.source = pauses;
  if (max.empty()) return {};
  const Result<Duration> longest = parse_duration(max);
  if (!longest) return invalid("max: " + longest.error().message);
  into.max = to_seconds(*longest);
  return {};
}

json encode_runtime(const Slo& slo) {
  if (const auto* const share = std::get_if<RuntimeShare>(&slo.source)) {
    json object{{"figure", kRuntimePartNames[static_cast<std::size_t>(share->of)].first}};
    if (slo.max) object["max"] = format_percent(*slo.max);
    return object;
  }
  json object{{"figure", kGcPause}, {"quantile", exact(std::get<RuntimePauses>(slo.source).quantile)}};
  if (slo.max) {
    object["max"] = format_duration(std::chrono::round<Duration>(std::chrono::duration<double>(*slo.max)));
  }
  return object;
}

Result<PrometheusQuery> decode_query(const json& object) {
  PrometheusQuery out;
  out.address = text(object, "address");
  out.query = text(object, "query");
  if (out.query.empty()) return invalid("the query is missing");
  const SpecField& window = spec_field("slos[].prometheus.window");
  if (const std::string given = text(object, "window"); !given.empty()) {
    const Result<Duration> read = parse_duration(given);
    if (!read) return invalid("window: " + read.error().message);
    if (*read < std::chrono::milliseconds(window.least) || *read > std::chrono::milliseconds(window.most)) {
      return invalid("window must be from 15s to 10m");
    }
    out.window = *read;
  }
  Result<Labels> headers = series_labels(object, "headers");
  if (!headers) return tl::unexpected(headers.error());
  out.headers = std::move(*headers);
  const json& authorization = child(object, "authorization");
  if (const std::string secret = text(authorization, "secretName"); !secret.empty()) {
    const std::string key = text(authorization, "key");
    const auto otherwise = spec_field("slos[].prometheus.authorization.key").otherwise;
    out.authorization = SecretKey{secret, key.empty() ? std::string(otherwise) : key};
  }
  return out;
}

json encode(const PrometheusQuery& query) {
  json object{{"query", query.query}, {"window", format_duration(query.window)}};
  if (!query.address.empty()) object["address"] = query.address;
  if (!query.headers.empty()) object["headers"] = query.headers;
  if (query.authorization) {
    object["authorization"] = {{"secretName", query.authorization->name}, {"key", query.authorization->key}};
  }
  return object;
}

}  // namespace gopacer::codec
