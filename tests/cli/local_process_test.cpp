#include "cli/local_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/recorded_service.h"
#include "fakes/fake_clock.h"
#include "runtime_memory/elf_builder.h"

namespace gopacer {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::write_file;

/// Kernel files of one process, number 42, as Linux writes them.
class LocalProcessTest : public ::testing::Test {
 protected:
  LocalProcessTest() {
    // utime 250 and stime 50 ticks, started 1,000 ticks after the machine.
    write_file(
        proc("stat"),
        "42 (a (strange) name) S 1 42 42 0 -1 4194304 0 0 0 0 250 50 0 0 20 0 9 0 1000 0 0 18446744073709551615");
    write_file(proc("status"), "Name:\tapp\nVmRSS:\t  204800 kB\nRssAnon:\t  102400 kB\nCpus_allowed_list:\t0-2,8\n");
    write_file(proc("environ"), std::string("PATH=/bin\0GOGC=150\0GOMEMLIMIT=300MiB\0", 37));
    write_file(proc("exe"), testing::go_program("go1.22.3"));
    write_file(root_.path() / "proc/stat", "cpu  1 2 3\nbtime 1700000000\n");
  }

  fs::path proc(const std::string& file) const { return root_.path() / "proc/42" / file; }
  fs::path group(const std::string& file) const { return root_.path() / "cgroup" / file; }
  Result<LocalProcess> open() {
    return LocalProcess::open(42, {"", "host"}, {root_.path() / "proc", root_.path() / "cgroup"}, clock_);
  }
  ContainerUsage usage() {
    Result<LocalProcess> process = open();
    EXPECT_TRUE(process) << process.error().message;
    const auto listed = process->list("");
    EXPECT_TRUE(listed) << listed.error().message;
    return listed->front().usage;
  }

  TemporaryDirectory root_;
  FakeClock clock_{testing::kNow};
};

TEST_F(LocalProcessTest, TellsSettingsVersionAndBirth) {
  write_file(proc("cgroup"), "0::/\n");
  const auto process = open();
  ASSERT_TRUE(process) << process.error().message;
  EXPECT_EQ(process->environment(), (EnvText{"150", "300MiB"}));
  EXPECT_EQ(process->go_version(), "go1.22.3");
  EXPECT_EQ(format_time(process->started()), "2023-11-14T22:13:30Z");  // ten seconds after the machine
  EXPECT_DOUBLE_EQ(process->cpus(), 4);
}

TEST_F(LocalProcessTest, ReadsTheProcessWhereNothingLimitsIt) {
  write_file(proc("cgroup"), "0::/\n");
  const ContainerUsage found = usage();
  EXPECT_FALSE(found.limit);
  EXPECT_EQ(found.working_set, mib(200));
  EXPECT_EQ(found.anonymous, mib(100));
  EXPECT_NEAR(*found.cpu_seconds, 3.0, 1e-9);
  EXPECT_EQ(found.at, clock_.now());
}

TEST_F(LocalProcessTest, ReadsAGroupOfVersion2AndTheTightestLimitAboveIt) {
  write_file(proc("cgroup"), "0::/pods/app\n");
  write_file(group("pods/memory.max"), "536870912\n");
  write_file(group("pods/app/memory.max"), "max\n");
  write_file(group("pods/app/memory.current"), "314572800\n");
  write_file(group("pods/app/memory.stat"),
             "anon 209715200\nfile 52428800\nkernel 10485760\ninactive_file 41943040\nshmem 8388608\n");
  write_file(group("pods/app/cpu.stat"), "usage_usec 999\nthrottled_usec 2500000\n");
  write_file(group("pods/app/cpu.max"), "150000 100000\n");
  const ContainerUsage found = usage();
  EXPECT_EQ(found.limit, mib(512));
  EXPECT_EQ(found.working_set, mib(260));
  EXPECT_EQ(found.anonymous, mib(200));
  EXPECT_EQ(found.kernel, mib(10));
  EXPECT_EQ(found.shared, mib(8));
  EXPECT_NEAR(*found.throttled_seconds, 2.5, 1e-9);
  EXPECT_DOUBLE_EQ(open()->cpus(), 1.5);
}

TEST_F(LocalProcessTest, ReadsAGroupOfVersion1) {
  write_file(proc("cgroup"), "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/\n");
  write_file(group("memory/docker/abc/memory.limit_in_bytes"), "268435456\n");
  write_file(group("memory/memory.limit_in_bytes"), "9223372036854771712\n");
  write_file(group("memory/docker/abc/memory.usage_in_bytes"), "209715200\n");
  write_file(group("memory/docker/abc/memory.stat"),
             "rss 1\ntotal_rss 157286400\ntotal_inactive_file 20971520\ntotal_shmem 4194304\n");
  write_file(group("memory/docker/abc/memory.kmem.usage_in_bytes"), "5242880\n");
  write_file(group("cpu/docker/abc/cpu.cfs_quota_us"), "50000\n");
  write_file(group("cpu/docker/abc/cpu.cfs_period_us"), "100000\n");
  write_file(group("cpu/docker/abc/cpu.stat"), "nr_periods 1\nthrottled_time 1500000000\n");
  const ContainerUsage found = usage();
  EXPECT_EQ(found.limit, mib(256));
  EXPECT_EQ(found.working_set, mib(180));
  EXPECT_EQ(found.anonymous, mib(150));
  EXPECT_EQ(found.kernel, mib(5));
  EXPECT_EQ(found.shared, mib(4));
  EXPECT_NEAR(*found.throttled_seconds, 1.5, 1e-9);
  EXPECT_DOUBLE_EQ(open()->cpus(), 0.5);
}

TEST_F(LocalProcessTest, TellsWhatLimitsThisProcessItself) {
  const KernelFiles files{root_.path() / "proc", root_.path() / "cgroup"};
  EXPECT_EQ(own_memory_limit(files), std::nullopt);
  write_file(root_.path() / "proc/self/cgroup", "0::/pod/app\n");
  write_file(group("pod/app/memory.max"), "max\n");
  EXPECT_EQ(own_memory_limit(files), std::nullopt);
  write_file(group("pod/memory.max"), "268435456\n");
  EXPECT_EQ(own_memory_limit(files), mib(256));
  write_file(root_.path() / "proc/self/cgroup", "5:memory:/pod\n");
  write_file(group("memory/pod/memory.limit_in_bytes"), "134217728\n");
  EXPECT_EQ(own_memory_limit(files), mib(128));
}

TEST_F(LocalProcessTest, EndsWithItsProcessEvenIfTheNumberIsUsedAgain) {
  write_file(proc("cgroup"), "0::/\n");
  Result<LocalProcess> process = open();
  ASSERT_TRUE(process);
  write_file(proc("stat"), "42 (other) S 1 42 42 0 -1 4194304 0 0 0 0 1 1 0 0 20 0 9 0 5000 0 0");
  EXPECT_THAT(process->list("").error().message, HasSubstr("process 42 has ended"));
  fs::remove_all(proc(""));
  EXPECT_THAT(process->list("").error().message, HasSubstr("process 42 has ended"));
}

TEST_F(LocalProcessTest, RefusesAProgramThatIsNotGo) {
  write_file(proc("exe"), std::string(100000, 'x'));
  const auto process = open();
  ASSERT_FALSE(process);
  EXPECT_THAT(process.error().message, HasSubstr("is no ELF file"));
}

}  // namespace
}  // namespace gopacer
