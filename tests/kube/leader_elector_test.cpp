#include "kube/leader_elector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "fakes/fake_api_server.h"
#include "fakes/fake_steady_clock.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;

const ResourceType kLeases{"coordination.k8s.io", "v1", "leases", "Lease", true};
const ObjectPath kLease{kLeases, "gopacer-system", "gopacer"};

struct WallClock final : Clock {
  Time time = parse_time("2024-05-01T10:00:00Z").value();
  Time now() const override { return time; }
};

LeaseOptions options(const std::string& identity) {
  LeaseOptions out;
  out.ns = "gopacer-system";
  out.identity = identity;
  return out;
}

struct Candidate {
  Candidate(FakeApiServer& api, const std::string& name, const Clock& wall, const SteadyClock& steady)
      : elector(api, options(name), wall, steady, [this] { ++started; }, [this] { ++lost; }) {}
  int started = 0;
  int lost = 0;
  LeaderElector elector;
};

class LeaderElectorTest : public testing::Test {
 protected:
  FakeApiServer api_;
  WallClock wall_;
  FakeSteadyClock clock_;
  Candidate a_{api_, "a", wall_, clock_};
  Candidate b_{api_, "b", wall_, clock_};

  std::string holder() { return api_.peek(kLease)["spec"]["holderIdentity"]; }
  void pass(Duration time) {
    clock_.advance(time);
    a_.elector.check_deadline();
    b_.elector.check_deadline();
    EXPECT_FALSE(a_.elector.leads() && b_.elector.leads());
  }
};

TEST_F(LeaderElectorTest, TheFirstWinsAndTheSecondWaits) {
  a_.elector.step();
  b_.elector.step();
  EXPECT_TRUE(a_.elector.leads());
  EXPECT_FALSE(b_.elector.leads());
  EXPECT_EQ(a_.started, 1);
  EXPECT_EQ(b_.elector.holder(), "a");
  const json spec = api_.peek(kLease)["spec"];
  EXPECT_EQ(spec["holderIdentity"], "a");
  EXPECT_EQ(spec["leaseDurationSeconds"], 15);
  EXPECT_EQ(spec["renewTime"], "2024-05-01T10:00:00.000000Z");
}

TEST_F(LeaderElectorTest, KeepsTheLeaseByRenewing) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(a_.elector.step(), Duration(seconds(2)));
    b_.elector.step();
    pass(seconds(2));
  }
  EXPECT_TRUE(a_.elector.leads());
  EXPECT_EQ(a_.started, 1);
  EXPECT_EQ(a_.lost, 0);
  EXPECT_EQ(api_.peek(kLease)["spec"]["leaseTransitions"], 0);
}

TEST_F(LeaderElectorTest, ALeaderThatCannotRenewStopsBeforeAnotherCanStart) {
  a_.elector.step();
  b_.elector.step();
  Duration lost_at(-1);
  Duration won_at(-1);
  for (Duration t = seconds(1); t <= seconds(20); t += seconds(1)) {
    pass(seconds(1));
    api_.fail_next("get", {ErrorKind::kRetriable, "no route"});
    a_.elector.step();
    b_.elector.step();
    if (a_.lost == 1 && lost_at < Duration(0)) lost_at = t;
    if (b_.started == 1 && won_at < Duration(0)) won_at = t;
  }
  EXPECT_EQ(lost_at, Duration(seconds(10)));
  EXPECT_EQ(won_at, Duration(seconds(15)));
  EXPECT_EQ(api_.peek(kLease)["spec"]["leaseTransitions"], 1);
  EXPECT_EQ(a_.elector.trouble(), "no route");
}

TEST_F(LeaderElectorTest, IsSafeByItselfEvenIfNobodyChecks) {
  a_.elector.step();
  clock_.advance(seconds(9));
  EXPECT_TRUE(a_.elector.leads());
  clock_.advance(seconds(1));
  EXPECT_FALSE(a_.elector.leads());
}

