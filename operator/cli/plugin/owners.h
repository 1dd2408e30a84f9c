#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer {
class ApiServer;
}

namespace gopacer::plugin {

/// One of the two variables in one container of a pod: what it is, and who says so.
struct SettingStory {
  std::string container;
  std::string variable;
  std::string value;     ///< as the process was started with; empty: it is not set
  std::string in_force;  ///< what node agents keep instead; empty: nothing
  std::string from;      ///< "the pod template of Deployment shop/checkout", "ConfigMap checkout-env may bring it"
  std::vector<std::string> managers;  ///< field managers of the entry in the template
  std::optional<Time> since;          ///< the latest write of one of them
  std::string why;                    ///< the trial that brought it, and its reason
  std::string differs;                ///< what the template has now where that is something else
};

struct PodTrace {
  ObjectKey pod;
  std::string workload;  ///< "Deployment shop/checkout"; empty: nothing that is known controls it
  std::string profile;   ///< that tunes it; empty: none
  std::string track;     ///< of a trial's arm
  std::vector<SettingStory> settings;
};

/// Who owns GOGC and GOMEMLIMIT of each container of a pod. Containers that are no program of the profile's and have
/// neither are left out, unless none would be left. Error: the pod can't be read. What else can't be read is left out.
Result<PodTrace> trace_pod(ApiServer& api, const ObjectKey& pod);

std::string text_of(const PodTrace& trace);
nlohmann::json to_json(const PodTrace& trace);

}  // namespace gopacer::plugin
