#include "codec/counter.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "codec/fields.h"

namespace gopacer::codec {

using nlohmann::json;

Result<Counter> decode_counter(const json& object) {
  Counter out;
  out.metric = text(object, "metric");
  if (out.metric.empty()) return invalid("a counter has no metric");
  for (const auto& [member, into] :
       {std::pair{"labels", &out.labels}, std::pair{"labelPrefixes", &out.label_prefixes}}) {
    Result<Labels> labels = series_labels(object, member);
    if (!labels) return tl::unexpected(labels.error());
    *into = std::move(*labels);
  }
  return out;
}

json encode(const Counter& counter) {
  json object{{"metric", counter.metric}};
  if (!counter.labels.empty()) object["labels"] = counter.labels;
  if (!counter.label_prefixes.empty()) object["labelPrefixes"] = counter.label_prefixes;
  return object;
}

}  // namespace gopacer::codec
