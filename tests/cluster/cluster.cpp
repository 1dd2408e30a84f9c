#include "cluster/cluster.h"
#include "source_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <thread>

namespace gopacer::cluster {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStamp = "gopacer.dev/test-stamp";
constexpr std::chrono::milliseconds kPoll(700);
/// ctest ends a test after 300 s, and then nothing is told of what was seen.
constexpr seconds kLongestTest(265);

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string cache() {
  if (const std::string given = environment("GOPACER_CACHE"); !given.empty()) return given;
  if (const std::string given = environment("XDG_CACHE_HOME"); !given.empty()) return given + "/gopacer";
  return environment("HOME") + "/.cache/gopacer";
}

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  return text;
}

std::string shell(const std::string& script) { return must_run({"bash", "-c", script}, "", seconds(240)); }

/// Tests in several processes begin at once: one installs, the others wait and find it done.
class InstallLock {
 public:
  InstallLock() : file_(::open((cache() + "/cluster-tests.lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    if (file_ >= 0) ::flock(file_, LOCK_EX);
  }
  ~InstallLock() {
    if (file_ >= 0) ::close(file_);
  }
  InstallLock(const InstallLock&) = delete;
  InstallLock& operator=(const InstallLock&) = delete;

 private:
  int file_;
};

}  // namespace

Cluster& Cluster::get() {
  static Cluster instance;
  return instance;
}

Cluster::Cluster() {
  kubeconfig_ = environment("GOPACER_KUBECONFIG");
  const std::string standard = cache() + "/cluster/run/node/kubeconfig";
  if (kubeconfig_.empty()) kubeconfig_ = standard;
  if (!fs::exists(kubeconfig_)) {
    throw std::runtime_error("there is no " + kubeconfig_ +
                             ": start a cluster with ./dev cluster up, or set GOPACER_KUBECONFIG");
  }
  local_ = fs::equivalent(kubeconfig_, standard);
  bin_ = cache() + "/cluster/bin";
  given_ = environment("GOPACER_CLUSTER_OPERATOR") == "present";
  if (!given_) install_once();
}

CommandResult Cluster::try_kubectl(std::vector<std::string> arguments, const std::string& input, seconds patience) {
  std::vector<std::string> command{bin_ + "/kubectl", "--kubeconfig=" + kubeconfig_};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run(command, input, patience);
}

std::string Cluster::kubectl(std::vector<std::string> arguments, const std::string& input, seconds patience) {
  std::vector<std::string> command{bin_ + "/kubectl", "--kubeconfig=" + kubeconfig_};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return must_run(command, input, patience);
}

std::string Cluster::helm(std::vector<std::string> arguments) {
  std::vector<std::string> command{bin_ + "/helm", "--kubeconfig=" + kubeconfig_,
                                   "--namespace=" + std::string(kOperatorNamespace)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return must_run(command, "", seconds(150));
}

/// The kinds of VPA, Argo Rollouts and Flagger: they stay, as in a cluster that has these.
void Cluster::define_kinds_of_neighbours() {
  const std::string known = kubectl({"get", "crd", "-o", "name"});
  for (const char* const kind :
       {"verticalpodautoscalers.autoscaling.k8s.io", "rollouts.argoproj.io", "canaries.flagger.app"}) {
    if (known.find(kind) != std::string::npos) continue;
    const std::string definitions = bin_ + "/kinds/.";  // kubectl follows no link to a directory
    if (!fs::exists(definitions))
      throw std::runtime_error("there is no " + definitions + ": make it with tests/cluster/build.sh kinds");
    try_kubectl({"create", "-f", definitions});
    kubectl({"wait", "--for=create", "--timeout=30s", "crd", kind});
    kubectl({"wait", "--for=condition=Established", "--timeout=30s", "crd", kind});
  }
}

bool Cluster::is_long_run() { return !environment("GOPACER_LONG").empty(); }

void Cluster::install_once() {
  const InstallLock lock;
  define_kinds_of_neighbours();
  const std::string image = cache() + "/image/gopacer.tar";
  if (local_ && !fs::exists(image)) throw std::runtime_error("there is no " + image + ": make it with ./dev image");
  const std::string workloads =
      local_ ? shell("'" + in_source("tests/workloads/build.sh") + "' 2>/dev/null | cut -d' ' -f3 | tr '\\n' ' '") : "";
  // Of all that the operator and the workloads are made of: when nothing changed, nothing is installed again.
  stamp_ = trimmed(shell("cd '" + in_source("") + "' && { cat charts/gopacer/*.yaml charts/gopacer/*/*; echo '" +
                         workloads + "'" + (local_ ? "; cat '" + image + "'" : "") + "; } | sha256sum | cut -c1-16"));
  const CommandResult installed =
      try_kubectl({"get", "deployment", "gopacer", "-n", kOperatorNamespace, "--ignore-not-found", "-o", "json"});
  if (installed.exit_code == 0 && !installed.out.empty()) {
    const json deployment = json::parse(installed.out);
    const json annotations = deployment["/spec/template/metadata"_json_pointer].value("annotations", json::object());
    if (annotations.value(kStamp, "") == stamp_ && number(deployment, "/status/readyReplicas") > 0) return;
  }
  std::cout << "installing the operator (" << stamp_ << ")" << std::endl;
  if (local_) shell("'" + in_source("tools/cluster.sh") + "' load " + workloads + " '" + image + "' 2>&1");
  install();
}

void Cluster::install(const std::vector<std::string>& values) {
  kubectl({"apply", "--server-side", "--force-conflicts", "-f", in_source("charts/gopacer/crds")});
  std::string stamp_key = kStamp;
  for (std::size_t dot = 0; (dot = stamp_key.find('.', dot)) != std::string::npos; dot += 2)
    stamp_key.insert(dot, "\\");
  std::vector<std::string> arguments{"upgrade",
                                     "--install",
                                     "gopacer",
                                     in_source("charts/gopacer"),
                                     "--create-namespace",
                                     "--wait",
                                     "--timeout=120s",
                                     "--set=image.tag=dev",
                                     "--set=agent.enabled=true",
                                     "--set=agent.pauses=true",
                                     "--set=captures.enabled=true",
                                     "--set-string=podAnnotations." + stamp_key + "=" + stamp_};
  for (const std::string& value : values) arguments.push_back("--set-string=" + value);
  helm(arguments);
}

std::string text(const json& object, const std::string& pointer) {
  const json::json_pointer where(pointer);
  if (!object.contains(where)) return "";
  const json& value = object[where];
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

double number(const json& object, const std::string& pointer) {
  const std::string value = text(object, pointer);
  return value.empty() ? -1 : std::strtod(value.c_str(), nullptr);
}

json condition(const json& profile, const std::string& type) {
  const json::json_pointer where("/status/conditions");
  if (!profile.contains(where)) return nullptr;
  for (const json& one : profile[where]) {
    if (one.value("type", "") == type) return one;
  }
  return nullptr;
}

json Workload::document() const {
  json variables = json::array();
  for (const auto& [variable, value] : env) variables.push_back({{"name", variable}, {"value", value}});
  json container{{"name", "app"},
                 {"image", "localhost/" + image + ":dev"},
                 {"imagePullPolicy", "IfNotPresent"},
                 {"env", variables},
                 {"readinessProbe", {{"httpGet", {{"path", ready_path}, {"port", port}}}, {"periodSeconds", 1}}},
                 {"resources",
                  {{"requests", {{"cpu", "20m"}, {"memory", memory_limit}}}, {"limits", {{"memory", memory_limit}}}}}};
  if (!arguments.empty()) container["args"] = arguments;
  json volumes = json::array();
  if (image == "caddy") {
    container["volumeMounts"] = {{{"name", "tmp"}, {"mountPath", "/tmp"}}};
    volumes.push_back({{"name", "tmp"}, {"emptyDir", json::object()}});
  }
  return {
      {"apiVersion", "apps/v1"},
      {"kind", "Deployment"},
      {"metadata", {{"name", name}, {"labels", {{"app", name}}}}},
      {"spec",
       {{"replicas", replicas},
        {"selector", {{"matchLabels", {{"app", name}}}}},
        {"template",
         {{"metadata", {{"labels", {{"app", name}}}}},
          {"spec",
           {{"terminationGracePeriodSeconds", 1}, {"containers", json::array({container})}, {"volumes", volumes}}}}}}}};
}

void ClusterTest::SetUp() {
  begun_ = std::chrono::steady_clock::now();
  const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
  namespace_ = "test-";
  for (const char letter : test) {
    namespace_ += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  namespace_ = namespace_.substr(0, 40) + "-" + std::to_string(::getpid());
  cluster().kubectl({"create", "namespace", namespace_});
}

void ClusterTest::TearDown() {
  if (namespace_.empty()) return;
  if (HasFailure()) std::cout << state() << std::endl;
  // Profiles first: what they ask to be released on deletion needs the namespace.
  cluster().try_kubectl({"delete", "grp", "--all", "-n", namespace_, "--timeout=20s"});
  cluster().try_kubectl({"delete", "namespace", namespace_, "--wait=false"});
}

std::string ClusterTest::kubectl(std::vector<std::string> arguments, const std::string& input) {
  arguments.insert(arguments.begin(), "--namespace=" + namespace_);
  return cluster().kubectl(std::move(arguments), input);
}

void ClusterTest::apply(const json& object) { kubectl({"apply", "-f", "-"}, object.dump()); }

json ClusterTest::get(const std::string& kind, const std::string& name) {
  const std::string out = kubectl({"get", kind, name, "--ignore-not-found", "-o", "json"});
  return out.empty() ? json() : json::parse(out);
}

std::vector<json> ClusterTest::list(const std::string& kind, const std::string& selector) {
  return json::parse(kubectl({"get", kind, "-l", selector, "-o", "json"})).at("items").get<std::vector<json>>();
}

void ClusterTest::deploy(const Workload& workload) {
  apply(workload.document());
  deploy_service(workload);
}

void ClusterTest::deploy_service(const Workload& workload) {
  apply(
      {{"apiVersion", "v1"},
       {"kind", "Service"},
       {"metadata", {{"name", workload.name}}},
       {"spec", {{"selector", {{"app", workload.name}}}, {"ports", {{{"port", 80}, {"targetPort", workload.port}}}}}}});
  eventually("Deployment " + workload.name + " is ready", [&] {
    const json now = deployment(workload.name);
    return number(now, "/status/readyReplicas") == workload.replicas &&
           number(now, "/status/updatedReplicas") == workload.replicas;
  });
}

void ClusterTest::send_load(const Workload& workload, int per_second, const std::string& path) {
  const std::string address = text(get("service", workload.name), "/spec/clusterIP");
  json arguments{"--target=http://" + address + path, "--rate=" + std::to_string(per_second), "--duration=1h",
                 "--every=30s"};
  if (path == "/checkout") arguments.push_back("--carts");
  const std::string name = "load-" + workload.name;
  apply({{"apiVersion", "apps/v1"},
         {"kind", "Deployment"},
         {"metadata", {{"name", name}}},
         {"spec",
          {{"replicas", 1},
           {"selector", {{"matchLabels", {{"load", workload.name}}}}},
           {"template",
            {{"metadata", {{"labels", {{"load", workload.name}}}}},
             {"spec",
              {{"terminationGracePeriodSeconds", 0},
               {"dnsPolicy", "Default"},
               {"containers", json::array({{{"name", "load"},
                                            {"image", "localhost/load:dev"},
                                            {"imagePullPolicy", "IfNotPresent"},
                                            {"args", arguments}}})}}}}}}}});
}

void ClusterTest::stop_load(const Workload& workload) { kubectl({"delete", "deployment", "load-" + workload.name}); }

void ClusterTest::tune(const std::string& name, const json& spec) {
  json document{{"apiVersion", "gopacer.dev/v1alpha1"},
                {"kind", "GoRuntimeProfile"},
                {"metadata", {{"name", name}}},
                {"spec",
                 {{"targetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", name}}},
                  {"updatePolicy", {{"updateMode", "Canary"}}},
                  {"runtimeMetrics", {{"interval", "1s"}}},
                  {"canary", {{"interval", "1s"}, {"warmUp", "5s"}, {"maxDuration", "3m"}, {"minSamples", 100}}},
                  {"rollback", {{"watchFor", "8s"}, {"coolDown", "5s"}}}}}};
  document["spec"].merge_patch(spec);
  apply(document);
}

void ClusterTest::tell_pods(const std::string& selector, const std::string& what) {
  std::vector<json> pods;
  eventually("pods of " + selector + " are there and none of them goes", [&] {
    pods = list("pods", selector);
    return !pods.empty() && std::all_of(pods.begin(), pods.end(), [](const json& pod) {
      return !pod["metadata"].contains("deletionTimestamp") && !text(pod, "/status/podIP").empty();
    });
  });
  for (const json& pod : pods) {
    must_run({"curl", "-sf", "-m", "5", "-X", "POST", "http://" + text(pod, "/status/podIP") + ":9090" + what});
  }
}

void ClusterTest::change_profile(const std::string& name, const json& spec) {
  kubectl({"patch", "grp", name, "--type=merge", "-p", json{{"spec", spec}}.dump()});
}

void ClusterTest::eventually(const std::string& what, const std::function<bool()>& holds, seconds patience) {
  const auto begun = std::chrono::steady_clock::now();
  const auto deadline = std::min(begun + patience, begun_ + kLongestTest);
  while (!holds()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      const auto waited = std::chrono::duration_cast<seconds>(now - begun);
      throw std::runtime_error("waited " + std::to_string(waited.count()) + " s in vain: " + what);
    }
    std::this_thread::sleep_for(kPoll);
  }
}

json ClusterTest::eventually_trial(const std::string& name, const std::string& what,
                                   const std::function<bool(const json&)>& holds, seconds patience) {
  json seen;
  eventually(
      "trial " + name + " " + what,
      [&] {
        seen = trial(name);
        if (seen.is_null()) return false;
        if (holds(seen)) return true;
        if (text(seen, "/status/phase") == "Ended") {
          throw std::runtime_error("trial " + name + " ended before it " + what + ": " + text(seen, "/status/verdict") +
                                   ", " + text(seen, "/status/reason") + ": " + text(seen, "/status/message"));
        }
        return false;
      },
      patience);
  return seen;
}

json ClusterTest::trial_ended(const std::string& name, seconds patience) {
  return eventually_trial(
      name, "ends", [](const json& seen) { return text(seen, "/status/phase") == "Ended"; }, patience);
}

void ClusterTest::expect_no_leftovers(const std::string& workload) {
  eventually(
      "canary and baseline of " + workload + " are gone",
      [&] {
        for (const std::string track : {"canary", "baseline"}) {
          if (!deployment(workload + "-gopacer-" + track).is_null()) return false;
        }
        return list("pods", "gopacer.dev/track,app=" + workload).empty();
      },
      seconds(60));
}

std::string ClusterTest::env_of(const json& deployment, const std::string& variable) {
  const json::json_pointer where("/spec/template/spec/containers/0/env");
  if (!deployment.contains(where)) return "";
  for (const json& entry : deployment[where]) {
    if (entry.value("name", "") == variable) return entry.value("value", "");
  }
  return "";
}

std::string ClusterTest::owner_of_env(const std::string& workload, const std::string& variable) {
  const json object = json::parse(kubectl({"get", "deployment", workload, "--show-managed-fields", "-o", "json"}));
  const json::json_pointer where(
      "/fieldsV1/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"app\"}/f:env/k:{\"name\":\"" + variable + "\"}");
  std::string owners;
  for (const json& manager : object.at("metadata").value("managedFields", json::array())) {
    if (manager.contains(where)) owners += (owners.empty() ? "" : ",") + manager.value("manager", "");
  }
  return owners;
}

std::string ClusterTest::state() {
  const auto part = [&](const std::string& title, std::vector<std::string> arguments) {
    try {
      const CommandResult result = cluster().try_kubectl(std::move(arguments), "", seconds(20));
      return "--- " + title + "\n" + result.out + result.error;
    } catch (const std::exception& error) {
      return "--- " + title + "\n" + error.what();
    }
  };
  const std::string here = "--namespace=" + namespace_;
  const std::string conditions =
      "jsonpath={range .items[*]}{.metadata.name}: {.status.phase}, observed {.status.observed}{\"\\n\"}"
      "{range .status.conditions[*]}  {.type}={.status} {.reason}: {.message}{\"\\n\"}{end}{end}";
  const std::string trials =
      "jsonpath={range .items[*]}{.metadata.name}: {.spec.fromText} -> {.spec.toText}, minSavingPercent "
      "{.spec.minSavingPercent}{\"\\n\"}  {.status}{\"\\n\"}{end}";
  return part("overview", {here, "get", "grp,grt,deployments,pods", "-o", "wide"}) +
         part("profiles", {here, "get", "grp", "-o", conditions}) + part("trials", {here, "get", "grt", "-o", trials}) +
         part("events", {here, "get", "events", "--sort-by=.lastTimestamp"}) +
         part("operator",
              {"--namespace=" + std::string(kOperatorNamespace), "logs", "deployment/gopacer", "--tail=40"});
}

}  // namespace gopacer::cluster
