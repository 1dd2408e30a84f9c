#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "decide/go_service.h"
#include "fakes/temporary_directory.h"

namespace gopacer::testing {

inline void write_file(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

/// MemStats as runtime/pprof writes them behind a heap profile.
inline std::string heap_page(const MemStats& mem) {
  const auto line = [](const char* name, auto value) {
    return "# " + std::string(name) + " = " + std::to_string(value) + "\n";
  };
  std::vector<std::string> pauses(256, "0"), ends(256, "0");
  for (std::size_t i = 0; i < mem.pauses.size() && i < 256; ++i) {
    const GcPause& pause = mem.pauses[mem.pauses.size() - 1 - i];
    const std::size_t slot = (mem.num_gc + 255 - i) % 256;
    pauses[slot] = std::to_string(pause.pause.count());
    ends[slot] = std::to_string(pause.end.time_since_epoch().count());
  }
  const auto ring = [](const std::vector<std::string>& values) {
    std::string text = "[";
    for (const std::string& value : values) text += (text.size() > 1 ? " " : "") + value;
    return text + "]";
  };
  return "heap profile: 0: 0 [0: 0] @ heap/1048576\n\n# runtime.MemStats\n" + line("Alloc", mem.heap_alloc.count()) +
         line("TotalAlloc", mem.total_alloc.count()) + line("Sys", mem.sys.count()) + line("Lookups", 0) +
         line("Mallocs", mem.mallocs) + line("Frees", mem.frees) + line("HeapAlloc", mem.heap_alloc.count()) +
         line("HeapSys", mem.heap_sys.count()) + line("HeapIdle", mem.heap_idle.count()) +
         line("HeapInuse", mem.heap_in_use.count()) + line("HeapReleased", mem.heap_released.count()) +
         line("HeapObjects", mem.heap_objects) + "# Stack = " + std::to_string(mem.stack_in_use.count()) + " / " +
         std::to_string(mem.stack_in_use.count()) + "\n# MSpan = 0 / 0\n# MCache = 0 / 0\n" + line("BuckHashSys", 0) +
         line("GCSys", 0) + line("OtherSys", 0) + line("NextGC", mem.next_gc.count()) + line("LastGC", 0) +
         "# PauseNs = " + ring(pauses) + "\n# PauseEnd = " + ring(ends) + "\n" + line("NumGC", mem.num_gc) +
         line("NumForcedGC", mem.num_forced_gc) + line("GCCPUFraction", mem.gc_cpu_fraction) + "# DebugGC = false\n";
}

/// The page of client_golang with what the service exports.
inline std::string metrics_page(const ProcessMetrics& process, const std::string& go_version) {
  std::string page = "# HELP go_info Information about the Go environment.\n# TYPE go_info gauge\ngo_info{version=\"" +
                     go_version + "\"} 1\n";
  if (process.gogc) page += "go_gc_gogc_percent " + std::to_string(process.gogc->percent()) + "\n";
  if (process.go_mem_limit) {
    page += "go_gc_gomemlimit_bytes " + std::to_string(process.go_mem_limit->count()) + "\n";
  } else if (process.gogc) {
    page += "go_gc_gomemlimit_bytes 9.223372036854776e+18\n";
  }
  if (process.max_procs) page += "go_sched_gomaxprocs_threads " + std::to_string(*process.max_procs) + "\n";
  if (process.cpu_seconds) page += "process_cpu_seconds_total " + std::to_string(*process.cpu_seconds) + "\n";
  if (process.gc_cpu_seconds) {
    page += "go_cpu_classes_gc_total_cpu_seconds_total " + std::to_string(*process.gc_cpu_seconds) + "\n";
  }
  return page;
}

/// Writes readings of a service in steady state as `gopacer advise --record` would.
struct RecordedService {
  GoService service;
  std::string go_version = "go1.26.1";
  int readings = 13;

  RecordedService() {
    service.interval = std::chrono::seconds(5);
    service.runtime_metrics = true;
  }

  static std::string name(int reading) {
    const std::string digits = std::to_string(reading);
    return std::string(4 - digits.size(), '0') + digits;
  }

  void write(const std::filesystem::path& directory) const {
    write_file(directory / "target.json",
               R"({"format": 1, "subject": "http://127.0.0.1:6060/debug/pprof", "interval": "5s"})");
    for (int i = 1; i <= readings; ++i) write_reading(directory, i, kNow + i * service.interval, 600.0 + 5 * i);
  }

  /// `age`: seconds since the process began.
  void write_reading(const std::filesystem::path& directory, int number, Time at, double age) const {
    const Sample sample = service.sample(at, age);
    const std::filesystem::path reading = directory / name(number);
    write_file(reading / "time", format_micro_time(at) + "\n");
    write_file(reading / "heap.txt", heap_page(*sample.mem));
    write_file(reading / "metrics.txt", metrics_page(*sample.process, go_version));
  }
};

}  // namespace gopacer::testing