TEST_F(LeaderElectorTest, CountsFromBeforeASlowWrite) {
  api_.before("create", [&](const std::string&) { clock_.advance(seconds(8)); });
  a_.elector.step();
  EXPECT_EQ(a_.elector.check_deadline(), Duration(seconds(2)));
  api_.before("replace", [&](const std::string&) { clock_.advance(seconds(11)); });
  a_.elector.step();
  EXPECT_FALSE(a_.elector.leads()) << "a renewal that took longer than the deadline came too late";
  EXPECT_EQ(a_.lost, 1);
}

TEST_F(LeaderElectorTest, ASuccessorStartsAtOnceAfterARelease) {
  a_.elector.step();
  b_.elector.step();
  a_.elector.release();
  EXPECT_EQ(a_.lost, 1);
  EXPECT_EQ(holder(), "");
  b_.elector.step();
  EXPECT_TRUE(b_.elector.leads());
}

TEST_F(LeaderElectorTest, DoesNotReleaseALeaseThatIsNoLongerItsOwn) {
  a_.elector.step();
  json lease = api_.peek(kLease);
  lease["spec"]["holderIdentity"] = "b";
  ASSERT_TRUE(api_.replace(kLease, lease));
  a_.elector.release();
  EXPECT_EQ(holder(), "b");
}

TEST_F(LeaderElectorTest, OfTwoWhoTryAtOnceOneWins) {
  bool first = true;
  const auto let_b_go_first = [&](const std::string&) {
    if (std::exchange(first, false)) b_.elector.step();
  };
  api_.before("create", let_b_go_first);
  a_.elector.step();
  EXPECT_EQ(a_.elector.leads() + b_.elector.leads(), 1);
  EXPECT_EQ(a_.elector.trouble(), "") << "to be second is no trouble";
  a_.elector.release();
  b_.elector.release();
  api_.before("create", nullptr);
  first = true;
  api_.before("replace", let_b_go_first);
  a_.elector.step();
  EXPECT_EQ(a_.elector.leads() + b_.elector.leads(), 1);
}

TEST_F(LeaderElectorTest, NothingReachesTheServerOnceTheDeadlineHasPassed) {
  std::string story;
  LeaderElector elector(
      api_, options("c"), wall_, clock_, [] {}, [&] { story += "lost "; }, [&] { story += "cut off, "; });
  elector.step();
  clock_.advance(seconds(11));
  elector.check_deadline();
  EXPECT_EQ(story, "cut off, lost ");
}

TEST_F(LeaderElectorTest, StopsAtOnceWhenTheLeaseWasTaken) {
  a_.elector.step();
  json lease = api_.peek(kLease);
  lease["spec"]["holderIdentity"] = "somebody";
  ASSERT_TRUE(api_.replace(kLease, lease));
  a_.elector.step();
  EXPECT_FALSE(a_.elector.leads());
  EXPECT_EQ(a_.lost, 1);
  EXPECT_THAT(a_.elector.trouble(), HasSubstr("taken by 'somebody'"));
}

