#include "cli/plugin/scan.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/advice.h"
#include "cli/plugin/pages.h"
#include "cli/plugin/plugin_command.h"
#include "codec/resources.h"
#include "fakes/builders.h"
#include "fakes/fake_api_server.h"
#include "fakes/fake_clock.h"
#include "fakes/objects.h"
#include "fakes/pod_imposter.h"
#include "fakes/temporary_directory.h"
#include "net/fetcher.h"

namespace gopacer::plugin {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHeapPage = "heap profile: 1: 2 [3: 4] @ heap/1048576\n";
constexpr const char* kMetricsPage =
    "# TYPE go_gc_duration_seconds summary\ngo_gc_duration_seconds{quantile=\"0\"} 1e-05\n"
    "# TYPE go_info gauge\ngo_info{version=\"go1.26.8\"} 1\n# TYPE go_sched_latencies_seconds histogram\n"
    "# TYPE rpc_size_bytes histogram\n# TYPE http_request_duration_seconds histogram\n";

/// A cluster with Deployments, each with one ready pod that an imposter plays.
class Scan : public ::testing::Test {
 protected:
  void deploy(const std::string& name, int port, const json& change = json::object()) {
    json object = objects::deployment_object();
    object["metadata"]["name"] = name;
    object.merge_patch(change);
    objects::deploy(api_, object);
    const json deployment = api_.peek(objects::deployment_path({"shop", name}));
    const auto owned_by = [](const char* kind, const json& owner) {
      return json::array({{{"kind", kind},
                           {"name", owner["metadata"]["name"]},
                           {"uid", owner["metadata"]["uid"]},
                           {"controller", true}}});
    };
    ASSERT_TRUE(
        api_.create(resources::kReplicaSets, "shop",
                    {{"metadata", {{"name", name + "-5d"}, {"ownerReferences", owned_by("Deployment", deployment)}}}}));
    const json set = api_.peek({resources::kReplicaSets, "shop", name + "-5d"});
    json spec = deployment["spec"]["template"]["spec"];
    spec["containers"][0]["ports"] = json::array({{{"containerPort", port}}});
    ASSERT_TRUE(api_.create(
        resources::kPods, "shop",
        {{"metadata", {{"name", name + "-5d-x"}, {"ownerReferences", owned_by("ReplicaSet", set)}}}, {"spec", spec}}));
    const json status{{"podIP", "127.0.0.1"},
                      {"phase", "Running"},
                      {"conditions", json::array({{{"type", "Ready"}, {"status", "True"}}})}};
    ASSERT_TRUE(api_.merge_patch({resources::kPods, "shop", name + "-5d-x"}, {{"status", status}}, "status"));
  }

  Exit run(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    const auto open = [this](const std::string&, const std::string&) {
      return Cluster{&api_,
                     "shop",
                     "",
                     &fetcher_,
                     [this](const std::string&, const ObjectKey& pod) { known_.push_back(pod.text()); },
                     [this] { return refusal_; }};
    };
    return run_plugin(arguments, open, {out_, err_, clock_, [](Duration) {}});
  }
  json scanned() {
    EXPECT_EQ(run({"scan", "--for", "0s", "-o", "json"}), Exit::kOk) << err_.str();
    return json::parse(out_.str());
  }

