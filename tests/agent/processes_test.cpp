#include "agent/processes.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "agent/made_up_proc.h"

namespace gopacer {
namespace {

using testing::container_id;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::MadeUpProc;
using ::testing::Pair;

TEST(Processes, AreFoundByTheContainersIdInTheirControlGroup) {
  const MadeUpProc proc;
  proc.put("12", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-" +
                     container_id('a') + ".scope\n");
  proc.put("9", "11:memory:/kubepods/burstable/pod1/" + container_id('a') + "\n10:cpu:/kubepods/burstable/pod1/" +
                    container_id('a') + "\n");
  proc.put("7", "0::/../../kubepods-pod2.slice/crio-" + container_id('b') + ".scope\n");
  EXPECT_THAT(processes_by_container(proc.path()),
              ElementsAre(Pair(ContainerPlace{container_id('a')}, ElementsAre(9, 12)),
                          Pair(ContainerPlace{container_id('b')}, ElementsAre(7))));
  EXPECT_EQ(container_of(12, proc.path()), ContainerPlace{container_id('a')});
}

TEST(Processes, OfANodeInAContainerAreThoseOfTheContainersWithin) {
  const MadeUpProc proc;
  proc.put("5", "0::/docker/" + container_id('a') + "/kubelet/kubepods/pod1/" + container_id('b') + "\n");
  proc.put("6", "0::/docker/" + container_id('a') + "/system.slice/kubelet.service\n");
  EXPECT_THAT(processes_by_container(proc.path()),
              ElementsAre(Pair(ContainerPlace{container_id('a')}, ElementsAre(6)),
                          Pair(ContainerPlace{container_id('b')}, ElementsAre(5))));
}

constexpr const char* kPod = "01234567-89ab-cdef-0123-456789abcdef";
constexpr const char* kAnother = "11111111-89ab-cdef-0123-456789abcdef";

/// As systemd's slices have it.
std::string with_underscores(std::string uid) {
  std::replace(uid.begin(), uid.end(), '-', '_');
  return uid;
}

TEST(Processes, AreOfThePodThatTheirControlGroupNames) {
  const MadeUpProc proc;
  const std::string a = container_id('a');
  const std::string slice = "pod" + with_underscores(kPod) + ".slice/cri-containerd-" + a + ".scope\n";
  const std::string nested = "/kubepods/pod" + std::string(kAnother) + "/" + container_id('b') + "/";
  proc.put("1", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" + slice);
  proc.put("2", "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-" + slice);
  proc.put("3", "11:memory:/kubepods/burstable/pod" + std::string(kPod) + "/" + a + "\n10:cpu:/\n");
  proc.put("4", "0::/../../pod" + std::string(kPod) + "/" + a + "\n");
  proc.put("5", "0::/../" + a + "\n");
  proc.put("6", "0::/kubepods/pod" + std::string(kAnother) + "/" + a + "\n");
  proc.put("7", "0::" + nested + "kubepods/pod" + kPod + "/" + a + "\n");
  proc.put("8", "2:memory:/kubepods/pod" + std::string(kPod) + "/" + a + "\n1:cpu:" + nested + a + "\n");
  const auto found = processes_by_container(proc.path());
  EXPECT_THAT(found, ElementsAre(Pair(ContainerPlace{a, ""}, ElementsAre(5)),
                                 Pair(ContainerPlace{a, kPod}, ElementsAre(1, 2, 3, 4)),
                                 Pair(ContainerPlace{a, kAnother}, ElementsAre(6, 7))));
  EXPECT_THAT(processes_of({a, kPod}, found), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(processes_of({a, kAnother}, found), ElementsAre(5, 6, 7));
  EXPECT_THAT(processes_of({container_id('b'), kAnother}, found), IsEmpty());
}

TEST(Processes, AreOfNoPodWhereNoneIsNamed) {
  const MadeUpProc proc;
  const std::string a = container_id('a');
  const std::string uid = kPod;
  int pid = 0;
  for (const std::string& group :
       {"tripod" + uid, "pod-" + uid, "pod" + uid + "0", "pod" + uid.substr(1),
        "pod" + with_underscores(uid) + ".scope", std::string("pod01234567+89ab-cdef-0123-456789abcdef"),
        "pod" + std::string(36, '-'), uid}) {
    proc.put(std::to_string(++pid), "0::/kubepods/" + group + "/" + a + "\n");
    EXPECT_EQ(container_of(pid, proc.path()), ContainerPlace{a}) << group;
  }
}

TEST(Processes, ThatAreInNoContainerOrAreNoneAreLeftOut) {
  const MadeUpProc proc;
  proc.put("1", "0::/init.scope\n");
  proc.put("2", "0::/x/" + std::string(63, 'a') + "\n");
  proc.put("3", "0::/x/" + std::string(65, 'a') + "\n");
  proc.put("4", "0::/x/" + std::string(64, 'A') + "\n");
  proc.put("5", "");
  proc.put("self", "0::/x/" + container_id('a') + "\n");
  proc.put("6x", "0::/x/" + container_id('a') + "\n");
  proc.put("99999999999999999999", "0::/x/" + container_id('a') + "\n");
  std::filesystem::create_directories(proc.path() / "8");  // it has ended while its neighbours were looked at
  EXPECT_THAT(processes_by_container(proc.path()), IsEmpty());
  EXPECT_THAT(processes_by_container(proc.path() / "nowhere"), IsEmpty());
  EXPECT_EQ(container_of(1, proc.path()), ContainerPlace{});
  EXPECT_EQ(container_of(4711, proc.path()), ContainerPlace{});
}

TEST(CpuSeconds, AreReadBehindWhateverNameTheProgramHas) {
  const MadeUpProc proc;
  const auto tick = static_cast<double>(::sysconf(_SC_CLK_TCK));
  proc.write("42/stat", "42 () 1 2 () S 1 42 42 0 -1 4194560 1 2 3 4 700 300 9 9 20 0 1 0\n");
  EXPECT_DOUBLE_EQ(cpu_seconds_of(42, proc.path()), 1000 / tick);
  proc.write("43/stat", "43 (a) b) 99 (c) R 1 42 42 0 -1 4194560 1 2 3 4 5 6 9 9\n");
  EXPECT_DOUBLE_EQ(cpu_seconds_of(43, proc.path()), 11 / tick);
  EXPECT_GE(cpu_seconds_of(::getpid(), "/proc"), 0);
}

TEST(CpuSeconds, OfAProcessThatHasEndedAreBelowZero) {
  const MadeUpProc proc;
  proc.write("42/stat", "");
  proc.write("43/stat", "43 (a) S 1 2");
  proc.write("44/stat", "44 (a) S 1 42 42 0 -1 4194560 1 2 3 4 x y");
  for (const int pid : {41, 42, 43, 44}) EXPECT_LT(cpu_seconds_of(pid, proc.path()), 0);
}

TEST(Processes, KnowTheFirstOfAContainer) {
  const MadeUpProc proc;
  proc.write("12/status", "Name:\tserver\nNSpid:\t12\t1\nThreads:\t4\n");
  proc.write("13/status", "Name:\tserver\nNSpid:\t13\t11\n");
  proc.write("1/status", "Name:\tinit\nNSpid:\t1\n");
  EXPECT_TRUE(is_first_of_container(12, proc.path()));
  EXPECT_FALSE(is_first_of_container(13, proc.path()));
  EXPECT_FALSE(is_first_of_container(1, proc.path())) << "the node's own";
  EXPECT_FALSE(is_first_of_container(4711, proc.path()));
}

}  // namespace
}  // namespace gopacer
