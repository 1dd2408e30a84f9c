#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace gopacer::plugin {

/// Of a page that is looked through.
inline constexpr std::size_t kLongestPage = std::size_t{1} << 20;

/// What a page of Prometheus metrics says of the program that serves it.
struct MetricsLook {
  bool is_go = false;
  std::string go_version;               ///< "go1.26.3"; empty: it does not tell
  std::vector<std::string> histograms;  ///< of durations in seconds, by name; at most kMostHistograms
};
inline constexpr std::size_t kMostHistograms = 20;

/// Reads a page in Prometheus' text format as far as it is there.
MetricsLook look_at_metrics(std::string_view page);

/// Whether it begins as pprof's heap profile of a Go program does.
bool is_heap_profile(std::string_view page);

/// Ports that the containers of a pod declare for TCP, or that their probes ask, with the containers' names.
std::map<int, std::string> declared_ports(const nlohmann::json& pod);

}  // namespace gopacer::plugin
