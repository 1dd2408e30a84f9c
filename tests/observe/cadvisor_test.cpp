#include "observe/cadvisor.h"

#include <gmock/gmock.h>

#include "observe/recorded.h"

namespace gopacer {
namespace {

using testing::HasSubstr;

const Time kNow{std::chrono::seconds(1795261700)};

Result<ContainerUsages> read(std::string_view body, std::set<ContainerKey> wanted) {
  CadvisorReader reader(std::move(wanted), kNow);
  feed_in_pieces(reader, body, 1000);
  return reader.finish();
}

TEST(Cadvisor, ReadsARecordedKubelet) {
  const ContainerKey limited{"shop", "checkout-7474dd9dbf-qrw9q", "app"};
  const ContainerKey unlimited_cpu{"shop", "checkout-78d57f794f-hsqvt", "app"};
  const ContainerKey absent{"shop", "checkout-78d57f794f-hsqvt", "sidecar"};
  const Result<ContainerUsages> usages = read(recorded("kubelet/cadvisor.txt"), {limited, unlimited_cpu, absent});
  ASSERT_TRUE(usages) << usages.error().message;
  ASSERT_EQ(usages->size(), 2U);
  const ContainerUsage& usage = usages->at(limited);
  EXPECT_EQ(usage.at, Time(std::chrono::milliseconds(1795261691638)));
  EXPECT_EQ(usage.working_set, Bytes(84828160));
  EXPECT_EQ(usage.anonymous, Bytes(83927040));
  EXPECT_EQ(usage.kernel, Bytes(606208));
  EXPECT_EQ(usage.shared, Bytes(0)) << "all of its cache is in the lists of files";
  EXPECT_EQ(usage.limit, mib(512));
  EXPECT_DOUBLE_EQ(*usage.cpu_seconds, 0.341025017);
  EXPECT_DOUBLE_EQ(*usage.throttled_seconds, 0.051347853);
  EXPECT_FALSE(usages->at(unlimited_cpu).throttled_seconds) << "a container without a CPU limit is never throttled";
}

TEST(Cadvisor, TellsHowMuchOfTheNodesMemoryIsInUse) {
  const ContainerKey key{"shop", "a", "app"};
  const std::string container =
      "container_memory_working_set_bytes{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} 700\n";
  const std::string used =
      "container_memory_working_set_bytes{container=\"\",id=\"/\",namespace=\"\",pod=\"\"} 6000 1000\n";
  const std::string all = "machine_memory_bytes{boot_id=\"b\",machine_id=\"m\"} 8000\n";
  EXPECT_EQ(read(used + container + all, {key})->at(key).node_share, 0.75);
  EXPECT_FALSE(read(container + all, {key})->at(key).node_share);
  EXPECT_FALSE(read(used + container, {key})->at(key).node_share);
  for (const char* odd : {"0", "-1", "NaN", "5000"}) {
    EXPECT_FALSE(read(used + container + "machine_memory_bytes " + odd + "\n", {key})->at(key).node_share) << odd;
  }
}

std::string series(const std::string& id, double working_set, double cpu, long at_ms) {
  const std::string labels = "{container=\"app\",id=\"" + id + "\",namespace=\"shop\",pod=\"a\"";
  const std::string time = " " + std::to_string(at_ms) + "\n";
  return "container_memory_working_set_bytes" + labels + "} " + std::to_string(working_set) + time +
         "container_cpu_usage_seconds_total" + labels + ",cpu=\"total\"} " + std::to_string(cpu) + time;
}

TEST(Cadvisor, FindsFilesInMemoryAsTheCacheThatNoListOfFilesHas) {
  const ContainerKey key{"shop", "a", "app"};
  const std::string labels = "{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} ";
  const std::string page = "container_memory_working_set_bytes" + labels + "700\ncontainer_memory_rss" + labels +
                           "200\ncontainer_memory_cache" + labels + "500\ncontainer_memory_total_active_file_bytes" +
                           labels + "80\n";
  const Result<ContainerUsages> without = read(page, {key});
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->at(key).shared);
  EXPECT_EQ(without->at(key).kept(), Bytes(700)) << "any part of the working set may be files in memory";
  const Result<ContainerUsages> usages =
      read(page + "container_memory_total_inactive_file_bytes" + labels + "30\n", {key});
  ASSERT_TRUE(usages);
  EXPECT_EQ(usages->at(key).shared, Bytes(390));
  EXPECT_EQ(usages->at(key).kept(), Bytes(590));
}

TEST(Cadvisor, TakesTheLatestCgroupOfAContainerThatWasStartedAgain) {
  const ContainerKey key{"shop", "a", "app"};
  for (const bool old_first : {true, false}) {
    const std::string before = series("/old", 100, 50, 1000);
    const std::string after = series("/new", 200, 2, 2000);
    const Result<ContainerUsages> usages = read(old_first ? before + after : after + before, {key});
    ASSERT_TRUE(usages);
    EXPECT_EQ(usages->at(key).working_set, Bytes(200));
    EXPECT_EQ(usages->at(key).cpu_seconds, 2);
  }
}

TEST(Cadvisor, KnowsTheKernelsWaysToSayThatThereIsNoLimit) {
  const ContainerKey key{"shop", "a", "app"};
  for (const char* none : {"0", "9.223372036854771712e+18"}) {
    const Result<ContainerUsages> usages =
        read(series("/x", 100, 1, 1000) +
                 "container_spec_memory_limit_bytes{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} " + none +
                 "\n",
             {key});
    ASSERT_TRUE(usages);
    EXPECT_FALSE(usages->at(key).limit) << none;
  }
}

TEST(Cadvisor, IgnoresNumbersThatAreNone) {
  const ContainerKey key{"shop", "a", "app"};
  const Result<ContainerUsages> usages =
      read(series("/x", 100, 1, 1000) +
               "container_memory_rss{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} NaN\n"
               "container_memory_kernel_usage{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} -1\n",
           {key});
  ASSERT_TRUE(usages);
  EXPECT_FALSE(usages->at(key).anonymous);
  EXPECT_FALSE(usages->at(key).kernel);
}

TEST(Cadvisor, LeavesOutAContainerWithoutAWorkingSet) {
  const ContainerKey key{"shop", "a", "app"};
  const Result<ContainerUsages> usages =
      read("container_cpu_usage_seconds_total{container=\"app\",id=\"/x\",namespace=\"shop\",pod=\"a\"} 3\n", {key});
  ASSERT_TRUE(usages);
  EXPECT_TRUE(usages->empty());
}

TEST(Cadvisor, SaysThatAPageIsNotAKubelets) {
  EXPECT_THAT(read("up 1\n", {}).error().message, HasSubstr("no metrics of containers"));
  EXPECT_THAT(read("Unauthorized\n", {}).error().message, HasSubstr("instead of metrics"));
}

}  // namespace
}  // namespace gopacer
