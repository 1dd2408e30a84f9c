#include "agent/program.h"

#include <algorithm>
#include <span>

#include "runtime_memory/sample_of.h"

namespace gopacer {
namespace {

/// For looking at a container's processes, whatever their programs are made to be.
constexpr std::chrono::seconds kLongestLook(2);

/// Unset is Go's default.
Settings spelled_out(Settings settings) {
  if (!settings.gogc) settings.gogc = Gogc(Gogc::kDefaultPercent);
  return settings;
}

/// What a program that has `now` had of its own, if that is what an agent has left there; none when it is not.
std::optional<Settings> own_by(const Program::Traces& traces, const Settings& environment, const Settings& now) {
  for (Settings ours : traces.ours) {
    Settings own = environment;
    // Settings without a limit leave the program's own in force.
    const bool keeps_limit = !ours.go_mem_limit && !environment.go_mem_limit;
    if (keeps_limit) ours.go_mem_limit = own.go_mem_limit = now.go_mem_limit;
    if (!keeps_limit && !environment.go_mem_limit) own.go_mem_limit = traces.own_mem_limit;
    if (spelled_out(ours) == spelled_out(now) && spelled_out(ours) != spelled_out(own)) return own;
  }
  return std::nullopt;
}

}  // namespace

Result<Program::Found> Program::look(const ContainerPlace& container, const std::vector<int>& pids,
                                     const std::filesystem::path& proc, const std::set<std::string>& known) {
  std::vector<Found> found;
  std::string why = "the container has no process";
  const auto until = std::chrono::steady_clock::now() + kLongestLook;
  for (const int pid : std::span(pids).first(std::min(pids.size(), kMostProcesses))) {
    if (std::chrono::steady_clock::now() > until)
      return retriable("looking at the container's processes takes too long");
    auto runtime = GoRuntime::open(pid, proc);
    if (!runtime) {
      why = runtime.error().message;
      continue;
    }
    // The number may have been given away since the processes were listed. The memory that is held now is that of a
    // process of this container where it is still there after its number was found to be.
    if (!container.may_be(container_of(pid, proc)) || !runtime->read()) {
      why = "process " + std::to_string(pid) + " of the container has ended";
      continue;
    }
    const bool is_known = known.contains(runtime->identity());
    found.push_back({pid, std::move(*runtime)});
    if (is_known || is_first_of_container(pid, proc)) return std::move(found.back());
  }
  if (found.empty()) return retriable(why);
  if (found.size() > 1) {
    return invalid("processes " + std::to_string(found[0].pid) + " and " + std::to_string(found[1].pid) +
                   " of the container are Go programs, and which is meant is not known");
  }
  return std::move(found.front());
}

Result<Program> Program::take(Found found, const std::filesystem::path& proc, const Settings& environment,
                              const Traces& traces, Journal& journal) {
  Program program(found.pid, proc, std::move(found.runtime), journal);
  if (auto read = program.poll(); !read) return tl::unexpected(read.error());
  const Settings now = program.state_.settings();
  const auto kept = journal.original(program.runtime_.identity());
  program.own_ = kept.value_or(own_by(traces, environment, now).value_or(now));
  program.last_written_ = now;
  const Settings own = spelled_out(program.own_);
  const bool own_limit = environment.go_mem_limit && own.go_mem_limit != environment.go_mem_limit;
  if (own.gogc != spelled_out(environment).gogc || own_limit) {
    program.sets_its_own_ = "the program runs with " + describe(program.own_) + " and its environment says " +
                            describe(environment) + ": it sets its own, so it is left alone";
  }
  return program;
}

Result<void> Program::poll() {
  const auto state = runtime_.read();
  if (!state) return tl::unexpected(state.error());
  state_ = *state;
  counter_.add(state_);
  return {};
}

bool Program::has(const Settings& settings) const { return spelled_out(state_.settings()) == spelled_out(settings); }

bool Program::is_own(const Settings& settings) const { return spelled_out(own_) == spelled_out(settings); }

/// By the latest reading, it has something else than what was written.
tl::unexpected<Error> Program::leave_alone() {
  const Settings now = spelled_out(state_.settings());
  const Settings ours = spelled_out(last_written_);
  const Settings own = spelled_out(own_);
  const Settings without_ours{now.gogc == ours.gogc ? own.gogc : now.gogc,
                              now.go_mem_limit == ours.go_mem_limit ? own.go_mem_limit : now.go_mem_limit};
  if (without_ours != now) {
    const auto receipt = runtime_.put_back(without_ours);
    // It is left alone when nothing of ours is left there.
    if (!receipt) return tl::unexpected(receipt.error());
    state_ = receipt->after;
  }
  sets_its_own_ = "the program has set " + describe(now) + " by itself, so it is left alone";
  forget();
  return invalid(sets_its_own_);
}

Result<Program::Change> Program::set(const Settings& settings, bool at_once) {
  if (!sets_its_own_.empty()) return invalid(sets_its_own_);
  if (!has(last_written_)) return leave_alone();
  if (has(settings)) return Change::kNone;
  // What it has set since the latest reading is not to be lost.
  if (auto read = poll(); !read) return tl::unexpected(read.error());
  if (!has(last_written_)) return leave_alone();
  if (!at_once && state_.is_marking()) return Change::kLater;
  const bool back = is_own(settings);
  if (!back) {
    if (auto kept = journal_->keep(runtime_.identity(), pid_, own_); !kept) return tl::unexpected(kept.error());
  }
  const auto receipt = back ? runtime_.put_back(settings) : runtime_.write(settings);
  if (!receipt && receipt.error().kind == ErrorKind::kConflict) {
    last_written_ = settings;
    if (auto read = poll(); !read) return tl::unexpected(read.error());
    return leave_alone();
  }
  if (!receipt) {
    // Nothing was written, so there is nothing to be put back unless there was before.
    if (is_own(last_written_)) forget();
    return tl::unexpected(receipt.error());
  }
  last_written_ = settings;
  state_ = receipt->after;
  if (back) forget();
  return Change::kWritten;
}

Result<Program::Change> Program::put_back() {
  if (!sets_its_own_.empty()) return Change::kNone;
  if (auto read = poll(); !read) return tl::unexpected(read.error());
  auto change = set(own_);
  // It does, as was just found, and nothing of ours is left there.
  if (!change && !sets_its_own_.empty()) return Change::kNone;
  return change;
}

Result<Sample> Program::sample(Time at) const {
  const double cpu = cpu_seconds_of(pid_, proc_);
  // The number was this program's own where it has not ended by now.
  if (const auto lives = runtime_.read(); !lives) return tl::unexpected(lives.error());
  if (cpu < 0) return retriable("its CPU time can't be read");
  Sample sample = sample_of(state_, counter_, at);
  sample.process->go_version = runtime_.go_version();
  sample.process->cpu_seconds = cpu;
  return sample;
}

Result<bool> put_back_left(Journal& journal, const std::string& identity, Result<GoRuntime> opened) {
  const auto kept = journal.original(identity);
  if (!kept) return false;
  const bool gone = opened ? opened->identity() != identity : opened.error().kind == ErrorKind::kNotFound;
  if (gone) {
    journal.forget(identity);
    return false;
  }
  const auto state = opened ? opened->read() : tl::unexpected(opened.error());
  if (!state) return tl::unexpected(state.error());
  const bool differs = spelled_out(state->settings()) != spelled_out(*kept);
  if (differs) {
    const auto receipt = opened->put_back(*kept);
    // What it has set by itself meanwhile stays.
    if (!receipt && receipt.error().kind != ErrorKind::kConflict) return tl::unexpected(receipt.error());
  }
  journal.forget(identity);
  return differs;
}

}  // namespace gopacer
