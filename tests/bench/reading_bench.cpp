// What it costs to read a pod's pages, against the plain way to do it: the whole body as text, line by line with
// iostreams.

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "codec/pod.h"
#include "observe/app_metrics.h"
#include "observe/heap_trailer.h"
#include "source_dir.h"
#include "watch/store.h"

namespace gopacer {
namespace {

/// As the network hands a body over.
constexpr std::size_t kPiece = std::size_t{16} * 1024;

std::string recorded(const std::string& name) {
  std::ifstream file(in_source("tests/data/" + name), std::ios::binary);
  std::string body(std::istreambuf_iterator<char>(file), {});
  if (body.empty()) throw std::runtime_error("no recorded body " + name + "; run tests/data/record.sh");
  return body;
}

template <typename Reader>
void feed(Reader& reader, const std::string& body) {
  for (std::size_t at = 0; at < body.size(); at += kPiece) {
    if (!reader.feed(std::string_view(body).substr(at, kPiece))) break;
  }
}

void report(benchmark::State& state, const std::string& body) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(body.size()));
}

void HeapPage(benchmark::State& state) {
  const std::string body = recorded("metrics/checkout.heap.txt");
  for ([[maybe_unused]] const auto _ : state) {
    HeapTrailer reader;
    feed(reader, body);
    benchmark::DoNotOptimize(reader.finish());
  }
  report(state, body);
}
BENCHMARK(HeapPage);

void HeapPageByIostreams(benchmark::State& state) {
  const std::string body = recorded("metrics/checkout.heap.txt");
  for ([[maybe_unused]] const auto _ : state) {
    std::istringstream stream(body);
    std::map<std::string, std::string> fields;
    bool in_trailer = false;
    for (std::string line; std::getline(stream, line);) {
      in_trailer = in_trailer || line == "# runtime.MemStats";
      if (!in_trailer) continue;
      std::istringstream words(line);
      std::string hash, name, equals, value;
      words >> hash >> name >> equals;
      std::getline(words, value);
      fields[name] = value;
    }
    benchmark::DoNotOptimize(fields);
  }
  report(state, body);
}
BENCHMARK(HeapPageByIostreams);

std::vector<Slo> latency() {
  Slo slo;
  slo.name = "latency";
  slo.histogram().metric = "http_request_duration_seconds";
  return {slo};
}

void MetricsPage(benchmark::State& state) {
  const std::string body = recorded("metrics/checkout.txt");
  for ([[maybe_unused]] const auto _ : state) {
    AppMetricsReader reader(latency());
    feed(reader, body);
    benchmark::DoNotOptimize(reader.finish());
  }
  report(state, body);
}
BENCHMARK(MetricsPage);

/// `text` is what stands between the braces.
std::map<std::string, std::string> labels_by_iostreams(const std::string& text) {
  std::map<std::string, std::string> labels;
  std::istringstream stream(text);
  for (std::string label; std::getline(stream, label, ',');) {
    const auto equals = label.find('=');
    labels[label.substr(0, equals)] = label.substr(equals + 2, label.size() - equals - 3);
  }
  return labels;
}

/// The same work in the plain way: all lines, and the merged buckets of one histogram.
void MetricsPageByIostreams(benchmark::State& state) {
  const std::string body = recorded("metrics/checkout.txt");
  for ([[maybe_unused]] const auto _ : state) {
    std::istringstream stream(body);
    std::map<std::string, double> plain;
    std::map<std::map<std::string, std::string>, std::map<double, double>> series;
    for (std::string line; std::getline(stream, line);) {
      if (line.empty() || line.front() == '#') continue;
      std::istringstream words(line.substr(line.rfind(' ')));
      double value = 0;
      words >> value;
      const std::string name = line.substr(0, line.find_first_of("{ "));
      if (name != "http_request_duration_seconds_bucket") {
        plain[line.substr(0, line.rfind(' '))] = value;
        continue;
      }
      auto labels = labels_by_iostreams(line.substr(name.size() + 1, line.rfind('}') - name.size() - 1));
      const std::string bound = labels.extract("le").mapped();
      series[labels][std::strtod(bound.c_str(), nullptr)] = value;
    }
    std::map<double, double> merged;
    for (const auto& [labels, buckets] : series) {
      for (const auto& [bound, count] : buckets) merged[bound] += count;
    }
    benchmark::DoNotOptimize(plain);
    benchmark::DoNotOptimize(merged);
  }
  report(state, body);
}
BENCHMARK(MetricsPageByIostreams);

/// A pod as the watch brings it, with what API servers add to each.
std::string pod_event() {
  nlohmann::json pod{
      {"metadata",
       {{"name", "checkout-7b4d7d9cdd-bzjjf"}, {"namespace", "shop"}, {"uid", "1"}, {"labels", {{"app", "checkout"}}}}},
      {"spec",
       {{"nodeName", "node1"},
        {"containers", nlohmann::json::array({{{"name", "app"},
                                               {"image", "checkout"},
                                               {"env", nlohmann::json::array({{{"name", "GOGC"}, {"value", "200"}}})},
                                               {"resources", {{"limits", {{"memory", "512Mi"}}}}}}})}}},
      {"status", {{"phase", "Running"}, {"podIP", "10.0.0.1"}}}};
  for (int i = 0; i < 40; ++i)
    pod["metadata"]["managedFields"].push_back({{"manager", "m"}, {"fieldsV1", {{"f:a", {{"f:b", {}}}}}}});
  return pod.dump();
}

void PodEvent(benchmark::State& state) {
  const std::string text = pod_event();
  for ([[maybe_unused]] const auto _ : state) benchmark::DoNotOptimize(codec::decode_pod(nlohmann::json::parse(text)));
  report(state, text);
}
BENCHMARK(PodEvent);

/// What each pod of the cluster costs, whoever's it is: the store keeps all that the watch brings.
void PodsInStore(benchmark::State& state) {
  nlohmann::json pod = nlohmann::json::parse(pod_event());
  double counted = 0;
  for ([[maybe_unused]] const auto _ : state) {
    Store<Pod> store(codec::decode_pod);
    const double before = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd);
    store.begin();
    for (int i = 0; i < state.range(0); ++i) {
      pod["metadata"]["name"] = "checkout-6d5f8c7b9d-" + std::to_string(i);
      store.add(pod);
    }
    store.commit();
    counted = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd) - before;
  }
  state.counters["bytes_per_pod"] = counted / static_cast<double>(state.range(0));
}
BENCHMARK(PodsInStore)->Arg(10'000)->Unit(benchmark::kMillisecond)->Iterations(1);

void PodEventOnlyParsed(benchmark::State& state) {
  const std::string text = pod_event();
  for ([[maybe_unused]] const auto _ : state) benchmark::DoNotOptimize(nlohmann::json::parse(text));
  report(state, text);
}
BENCHMARK(PodEventOnlyParsed);

}  // namespace
}  // namespace gopacer
