// Questions to Prometheus servers, and what the pods' samples have of the answers.
#include "observe/query_reader.h"

#include <gmock/gmock.h>

#include "fakes/fake_clock.h"
#include "fakes/scripted_fetcher.h"
#include "gopacer/domain/histogram.h"
#include "observe/query_answer.h"
#include "observe/scraper.h"

namespace gopacer {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const ObjectKey kProfile{"shop", "checkout"};

std::string vector_of(const std::string& value) {
  return R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1.5,")" + value +
         R"("]}]}})";
}

PrometheusQuery asking(const std::string& query, const std::string& address = "") {
  PrometheusQuery out;
  out.address = address;
  out.query = query;
  return out;
}

class FakeSecrets final : public SecretSource {
 public:
  Result<SecretValue> read(const std::string& ns, const SecretKey& key) override {
    asked.push_back(ns + "/" + key.name + "/" + key.key);
    return answer;
  }
  Result<SecretValue> answer = SecretValue{"Bearer abc", "https://other/prefix/"};
  std::vector<std::string> asked;
};

class QueryTest : public testing::Test {
 protected:
  QueryTest() { make({"http://prometheus:9090", "https://other/prefix"}); }

  void make(std::vector<std::string> addresses) {
    ScraperOptions options;
    options.random = [] { return 0.0; };
    options.prometheus = std::move(addresses);
    scraper_ = std::make_unique<Scraper>(pods_, clock_, nullptr, nullptr, options, QueryPorts{&servers_, &secrets_});
  }

  static PodTarget pod(const std::string& name, Track track) {
    PodTarget target;
    target.pod = {"shop", name};
    target.uid = "uid-" + name;
    target.ip = "10.0.0.1";
    target.container = "app";
    target.track = track;
    return target;
  }

  void follow(PrometheusQuery query, std::vector<PodTarget> pods) {
    Slo slo;
    slo.name = "p99";
    slo.source = std::move(query);
    ScrapePlan plan;
    plan.target = "checkout";
    plan.pods = std::move(pods);
    plan.slos = {slo};
    plan.profiling = Profiling::kNever;
    scraper_->set_targets(kProfile, plan);
  }

  /// Lets the time go on and everything that is due happen; pods are read after the servers' answers.
  void pass(Duration time) {
    clock_.advance(time);
    scraper_->run_due();
    servers_.answer_all();
    pods_.answer_all();
  }

  PodSeries series(const std::string& name) const {
    for (const PodSeries& found : scraper_->snapshot(kProfile, clock_.now()).pods) {
      if (found.pod == name) return found;
    }
    ADD_FAILURE() << "no pod " << name;
    return {};
  }
  std::string why(const std::string& name = "c-1-x") const {
    const PodSeries found = series(name);
    return found.unread.contains("p99") ? found.unread.at("p99") : "";
  }

