#include "agent/pause_probe.h"

#include <utility>

namespace gopacer {

Result<std::shared_ptr<PauseProbe>> PauseProbe::open(const Clock& clock, const SteadyClock& steady) {
  auto probe = GcProbe::open();
  if (!probe) return tl::unexpected(probe.error());
  const Duration since_epoch = clock.now().time_since_epoch() - steady.now();
  return std::shared_ptr<PauseProbe>(new PauseProbe(std::move(*probe), since_epoch));
}

Result<void> PauseProbe::watch(int pid) {
  const std::lock_guard lock(mutex_);
  return probe_.watch(pid);
}

std::vector<GcPause> PauseProbe::latest(int pid) const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  std::vector<GcPause> pauses;
  if (!lock) return pauses;
  const auto cycles = probe_.latest(pid);
  if (!cycles) return pauses;
  for (const CyclePause& cycle : *cycles) {
    pauses.push_back({Time(since_epoch_ + cycle.end.time_since_epoch()), cycle.pause});
  }
  return pauses;
}

std::optional<Pauses> PauseProbe::counted(int pid) const {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return std::nullopt;
  const auto pauses = probe_.read(pid);
  return pauses ? std::optional(*pauses) : std::nullopt;
}

/// One that is put on just now keeps the lock: the probe itself makes room by those that have ended.
void PauseProbe::forget(int pid) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock) probe_.forget(pid);
}

}  // namespace gopacer
