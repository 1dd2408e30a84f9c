#include "codec/trace.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "codec/settings.h"

namespace gopacer::codec {
namespace {

using nlohmann::json;
using simulate::Service;
using simulate::Trace;

/// Reads the members of one object, remembers the first that is wrong, and at the end those that nobody asked for.
class Members {
 public:
  Members(const json& object, std::string path) : object_(object), path_(std::move(path)) {
    if (!object.is_object()) wrong("", "is not an object");
  }

  void read(const char* name, double& value) {
    if (const json* const found = find(name)) {
      if (found->is_number()) {
        value = found->get<double>();
      } else {
        wrong(name, "is not a number");
      }
    }
  }

  void read(const char* name, int& value) {
    double number = value;
    read(name, number);
    if (number != std::floor(number) || std::abs(number) > 1e9) return wrong(name, "is not a whole number");
    value = static_cast<int>(number);
  }

  void read(const char* name, bool& value) {
    if (const json* const found = find(name)) {
      if (found->is_boolean()) {
        value = found->get<bool>();
      } else {
        wrong(name, "is neither true nor false");
      }
    }
  }

  void read(const char* name, std::string& value) {
    if (const json* const found = find(name)) {
      if (found->is_string()) {
        value = found->get<std::string>();
      } else {
        wrong(name, "is not text");
      }
    }
  }

  /// A number of bytes, or a Kubernetes quantity as text: 1048576, "64Mi".
  void read(const char* name, Bytes& value) {
    const json* const found = find(name);
    if (found == nullptr) return;
    if (found->is_number() && std::abs(found->get<double>()) < 1e15) {
      value = Bytes::of(found->get<double>());
    } else if (found->is_string()) {
      take(name, parse_quantity(found->get<std::string>()), value);
    } else {
      wrong(name, "is neither a number of bytes nor a quantity such as \"64Mi\"");
    }
  }

  void read(const char* name, Duration& value) {
    const json* const found = find(name);
    if (found == nullptr) return;
    if (found->is_string()) {
      take(name, parse_duration(found->get<std::string>()), value);
    } else {
      wrong(name, "is not a duration such as \"1m30s\"");
    }
  }

  template <typename T>
  void read(const char* name, std::optional<T>& value) {
    if (find(name) == nullptr) return;
    T present{};
    read(name, present);
    value = present;
  }

  /// The member, to be read by itself.
  const json* find(const char* name) {
    asked_.insert(name);
    if (!object_.is_object()) return nullptr;
    const auto found = object_.find(name);
    return found == object_.end() ? nullptr : &*found;
  }

  void wrong(const std::string& name, const std::string& what) {
    if (error_.empty()) error_ = (path_.empty() || name.empty() ? path_ + name : path_ + "." + name) + " " + what;
  }

  /// Empty when all is well.
  std::string error() {
    for (auto member = object_.begin(); error_.empty() && object_.is_object() && member != object_.end(); ++member) {
      if (!asked_.contains(member.key())) wrong(member.key(), "is not known; is it misspelt?");
    }
    return error_;
  }

 private:
  template <typename T>
  void take(const char* name, const Result<T>& parsed, T& value) {
    if (parsed) {
      value = *parsed;
    } else {
      wrong(name, "can't be read: " + parsed.error().message);
    }
  }