  FakeClock clock_{Time(seconds(1'800'000'000))};
  ScriptedFetcher pods_;
  ScriptedFetcher servers_;
  FakeSecrets secrets_;
  std::unique_ptr<Scraper> scraper_;
};

TEST_F(QueryTest, AsksForEachArmOncePerInterval) {
  servers_.on("prometheus/", {vector_of("0.25")});
  follow(asking("a{{{ arm }},{{ namespace }}/{{ target }},\"{{ pods }}\"}[{{ window }}] {{ other }}"),
         {pod("checkout-5d8f-a1", Track::kStable), pod("checkout-5d8f-b2", Track::kStable),
          pod("checkout-3-c-77-x", Track::kCanary)});
  pass(seconds(0));
  EXPECT_THAT(servers_.log,
              UnorderedElementsAre(
                  "prometheus/api/v1/query?query=a%7Btarget%2Cshop%2Fcheckout%2C%22checkout-5d8f-%5B%5E-%5D%2B%22"
                  "%7D%5B60000ms%5D%20%7B%7B%20other%20%7D%7D",
                  "prometheus/api/v1/query?query=a%7Bcanary%2Cshop%2Fcheckout%2C%22checkout-3-c-77-%5B%5E-%5D%2B%22"
                  "%7D%5B60000ms%5D%20%7B%7B%20other%20%7D%7D"));
  pass(seconds(14));
  EXPECT_EQ(servers_.log.size(), 2U);
  pass(seconds(1));
  EXPECT_EQ(servers_.log.size(), 4U);
}

TEST_F(QueryTest, TellsEachPodTheAnswerOfItsArmOnce) {
  servers_.on("prometheus/", {vector_of("0.25")});
  follow(asking("{{ pods }}"), {pod("c-1-x", Track::kCanary)});
  for (int i = 0; i < 3; ++i) pass(seconds(15));
  // The server is slow this time: the answer that is there was told already.
  clock_.advance(seconds(15));
  scraper_->run_due();
  pods_.answer_all();
  servers_.answer_all();
  const PodSeries read = series("c-1-x");
  EXPECT_EQ(why(), "");
  std::vector<double> counts;
  for (const Sample& sample : read.samples) {
    if (const auto found = sample.latency.find("p99"); found != sample.latency.end())
      counts.push_back(found->second.count());
  }
  EXPECT_THAT(counts, ElementsAre(1, 2, 3));
  EXPECT_NEAR(mean_of(read.samples.back().latency.at("p99")), 0.25, 1e-12);
}

TEST_F(QueryTest, TakesNoAnswerThatSpeaksOfATimeBeforeTheProcess) {
  servers_.on("prometheus/", {vector_of("0.25")});
  PodTarget young = pod("c-1-x", Track::kCanary);
  young.started = clock_.now();
  follow(asking("{{ pods }}"), {young});
  pass(seconds(45));
  EXPECT_THAT(series("c-1-x").samples, testing::SizeIs(0));
  pass(seconds(60));
  EXPECT_THAT(series("c-1-x").samples, testing::SizeIs(1));
}

TEST_F(QueryTest, SaysOfEachBadAnswerWhatToDo) {
  struct Row {
    ScriptedFetcher::Reply reply;
    const char* says;
  };
  const std::string head = R"({"status":"success","data":{"resultType":")";
  for (const Row& row : {
           Row{{head + R"(vector","result":[]}})"}, "the query for the canary gives nothing: no series matches"},
           Row{{head + R"(vector","result":[{"value":[1,"2"]},{"value":[1,"3"]}]}})"},
               "gives 2 series: let it give one number"},
           Row{{head + R"(matrix","result":[]}})"}, "gives no numbers of now but a matrix"},
           Row{{vector_of("NaN")}, "gives NaN, as a quantile or a ratio of nothing does"},
           Row{{vector_of("-1")}, "gives '-1', and only numbers from 0 on"},
           Row{{vector_of("+Inf")}, "gives '+Inf'"},
           Row{{"<html>login</html>"}, "is not answered as Prometheus does"},
           Row{{R"({"status":"error","data":[]})"}, "is not answered as Prometheus does"},
           Row{{std::string(1 << 17, '[')}, "gives hundreds of series"},
           Row{{"", 400}, "Prometheus at prometheus:9090 answered HTTP 400: it does not take the query"},
           Row{{"", 401}, "it asks for credentials; name a Secret"},
           Row{{"", 503}, "answered HTTP 503: look at its log"},
           Row{{"", 200, FetchFailure::kRedirected, "HTTP 302 is a redirect"},
               "gave no answer (HTTP 302 is a redirect)"},
           Row{{"", 200, FetchFailure::kTimedOut, "no complete answer in time"},
               "gave no answer (no complete answer in time)"},
           Row{{"", 200, FetchFailure::kTls, "TLS: self-signed"},
               "is not trusted (TLS: self-signed): give the operator the CA"},
           Row{{"", 200, FetchFailure::kTooLong, "x"}, "gives far more than one number"},
       }) {
    make({"http://prometheus:9090"});
    servers_.on("prometheus/", row.reply);
    follow(asking("{{ pods }}"), {pod("c-1-x", Track::kCanary)});
    pass(seconds(0));
    EXPECT_THAT(why(), HasSubstr(row.says));
    EXPECT_THAT(series("c-1-x").notes, Contains("SLO p99: " + why()));
  }
}