TEST_F(LeaderElectorTest, TrustsNoOtherMachinesClock) {
  a_.elector.step();
  json lease = api_.peek(kLease);
  lease["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z";
  ASSERT_TRUE(api_.replace(kLease, lease));
  b_.elector.step();
  EXPECT_FALSE(b_.elector.leads());
  clock_.advance(seconds(15));
  b_.elector.step();
  EXPECT_TRUE(b_.elector.leads());
}

TEST_F(LeaderElectorTest, AnAnswerThatWasLostDoesNotMakeItLead) {
  api_.lose_next_answer("create", {ErrorKind::kRetriable, "broken"});
  a_.elector.step();
  EXPECT_FALSE(a_.elector.leads());
  a_.elector.step();
  EXPECT_TRUE(a_.elector.leads()) << "the lease is its own already";
}

TEST_F(LeaderElectorTest, SurvivesALeaseOfNonsense) {
  for (const json& spec :
       {json(7), json::object(), json{{"holderIdentity", 5}, {"leaseDurationSeconds", "x"}, {"leaseTransitions", {}}},
        json{{"holderIdentity", "x"}, {"leaseDurationSeconds", std::int64_t{1} << 60U}}}) {
    FakeApiServer api;
    ASSERT_TRUE(api.create(kLeases, "gopacer-system", {{"metadata", {{"name", "gopacer"}}}, {"spec", spec}}));
    Candidate candidate(api, "a", wall_, clock_);
    candidate.elector.step();
    clock_.advance(seconds(3600));
    candidate.elector.step();
    EXPECT_TRUE(candidate.elector.leads()) << spec.dump();
  }
}

TEST(LeaderElector, KeepsItsDeadlineWhileARequestHangs) {
  FakeApiServer api;
  const WallClock wall;
  const SystemSteadyClock clock;
  std::mutex mutex;
  std::condition_variable changed;
  bool started = false;
  bool lost = false;
  const auto tell = [&](bool& what) {
    const std::lock_guard lock(mutex);
    what = true;
    changed.notify_all();
  };
  const auto wait_for = [&](const bool& what) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, seconds(20), [&] { return what; });
  };
  LeaseOptions fast = options("a");
  fast.renew_deadline = std::chrono::milliseconds(200);
  fast.retry_period = std::chrono::milliseconds(10);
  LeaderElector elector(api, fast, wall, clock, [&] { tell(started); }, [&] { tell(lost); });
  std::atomic<bool> hang = false;
  std::atomic<bool> hanging = false;
  api.before("replace", [&](const std::string&) {
    while (hang) {
      hanging = true;
      std::this_thread::yield();
    }
  });
  std::jthread running([&](std::stop_token stop) { elector.run(std::move(stop)); });
  EXPECT_TRUE(wait_for(started));
  hang = true;
  EXPECT_TRUE(wait_for(lost)) << "the request still hangs";
  EXPECT_TRUE(hanging);
  EXPECT_FALSE(elector.leads());
  running.request_stop();
  hang = false;
  running.join();
}

TEST(LeaderElector, WorkThatDoesNotEndIsCutOffBeforeTheLeaseCanBeTaken) {
  FakeApiServer api;
  const WallClock wall;
  const SystemSteadyClock clock;
  LeaseOptions fast = options("a");
  fast.renew_deadline = std::chrono::milliseconds(300);
  std::promise<void> cut_off;
  bool was_cut_off = false;
  LeaderElector elector(
      api, fast, wall, clock, [] {},
      [&] { was_cut_off = cut_off.get_future().wait_for(seconds(20)) == std::future_status::ready; },
      [&] { cut_off.set_value(); });
  elector.step();
  ASSERT_TRUE(elector.leads());
  elector.release();
  EXPECT_TRUE(was_cut_off) << "the work would have gone on beyond the deadline";
  EXPECT_EQ(api.peek(kLease)["spec"]["holderIdentity"], "") << "and then the lease is free at once";
}

TEST(LeaderElector, WorkThatEndsInTimeIsNotCutOff) {
  FakeApiServer api;
  const WallClock wall;
  const SystemSteadyClock clock;
  bool cut_off = false;
  LeaderElector elector(api, options("a"), wall, clock, [] {}, [] {}, [&] { cut_off = true; });
  elector.step();
  elector.release();
  EXPECT_FALSE(cut_off);
}

