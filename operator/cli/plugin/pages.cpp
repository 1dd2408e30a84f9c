#include "cli/plugin/pages.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/page_url.h"
#include "codec/fields.h"

namespace gopacer::plugin {
namespace {

constexpr std::size_t kMostDeclared = 50;

/// The value of a label in a line of a page; empty when it has none.
std::string_view label_of(std::string_view line, std::string_view name) {
  const std::size_t begin = line.find(name);
  if (begin == std::string_view::npos) return {};
  const std::string_view value = line.substr(begin + name.size());
  return value.substr(0, value.find('"'));
}

/// "# TYPE http_request_duration_seconds histogram".
std::string_view histogram_of(std::string_view line) {
  constexpr std::string_view kType = "# TYPE ";
  constexpr std::string_view kHistogram = " histogram";
  if (!line.starts_with(kType)) return {};
  line.remove_prefix(kType.size());
  // Only now: the blank may be the same.
  if (!line.ends_with(kHistogram)) return {};
  line.remove_suffix(kHistogram.size());
  return line;
}

bool is_of_durations(std::string_view metric) {
  // Those of Go's runtime are of collections and of the scheduler.
  return metric.ends_with("_seconds") && !metric.starts_with("go_");
}

}  // namespace

MetricsLook look_at_metrics(std::string_view page) {
  MetricsLook look;
  while (!page.empty()) {
    const std::size_t end = std::min(page.find('\n'), page.size());
    std::string_view line = page.substr(0, end);
    page.remove_prefix(std::min(end + 1, page.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("go_goroutines ") || line.starts_with("go_gc_duration_seconds")) look.is_go = true;
    if (line.starts_with("go_info{") && look.go_version.empty()) {
      look.is_go = true;
      look.go_version = std::string(label_of(line, "version=\"")).substr(0, codec::kLongestEnv);
    }
    const std::string_view histogram = histogram_of(line);
    if (!is_of_durations(histogram) || look.histograms.size() == kMostHistograms) continue;
    // Into a profile goes only what can be a metric's name.
    if (is_metric_name(histogram)) look.histograms.emplace_back(histogram);
  }
  return look;
}

bool is_heap_profile(std::string_view page) { return page.starts_with("heap profile: "); }

std::map<int, std::string> declared_ports(const nlohmann::json& pod) {
  std::map<int, std::string> ports;
  for (const nlohmann::json& container : codec::elements(codec::child(pod, "spec"), "containers")) {
    const auto add = [&](int port) {
      const bool usable = port > 0 && port < 65536;
      if (usable && ports.size() < kMostDeclared) ports.emplace(port, codec::text(container, "name"));
    };
    for (const nlohmann::json& port : codec::elements(container, "ports")) {
      const std::string protocol = codec::text(port, "protocol");
      if (protocol.empty() || protocol == "TCP") add(codec::small(port, "containerPort"));
    }
    for (const char* const probe : {"readinessProbe", "livenessProbe", "startupProbe"}) {
      add(codec::small(codec::child(codec::child(container, probe), "httpGet"), "port"));
    }
  }
  return ports;
}

}  // namespace gopacer::plugin