  const json& object_;
  const std::string path_;
  std::set<std::string> asked_;
  std::string error_;
};

/// Every member of a service under its name, for reading and for writing.
template <typename AnyService, typename Visit>
void visit(AnyService& service, const Visit& member) {
  member("maxProcs", service.max_procs);
  member("bytesPerRequest", service.bytes_per_request);
  member("cpuPerRequest", service.cpu_per_request);
  member("heldPerRequest", service.held_per_request);
  member("mostWaiting", service.most_waiting);
  member("pointers", service.pointers);
  member("markSecondsPerByte", service.mark_seconds_per_byte);
  member("sweepSecondsPerByte", service.sweep_seconds_per_byte);
  member("secondsPerCycle", service.seconds_per_cycle);
  member("idleMarking", service.idle_marking);
  member("machineShare", service.machine_share);
  member("markJitter", service.mark_jitter);
  member("stacks", service.stacks);
  member("stackScan", service.stack_scan);
  member("globals", service.globals);
  member("overhead", service.overhead);
  member("fragmentation", service.fragmentation);
  member("nonGo", service.non_go);
  member("pageCache", service.page_cache);
  member("fill", service.fill);
}

std::string read_service(const json& object, Service& service) {
  Members members(object, "service");
  visit(service, [&](const char* name, auto& value) { members.read(name, value); });
  return members.error();
}

std::string read_settings(const json& object, Settings& settings) {
  Members members(object, "settings");
  EnvText env;
  members.read("gogc", env.gogc);
  members.read("goMemLimit", env.go_mem_limit);
  const Result<Settings> parsed = parse_settings(env);
  if (!parsed) members.wrong("", "can't be read: " + parsed.error().message);
  if (parsed) settings = *parsed;
  return members.error();
}

std::string read_points(const json& list, std::vector<simulate::Point>& points) {
  if (!list.is_array()) return "points is not a list";
  for (const json& item : list) {
    simulate::Point point = points.empty() ? simulate::Point{} : points.back();
    Members members(item, "points[" + std::to_string(points.size()) + "]");
    if (members.find("at") == nullptr) members.wrong("at", "is missing");
    members.read("at", point.at);
    members.read("requestRate", point.load.request_rate);
    members.read("liveHeap", point.load.live_heap);
    members.read("offHeap", point.load.off_heap);
    if (std::string error = members.error(); !error.empty()) return error;
    points.push_back(point);
  }
  return {};
}

std::string read_trace(const json& object, Trace& trace) {
  Members members(object, "");
  members.read("name", trace.name);
  members.read("memoryLimit", trace.memory_limit);
  members.read("memoryRequest", trace.memory_request);
  members.read("cpuLimit", trace.cpu_limit);
  members.read("processMetrics", trace.process_metrics);
  std::string error;
  if (const json* const service = members.find("service")) error = read_service(*service, trace.service);
  if (const json* const settings = members.find("settings"); settings != nullptr && error.empty()) {
    error = read_settings(*settings, trace.settings);
  }
  if (const json* const points = members.find("points")) {
    if (error.empty()) error = read_points(*points, trace.points);
  } else {
    members.wrong("points", "is missing: a list of {\"at\": \"0s\", \"requestRate\": 400, \"liveHeap\": \"64Mi\"}");
  }
  return error.empty() ? members.error() : error;
}

json written(double value) { return value; }
json written(int value) { return value; }
json written(Bytes size) { return size.count(); }
json written(Duration duration) { return format_duration(duration); }

}  // namespace

Result<Trace> decode_trace(const std::string& text) {
  if (text.size() > kMostTraceBytes) {
    return invalid("the trace is longer than " + format_bytes(Bytes(kMostTraceBytes)) + "; leave points out");
  }
  json object;
  try {
    object = json::parse(text);
  } catch (const json::parse_error& error) {
    return invalid("the trace is not JSON (" + std::string(error.what()) + "); docs/simulate.md has an example");
  }
  Trace trace;
  trace.name = "trace";
  if (!object.is_object()) return invalid("the trace is not a JSON object; docs/simulate.md has an example");
  if (const std::string error = read_trace(object, trace); !error.empty()) return invalid(error);
  if (auto checked = simulate::check(trace); !checked) return tl::unexpected(checked.error());
  return trace;
}

std::string encode_trace(const Trace& trace) {
  json object;
  object["name"] = trace.name;
  visit(trace.service, [&](const char* name, const auto& value) { object["service"][name] = written(value); });
  object["settings"] = encode(trace.settings);
  if (trace.memory_limit) object["memoryLimit"] = trace.memory_limit->count();
  if (trace.memory_request) object["memoryRequest"] = trace.memory_request->count();
  if (trace.cpu_limit) object["cpuLimit"] = *trace.cpu_limit;
  object["processMetrics"] = trace.process_metrics;
  for (const simulate::Point& point : trace.points) {
    object["points"].push_back({{"at", format_duration(point.at)},
                                {"requestRate", point.load.request_rate},
                                {"liveHeap", point.load.live_heap.count()},
                                {"offHeap", point.load.off_heap.count()}});
  }
  return object.dump(1) + "\n";
}

}  // namespace gopacer::codec
