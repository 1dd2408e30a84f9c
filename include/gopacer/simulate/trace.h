#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/settings.h"
#include "gopacer/simulate/service.h"

namespace gopacer::simulate {

struct Point {
  Duration at{0};  ///< since the trace's beginning
  Load load;
};

/// A service, the container that it runs in, and what the world asks of it over time.
struct Trace {
  std::string name;
  Service service;
  Settings settings;                    ///< at the beginning
  std::optional<Bytes> memory_limit;    ///< of the container
  std::optional<Bytes> memory_request;  ///< of the container
  std::optional<double> cpu_limit;      ///< cores
  bool process_metrics = true;          ///< the service has a client_golang /metrics page
  std::vector<Point> points;            ///< the first at 0; straight lines between them

  Duration length() const { return points.back().at; }
  Load at(Duration time) const;
};

/// The error names the member and what is the matter with it.
Result<void> check(const Trace& trace);

/// The names that generate() knows.
const std::vector<std::string>& trace_names();

/// A trace of that kind; the seed chooses the service's size and figures, the moment of events and the noise. The same
/// seed gives the same trace. The error lists the names.
Result<Trace> generate(const std::string& name, std::uint64_t seed);

}  // namespace gopacer::simulate
