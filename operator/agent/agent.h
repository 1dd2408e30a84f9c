#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/pause_probe.h"
#include "agent/program.h"
#include "base/steady_clock.h"
#include "gopacer/domain/orders.h"
#include "ports/api_server.h"

namespace gopacer {

struct AgentOptions {
  std::string node;             ///< only pods of this one are looked at
  std::string watch_namespace;  ///< empty: all
  std::filesystem::path proc = "/proc";
  std::filesystem::path state;  ///< directory of the journal; empty: nothing survives the agent
  /// Of the runtime of the containers: their processes are looked for again after so long.
  Duration look_again = std::chrono::milliseconds(500);
  std::shared_ptr<PauseProbe> pauses = nullptr;  ///< null: pauses are not measured
};

/// An agent that has not finished a pass for longer hangs; one is over within milliseconds.
inline constexpr Duration kLongestAgentPass = std::chrono::seconds(30);
/// For putting back when an agent ends.
inline constexpr Duration kLongestEnd = std::chrono::seconds(2);

/// What an agent did so far.
struct AgentCounts {
  std::uint64_t written = 0;   ///< settings put in force, those put back among them
  std::uint64_t refused = 0;   ///< orders that were not followed, each once
  std::uint64_t expired = 0;   ///< leases that ran out
  std::uint64_t programs = 0;  ///< under care now
  std::uint64_t owed = 0;      ///< not under care, and what they had is yet to be put back
};

/// The stops of a container's program.
struct ContainerStops {
  std::string ns;
  std::string pod;
  std::string container;
  Pauses pauses;
};

/// The gopacer of one node: reads the Go programs of this node's pods whose profile asks for it, and keeps in them what
/// the cluster says they are to run with. It takes orders from nobody else: what it goes by are the profile, which
/// people write, and the statuses of profile and trial, which only the operator may write.
///
/// A trial's settings are kept for kLiveLease after the agent has seen the trial's turn renewed: if the operator or the
/// network dies the program has its own again. A program's settings change once a second at most, putting back apart.
/// What a predecessor was not able to put back is put back, whether or not the API server can be reached. What can't be
/// put back is tried again until it is, or until the program has ended. When run() has returned, programs have their
/// own; where that can't be done within kLongestEnd the journal keeps it for a successor.
class Agent {
 public:
  Agent(ApiServer& api, const Clock& clock, const SteadyClock& steady, AgentOptions options);
  ~Agent();

  /// Works until `stop`, then puts back what the programs had.
  void run(std::stop_token stop);

  /// The body for "/pods/<uid>/<container>"; none when no such container is under care. Thread-safe.
  std::optional<std::string> page(const std::string& path) const;
  AgentCounts counts() const;
  /// Of the programs under care whose pauses are measured. Thread-safe.
  std::vector<ContainerStops> stops() const;
  /// Empty once all that it goes by was read, else what is missing.
  std::string trouble() const;
  /// A sentence when it does not finish its passes any more, which does not pass by itself; else empty. Waits for
  /// nothing, whatever hangs.
  std::string stuck() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
