#include "codec/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gopacer {
namespace {

using ::testing::HasSubstr;

const std::string kPoints =
    R"("points": [{"at": "0s", "requestRate": 400, "liveHeap": "64Mi"}, {"at": "2h", "offHeap": 1048576}])";

std::string refusal(const std::string& text) {
  const auto trace = codec::decode_trace(text);
  return trace ? "accepted" : trace.error().message;
}

TEST(TraceFile, IsReadWithWhatItDoesNotSayLeftAtItsDefault) {
  const auto trace = codec::decode_trace(
      R"({"name": "day", "memoryLimit": "512Mi", "cpuLimit": 2, "settings": {"gogc": "150", "goMemLimit": "400MiB"},
          "service": {"maxProcs": 4, "overhead": "12Mi", "fill": "30s"}, )" +
      kPoints + "}");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->name, "day");
  EXPECT_EQ(*trace->memory_limit, mib(512));
  EXPECT_EQ(trace->settings, (Settings{Gogc(150), mib(400)}));
  EXPECT_EQ(trace->service.max_procs, 4);
  EXPECT_EQ(trace->service.overhead, mib(12));
  EXPECT_EQ(trace->service.fill, std::chrono::seconds(30));
  EXPECT_EQ(trace->service.pointers, simulate::Service{}.pointers);
  // What a point does not say stays as it was.
  EXPECT_EQ(trace->points[1].load.request_rate, 400);
  EXPECT_EQ(trace->points[1].load.off_heap, mib(1));
}

TEST(TraceFile, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(refusal("{"), HasSubstr("not JSON"));
  EXPECT_THAT(refusal("[]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("points is missing"));
  EXPECT_THAT(refusal(R"({"points": 3})"), HasSubstr("points is not a list"));
  EXPECT_THAT(refusal(R"({"points": [{"requestRate": 1}]})"), HasSubstr("points[0].at is missing"));
  EXPECT_THAT(refusal(R"({"points": [{"at": "0s"}]})"), HasSubstr("fewer than two"));
  EXPECT_THAT(refusal(R"({"points": [{"at": "0s"}, {"at": "0s"}]})"), HasSubstr("points[1].at is not after"));
  EXPECT_THAT(refusal(R"({"points": [{"at": "0s"}, {"at": "1x"}]})"), HasSubstr("points[1].at can't be read"));
  EXPECT_THAT(refusal(R"({"points": [{"at": "0s", "requestRate": -1}, {"at": "1h"}]})"), HasSubstr("requestRate"));
  EXPECT_THAT(refusal(R"({"memoryLimt": "1Gi", )" + kPoints + "}"), HasSubstr("memoryLimt is not known"));
  EXPECT_THAT(refusal(R"({"service": {"pointers": 2}, )" + kPoints + "}"), HasSubstr("service.pointers"));
  EXPECT_THAT(refusal(R"({"service": {"maxProcs": "two"}, )" + kPoints + "}"), HasSubstr("service.maxProcs"));
  EXPECT_THAT(refusal(R"({"service": 1, )" + kPoints + "}"), HasSubstr("service is not an object"));
  EXPECT_THAT(refusal(R"({"settings": {"goMemLimit": "400Mi"}, )" + kPoints + "}"), HasSubstr("400MiB"));
}

TEST(TraceFile, ComesBackAsItWasWritten) {
  const auto trace = simulate::generate("burst", 3);
  const auto again = codec::decode_trace(codec::encode_trace(*trace));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(codec::encode_trace(*again), codec::encode_trace(*trace));
  EXPECT_EQ(again->points.size(), trace->points.size());
}

}  // namespace
}  // namespace gopacer
