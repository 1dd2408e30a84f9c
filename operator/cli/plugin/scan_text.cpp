#include <nlohmann/json.hpp>

#include "cli/advice.h"
#include "cli/plugin/scan.h"
#include "cli/text_plot.h"
#include "gopacer/base/text.h"

namespace gopacer::plugin {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestNote = 1000;

std::string percent(double share) { return format_fixed(share * 100, 1) + "%"; }

std::string signed_fixed(double value, int decimals) { return (value > 0 ? "+" : "") + format_fixed(value, decimals); }

std::string page(const std::optional<PageAddress>& address) {
  return address ? ":" + std::to_string(address->port) + address->path : "";
}

std::string collection_of(const ServiceStory& service) {
  return service.decision && service.decision->estimate ? percent(service.decision->estimate->gc_cpu_fraction) : "";
}

/// Why nothing else is advised, and what stands in the way; a sentence each.
std::vector<std::string> remarks(const ServiceStory& service) {
  std::vector<std::string> all = service.obstacles;
  if (!service.profile.empty()) all.push_back("profile " + service.profile + " is about it already");
  if (service.decision && !advises(service)) all.push_back(service.decision->message);
  return all;
}

struct Sums {
  double cpu = 0;
  double cores = 0;
  double memory = 0;
  int advised = 0;
};

Sums sums_of(const ScanReport& report) {
  Sums sums;
  for (const ServiceStory& service : report.services) {
    if (service.decision && service.decision->estimate) {
      sums.cpu += service.decision->estimate->cpu * service.workload.replicas;
    }
    if (!advises(service)) continue;
    ++sums.advised;
    sums.cores += saved_cores(service);
    sums.memory += more_memory(service);
  }
  return sums;
}

std::string summary_of(const ScanReport& report) {
  std::string text = std::to_string(report.services.size()) + " of " + std::to_string(report.deployments) +
                     " Deployments show that they run Go";
  if (report.without_pods > 0) text += "; " + std::to_string(report.without_pods) + " have no ready pod to ask";
  if (report.without_go > 0) text += "; " + std::to_string(report.without_go) + " showed no page of Go's runtime";
  if (report.unasked > 0) {
    text += "; " + std::to_string(report.unasked) + " pages were not asked for in time: scan one namespace at a time";
  }
  text += ".";
  if (!report.refusal.empty()) {
    text += " Not all pods could be asked: " + report.refusal + ". Needed is the right to get pods/proxy.";
  }
  if (!report.profiles_unknown.empty())
    text += " Which of them have a profile is not known: " + report.profiles_unknown + ".";
  const Sums sums = sums_of(report);
  if (sums.advised > 0) {
    text += " Together the advice would save " + format_fixed(sums.cores, 2) + " of " + format_fixed(sums.cpu, 2) +
            " cores, for " + signed_fixed(sums.memory, 2) + " GiB of memory.";
  }
  return text;
}

const std::vector<std::string> kHead{"DEPLOYMENT", "PODS", "PPROF", "NOW", "GC-CPU", "ADVICE", "CORES", "GIB"};

std::vector<std::string> row_of(const ServiceStory& service) {
  const bool change = advises(service);
  return {service.workload.key.text(),
          std::to_string(service.workload.replicas),
          page(service.pprof),
          describe(service.current),
          collection_of(service),
          change ? describe(advised(*service.decision)) : "",
          change ? signed_fixed(-saved_cores(service), 2) : "",
          change ? signed_fixed(more_memory(service), 2) : ""};
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_row(const std::vector<std::string>& cells, const char* tag) {
  std::string text = "<tr>";
  for (const std::string& cell : cells) text += std::string("<") + tag + ">" + escaped(cell) + "</" + tag + ">";
  return text + "</tr>\n";
}

json page_json(const std::optional<PageAddress>& address) {
  return address ? json{{"port", address->port}, {"path", address->path}} : json(nullptr);
}

json service_json(const ServiceStory& service) {
  json object{{"namespace", service.workload.key.ns},
              {"deployment", service.workload.key.name},
              {"replicas", service.workload.replicas},
              {"container", service.container},
              {"pprof", page_json(service.pprof)},
              {"metrics", page_json(service.metrics)},
              {"goVersion", service.go_version},
              {"histograms", service.histograms},
              {"profile", service.profile},
              {"current", describe(service.current)},
              {"obstacles", service.obstacles},
              {"advice", nullptr},
              {"observed", nullptr}};
  if (!service.decision) return object;
  object["advice"] = {{"reason", service.decision->reason},
                      {"message", service.decision->message},
                      {"settings", advises(service) ? json(describe(advised(*service.decision))) : json(nullptr)},
                      {"savedCores", saved_cores(service)},
                      {"moreMemoryGiB", more_memory(service)}};
  if (service.decision->estimate) {
    const Estimate& estimate = *service.decision->estimate;
    object["observed"] = {{"cores", estimate.cpu},
                          {"gcCpuFraction", estimate.gc_cpu_fraction},
                          {"gcCpuRelError", estimate.gc_cpu_rel_error},
                          {"peakMemoryBytes", estimate.peak_memory.count()},
                          {"liveHeapBytes", estimate.live_heap.count()}};
  }
  return object;
}

/// The histogram that an SLO is most likely about.
std::string main_histogram(const ServiceStory& service) {
  for (const char* const word : {"http_request_duration", "request_duration", "latency", "duration"}) {
    for (const std::string& name : service.histograms) {
      if (name.find(word) != std::string::npos) return name;
    }
  }
  return {};
}

}  // namespace

std::string text_of(const ScanReport& report) {
  std::string text;
  if (!report.services.empty()) {
    std::vector<std::vector<std::string>> rows{kHead};
    for (const ServiceStory& service : report.services) rows.push_back(row_of(service));
    text += text_table(rows, Columns::kTexts) + "\n";
    for (const ServiceStory& service : report.services) {
      for (const std::string& remark : remarks(service)) text += service.workload.key.text() + ": " + remark + "\n";
    }
    text += "\n";
  }
  return text + summary_of(report) + "\n";
}

json to_json(const ScanReport& report) {
  json services = json::array();
  for (const ServiceStory& service : report.services) services.push_back(service_json(service));
  const Sums sums = sums_of(report);
  return {{"deployments", report.deployments},
          {"withoutReadyPods", report.without_pods},
          {"withoutGo", report.without_go},
          {"pagesNotAsked", report.unasked},
          {"cores", sums.cpu},
          {"savedCores", sums.cores},
          {"moreMemoryGiB", sums.memory},
          {"services", std::move(services)}};
}

std::string html_of(const ScanReport& report) {
  std::string text =
      "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>gopacer scan</title>\n<style>\n"
      "body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }\n"
      "table { border-collapse: collapse } th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid "
      "}\n"
      "</style></head>\n<body>\n<h1>gopacer scan</h1>\n<p>" +
      escaped(summary_of(report)) + "</p>\n<table>\n<thead>" + html_row(kHead, "th") + "</thead>\n<tbody>\n";
  for (const ServiceStory& service : report.services) text += html_row(row_of(service), "td");
  text += "</tbody>\n</table>\n<ul>\n";
  for (const ServiceStory& service : report.services) {
    for (const std::string& remark : remarks(service)) {
      text += "<li>" + escaped(service.workload.key.text() + ": " + remark) + "</li>\n";
    }
  }
  return text + "</ul>\n</body>\n</html>\n";
}

std::string profile_yaml(const ServiceStory& service) {
  const std::string name = "\"" + service.workload.key.name + "\"";
  std::string text =
      "---\n# updateMode \"Off\" only recommends; Canary tries new settings on canary pods and applies what is "
      "better.\n";
  // In one line each, whatever is in them: the next would be no comment.
  for (const std::string& remark : remarks(service)) text += "# Note: " + shown(remark, kLongestNote) + "\n";
  text += "apiVersion: gopacer.dev/v1alpha1\nkind: GoRuntimeProfile\nmetadata: {name: " + name + ", namespace: \"" +
          service.workload.key.ns + "\"}\nspec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: " + name +
          "}\n";
  if (service.workload.containers.size() > 1) text += "  containerName: \"" + service.container + "\"\n";
  text += "  updatePolicy: {updateMode: \"Off\"}\n";
  if (service.pprof) {
    text += "  runtimeMetrics: {port: " + std::to_string(service.pprof->port) + ", path: \"" + service.pprof->path +
            "\"}\n";
  } else {
    text += "  runtimeMetrics: {source: Agent}\n";
  }
  if (const std::string histogram = main_histogram(service); !histogram.empty()) {
    text +=
        "  slos:\n  # The histogram was found on the page; whether it is the one that matters nobody can tell.\n"
        "  - name: latency-p99\n    podHistogram: {port: " +
        std::to_string(service.metrics->port) + ", path: \"" + service.metrics->path + "\", metric: " + histogram +
        ", quantile: \"0.99\"}\n    maxRegressionPercent: 10\n";
  }
  return text;
}

}  // namespace gopacer::plugin
