#include "observe/query_answer.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "gopacer/base/text.h"

namespace gopacer {
namespace {

using nlohmann::json;

const json& member(const json& object, const char* name) {
  static const json kNone;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? kNone : *found;
}

/// [time, "number"].
Result<double> number_of(const json& pair) {
  if (!pair.is_array() || pair.size() != 2 || !pair[1].is_string()) {
    return invalid("is not answered as Prometheus does: check prometheus.address");
  }
  const auto& text = pair[1].get_ref<const std::string&>();
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text == "NaN") {
    return retriable(
        "gives NaN, as a quantile or a ratio of nothing does: is there traffic, and is the window long enough?");
  }
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0) || !std::isfinite(value)) {
    return invalid("gives '" + shown(text, 30) + "', and only numbers from 0 on can be compared");
  }
  return value;
}

}  // namespace

bool QueryAnswer::feed(std::string_view piece) {
  body_ += piece;
  return body_.size() <= kMostBytes;
}

Result<double> QueryAnswer::finish() {
  constexpr const char* kAggregate = ": let it give one number, as sum(…) or max(…) do";
  if (body_.size() > kMostBytes) return invalid("gives hundreds of series" + std::string(kAggregate));
  const json answer = json::parse(body_, nullptr, false);
  const json& data = member(answer, "data");
  const json& type = member(data, "resultType");
  const json& result = member(data, "result");
  if (member(answer, "status") != "success" || !type.is_string() || !result.is_array()) {
    return invalid("is not answered as Prometheus does: check prometheus.address");
  }
  if (type == "scalar") return number_of(result);
  if (type != "vector")
    return invalid("gives no numbers of now but a " + shown(type.get_ref<const std::string&>(), 20));
  if (result.empty()) {
    return retriable("gives nothing: no series matches; try it in Prometheus' own page with the pods' names filled in");
  }
  if (result.size() > 1) return invalid("gives " + std::to_string(result.size()) + " series" + kAggregate);
  return number_of(member(result[0], "value"));
}

}  // namespace gopacer