TEST_F(QueryTest, ForgetsAProblemWithTheNextAnswer) {
  servers_.on("prometheus/", {"", 503});
  follow(asking("{{ pods }}"), {pod("c-1-x", Track::kCanary)});
  pass(seconds(0));
  EXPECT_NE(why(), "");
  servers_.on("prometheus/", {vector_of("1")});
  pass(minutes(1));
  EXPECT_EQ(why(), "");
}

TEST_F(QueryTest, AsksOnlyTheServersThatTheOperatorWasGiven) {
  follow(asking("{{ pods }}", "http://169.254.169.254"), {pod("c-1-x", Track::kCanary)});
  pass(seconds(0));
  EXPECT_THAT(servers_.log, IsEmpty());
  EXPECT_THAT(why(), HasSubstr("'http://169.254.169.254' is not among the servers that the operator may ask"));
  follow(asking("{{ pods }}", "https://other/prefix"), {pod("c-1-x", Track::kCanary)});
  scraper_->run_due();
  ASSERT_EQ(servers_.pending(), 1U);
  EXPECT_TRUE(servers_.next().tls);
  EXPECT_EQ(servers_.next().port, 443);
  EXPECT_THAT(servers_.log, Contains(HasSubstr("other/prefix/api/v1/query?query=")));
  servers_.answer_all();
  make({});
  follow(asking("{{ pods }}"), {pod("c-1-x", Track::kCanary)});
  pass(seconds(0));
  EXPECT_THAT(why(), HasSubstr("the operator knows no Prometheus server"));
}

TEST_F(QueryTest, SendsTheTenantAndWhatTheSecretHas) {
  PrometheusQuery query = asking("{{ pods }}", "https://other/prefix");
  query.headers = {{"X-Scope-OrgID", "shop"}};
  query.authorization = SecretKey{"prom", "token"};
  follow(query, {pod("c-1-x", Track::kCanary)});
  pass(seconds(0));
  EXPECT_THAT(servers_.log, IsEmpty());
  EXPECT_THAT(why(), HasSubstr("Secret prom has not been read yet"));
  scraper_->read_secrets();
  EXPECT_THAT(secrets_.asked, ElementsAre("shop/prom/token"));
  clock_.advance(seconds(15));
  scraper_->run_due();
  ASSERT_EQ(servers_.pending(), 1U);
  EXPECT_EQ(servers_.next().authorization, "Bearer abc");
  EXPECT_EQ(servers_.next().headers.at("X-Scope-OrgID"), "shop");
  servers_.on("other/", {"", 401});
  servers_.answer_all();
  scraper_->read_secrets();
  EXPECT_EQ(secrets_.asked.size(), 2U) << "it was refused, and may be another one by now";
  scraper_->read_secrets();
  EXPECT_EQ(secrets_.asked.size(), 2U);
  clock_.advance(minutes(1));
  secrets_.answer = invalid("Secret shop/prom has no key token");
  scraper_->read_secrets();
  pass(seconds(0));
  EXPECT_THAT(why(), HasSubstr("Secret shop/prom has no key token"));
}

TEST_F(QueryTest, GoesOnWithWhatASecretHadWhereTheApiServerDoesNotAnswerForAMoment) {
  PrometheusQuery query = asking("{{ pods }}", "https://other/prefix");
  query.authorization = SecretKey{"prom", "token"};
  const auto good = secrets_.answer;
  secrets_.answer = retriable("Secret shop/prom can't be read");
  follow(query, {pod("c-1-x", Track::kCanary)});
  scraper_->read_secrets();
  pass(seconds(0));
  EXPECT_THAT(why(), HasSubstr("Secret shop/prom can't be read"));
  secrets_.answer = good;
  scraper_->read_secrets();
  EXPECT_EQ(secrets_.asked.size(), 2U) << "in the next round, and not in a minute";
  secrets_.answer = retriable("Secret shop/prom can't be read");
  clock_.advance(minutes(2));
  scraper_->read_secrets();
  scraper_->read_secrets();
  EXPECT_EQ(secrets_.asked.size(), 4U);
  scraper_->run_due();
  ASSERT_EQ(servers_.pending(), 1U);
  EXPECT_EQ(servers_.next().authorization, "Bearer abc");
}

