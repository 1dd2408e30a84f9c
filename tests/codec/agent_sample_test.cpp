#include "codec/agent_sample.h"

#include <gmock/gmock.h>

#include <cstdint>
#include <nlohmann/json.hpp>

namespace gopacer::codec {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

AgentSample said() {
  AgentSample said;
  MemStats& mem = said.sample.mem.emplace();
  mem.heap_alloc = mib(10);
  mem.total_alloc = Bytes((std::int64_t{1} << 53) + 1);  // no double has it
  mem.sys = mib(40);
  mem.heap_sys = mib(30);
  mem.heap_idle = mib(12);
  mem.heap_in_use = mib(18);
  mem.heap_released = mib(2);
  mem.next_gc = mib(20);
  mem.num_gc = 4'000'000'000U;
  ProcessMetrics& process = said.sample.process.emplace();
  mem.pauses = {{Time(Duration(1'800'000'000'123'456'789)), Duration(125'000)},
                {Time(Duration(1'800'000'000'223'456'789)), Duration(140'001)}};
  process.gogc = Gogc(150);
  process.go_mem_limit = mib(300);
  process.gc_cpu_seconds = 1.25;
  process.cpu_seconds = 12.5;
  process.heap_live = mib(8);
  process.scanned_roots = kib(100);
  process.go_version = "go1.26.8";
  return said;
}

std::string body() { return encode(said()).dump(); }

TEST(AgentSample, HasNoMorePausesThanTheRuntimeKeepsAndNoneThatAreNone) {
  json odd = encode(said());
  odd["pauses"] =
      json::array({5, "x", json::array({1}), json::array({1, -2}), json::array({1.5, 2}), json::array({30, 1}),
                   json::array({30, 2}), json::array({20, 3}), json::array({40, 4}), json::array({UINT64_MAX, 1})});
  EXPECT_THAT(
      decode_agent_sample(odd.dump())->sample.mem->pauses,
      ::testing::ElementsAre(GcPause{Time(Duration(30)), Duration(1)}, GcPause{Time(Duration(40)), Duration(4)}));
  json many = encode(said());
  for (int i = 0; i < 400; ++i) many["pauses"].push_back(json::array({INT64_MAX - 1000 + i, 1}));
  EXPECT_EQ(decode_agent_sample(many.dump())->sample.mem->pauses.size(), 256U);
  for (const json& none : {json(), json(7), json::object()}) {
    odd["pauses"] = none;
    EXPECT_TRUE(decode_agent_sample(odd.dump())->sample.mem->pauses.empty());
  }
}

TEST(AgentSample, SurvivesItsWay) {
  AgentSample sent = said();
  sent.note = "It is refused.";
  const auto read = decode_agent_sample(encode(sent).dump());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->note, "It is refused.");
  const MemStats& mem = *read->sample.mem;
  const MemStats& was = *sent.sample.mem;
  EXPECT_EQ(mem.heap_alloc, was.heap_alloc);
  EXPECT_EQ(mem.total_alloc, was.total_alloc);
  EXPECT_EQ(mem.sys, was.sys);
  EXPECT_EQ(mem.heap_sys, was.heap_sys);
  EXPECT_EQ(mem.heap_idle, was.heap_idle);
  EXPECT_EQ(mem.heap_in_use, was.heap_in_use);
  EXPECT_EQ(mem.heap_released, was.heap_released);
  EXPECT_EQ(mem.next_gc, was.next_gc);
  EXPECT_EQ(mem.num_gc, was.num_gc);
  EXPECT_EQ(mem.pauses, was.pauses);
  const ProcessMetrics& process = *read->sample.process;
  EXPECT_EQ(process.gogc, Gogc(150));
  EXPECT_EQ(process.go_mem_limit, mib(300));
  EXPECT_EQ(process.gc_cpu_seconds, 1.25);
  EXPECT_EQ(process.cpu_seconds, 12.5);
  EXPECT_EQ(process.heap_live, mib(8));
  EXPECT_EQ(process.scanned_roots, kib(100));
  EXPECT_EQ(process.go_version, "go1.26.8");
  EXPECT_EQ(decode_agent_sample(body())->note, "");
}

TEST(AgentSample, HasABoundedGoalWhereGogcIsOff) {
  AgentSample sent = said();
  sent.sample.process->gogc = Gogc::off();
  sent.sample.process->go_mem_limit.reset();
  sent.sample.mem->next_gc = Bytes(INT64_MAX);
  const auto read = decode_agent_sample(encode(sent).dump());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->sample.process->gogc, Gogc::off());
  EXPECT_EQ(read->sample.process->go_mem_limit, std::nullopt);
  EXPECT_EQ(read->sample.mem->next_gc, Bytes(std::int64_t{1} << 60));
}

TEST(AgentSample, OfAProcessThatCantBeReadIsTheReason) {
  const auto read = decode_agent_sample(encode_unread("process 7 has ended").dump());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "process 7 has ended");
  EXPECT_TRUE(read.error().retriable());
}

TEST(AgentSample, IsNoneOfWhatIsNoAgents) {
  for (const std::string& strange :
       {std::string(), std::string("<html>"), std::string("[]"), std::string("7"), std::string("null"),
        std::string(10 << 20, '['), std::string(10 << 20, '\0'), body().substr(0, body().size() / 2), body() + "x"}) {
    const auto read = decode_agent_sample(strange);
    ASSERT_FALSE(read) << strange.substr(0, 100);
    EXPECT_THAT(read.error().message, HasSubstr("is no answer"));
  }
  EXPECT_FALSE(decode_agent_sample("{}"));
}

TEST(AgentSample, BearsALongOne) {
  json long_one = encode(said());
  long_one["more"] = std::string(10 << 20, 'x');
  long_one["note"] = std::string(1 << 20, 'n');
  const auto read = decode_agent_sample(long_one.dump());
  ASSERT_TRUE(read);
  EXPECT_LE(read->note.size(), 510U);
  const auto unread = decode_agent_sample(encode_unread(std::string(1 << 20, 'e')).dump());
  ASSERT_FALSE(unread);
  EXPECT_LE(unread.error().message.size(), 510U);
}

TEST(AgentSample, ShowsNoControlCharacters) {
  AgentSample sent = said();
  sent.note = "one\ntwo\x1b[31m";
  const auto read = decode_agent_sample(encode(sent).dump());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->note.find('\x1b'), std::string::npos);
  EXPECT_EQ(read->note.find('\n'), std::string::npos);
}

class AgentSampleWithout : public ::testing::TestWithParam<const char*> {};

TEST_P(AgentSampleWithout, IsRefused) {
  json without = encode(said());
  ASSERT_EQ(without.erase(GetParam()), 1U);
  const auto read = decode_agent_sample(without.dump());
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("has no "));
}

INSTANTIATE_TEST_SUITE_P(AMember, AgentSampleWithout,
                         ::testing::Values("heapAlloc", "totalAlloc", "sys", "heapSys", "heapIdle", "heapInUse",
                                           "heapReleased", "nextGc", "heapLive", "roots", "markCpuSeconds",
                                           "cpuSeconds", "collections", "settings"),
                         [](const auto& of) { return std::string(of.param); });

TEST(AgentSample, RefusesNumbersThatNoProcessHas) {
  for (const char* const member : {"heapAlloc", "nextGc", "roots", "collections", "markCpuSeconds", "cpuSeconds"}) {
    for (const char* const number : {"-1", "-9223372036854775808", "1e300", "-1e300", "1e999", "NaN", "\"5\"", "null",
                                     "true", "{}", "18446744073709551615", "99999999999999999999999999"}) {
      std::string body = encode(said()).dump();
      const std::string name = '"' + std::string(member) + "\":";
      const std::size_t at = body.find(name) + name.size();
      body.replace(at, body.find_first_of(",}", at) - at, number);
      EXPECT_FALSE(decode_agent_sample(body)) << body;
    }
  }
}

TEST(AgentSample, RefusesSettingsThatNoProcessHas) {
  for (const json& settings : {json(), json(7), json::object(), json{{"gogc", 100}}, json{{"gogc", "rubbish"}},
                               json{{"gogc", "100"}, {"goMemLimit", "10Zi"}}}) {
    json body = encode(said());
    body["settings"] = settings;
    EXPECT_FALSE(decode_agent_sample(body.dump())) << settings;
  }
}

}  // namespace
}  // namespace gopacer::codec
