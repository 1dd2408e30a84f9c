#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "gopacer/base/result.h"
#include "runtime_memory/random_access.h"

struct bpf_link;
struct bpf_program;

namespace gopacer {

/// How probes are put on programs.
enum class AttachBy {
  kUprobeMulti,  ///< since Linux 6.6, and for all threads of a process since 6.10; wants CAP_PERFMON
  kPerfEvent,    ///< wants CAP_SYS_ADMIN
};

/// The better one of those that this kernel has, by its release.
AttachBy best_way_to_attach();

/// A probe at an instruction, in one process only; it is there as long as this is. Never a return probe: that puts
/// another return address onto the stack, which Go's unwinder does not bear.
class Attachment {
 public:
  /// `file` and `offset`: of the instruction. `cookie`: what the program in the kernel is told. The error says which
  /// right is missing, or what else; kNotFound: the process has ended.
  static Result<Attachment> make(AttachBy way, const bpf_program* program, int pid, const RandomAccessFile& file,
                                 std::uint64_t offset, std::uint64_t cookie);
  ~Attachment();
  Attachment(Attachment&& other) noexcept
      : link_(std::exchange(other.link_, nullptr)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  Attachment& operator=(Attachment&& other) noexcept {
    std::swap(link_, other.link_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

 private:
  Attachment(bpf_link* link, int descriptor) : link_(link), descriptor_(descriptor) {}

  bpf_link* link_;  ///< of a perf event
  int descriptor_;  ///< of the other kind, which libbpf 1.1 does not know
};

}  // namespace gopacer