  FakeApiServer api_;
  FakeClock clock_{builders::kStart};
  Fetcher fetcher_{{}, {.local_addresses = true}};
  PodImposter pod_;
  std::vector<std::string> known_;
  std::string refusal_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(Scan, FindsWhatRunsGoAndWhereItSaysSo) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  pod_.on("/metrics", Page{kMetricsPage});
  deploy("checkout", pod_.port());
  const json report = scanned();
  ASSERT_EQ(report["services"].size(), 1U);
  const json& service = report["services"][0];
  EXPECT_EQ(service["deployment"], "checkout");
  EXPECT_EQ(service["pprof"], json({{"port", pod_.port()}, {"path", "/debug/pprof"}}));
  EXPECT_EQ(service["goVersion"], "go1.26.8");
  EXPECT_EQ(service["histograms"], json::array({"http_request_duration_seconds"}));
  EXPECT_EQ(service["obstacles"], json::array());
  EXPECT_THAT(known_, ElementsAre("shop/checkout-5d-x"));
  EXPECT_EQ(api_.writes().size(), 4U) << "what the test itself made";
}

TEST_F(Scan, DoesNotTakeAnotherProgramForGo) {
  pod_.on("/debug/pprof/heap", Page{"<html>hello</html>"});
  pod_.on("/metrics", Page{"# TYPE jvm_gc_pause_seconds histogram\n"});
  deploy("legacy", pod_.port());
  const json report = scanned();
  EXPECT_EQ(report["services"], json::array());
  EXPECT_EQ(report["withoutGo"], 1);
  EXPECT_EQ(run({"scan", "--for", "0s"}), Exit::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("1 showed no page of Go's runtime"));
}

TEST_F(Scan, SaysWhatStandsInTheWay) {
  pod_.on("/metrics", Page{kMetricsPage});
  deploy("checkout", pod_.port(),
         {{"spec",
           {{"strategy", {{"type", "Recreate"}}},
            {"template",
             {{"spec",
               {{"containers",
                 json::array({{{"name", "app"}, {"env", json::array({{{"name", "GOGC"}, {"value", "50"}}})}}})}}}}}}}});
  EXPECT_EQ(run({"scan", "--for", "0s"}), Exit::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("it serves no pprof"), HasSubstr("GOGC=50"),
                                HasSubstr("GOGC or GOMEMLIMIT is set by kubectl"), HasSubstr("no memory limit"),
                                HasSubstr("there must never be two pods at once")));
}

TEST_F(Scan, NamesTheProfileThatThereIs) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("checkout", pod_.port());
  ASSERT_TRUE(api_.create(resources::kProfiles, "shop", objects::profile_object()));
  EXPECT_EQ(scanned()["services"][0]["profile"], "checkout");
  api_.stop_serving("goruntimeprofiles");
  EXPECT_EQ(scanned()["services"][0]["profile"], "") << "and needs no definitions";
}

TEST_F(Scan, GetsNoMoreThanTheBeginningOfAPageWithoutEnd) {
  pod_.on("/debug/pprof/heap", Drip{kHeapPage, std::string(1000, 'x')});
  pod_.on("/metrics", Drip{kMetricsPage, std::string(10'000, '#') + "\n"});
  deploy("checkout", pod_.port());
  EXPECT_EQ(scanned()["services"].size(), 1U);
}

TEST_F(Scan, IsNotUpsetByALineThatIsNearlyATypes) {
  EXPECT_THAT(look_at_metrics("# TYPE histogram\n# TYPE  histogram\ngo_goroutines 7").histograms, ::testing::IsEmpty());
}

TEST_F(Scan, LeavesContainersThatWereInjectedOut) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("legacy", pod_.port());
  json pod = api_.peek({resources::kPods, "shop", "legacy-5d-x"});
  json proxy{{"name", "proxy"}, {"ports", pod["spec"]["containers"][0]["ports"]}};
  pod["spec"]["containers"][0].erase("ports");
  pod["spec"]["containers"].push_back(proxy);
  ASSERT_TRUE(api_.replace({resources::kPods, "shop", "legacy-5d-x"}, pod));
  EXPECT_EQ(scanned()["services"], json::array());
}

TEST_F(Scan, TakesNoMetricsOfAnotherContainer) {
  PodImposter sidecar;
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  sidecar.on("/metrics", Page{kMetricsPage});
  deploy("checkout", pod_.port());
  const ObjectPath deployment = objects::deployment_path({"shop", "checkout"});
  json changed = api_.peek(deployment);
  changed["spec"]["template"]["spec"]["containers"].push_back({{"name", "sidecar"}});
  ASSERT_TRUE(api_.replace(deployment, changed));
  json pod = api_.peek({resources::kPods, "shop", "checkout-5d-x"});
  pod["spec"]["containers"].push_back(
      {{"name", "sidecar"}, {"ports", json::array({{{"containerPort", sidecar.port()}}})}});
  ASSERT_TRUE(api_.replace({resources::kPods, "shop", "checkout-5d-x"}, pod));
  const json service = scanned()["services"][0];
  EXPECT_EQ(service["container"], "app");
  EXPECT_EQ(service["metrics"], nullptr);
}

TEST_F(Scan, AsksAFewPagesAtATime) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  for (int i = 0; i < 40; ++i) deploy("service-" + std::to_string(i), pod_.port());
  EXPECT_EQ(scanned()["services"].size(), 40U);
  EXPECT_LE(pod_.most_at_once(), 16);
}

TEST_F(Scan, SaysThatNotAllPodsCouldBeAsked) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("checkout", pod_.port());
  refusal_ = "pods is forbidden in bank";
  EXPECT_EQ(run({"scan", "--for", "0s"}), Exit::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("Not all pods could be asked: pods is forbidden in bank. Needed is the right"));
}

