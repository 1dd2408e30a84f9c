#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/decide/decision.h"
#include "gopacer/domain/workload.h"
#include "observe/plan.h"

namespace gopacer {
class ApiServer;
class HttpFetcher;
}  // namespace gopacer

/// What gopacer would win in a cluster that it is not installed in.
namespace gopacer::plugin {

struct ScanOptions {
  std::string ns;                        ///< empty: all
  std::string deployment;                ///< only this one; empty: all
  Duration duration = Duration::zero();  ///< each service is read for so long; zero: they are only looked for
};

/// A Deployment that runs Go.
struct ServiceStory {
  Workload workload;
  std::string container;
  std::string profile;                  ///< that is about it already; empty: none
  ObjectKey pod;                        ///< that was asked
  std::optional<PageAddress> pprof;     ///< port, and the path of pprof's index
  std::optional<PageAddress> metrics;   ///< a page with Go's own metrics
  std::string go_version;               ///< empty: it does not tell
  std::vector<std::string> histograms;  ///< of durations in seconds, on that page
  Settings current;
  std::vector<std::string> obstacles;  ///< what stands in the way, a sentence each
  std::optional<Decision> decision;    ///< none: it was not read
};

/// Whether other settings than those in force are advised: advised(*decision).
bool advises(const ServiceStory& service);
/// Of all pods of the Deployment; 0 where nothing is advised.
double saved_cores(const ServiceStory& service);
/// GiB that the recommendation takes more, less if negative.
double more_memory(const ServiceStory& service);

struct ScanReport {
  std::vector<ServiceStory> services;  ///< by saved cores, the most first
  int deployments = 0;
  int without_pods = 0;               ///< none of their pods is ready
  int without_go = 0;                 ///< no page of Go's runtime was seen
  int unasked = 0;                    ///< pages that nobody had the time to ask for
  std::string profiles_unknown = {};  ///< why it is not known which profiles there are; empty: it is
  std::string refusal = {};           ///< the API server's, to ask pods; empty: there was none
};

/// What a scan asks of the world.
struct ScanPorts {
  ApiServer& api;
  HttpFetcher& fetcher;
  /// Told which pod an address is of, before it is asked.
  std::function<void(const std::string& address, const ObjectKey& pod)> know;
  const Clock& clock;
  /// Told how far it is, about once a second.
  std::function<void(const std::string&)> progress;
};

/// Looks at one ready pod of each Deployment for pprof and for Go's own metrics, at the ports that it declares or that
/// its probes ask, and at 6060 and 8080, six at most; and reads those with pprof, a hundred at most, for a while.
/// Blocks for about `duration` and up to 40 s before it. Error: Deployments or pods can't be listed.
Result<ScanReport> scan(const ScanPorts& ports, const ScanOptions& options);

std::string text_of(const ScanReport& report);
nlohmann::json to_json(const ScanReport& report);
std::string html_of(const ScanReport& report);

/// A GoRuntimeProfile for the service, updateMode Off, as YAML.
std::string profile_yaml(const ServiceStory& service);

}  // namespace gopacer::plugin
