#include "gc_probe/attachment.h"

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

namespace gopacer {
namespace {

/// What bpf(BPF_LINK_CREATE) is told of such probes; Debian's headers are of Linux 6.1, which had none.
struct UprobeMulti {
  __u32 program;
  __u32 target;
  __u32 type;
  __u32 flags;
  __u64 path;
  __u64 offsets;
  __u64 reference_counters;
  __u64 cookies;
  __u32 count;
  __u32 multi_flags;
  __u32 pid;
  __u32 padding;
};

__u64 pointer(const void* to) { return reinterpret_cast<std::uintptr_t>(to); }

/// A descriptor, or -1 and errno.
int make_uprobe_multi(const bpf_program* program, int pid, const char* path, std::uint64_t offset,
                      std::uint64_t cookie) {
  UprobeMulti attributes{};
  attributes.program = static_cast<__u32>(bpf_program__fd(program));
  attributes.type = static_cast<__u32>(bpf_program__expected_attach_type(program));
  attributes.path = pointer(path);
  attributes.offsets = pointer(&offset);
  attributes.cookies = pointer(&cookie);
  attributes.count = 1;
  attributes.pid = static_cast<__u32>(pid);
  return static_cast<int>(::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
}

bpf_link* make_perf_event(const bpf_program* program, int pid, const char* path, std::uint64_t offset,
                          std::uint64_t cookie) {
  bpf_uprobe_opts options{};
  options.sz = sizeof(options);
  options.bpf_cookie = cookie;
  return bpf_program__attach_uprobe_opts(program, pid, path, offset, &options);
}

tl::unexpected<Error> not_attached(AttachBy way, int pid, int error) {
  const std::string begin = "process " + std::to_string(pid);
  if (error == ESRCH) return fail(ErrorKind::kNotFound, begin + " has ended");
  const std::string message = begin + ": no probe can be put on it: " + std::generic_category().message(error);
  if (error == EPERM || error == EACCES) {
    return invalid(message + (way == AttachBy::kPerfEvent ? "; before Linux 6.10 CAP_SYS_ADMIN is needed"
                                                          : "; CAP_BPF and CAP_PERFMON are needed"));
  }
  if (error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR) return retriable(message);
  return invalid(message);
}

/// The next number of "6.18.44-amd64".
int take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return 0;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return number;
}

}  // namespace

AttachBy best_way_to_attach() {
  utsname names{};
  ::uname(&names);
  std::string_view release = names.release;
  const int major = take_number(release);
  const int minor = take_number(release);
  // From 6.6 to 6.9 only the first thread of a process fires.
  return std::pair(major, minor) >= std::pair(6, 10) ? AttachBy::kUprobeMulti : AttachBy::kPerfEvent;
}

Result<Attachment> Attachment::make(AttachBy way, const bpf_program* program, int pid, const RandomAccessFile& file,
                                    std::uint64_t offset, std::uint64_t cookie) {
  // The very file that was read, whatever /proc/PID/exe has become and in whatever mount namespace it is.
  const std::string path = "/proc/self/fd/" + std::to_string(file.descriptor());
  Attachment made(nullptr, -1);
  if (way == AttachBy::kUprobeMulti) {
    made.descriptor_ = make_uprobe_multi(program, pid, path.c_str(), offset, cookie);
  } else {
    made.link_ = make_perf_event(program, pid, path.c_str(), offset, cookie);
  }
  const int error = errno;
  if (made.descriptor_ < 0 && made.link_ == nullptr) return not_attached(way, pid, error);
  return made;
}

Attachment::~Attachment() {
  if (link_ != nullptr) bpf_link__destroy(link_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace gopacer