TEST_F(QueryTest, ReadsEachSecretHoweverManyThereAre) {
  constexpr int kNamespaces = 100;
  for (int i = 0; i < kNamespaces; ++i) {
    PrometheusQuery query = asking("{{ pods }}", "https://other/prefix");
    query.authorization = SecretKey{"prom", "token"};
    Slo slo;
    slo.name = "p99";
    slo.source = query;
    ScrapePlan plan;
    plan.target = "checkout";
    plan.pods = {pod("c-1-x", Track::kCanary)};
    plan.slos = {slo};
    scraper_->set_targets({"team-" + std::to_string(i), "checkout"}, plan);
  }
  // A round takes so long that the first ones are due again before the last ones were read once.
  for (int round = 0; round < 8; ++round) {
    scraper_->read_secrets();
    clock_.advance(minutes(1));
  }
  std::map<std::string, int> times;
  for (const std::string& asked : secrets_.asked) ++times[asked];
  EXPECT_EQ(times.size(), 100U);
  for (const auto& [secret, count] : times) EXPECT_GE(count, 2) << secret;
}

TEST_F(QueryTest, SendsASecretOnlyToTheServerThatItNames) {
  PrometheusQuery query = asking("{{ pods }}", "https://other/prefix");
  query.authorization = SecretKey{"prom", "token"};
  secrets_.answer->server = "https://prometheus";
  follow(query, {pod("c-1-x", Track::kCanary)});
  scraper_->read_secrets();
  pass(seconds(0));
  EXPECT_THAT(servers_.log, IsEmpty());
  EXPECT_THAT(why(), HasSubstr("Secret prom is not for this server: its key 'address' has to have"));
}

TEST_F(QueryTest, BoundsWhatAQueryBecomes) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "{{ pods }}";
  std::vector<PodTarget> pods;
  for (int i = 0; i < 100; ++i) {
    pods.push_back(pod(std::string(200, 'c') + std::to_string(i) + "-x", Track::kCanary));
  }
  follow(asking(many), pods);
  pass(seconds(0));
  EXPECT_THAT(servers_.log, IsEmpty());
  EXPECT_THAT(why(pods.front().pod.name),
              HasSubstr("the query for the canary has more than 4096 characters once it is filled in"));
}

TEST_F(QueryTest, KeepsSecretsOffPlainHttp) {
  PrometheusQuery query = asking("{{ pods }}");
  query.authorization = SecretKey{"prom", "token"};
  follow(query, {pod("c-1-x", Track::kCanary)});
  scraper_->read_secrets();
  pass(seconds(0));
  EXPECT_THAT(servers_.log, IsEmpty());
  EXPECT_THAT(why(), HasSubstr("a Secret is only sent over https"));
}

TEST_F(QueryTest, AsksNothingMoreForAProfileThatIsGone) {
  servers_.on("prometheus/", {vector_of("1")});
  follow(asking("{{ pods }}"), {pod("c-1-x", Track::kCanary)});
  scraper_->run_due();
  scraper_->remove(kProfile);
  pass(minutes(5));
  EXPECT_EQ(servers_.log.size(), 1U) << "what was under way ends and changes nothing";
}

TEST(FilledIn, TakesTheInnermostBracesAndLeavesWhatItDoesNotKnow) {
  const std::map<std::string, std::string> values{{"arm", "canary"}};
  EXPECT_EQ(filled_in("{{{ arm }}}", values), "{canary}");
  EXPECT_EQ(filled_in("{{arm}} {{ other }} }} {{", values), "canary {{ other }} }} {{");
  EXPECT_EQ(filled_in("", values), "");
}

TEST(Matching, KnowsReplicaSetsByTheNamesOfTheirPods) {
  EXPECT_EQ(matching({"a.b-5d8f-x1", "a.b-5d8f-x2", "a.b-77-x3"}), "a[.]b-5d8f-[^-]+|a[.]b-77-[^-]+");
  EXPECT_EQ(matching({"single"}), "single");
  EXPECT_EQ(matching({}), "");
}

}  // namespace
}  // namespace gopacer
