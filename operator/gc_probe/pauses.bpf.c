// Runs in the kernel when a watched Go program enters runtime.stopTheWorldWithSema and runtime.startTheWorldWithSema,
// and counts how long its world stood still.
//
// The cookie of a probe is the number that gc_probe.cpp gave to the program. The program's record is there before the
// probe is, and nothing is made here, so a program can't make the map grow. Only one stop of a program goes on at a
// time (the runtime holds worldsema), so its record has one writer, whatever thread that is.
#include <linux/bpf.h>
#include <linux/ptrace.h>
// They want the types of the above.
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "gc_probe/pause_record.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, kMostPrograms);
  __type(key, __u32);
  __type(value, struct PauseRecord);
} records SEC(".maps");

static struct PauseRecord* record_of_this(void* context) {
  const __u32 program = (__u32)bpf_get_attach_cookie(context);
  return bpf_map_lookup_elem(&records, &program);
}

static void count(struct PauseCounts* counts, __u64 ns) {
  __u32 bucket = pause_bucket(ns);
  // The compiler knows that this is never so and would leave it out; the kernel's verifier wants to see it.
  barrier_var(bucket);
  if (bucket >= kPauseBuckets) return;
  counts->buckets[bucket] += 1;
  counts->sum_ns += ns;
  if (ns > counts->longest_ns) counts->longest_ns = ns;
}

SEC("uprobe")
int on_stop(struct pt_regs* registers) {
  struct PauseRecord* const record = record_of_this(registers);
  if (!record) return 0;
  // Go passes the first argument where C returns a value (RAX, X0); it is one byte, and what is above it is anything.
  record->reason = PT_REGS_RC(registers) & 0xff;
  record->stopped_at = bpf_ktime_get_ns();
  return 0;
}

SEC("uprobe")
int on_started(struct pt_regs* registers) {
  const __u64 now = bpf_ktime_get_ns();
  struct PauseRecord* const record = record_of_this(registers);
  // Without a beginning it stood still already when the probe came.
  if (!record || record->stopped_at == 0) return 0;
  const __u64 stopped_at = record->stopped_at;
  const __u64 ns = now - stopped_at;
  record->stopped_at = 0;

  struct PauseCounts* counts = &record->kinds[kOtherStop];
  if (record->reason == kStopForSweepTermination) counts = &record->kinds[kSweepTermination];
  if (record->reason == kStopForMarkTermination) counts = &record->kinds[kMarkTermination];
  count(counts, ns);

  if (record->reason == kStopForSweepTermination) {
    record->cycles += 1;
    record->cycle_ns = ns;
    record->marks_since = now;
  } else if (record->reason == kStopForMarkTermination && record->cycles > 0) {
    // Where some marking was found to be left it goes on, and is stopped again: what is counted ends at the first stop.
    if (record->marks_since > 0) count(&record->marking, stopped_at - record->marks_since);
    record->marks_since = 0;
    record->cycle_ns += ns;
    struct CyclePauses* const cycle = &record->latest[record->cycles & (kLatestCycles - 1)];
    cycle->ended_at = now;
    cycle->ns = record->cycle_ns;
  }
  return 0;
}

// No helper that is for the GPL only is called.
char license_of_this[] SEC("license") = "Apache-2.0";
