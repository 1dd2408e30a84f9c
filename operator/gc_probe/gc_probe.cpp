#include "gc_probe/gc_probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "gc_probe/attachment.h"
#include "gc_probe/pause_record.h"
#include "gc_probe/probe_places.h"

namespace gopacer {

/// pauses.bpf.c as it was compiled: tools/cmake/embed.cmake writes it.
extern const unsigned char kPausesObject[];
extern const std::size_t kPausesObjectSize;

namespace {

struct Closer {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

/// Of a later Linux than Debian's headers are of.
constexpr auto kTraceUprobeMulti = static_cast<bpf_attach_type>(48);

std::string why(int error) { return std::generic_category().message(error); }

/// Whether this thread has a capability in force.
bool has(unsigned capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  if (::syscall(SYS_capget, &header, sets) != 0) return false;
  return (sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

/// The rights that are missing, as text; empty when all are there.
std::string missing_rights() {
  if (has(CAP_SYS_ADMIN)) return "";
  std::string missing;
  if (!has(CAP_BPF)) missing = "CAP_BPF";
  if (!has(CAP_PERFMON)) missing += missing.empty() ? "CAP_PERFMON" : " and CAP_PERFMON";
  return missing;
}

tl::unexpected<Error> not_loaded(int error) {
  const std::string begin = "the kernel does not take the eBPF probe: ";
  if (error == EPERM || error == EACCES) {
    const std::string missing = missing_rights();
    if (!missing.empty()) return invalid(begin + missing + " missing; give it to the container, or run as root");
    return invalid(
        begin + why(error) +
        ", although CAP_BPF and CAP_PERFMON are there; see whether seccomp or a security module forbids bpf()");
  }
  if (error == ENOSYS) return invalid(begin + "it was built without CONFIG_BPF_SYSCALL");
  return invalid(begin + why(error) + "; Linux 5.15 or later is needed");
}

std::chrono::nanoseconds nanoseconds_of(__u64 ns) { return std::chrono::nanoseconds(static_cast<std::int64_t>(ns)); }

PauseHistogram histogram_of(const PauseCounts& counts) {
  PauseHistogram histogram;
  std::copy(std::begin(counts.buckets), std::end(counts.buckets), histogram.buckets.begin());
  histogram.sum = nanoseconds_of(counts.sum_ns);
  histogram.longest = nanoseconds_of(counts.longest_ns);
  return histogram;
}

}  // namespace

struct GcProbe::Kernel {
  struct Watched {
    RunningProgram program;
    std::uint32_t number;  ///< never given twice, so that a program that is forgotten can't count for another
    std::vector<Attachment> probes;
  };

  AttachBy way = AttachBy::kPerfEvent;
  std::unique_ptr<bpf_object, Closer> object;
  bpf_program* on_stop = nullptr;
  bpf_program* on_started = nullptr;
  bpf_map* records = nullptr;
  std::uint32_t next = 1;
  std::map<int, Watched> programs;  ///< by process
};

GcProbe::GcProbe(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {}
GcProbe::~GcProbe() = default;
GcProbe::GcProbe(GcProbe&& other) noexcept = default;
GcProbe& GcProbe::operator=(GcProbe&& other) noexcept = default;

Result<GcProbe> GcProbe::open() { return open(best_way_to_attach()); }

Result<GcProbe> GcProbe::open(AttachBy way) {
  // Errors come back as numbers; libbpf would print its own account of them.
  libbpf_set_print(nullptr);
  if (way == AttachBy::kPerfEvent && !std::filesystem::exists("/sys/bus/event_source/devices/uprobe")) {
    return invalid("this kernel has no uprobes (CONFIG_UPROBE_EVENTS), or /sys is not mounted");
  }
  auto kernel = std::make_unique<Kernel>();
  kernel->way = way;
  kernel->object.reset(bpf_object__open_mem(kPausesObject, kPausesObjectSize, nullptr));
  if (kernel->object == nullptr) return invalid("this build's eBPF probe can't be read: " + why(errno));
  kernel->on_stop = bpf_object__find_program_by_name(kernel->object.get(), "on_stop");
  kernel->on_started = bpf_object__find_program_by_name(kernel->object.get(), "on_started");
  for (bpf_program* const program : {kernel->on_stop, kernel->on_started}) {
    if (way == AttachBy::kUprobeMulti) bpf_program__set_expected_attach_type(program, kTraceUprobeMulti);
  }
  if (const int failed = bpf_object__load(kernel->object.get()); failed != 0) return not_loaded(-failed);
  kernel->records = bpf_object__find_map_by_name(kernel->object.get(), "records");
  return GcProbe(std::move(kernel));
}

Result<void> GcProbe::watch(int pid) {
  if (const auto found = kernel_->programs.find(pid); found != kernel_->programs.end()) {
    if (found->second.program.runs()) return {};
    forget(pid);
  }
  const std::string name = "process " + std::to_string(pid);
  if (kernel_->programs.size() >= kMostPrograms) forget_ended();
  if (kernel_->programs.size() >= kMostPrograms) {
    return retriable(name + ": as many programs as are watched at once (" + std::to_string(kMostPrograms) + ") are");
  }
  auto places = probe_places_of(pid);
  if (!places) return tl::unexpected(places.error());

  const std::uint32_t number = kernel_->next++;
  const PauseRecord none{};
  if (const int failed =
          bpf_map__update_elem(kernel_->records, &number, sizeof(number), &none, sizeof(none), BPF_NOEXIST);
      failed != 0) {
    return retriable(name + ": the kernel has no room for its counts: " + why(-failed));
  }
  auto& watched = kernel_->programs.emplace(pid, Kernel::Watched{std::move(places->running), number, {}}).first->second;
  const auto give_up = [&](Error error) {
    forget(pid);
    return tl::unexpected(std::move(error));
  };
  const auto put = [&](const bpf_program* program, std::uint64_t offset) -> Result<void> {
    auto probe = Attachment::make(kernel_->way, program, pid, places->file, offset, number);
    if (!probe) return tl::unexpected(probe.error());
    watched.probes.push_back(std::move(*probe));
    return {};
  };
  for (const std::uint64_t offset : places->started) {
    if (const auto done = put(kernel_->on_started, offset); !done) return give_up(done.error());
  }
  if (const auto done = put(kernel_->on_stop, places->stop); !done) return give_up(done.error());
  // Who became another program meanwhile has a probe that never fires.
  if (!watched.program.runs())
    return give_up({ErrorKind::kNotFound, name + " has ended, or is another program by now"});
  return {};
}

Result<Pauses> GcProbe::read(int pid) const {
  const auto record = record_of(pid);
  if (!record) return tl::unexpected(record.error());
  return Pauses{histogram_of(record->kinds[kSweepTermination]), histogram_of(record->kinds[kMarkTermination]),
                histogram_of(record->kinds[kOtherStop]), histogram_of(record->marking)};
}

Result<std::vector<CyclePause>> GcProbe::latest(int pid) const {
  const auto record = record_of(pid);
  if (!record) return tl::unexpected(record.error());
  std::vector<CyclePause> cycles;
  for (const CyclePauses& cycle : record->latest) {
    if (cycle.ended_at == 0) continue;
    cycles.push_back({std::chrono::steady_clock::time_point(nanoseconds_of(cycle.ended_at)), nanoseconds_of(cycle.ns)});
  }
  std::sort(cycles.begin(), cycles.end(), [](const CyclePause& a, const CyclePause& b) { return a.end < b.end; });
  return cycles;
}

Result<PauseRecord> GcProbe::record_of(int pid) const {
  const std::string name = "process " + std::to_string(pid);
  const auto found = kernel_->programs.find(pid);
  if (found == kernel_->programs.end()) return fail(ErrorKind::kNotFound, name + " is not watched");
  const Kernel::Watched& watched = found->second;
  if (!watched.program.runs()) {
    return fail(ErrorKind::kNotFound, name + " has ended, or is another program by now");
  }
  PauseRecord record{};
  const int failed =
      bpf_map__lookup_elem(kernel_->records, &watched.number, sizeof(watched.number), &record, sizeof(record), 0);
  if (failed != 0) return retriable(name + ": its counts can't be read: " + why(-failed));
  return record;
}

void GcProbe::forget(int pid) {
  const auto found = kernel_->programs.find(pid);
  if (found == kernel_->programs.end()) return;
  Kernel::Watched& watched = found->second;
  watched.probes.clear();
  bpf_map__delete_elem(kernel_->records, &watched.number, sizeof(watched.number), 0);
  kernel_->programs.erase(found);
}

void GcProbe::forget_ended() {
  std::vector<int> ended;
  for (const auto& [pid, watched] : kernel_->programs) {
    if (!watched.program.runs()) ended.push_back(pid);
  }
  for (const int pid : ended) forget(pid);
}

std::size_t GcProbe::watched() const {
  std::size_t count = 0;
  std::uint32_t key = 0;
  for (const std::uint32_t* last = nullptr; bpf_map__get_next_key(kernel_->records, last, &key, sizeof(key)) == 0;
       last = &key) {
    ++count;
  }
  return count;
}

}  // namespace gopacer
