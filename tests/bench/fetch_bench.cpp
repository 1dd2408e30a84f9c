// What it costs to fetch a page of a pod: processor time of the whole process, the serving side included.

#include <benchmark/benchmark.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>

#include "fakes/pod_imposter.h"
#include "net/fetcher.h"

namespace gopacer {
namespace {

void FetchPage(benchmark::State& state) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  PodImposter pod;
  pod.on("/metrics", Page{std::string(bytes, 'x')});
  HttpRequest request;
  request.address = "127.0.0.1";
  request.port = pod.port();
  request.target = "/metrics";
  Fetcher fetcher({}, {.local_addresses = true});
  for ([[maybe_unused]] const auto _ : state) {
    const auto answered = std::make_shared<std::promise<std::size_t>>();
    auto length = answered->get_future();
    fetcher.fetch(
        request, [](std::string_view piece) { return !piece.empty(); },
        [answered](const auto& outcome) { answered->set_value(outcome ? outcome->bytes : 0); });
    if (length.get() != bytes) throw std::runtime_error("the page did not arrive whole");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(FetchPage)->Arg(20'000)->Arg(200'000)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace gopacer
