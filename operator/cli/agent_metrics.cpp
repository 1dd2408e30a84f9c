#include "cli/agent_metrics.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

namespace gopacer {
namespace {

/// Of the buckets that are shown: 16 µs, four times as much and so on, 4.3 s the last.
constexpr unsigned kFirstOctave = 14;
constexpr unsigned kLastOctave = 32;

std::string head(const char* name, const char* type, const char* help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

std::string metric(const char* name, const char* type, const char* help, std::uint64_t value) {
  return head(name, type, help) + fmt::format("{} {}\n", name, value);
}

std::string histogram(const char* name, const ContainerStops& of, const std::string& kind,
                      const PauseHistogram& pauses) {
  const std::string labels =
      fmt::format(R"(namespace="{}",pod="{}",container="{}"{})", of.ns, of.pod, of.container, kind);
  std::string text;
  for (unsigned octave = kFirstOctave; octave <= kLastOctave; octave += 2) {
    text += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, std::ldexp(1e-9, static_cast<int>(octave)),
                        below_octave(pauses, octave));
  }
  const std::uint64_t count = pauses.count();
  text += fmt::format("{}_bucket{{{},le=\"+Inf\"}} {}\n", name, labels, count);
  text += fmt::format("{}_sum{{{}}} {}\n", name, labels, std::chrono::duration<double>(pauses.sum).count());
  return text + fmt::format("{}_count{{{}}} {}\n", name, labels, count);
}

}  // namespace

std::string agent_metrics(const AgentCounts& counts, const std::vector<ContainerStops>& stops) {
  std::string text =
      metric("gopacer_agent_programs", "gauge", "Go programs that are read now.", counts.programs) +
      metric("gopacer_agent_programs_owed", "gauge", "Go programs whose own settings could not be put back yet.",
             counts.owed) +
      metric("gopacer_agent_writes_total", "counter", "Settings put in force, or put back.", counts.written) +
      metric("gopacer_agent_refusals_total", "counter", "Orders that were not followed.", counts.refused) +
      metric("gopacer_agent_leases_expired_total", "counter",
             "Trials' settings that were taken back because the operator fell silent.", counts.expired);
  if (stops.empty()) return text;
  constexpr const char* kStop = "gopacer_agent_stop_seconds";
  text += head(kStop, "histogram", "For how long the world of a program stood still, by what for.");
  for (const ContainerStops& of : stops) {
    text += histogram(kStop, of, R"(,kind="sweep_termination")", of.pauses.sweep_termination);
    text += histogram(kStop, of, R"(,kind="mark_termination")", of.pauses.mark_termination);
    text += histogram(kStop, of, R"(,kind="other")", of.pauses.other);
  }
  constexpr const char* kMark = "gopacer_agent_mark_seconds";
  text += head(kMark, "histogram", "For how long collections marked beside the running program.");
  for (const ContainerStops& of : stops) text += histogram(kMark, of, "", of.pauses.marking);
  return text;
}

}  // namespace gopacer
