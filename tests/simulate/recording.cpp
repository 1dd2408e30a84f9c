#include "simulate/recording.h"
#include "source_dir.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace gopacer::testing {
namespace {

Settings settings_of(const std::string& gogc, const std::string& limit) {
  EnvText env;
  if (!gogc.empty()) env.gogc = gogc;
  if (!limit.empty()) env.go_mem_limit = limit;
  return parse_settings(env).value();
}

}  // namespace

double Recording::mean(double Cycle::* member) const {
  double sum = 0;
  for (const Cycle& cycle : cycles) sum += cycle.*member;
  return sum / static_cast<double>(cycles.size());
}

double Recording::peak_heap() const {
  double sum = 0;
  for (const Cycle& cycle : cycles) sum += cycle.end;
  return sum / static_cast<double>(cycles.size());
}

Recording read_recording(const std::string& name) {
  Recording recording;
  recording.name = name;
  std::ifstream file(in_source("tests/simulate/data/" + name + ".tsv"));
  if (!file) throw std::runtime_error("no recording " + name);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    if (line.front() != '#') {
      Recording::Cycle cycle{};
      double begin = 0;
      words >> begin >> cycle.mark_seconds >> cycle.assist >> cycle.background >> cycle.idle >> cycle.heap_scan >>
          cycle.stack_scan >> cycle.globals >> cycle.trigger >> cycle.end >> cycle.goal;
      for (double* const milliseconds : {&cycle.mark_seconds, &cycle.assist, &cycle.background, &cycle.idle}) {
        *milliseconds /= 1e3;
      }
      recording.cycles.push_back(cycle);
      continue;
    }
    std::string key;
    words >> key >> key;
    if (key == "settings") {
      std::string gogc, limit;
      for (std::string word; words >> word;) {
        const std::string value = word.substr(word.find('=') + 1);
        if (word.starts_with("GOGC=")) gogc = value;
        if (word.starts_with("GOMEMLIMIT=")) limit = value;
        if (word.starts_with("GOMAXPROCS=")) recording.max_procs = std::stoi(value);
      }
      recording.settings = settings_of(gogc, limit);
    } else if (key == "profile") {
      double gc = 0, total = 0, stacks = 0, sweeping = 0;
      words >> gc >> total >> stacks >> sweeping;
      recording.sweep_share = sweeping / gc;
      // The profile misses CPU time that the kernel counted, and none of it is collection's (ProfiledGc).
      recording.gc_share = gc / (recording.cpu * recording.seconds);
      recording.gc_share_error = std::sqrt(total / (gc * stacks));
    } else {
      const std::vector<std::pair<const char*, double Recording::*>> numbers = {
          {"seconds", &Recording::seconds},       {"request_rate", &Recording::request_rate},
          {"alloc_rate", &Recording::alloc_rate}, {"cpu", &Recording::cpu},
          {"goal_bytes", &Recording::mean_goal},  {"rss_bytes", &Recording::rss},
          {"mapped_bytes", &Recording::mapped},   {"non_heap_bytes", &Recording::non_heap},
          {"stack_bytes", &Recording::stacks}};
      for (const auto& [word, member] : numbers) {
        if (key == word) words >> recording.*member;
      }
    }
  }
  return recording;
}

double live_heap_of(const Recording& recording) {
  const double gamma = recording.settings.gamma();
  double sum = 0;
  for (std::size_t i = 1; i < recording.cycles.size(); ++i) {
    const auto& before = recording.cycles[i - 1];
    // The goal tells what the collection before marked, to the byte.
    const double marked = (recording.cycles[i].goal - gamma * (before.stack_scan + before.globals)) / (1 + gamma);
    sum += marked - (before.end - before.trigger);
  }
  return sum / static_cast<double>(recording.cycles.size() - 1);
}

simulate::Service calibrate(const Recording& recording, double live_heap) {
  using Cycle = Recording::Cycle;
  simulate::Service service;
  const double per_cycle = recording.gc_cpu() / recording.gc_rate();
  const double sweeping = per_cycle * recording.sweep_share;
  const double roots = recording.mean(&Cycle::stack_scan) + recording.mean(&Cycle::globals);
  service.max_procs = recording.max_procs;
  service.bytes_per_request = recording.alloc_rate / recording.request_rate;
  service.cpu_per_request = (recording.cpu - recording.gc_cpu()) / recording.request_rate;
  service.pointers = std::min(1.0, recording.mean(&Cycle::heap_scan) / live_heap);
  service.mark_seconds_per_byte =
      (per_cycle - sweeping - service.seconds_per_cycle) / (recording.mean(&Cycle::heap_scan) + roots);
  service.sweep_seconds_per_byte = sweeping / recording.mean(&Cycle::end);
  service.stacks = Bytes::of(recording.stacks);
  service.stack_scan = Bytes::of(recording.mean(&Cycle::stack_scan));
  service.globals = Bytes::of(recording.mean(&Cycle::globals));
  service.overhead =
      Bytes::of(std::max(0.0, recording.non_heap - recording.stacks - service.fragmentation * live_heap));
  service.non_go = Bytes::of(std::max(0.0, recording.rss - recording.mapped));
  return on_machine_of(recording, service);
}

simulate::Service on_machine_of(const Recording& recording, simulate::Service service) {
  using Cycle = Recording::Cycle;
  const double idle = recording.mean(&Cycle::idle);
  const double marking = recording.mean(&Cycle::assist) + recording.mean(&Cycle::background) + idle;
  const double marked = recording.gc_cpu() / recording.gc_rate() * (1 - recording.sweep_share);
  service.machine_share = std::clamp(marked / marking, 0.01, 1.0);
  const double working = (recording.cpu - recording.gc_cpu()) / service.machine_share;
  const double free = recording.mean(&Cycle::mark_seconds) * std::max(1e-9, 0.75 * recording.max_procs - working);
  service.idle_marking = std::clamp(idle / free, 0.0, 1.0);
  double sum = 0, squares = 0;
  for (const Cycle& cycle : recording.cycles) {
    const double x = std::log(std::max(1.0, cycle.end - cycle.trigger));
    sum += x;
    squares += x * x;
  }
  const double n = static_cast<double>(recording.cycles.size());
  service.mark_jitter = std::sqrt(std::max(0.0, squares / n - sum * sum / n / n));
  return service;
}

}  // namespace gopacer::testing
