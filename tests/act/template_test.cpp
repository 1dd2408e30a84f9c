#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <set>

#include "act/documents.h"
#include "fakes/builders.h"
#include "fakes/crd_schema.h"

namespace gopacer {
namespace {

using builders::settings;
using nlohmann::json;

/// All Deployments of these files.
std::vector<json> deployments() {
  std::vector<json> found;
  for (const char* const file :
       {"examples/checkout-service.yaml", "examples/caddy-service.yaml", "tests/act/data/deployments.yaml"}) {
    for (const YAML::Node& document : YAML::LoadAllFromFile(in_source(file))) {
      json object = crds::to_json(document);
      if (object.is_object() && object["kind"] == "Deployment") found.push_back(std::move(object));
    }
  }
  return found;
}

bool is_ours(const std::string& variable) { return variable == kGogcVariable || variable == kGoMemLimitVariable; }

json env_of(const json& pod_template, const std::string& container) {
  for (const json& candidate : pod_template["spec"]["containers"]) {
    if (candidate["name"] == container) return candidate.value("env", json::array());
  }
  return {};
}

/// The template without a trial's two labels and its wishes for a node. A list that is empty counts as none.
json without_marks(json pod_template) {
  for (const char* const label : {kTrialLabel, kTrackLabel}) pod_template["metadata"]["labels"].erase(label);
  json& spec = pod_template["spec"];
  json affinity = spec.value("affinity", json::object());
  for (const char* const what : {"podAffinity", "podAntiAffinity"}) {
    const char* const wishes = "preferredDuringSchedulingIgnoredDuringExecution";
    if (!affinity.contains(what)) continue;
    json left = json::array();
    for (const json& term : affinity[what].value(wishes, json::array())) {
      if (term.dump().find(kTrialLabel) == std::string::npos) left.push_back(term);
    }
    affinity[what].erase(wishes);
    if (!left.empty()) affinity[what][wishes] = left;
    if (affinity[what].empty()) affinity.erase(what);
  }
  spec.erase("affinity");
  if (!affinity.empty()) spec["affinity"] = affinity;
  return pod_template;
}

/// The template without the two variables of the container.
json without_settings(json pod_template, const std::string& container) {
  json left = json::array();
  for (const json& entry : env_of(pod_template, container)) {
    if (!is_ours(entry["name"])) left.push_back(entry);
  }
  for (json& candidate : pod_template["spec"]["containers"]) {
    if (candidate["name"] == container) candidate["env"] = left;
  }
  return pod_template;
}

/// Which of the two variables is not what the trial wants of it, or which entry has left its place; empty when all is
/// well. Only where one of the two goes, or was there twice, those behind it move up.
std::string misplaced(const json& before, const json& after, const EnvText& wanted) {
  for (const auto& [variable, value] :
       {std::pair(kGogcVariable, wanted.gogc), std::pair(kGoMemLimitVariable, wanted.go_mem_limit)}) {
    json found = json::array();
    for (const json& entry : after) {
      if (entry["name"] == variable) found.push_back(entry);
    }
    json expected = json::array();
    if (value) expected.push_back({{"name", variable}, {"value", *value}});
    if (found != expected) return variable;
  }
  std::set<std::string> seen;
  std::size_t place = 0;
  for (const json& entry : before) {
    const std::string name = entry["name"];
    if (is_ours(name)) {
      const bool stays = (name == kGogcVariable ? wanted.gogc : wanted.go_mem_limit).has_value();
      if (!stays || !seen.insert(name).second) continue;
    }
    if (place >= after.size() || after[place]["name"] != name) return name;
    ++place;
  }
  return {};
}

/// Where an arm's pods differ from the target's in something that they should not; empty when they don't.
std::string difference(const json& target, const Trial& trial) {
  const json& own = target["spec"]["template"];
  const std::string& tuned = trial.spec.container;
  const json baseline = act::arm_deployment(target, trial, Track::kBaseline).value();
  if (without_marks(baseline["spec"]["template"]) != without_marks(own)) return "the baseline";
  const json canary = act::arm_deployment(target, trial, Track::kCanary).value();
  const json& tried = canary["spec"]["template"];
  if (without_settings(without_marks(tried), tuned) != without_settings(without_marks(own), tuned)) return "the canary";
  return misplaced(env_of(own, tuned), env_of(tried, tuned), to_env(trial.spec.to));
}

/// A trial of that container.
Trial trial_of(const std::string& container, const Settings& to) {
  Trial trial = builders::trial(TrialPhase::kPending);
  trial.spec.container = container;
  trial.spec.to = to;
  return trial;
}

TEST(Template, OfRealDeploymentsStaysAsItIsButForWhatIsTried) {
  const std::vector<json> all = deployments();
  ASSERT_GE(all.size(), 7U);
  for (const json& target : all) {
    for (const json& container : target["spec"]["template"]["spec"]["containers"]) {
      for (const Settings& to : {settings(200, mib(430)), settings(75), settings(std::nullopt, mib(430)), Settings{}}) {
        const std::string name = container["name"];
        EXPECT_EQ(difference(target, trial_of(name, to)), "") << target["metadata"]["name"] << " " << describe(to);
      }
    }
  }
}

json any_variable() {
  json entry;
  entry["name"] = *rc::gen::element<std::string>("GOGC", "GOMEMLIMIT", "gogc", "GODEBUG", "ARGS", "POD_IP");
  switch (*rc::gen::inRange(0, 4)) {
    case 0:
      entry["value"] = *rc::gen::element<std::string>("", "1", "200MiB", "--gc=$(GOGC)");
      break;
    case 1:
      entry["valueFrom"]["fieldRef"]["fieldPath"] = "status.podIP";
      break;
    case 2:
      entry["valueFrom"]["sourceOfTomorrow"]["name"] = "settings";
      break;
    default:
      break;
  }
  return entry;
}

json any_container(const std::string& name) {
  json container;
  container["name"] = name;
  container["image"] = "registry.example/" + name + ":1";
  if (*rc::gen::arbitrary<bool>()) container["env"] = json::array();
  for (int i = *rc::gen::inRange(0, 4); i > 0; --i) container["env"].push_back(any_variable());
  return container;
}

/// Somewhere among the others.
void insert(json& list, json item) {
  if (!list.is_array()) list = json::array();
  list.insert(list.begin() + *rc::gen::inRange<std::ptrdiff_t>(0, static_cast<std::ptrdiff_t>(list.size()) + 1),
              std::move(item));
}

RC_GTEST_PROP(Template, StaysAsItIsButForWhatIsTried, ()) {
  static const std::vector<json> kReal = deployments();
  json target = kReal[*rc::gen::inRange<std::size_t>(0, kReal.size())];
  json& own = target["spec"]["template"];
  json& spec = own["spec"];
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
    insert(spec["containers"], any_container("side-" + std::to_string(i)));
    insert(spec["initContainers"], any_container("init-" + std::to_string(i)));
  }
  json& tuned = spec["containers"][*rc::gen::inRange<std::size_t>(0, spec["containers"].size())];
  for (int i = *rc::gen::inRange(0, 6); i > 0; --i) insert(tuned["env"], any_variable());
  for (json* const place : {&own, &own["metadata"], &spec, &tuned}) {
    if (*rc::gen::arbitrary<bool>()) (*place)["fieldOfTomorrow"] = json::parse(R"({"a": [null, {"b": 1.5}], "c": ""})");
  }
  Settings to;
  if (*rc::gen::arbitrary<bool>()) to.gogc = Gogc(*rc::gen::inRange(1, 900));
  if (*rc::gen::arbitrary<bool>()) to.go_mem_limit = mib(*rc::gen::inRange(16, 4096));
  RC_LOG() << own.dump(1) << "\n" << describe(to) << "\n";
  RC_ASSERT(difference(target, trial_of(tuned["name"], to)) == "");
}

}  // namespace
}  // namespace gopacer