TEST_F(Scan, MakesNoSecondProfileForATarget) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("checkout", pod_.port());
  ASSERT_TRUE(api_.create(resources::kProfiles, "shop", objects::profile_object()));
  EXPECT_EQ(run({"init", "--all"}), Exit::kOk);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), HasSubstr("shop/checkout has profile checkout and is left out"));
  api_.fail_next("list", {ErrorKind::kTerminal, "profiles is forbidden"}, 1, "goruntimeprofiles");
  EXPECT_EQ(run({"init", "--all"}), Exit::kFailed);
}

TEST_F(Scan, SaysWhyAFileCantBeWritten) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("checkout", pod_.port());
  EXPECT_EQ(run({"init", "checkout", "--dir", "/proc/none"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("/proc/none/shop.checkout.yaml can't be written: No such file"));
}

TEST_F(Scan, NamesTheRightToAskPods) {
  deploy("checkout", pod_.port());
  refusal_ = "pods \"checkout-5d-x\" is forbidden";
  EXPECT_EQ(run({"scan", "--for", "0s"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("Needed is the right to get pods/proxy"));
}

TEST_F(Scan, RefusesATimeThatIsNone) {
  EXPECT_EQ(run({"scan", "--for", "1d"}), Exit::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--for 1d is no time up to 10m"));
}

TEST_F(Scan, EscapesWhatPodsSayInHtml) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("checkout", pod_.port());
  EXPECT_EQ(run({"scan", "--for", "0s", "-o", "html"}), Exit::kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("<td>shop/checkout</td>"), HasSubstr("Go&#39;s defaults")));
}

TEST_F(Scan, MakesAProfileOfWhatItFound) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  pod_.on("/metrics", Page{kMetricsPage});
  deploy("checkout", pod_.port());
  api_.forget_writes();
  EXPECT_EQ(run({"init", "checkout"}), Exit::kOk) << err_.str();
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("name: \"checkout\", namespace: \"shop\""), HasSubstr("updateMode: \"Off\""),
                                HasSubstr("runtimeMetrics: {port: " + std::to_string(pod_.port())),
                                HasSubstr("metric: http_request_duration_seconds")));
  EXPECT_THAT(api_.writes(), ::testing::IsEmpty());
  EXPECT_EQ(run({"init"}), Exit::kUsage);
  EXPECT_EQ(run({"init", "nothing"}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("there is no Deployment nothing in namespace shop"));
}

TEST_F(Scan, PutsNothingIntoAProfileThatIsNoMetricsName) {
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  pod_.on("/metrics", Page{"go_goroutines 7\n# TYPE a}, max: 1ms, x: {latency_seconds histogram\n"});
  deploy("checkout", pod_.port());
  EXPECT_EQ(run({"init", "checkout"}), Exit::kOk) << err_.str();
  EXPECT_THAT(out_.str(), Not(HasSubstr("slos")));
}

