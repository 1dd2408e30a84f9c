// In place of gc_probe.cpp where clang or libbpf were not found.
#include "gc_probe/gc_probe.h"

namespace gopacer {

struct GcProbe::Kernel {};

GcProbe::GcProbe(std::unique_ptr<Kernel> kernel) : kernel_(std::move(kernel)) {}
GcProbe::~GcProbe() = default;
GcProbe::GcProbe(GcProbe&& other) noexcept = default;
GcProbe& GcProbe::operator=(GcProbe&& other) noexcept = default;

Result<GcProbe> GcProbe::open() {
  return invalid("this build has no eBPF probe: build it where clang and libbpf (libbpf-dev) are installed");
}

Result<GcProbe> GcProbe::open(AttachBy) { return open(); }

// Nobody has one to call them on.
Result<void> GcProbe::watch(int) { return {}; }
Result<Pauses> GcProbe::read(int) const { return Pauses{}; }
Result<std::vector<CyclePause>> GcProbe::latest(int) const { return std::vector<CyclePause>{}; }
void GcProbe::forget(int) {}
void GcProbe::forget_ended() {}
std::size_t GcProbe::watched() const { return 0; }

}  // namespace gopacer