TEST(LeaderElector, RunHandsTheLeaseOver) {
  FakeApiServer api;
  const WallClock wall;
  const SystemSteadyClock clock;
  std::mutex mutex;
  std::condition_variable changed;
  std::string story;
  const auto write = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    story += what;
    changed.notify_all();
  };
  const auto wait_for = [&](const std::string& what) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, seconds(20), [&] { return story.find(what) != std::string::npos; });
  };
  const auto fast = [](const std::string& name) {
    LeaseOptions out = options(name);
    out.retry_period = std::chrono::milliseconds(5);
    return out;
  };
  LeaderElector a(api, fast("a"), wall, clock, [&] { write("+a"); }, [&] { write("-a"); });
  LeaderElector b(api, fast("b"), wall, clock, [&] { write("+b"); }, [&] { write("-b"); });
  std::jthread first([&](std::stop_token stop) { a.run(std::move(stop)); });
  ASSERT_TRUE(wait_for("+a"));
  std::jthread second([&](std::stop_token stop) { b.run(std::move(stop)); });
  first.request_stop();
  ASSERT_TRUE(wait_for("+b")) << "within a lease's duration";
  second.request_stop();
  second.join();
  EXPECT_EQ(story, "+a-a+b-b");
}

TEST_F(LeaderElectorTest, StopsAtItsNextStepWhenTheLeaseIsSeized) {
  a_.elector.step();
  LeaseOptions cleanup = options("cleanup");
  cleanup.lease_duration = seconds(60);
  EXPECT_EQ(seize_lease(api_, cleanup, wall_), "a");
  EXPECT_EQ(holder(), "cleanup");
  a_.elector.step();
  EXPECT_FALSE(a_.elector.leads());
  EXPECT_EQ(a_.lost, 1);
}

TEST_F(LeaderElectorTest, StopsWithinItsDeadlineWhenItDoesNotSeeThatTheLeaseWasSeized) {
  a_.elector.step();
  ASSERT_TRUE(seize_lease(api_, options("cleanup"), wall_));
  api_.fail_next("get", {ErrorKind::kRetriable, "the API server is away"}, 100);
  for (int i = 0; i < 5; ++i) {
    pass(seconds(2));
    a_.elector.step();
  }
  EXPECT_FALSE(a_.elector.leads()) << "ten seconds, and who seizes waits for fifteen";
  EXPECT_EQ(a_.lost, 1);
}

TEST_F(LeaderElectorTest, WaitsAsLongAsASeizedLeaseSays) {
  LeaseOptions cleanup = options("cleanup");
  cleanup.lease_duration = seconds(60);
  EXPECT_EQ(seize_lease(api_, cleanup, wall_), "") << "nobody had it";
  a_.elector.step();
  pass(seconds(59));
  a_.elector.step();
  EXPECT_FALSE(a_.elector.leads());
  cleanup.lease_duration = seconds(1);
  EXPECT_EQ(seize_lease(api_, cleanup, wall_), "cleanup");
  a_.elector.step();
  pass(seconds(2));
  a_.elector.step();
  EXPECT_TRUE(a_.elector.leads()) << "it was given back";
}

TEST_F(LeaderElectorTest, IsSeizedThoughItsLeaderRenewsItAtTheSameTime) {
  a_.elector.step();
  int renewals = 3;
  api_.before("replace", [&](const std::string&) {
    if (renewals-- <= 0) return;
    ASSERT_TRUE(api_.merge_patch(kLease, {{"spec", {{"renewTime", std::to_string(renewals)}}}}, ""));
  });
  EXPECT_EQ(seize_lease(api_, options("cleanup"), wall_), "a");
  EXPECT_EQ(holder(), "cleanup");
  EXPECT_EQ(api_.peek(kLease)["spec"]["leaseTransitions"], 1);
}

TEST_F(LeaderElectorTest, IsNotSeizedWithoutTheRight) {
  a_.elector.step();
  api_.fail_next("replace", {ErrorKind::kTerminal, "leases is forbidden"});
  EXPECT_THAT(seize_lease(api_, options("cleanup"), wall_).error().message, HasSubstr("forbidden"));
  EXPECT_EQ(holder(), "a");
}

}  // namespace
}  // namespace gopacer::kube