TEST_F(Scan, OverwritesNoFile) {
  const testing::TemporaryDirectory directory;
  pod_.on("/debug/pprof/heap", Page{kHeapPage});
  deploy("checkout", pod_.port());
  const std::string path = directory.path().string() + "/shop.checkout.yaml";
  EXPECT_EQ(run({"init", "--all", "--dir", directory.path().string()}), Exit::kOk) << err_.str();
  EXPECT_EQ(out_.str(), path + "\n");
  std::ofstream(path) << "mine\n";
  EXPECT_EQ(run({"init", "--all", "--dir", directory.path().string()}), Exit::kFailed);
  EXPECT_THAT(err_.str(), HasSubstr("exists already and is left as it is"));
  std::stringstream kept;
  kept << std::ifstream(path).rdbuf();
  EXPECT_EQ(kept.str(), "mine\n");
}

TEST(DeclaredPorts, AreThoseOfTcpAndOfProbes) {
  const json pod = json::parse(R"({"spec": {"containers": [
    {"name": "app", "ports": [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}],
     "readinessProbe": {"httpGet": {"port": 8081}}, "livenessProbe": {"httpGet": {"port": "named"}}},
    {"name": "proxy", "ports": [{"containerPort": 70000}, {"containerPort": 9090, "protocol": "TCP"}, 7]}]}})");
  EXPECT_THAT(declared_ports(pod), ElementsAre(std::pair<const int, std::string>(8080, "app"),
                                               std::pair<const int, std::string>(8081, "app"),
                                               std::pair<const int, std::string>(9090, "proxy")));
}

/// What a scan found of a service, with advice.
ServiceStory advised_service(const std::string& name, double saving) {
  ServiceStory service;
  service.workload.key = {"shop", name};
  service.workload.replicas = 10;
  service.pprof = PageAddress{6060, "/debug/pprof"};
  service.decision.emplace();
  service.decision->kind = Decision::Kind::kChange;
  service.decision->settings = Settings{Gogc(200), std::nullopt};
  service.decision->estimate.emplace();
  service.decision->estimate->cpu = 0.5;
  service.decision->estimate->gc_cpu_fraction = 0.2;
  service.decision->estimate->peak_memory = mib(100);
  service.decision->predicted.emplace();
  service.decision->predicted->saving = saving;
  service.decision->predicted->peak_memory = mib(150);
  return service;
}

TEST(ScanReport, AddsUpWhatTheAdviceWouldSave) {
  ScanReport report;
  report.deployments = 3;
  report.services = {advised_service("checkout", 0.1), advised_service("cart", 0.02)};
  EXPECT_DOUBLE_EQ(saved_cores(report.services[0]), 0.5);
  EXPECT_DOUBLE_EQ(more_memory(report.services[0]), 10 * 50.0 / 1024);
  EXPECT_THAT(text_of(report),
              AllOf(HasSubstr("2 of 3 Deployments show that they run Go."),
                    HasSubstr("would save 0.60 of 10.00 cores, for +0.98 GiB of memory"), HasSubstr("GOGC=200")));
  const json object = to_json(report);
  EXPECT_DOUBLE_EQ(object["savedCores"], 0.6);
  EXPECT_EQ(object["services"][0]["advice"]["settings"], "GOGC=200");
}

TEST(ScanReport, GivesTheDestinationAndNotTheFirstStep) {
  ServiceStory service = advised_service("checkout", 0.1);
  service.decision->destination = Outlook{Settings{Gogc(400), std::nullopt}, *service.decision->predicted, ""};
  service.decision->destination->predicted.saving = 0.15;
  EXPECT_EQ(describe(advised(*service.decision)), "GOGC=400");
  EXPECT_DOUBLE_EQ(saved_cores(service), 0.75);
}

TEST(ScanReport, SaysWhyNothingIsAdvised) {
  ServiceStory service = advised_service("checkout", 0.1);
  service.decision->kind = Decision::Kind::kKeep;
  service.decision->message = "Collection takes 0.5 % of the CPU: there is nothing to win.";
  EXPECT_EQ(saved_cores(service), 0);
  ScanReport report;
  report.services = {service};
  EXPECT_THAT(text_of(report), AllOf(HasSubstr("shop/checkout: Collection takes 0.5 %"), Not(HasSubstr("Together"))));
}

}  // namespace
}  // namespace gopacer::plugin
