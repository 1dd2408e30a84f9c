#include "kube/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fakes/api_server_imposter.h"
#include "fakes/pod_imposter.h"

namespace gopacer::kube {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using Request = ApiServerImposter::Request;
using Connection = ApiServerImposter::Connection;

const ResourceType kDeployments{"apps", "v1", "deployments", "Deployment", true};
const ResourceType kPods{"", "v1", "pods", "Pod", true};
const ResourceType kNodes{"", "v1", "nodes", "Node", false};
const ObjectPath kCheckout{kDeployments, "shop", "checkout"};
const Selection kAllPods{kPods, "", "", ""};

ClientOptions fast() {
  ClientOptions options;
  options.first_retry = milliseconds(1);
  options.request_timeout = seconds(20);
  return options;
}

std::string status(int code, const std::string& reason, const std::string& message,
                   const json& details = json::object()) {
  return json{{"kind", "Status"}, {"status", "Failure"}, {"code", code},
              {"reason", reason}, {"message", message},  {"details", details}}
      .dump();
}

std::string event(const std::string& type, const json& object) {
  return json{{"type", type}, {"object", object}}.dump() + "\n";
}

json pod(const std::string& name, int version) {
  return {{"kind", "Pod"}, {"metadata", {{"name", name}, {"resourceVersion", std::to_string(version)}}}};
}

/// A client of an imposter.
struct Pair {
  explicit Pair(ApiServerImposter::Handler handler, const ClientOptions& options = fast(), ClusterConfig config = {})
      : server(std::move(handler)) {
    config.server = server.url();
    client = Client::open(config, make_token_source(config), options).value();
  }
  ApiServerImposter server;
  std::unique_ptr<Client> client;
};

TEST(Client, AsksForAnObjectByItsPath) {
  ClusterConfig config;
  config.token = "secret";
  Pair pair([](const Request&, Connection& c) { c.reply(200, R"({"kind": "Deployment"})"); }, fast(), config);
  EXPECT_EQ(pair.client->get(kCheckout).value()["kind"], "Deployment");
  const Request request = pair.server.requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/apis/apps/v1/namespaces/shop/deployments/checkout");
  EXPECT_EQ(request.headers.at("authorization"), "Bearer secret");
  EXPECT_EQ(request.headers.at("accept"), "application/json");
  EXPECT_EQ(request.headers.at("user-agent"), "gopacer");
}

TEST(Client, KeepsItsConnection) {
  Pair pair([](const Request&, Connection& c) { c.reply(200, "{}"); });
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair.client->get(kCheckout));
  // The library gives a connection back a moment after its answer.
  EXPECT_LT(pair.server.connections(), 10);
}

TEST(Client, ComesBackAfterTheServerClosedAnIdleConnection) {
  Pair pair([](const Request&, Connection& c) {
    c.reply(200, "{}");
    c.cut();
  });
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(pair.client->get(kCheckout));
}

TEST(Client, TellsErrorsApartByWhatCanBeDoneAboutThem) {
  const std::vector<std::tuple<int, std::string, ErrorKind>> cases = {
      {400, status(400, "BadRequest", "m"), ErrorKind::kTerminal},
      {401, status(401, "Unauthorized", "m"), ErrorKind::kTerminal},
      {403, status(403, "Forbidden", "m"), ErrorKind::kTerminal},
      {404, status(404, "NotFound", "m"), ErrorKind::kNotFound},
      {404, "404 page not found\n", ErrorKind::kNotFound},
      {409, status(409, "AlreadyExists", "m"), ErrorKind::kConflict},
      {409, status(409, "Conflict", "m"), ErrorKind::kConflict},
      {410, status(410, "Expired", "m"), ErrorKind::kExpired},
      {415, status(415, "UnsupportedMediaType", "m"), ErrorKind::kTerminal},
      {422, status(422, "Invalid", "m"), ErrorKind::kTerminal},
      {429, status(429, "TooManyRequests", "m"), ErrorKind::kRetriable},
      {500, status(500, "InternalError", "m"), ErrorKind::kRetriable},
      {502, "<html>bad gateway</html>", ErrorKind::kRetriable},
      {503, status(503, "ServiceUnavailable", "m"), ErrorKind::kRetriable},
      {504, status(504, "Timeout", "m"), ErrorKind::kRetriable},
      {302, "", ErrorKind::kTerminal},
  };
  std::size_t next = 0;
  Pair pair([&](const Request&, Connection& c) {
    c.reply(std::get<0>(cases[next]), std::get<1>(cases[next]), "Location: http://127.0.0.1:1/\r\n");
  });
  for (; next < cases.size(); ++next) {
    const auto got = pair.client->create(kDeployments, "shop", {{"metadata", {{"name", "x"}}}});
    ASSERT_FALSE(got) << next;
    EXPECT_EQ(got.error().kind, std::get<2>(cases[next])) << std::get<0>(cases[next]) << " " << got.error().message;
    EXPECT_THAT(got.error().message, HasSubstr("cannot create Deployment shop/x: "));
  }
}

TEST(Client, SaysWhichKindIsNotServed) {
  Pair pair([](const Request&, Connection& c) { c.reply(404, "404 page not found\n"); });
  const auto got =
      pair.client->list({{"gopacer.dev", "v1alpha1", "goruntimeprofiles", "GoRuntimeProfile", true}, "", "", ""}, "");
  EXPECT_THAT(got.error().message, HasSubstr("does not serve goruntimeprofiles of gopacer.dev/v1alpha1"));
  EXPECT_THAT(got.error().message, HasSubstr("CustomResourceDefinition"));
}

TEST(Client, AnApplyThatAnotherManagerStandsAgainstNamesIt) {
  Pair pair([](const Request&, Connection& c) {
    c.reply(409, status(409, "Conflict", "Apply failed with 1 conflict: conflict with \"kubectl-set\": .spec",
                        {{"causes",
                          {{{"reason", "FieldManagerConflict"},
                            {"message", "conflict with \"kubectl-set\""},
                            {"field", ".spec"}}}}}));
  });
  const auto got = pair.client->apply(kCheckout, {{"spec", json::object()}}, {});
  EXPECT_EQ(got.error().kind, ErrorKind::kOwned);
  EXPECT_THAT(
      got.error().message,
      HasSubstr("cannot apply Deployment shop/checkout: Apply failed with 1 conflict: conflict with \"kubectl-set\""));
}

TEST(Client, TellsTheCausesThatTheMessageLeavesOut) {
  Pair pair([](const Request&, Connection& c) {
    c.reply(422, status(422, "Invalid", "it is invalid",
                        {{"causes",
                          {{{"message", "must be at least 1"}, {"field", "spec.canary.replicas"}},
                           {{"message", "it is invalid"}}}}}));
  });
  EXPECT_THAT(pair.client->create(kPods, "shop", json::object()).error().message,
              HasSubstr("it is invalid; spec.canary.replicas: must be at least 1"));
}

TEST(Client, AppliesAsGopacerAndNeverByForce) {
  Pair pair([](const Request&, Connection& c) { c.reply(200, "{}"); });
  ASSERT_TRUE(pair.client->apply(kCheckout, {{"spec", {{"a", 1}}}}, {true, ""}));
  const Request request = pair.server.requests().at(0);
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.target,
            "/apis/apps/v1/namespaces/shop/deployments/checkout?fieldManager=gopacer&force=false&dryRun=All");
  EXPECT_EQ(request.headers.at("content-type"), "application/apply-patch+yaml");
  const json body = json::parse(request.body);
  EXPECT_EQ(body["apiVersion"], "apps/v1");
  EXPECT_EQ(body["kind"], "Deployment");
  EXPECT_EQ(body["metadata"]["name"], "checkout");
  EXPECT_EQ(body["spec"]["a"], 1);
}

TEST(Client, PatchesTheStatus) {
  Pair pair([](const Request&, Connection& c) { c.reply(200, "{}"); });
  ASSERT_TRUE(pair.client->merge_patch(kCheckout, {{"status", {{"a", nullptr}}}}, "status"));
  const Request request = pair.server.requests().at(0);
  EXPECT_EQ(request.target, "/apis/apps/v1/namespaces/shop/deployments/checkout/status?fieldManager=gopacer");
  EXPECT_EQ(request.headers.at("content-type"), "application/merge-patch+json");
  EXPECT_EQ(request.body, R"({"status":{"a":null}})");
}

TEST(Client, DeletesInTheBackgroundAndOnlyTheObjectThatIsMeant) {
  Pair pair([](const Request&, Connection& c) { c.reply(200, "{}"); });
  ASSERT_TRUE(pair.client->remove(kCheckout, "u-1"));
  const json body = json::parse(pair.server.requests().at(0).body);
  EXPECT_EQ(body["propagationPolicy"], "Background");
  EXPECT_EQ(body["preconditions"]["uid"], "u-1");
}

TEST(Client, DeletingWhatIsGoneIsWell) {
  Pair pair([](const Request&, Connection& c) { c.reply(404, status(404, "NotFound", "m")); });
  EXPECT_TRUE(pair.client->remove(kCheckout, ""));
}

TEST(Client, RetriesReadsAndRespectsRetryAfter) {
  std::atomic<int> calls = 0;
  Pair pair([&](const Request&, Connection& c) {
    if (++calls == 1) {
      c.reply(503, "");
    } else if (calls == 2) {
      c.reply(429, status(429, "TooManyRequests", "slow down"), "Retry-After: 1\r\n");
    } else {
      c.reply(200, "{}");
    }
  });
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(pair.client->get(kCheckout));
  EXPECT_EQ(calls, 3);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, seconds(1));
}

TEST(Client, GivesUpReadsInTheEnd) {
  Pair pair([](const Request&, Connection& c) { c.reply(503, ""); });
  EXPECT_FALSE(pair.client->get(kCheckout));
  EXPECT_EQ(pair.server.requests().size(), 4);
}

TEST(Client, ReturnsALongRetryAfterInsteadOfWaiting) {
  Pair pair([](const Request&, Connection& c) { c.reply(429, "", "Retry-After: 60\r\n"); });
  const auto got = pair.client->get(kCheckout);
  EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
  EXPECT_EQ(got.error().retry_after, seconds(60));
  EXPECT_EQ(pair.server.requests().size(), 1);
}

TEST(Client, LeavesRetryingOfWritesToItsCaller) {
  Pair pair([](const Request&, Connection& c) { c.reply(503, ""); });
  EXPECT_FALSE(pair.client->apply(kCheckout, json::object(), {}));
  EXPECT_EQ(pair.server.requests().size(), 1);
}

TEST(Client, ReadsTheTokenAgainWhenItIsRefused) {
  const std::string path = testing::TempDir() + "gopacer-token";
  std::ofstream(path) << "old\n";
  ClusterConfig config;
  config.token_file = path;
  Pair pair(
      [&](const Request& request, Connection& c) {
        if (request.headers.at("authorization") == "Bearer new") {
          c.reply(200, "{}");
        } else {
          std::ofstream(path) << "new\n";
          c.reply(401, status(401, "Unauthorized", "expired"));
        }
      },
      fast(), config);
  EXPECT_TRUE(pair.client->create(kPods, "shop", json::object()));
  EXPECT_EQ(pair.server.requests().size(), 2);
  std::filesystem::remove(path);
}

TEST(Client, ListsPageByPage) {
  Pair pair([](const Request& request, Connection& c) {
    const bool second = request.target.find("continue=") != std::string::npos;
    c.reply(200, json{{"metadata", {{"resourceVersion", "42"}, {"continue", second ? "" : "a+b/c="}}},
                      {"items", {pod(second ? "b" : "a", 1)}}}
                     .dump());
  });
  const Selection selection{kPods, "shop", "app=checkout,!x", "spec.nodeName=n1"};
  const ListPage first = pair.client->list(selection, "").value();
  EXPECT_EQ(first.continue_token, "a+b/c=");
  EXPECT_EQ(first.resource_version, "42");
  const ListPage second = pair.client->list(selection, first.continue_token).value();
  EXPECT_EQ(second.items.at(0)["metadata"]["name"], "b");
  EXPECT_EQ(second.continue_token, "");
  EXPECT_EQ(
      pair.server.requests().at(1).target,
      "/api/v1/namespaces/shop/"
      "pods?limit=500&continue=a%2Bb%2Fc%3D&labelSelector=app%3Dcheckout%2C%21x&fieldSelector=spec.nodeName%3Dn1");
}

TEST(Client, ListsClusterScopedAndAllNamespaces) {
  Pair pair([](const Request&, Connection& c) { c.reply(200, R"({"items": null})"); });
  EXPECT_TRUE(pair.client->list({kNodes, "", "", ""}, "")->items.empty());
  EXPECT_TRUE(pair.client->list({kDeployments, "", "", ""}, ""));
  EXPECT_EQ(pair.server.requests().at(0).target, "/api/v1/nodes?limit=500");
  EXPECT_EQ(pair.server.requests().at(1).target, "/apis/apps/v1/deployments?limit=500");
}

TEST(Client, AsksForSmallerPagesWhenObjectsAreFat) {
  ClientOptions options = fast();
  options.most_bytes = 100'000;
  Pair pair(
      [](const Request& request, Connection& c) {
        const int limit = std::stoi(request.target.substr(request.target.find("limit=") + 6));
        json items = json::array();
        for (int i = 0; i < limit; ++i)
          items.push_back(
              {{"metadata", {{"name", std::to_string(i)}, {"annotations", {{"fat", std::string(1000, 'x')}}}}}});
        c.reply(200, json{{"items", items}, {"metadata", {{"continue", "more"}}}}.dump());
      },
      options);
  const auto page = pair.client->list(kAllPods, "");
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->items.size(), 50);
  EXPECT_EQ(page->continue_token, "more");
}

/// An API server with many pods, some of them as fat as wanted; its continue token is the next pod's number.
ApiServerImposter::Handler pods_of_sizes(std::vector<std::size_t> sizes) {
  return [sizes = std::move(sizes)](const Request& request, Connection& c) {
    const auto number = [&](const std::string& name) {
      const auto at = request.target.find(name + "=");
      return at == std::string::npos ? 0 : std::stoul(request.target.substr(at + name.size() + 1));
    };
    json items = json::array();
    std::size_t next = number("continue");
    for (std::size_t end = std::min(sizes.size(), next + number("limit")); next < end; ++next) {
      json one = pod("p" + std::to_string(next), 7);
      one["metadata"]["namespace"] = "shop";
      one["spec"]["fat"] = std::string(sizes[next], 'x');
      items.push_back(std::move(one));
    }
    const std::string rest = next < sizes.size() ? std::to_string(next) : "";
    c.reply(200,
            json{{"kind", "PodList"}, {"metadata", {{"resourceVersion", "42"}, {"continue", rest}}}, {"items", items}}
                .dump());
  };
}

struct Listed {
  std::vector<std::string> names;
  std::vector<std::string> unreadable;
};

Listed list_all(Client& client) {
  Listed listed;
  std::string token;
  do {
    const ListPage page = client.list(kAllPods, token).value();
    EXPECT_EQ(page.resource_version, "42");
    for (const json& item : page.items) listed.names.push_back(item["metadata"]["name"]);
    for (const json& outline : page.unreadable) {
      listed.unreadable.push_back(outline["metadata"]["namespace"].get<std::string>() + "/" +
                                  outline["metadata"]["name"].get<std::string>());
      EXPECT_EQ(outline["metadata"]["resourceVersion"], "7");
      EXPECT_THAT(outline["message"].get<std::string>(), HasSubstr("bytes as JSON"));
    }
    token = page.continue_token;
  } while (!token.empty());
  return listed;
}

TEST(Client, SkipsAnObjectThatNoPageHoldsAndListsTheOthers) {
  ClientOptions options = fast();
  options.most_bytes = 10'000;
  Pair pair(pods_of_sizes({10, 20'000, 10, 10, 20'000}), options);
  const Listed listed = list_all(*pair.client);
  EXPECT_THAT(listed.names, ElementsAre("p0", "p2", "p3"));
  EXPECT_THAT(listed.unreadable, ElementsAre("shop/p1", "shop/p4"));
}

TEST(Client, SkipsAnObjectOfAListWhoseTokenComesLast) {
  ClientOptions options = fast();
  options.most_bytes = 10'000;
  // As custom resources are listed: members in the order of the alphabet.
  Pair pair(
      [](const Request&, Connection& c) {
        c.reply(200, R"({"apiVersion": "x/v1", "items": [{"kind": "X", "metadata": {"annotations": {"a": ")" +
                         std::string(50'000, 'x') +
                         R"("}, "name": "fat", "namespace": "shop", "resourceVersion": "7"}}], "kind": "XList",)"
                         R"( "metadata": {"continue": "next", "resourceVersion": "42"}})");
      },
      options);
  const ListPage page = pair.client->list(kAllPods, "").value();
  EXPECT_EQ(page.continue_token, "next");
  EXPECT_EQ(page.resource_version, "42");
  EXPECT_EQ(page.unreadable.at(0)["metadata"]["name"], "fat");
}

TEST(Client, SkipsAnObjectThatIsNestedTooDeep) {
  Pair pair([](const Request&, Connection& c) {
    c.reply(200, R"({"metadata": {"resourceVersion": "42"}, "items": [{"metadata": {"name": "deep"}, "spec": )" +
                     std::string(100'000, '[') + std::string(100'000, ']') + "}]}");
  });
  const ListPage page = pair.client->list(kAllPods, "").value();
  EXPECT_TRUE(page.items.empty());
  EXPECT_EQ(page.unreadable.at(0)["metadata"]["name"], "deep");
}

TEST(Client, ReadsAnObjectThatIsLargerThanAPageOnAPageOfItsOwn) {
  ClientOptions options = fast();
  options.most_bytes = 100'000;
  options.most_page_bytes = 10'000;
  Pair pair(pods_of_sizes({6'000, 6'000, 50'000, 100, 100, 200'000}), options);
  const Listed listed = list_all(*pair.client);
  EXPECT_THAT(listed.names, ElementsAre("p0", "p1", "p2", "p3", "p4"));
  EXPECT_THAT(listed.unreadable, ElementsAre("shop/p5"));
  EXPECT_THAT(pair.server.requests().at(3).target, HasSubstr("limit=1")) << "after 500, 50 and 5";
}

TEST(Client, RemembersTheSizeOfPageThatFitted) {
  ClientOptions options = fast();
  options.most_bytes = 100'000;
  Pair pair(pods_of_sizes(std::vector<std::size_t>(200, 1000)), options);
  EXPECT_EQ(list_all(*pair.client).names.size(), 200);
  const std::size_t first = pair.server.requests().size();
  EXPECT_EQ(first, 5) << "of 500 nothing fits; then four pages of 50";
  EXPECT_EQ(list_all(*pair.client).names.size(), 200);
  EXPECT_EQ(pair.server.requests().size() - first, 4) << "the next list begins with what fitted";
}

TEST(Client, AsksForMoreAgainWhenObjectsAreSmall) {
  ClientOptions options = fast();
  options.most_bytes = 100'000;
  std::vector<std::size_t> sizes(1000, 1);
  sizes[0] = 200'000;
  Pair pair(pods_of_sizes(sizes), options);
  const Listed listed = list_all(*pair.client);
  EXPECT_EQ(listed.names.size(), 999);
  EXPECT_LT(pair.server.requests().size(), 20) << "one fat object must not make a thousand requests";
}

TEST(Client, AsksForATokenOfAnotherAccount) {
  Pair pair([](const Request&, Connection& c) {
    c.reply(201, R"({"spec": {"expirationSeconds": 600}, "status": {"token": "abc"}})");
  });
  const IssuedToken token = pair.client->request_token("gopacer", "gopacer-kubelet", seconds(1200)).value();
  EXPECT_EQ(token.token, "abc");
  EXPECT_EQ(token.life, Duration(seconds(600))) << "the server's word counts";
  const Request request = pair.server.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/api/v1/namespaces/gopacer/serviceaccounts/gopacer-kubelet/token");
  EXPECT_EQ(json::parse(request.body)["kind"], "TokenRequest");
  EXPECT_EQ(json::parse(request.body)["spec"]["expirationSeconds"], 1200);
}

TEST(ClientTls, ReadsTheAuthoritiesAgainWhenTheFileChanges) {
  const TestCertificates certificates = make_certificates("127.0.0.1");
  PodImposter server("127.0.0.1", &certificates);
  server.on("/", Page{"{}", 200, "application/json"});
  const std::string path = testing::TempDir() + "gopacer-api-ca-" + std::to_string(::getpid()) + ".pem";
  const auto write = [&](const std::string& text) {
    // As a mounted volume does it: another file under the same name.
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  };
  ClusterConfig config;
  config.server = "https://127.0.0.1:" + std::to_string(server.port());
  config.ca = make_certificates("127.0.0.1").ca_pem;
  config.ca_file = path;
  write(config.ca);
  ClientOptions options = fast();
  options.read_retries = 0;
  const auto client = Client::open(config, make_token_source(config), options).value();
  EXPECT_FALSE(client->get(kCheckout)) << "another authority";
  write("half a certif");
  EXPECT_FALSE(client->get(kCheckout));
  write(certificates.ca_pem);
  const auto got = client->get(kCheckout);
  EXPECT_TRUE(got) << got.error().message;
  std::filesystem::remove(path);
}

TEST(Client, GivesUpAnEndlessAnswer) {
  ClientOptions options = fast();
  options.most_bytes = 1 << 20;
  std::atomic<bool> hung_up = false;
  Pair pair(
      [&](const Request&, Connection& c) {
        c.begin();
        const std::string block(65536, 'x');
        while (c.chunk(block)) {
        }
        hung_up = true;
      },
      options);
  const auto got = pair.client->get(kCheckout);
  EXPECT_THAT(got.error().message, HasSubstr("cannot get Deployment shop/checkout: the answer is too large"));
  EXPECT_EQ(got.error().kind, ErrorKind::kTerminal);
  while (!hung_up) std::this_thread::yield();
}

TEST(Client, GivesUpASlowDrip) {
  ClientOptions options = fast();
  options.request_timeout = milliseconds(300);
  options.read_retries = 0;
  Pair pair(
      [](const Request&, Connection& c) {
        c.begin();
        // Never silent for long, and never done.
        while (c.chunk("x")) std::this_thread::sleep_for(milliseconds(20));
      },
      options);
  const auto begun = std::chrono::steady_clock::now();
  const auto got = pair.client->get(kCheckout);
  EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
  EXPECT_THAT(got.error().message, HasSubstr("no answer for"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(5));
}

TEST(Client, GivesUpAServerThatNeverAnswers) {
  ClientOptions options = fast();
  options.request_timeout = milliseconds(200);
  options.read_retries = 0;
  Pair pair([](const Request&, Connection& c) { c.wait_for_close(); }, options);
  EXPECT_EQ(pair.client->get(kCheckout).error().kind, ErrorKind::kRetriable);
}

TEST(Client, SeesAnAnswerThatBreaksOffInTheMiddle) {
  ClientOptions options = fast();
  options.read_retries = 0;
  Pair chunked(
      [](const Request&, Connection& c) {
        c.begin();
        c.chunk(R"({"kind": )");
        c.cut();
      },
      options);
  EXPECT_EQ(chunked.client->get(kCheckout).error().kind, ErrorKind::kRetriable);
  Pair sized(
      [](const Request&, Connection& c) {
        c.raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}");
        c.cut();
      },
      options);
  const auto got = sized.client->get(kCheckout);
  ASSERT_FALSE(got) << "half an answer must not pass for a whole one";
  EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
}

TEST(Client, RefusesWhatIsNotJson) {
  ClientOptions options = fast();
  options.read_retries = 0;
  for (const char* body : {"<html>login</html>", "", "[1]", "{\"a\": ", "nul"}) {
    Pair pair([&](const Request&, Connection& c) { c.reply(200, body); }, options);
    EXPECT_THAT(pair.client->get(kCheckout).error().message, HasSubstr("is not JSON")) << body;
    EXPECT_FALSE(pair.client->list(kAllPods, "")) << body;
  }
}

TEST(Client, SurvivesGarbageInsteadOfHttp) {
  ClientOptions options = fast();
  options.read_retries = 0;
  for (const char* bytes : {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
                            "\r\n\r\n", "HTTP/1.1 abc\r\n\r\n"}) {
    Pair pair(
        [&](const Request&, Connection& c) {
          c.raw(bytes);
          c.cut();
        },
        options);
    EXPECT_FALSE(pair.client->get(kCheckout)) << bytes;
  }
}

TEST(Client, NamesTheServerThatCannotBeReached) {
  ClusterConfig config;
  {
    const ApiServerImposter gone([](const Request&, Connection&) {});
    config.server = gone.url();
  }
  ClientOptions options = fast();
  options.read_retries = 0;
  const auto client = Client::open(config, make_token_source(config), options).value();
  const auto got = client->get(kCheckout);
  EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
  EXPECT_THAT(got.error().message, HasSubstr(config.server));
}

TEST(Client, RefusesCredentialsThatCannotBeUsedAtOnce) {
  ClusterConfig config;
  config.server = "https://127.0.0.1:1";
  config.ca = "not a certificate";
  EXPECT_THAT(Client::open(config, make_token_source(config), {}).error().message, HasSubstr("certificate authority"));
  config.ca.clear();
  config.client_certificate = config.client_key = "nonsense";
  EXPECT_THAT(Client::open(config, make_token_source(config), {}).error().message, HasSubstr("client certificate"));
  config = {};
  config.server = "https://[::1]:6443";
  EXPECT_THAT(Client::open(config, make_token_source(config), {}).error().message, HasSubstr("IPv6"));
}

TEST(Client, KnowsWhetherAKindIsServed) {
  Pair pair([](const Request& request, Connection& c) {
    if (request.target == "/apis/apps/v1") {
      c.reply(200, R"({"resources": [{"name": "deployments"}, {"name": "deployments/status"}]})");
    } else {
      c.reply(404, "404 page not found\n");
    }
  });
  EXPECT_EQ(pair.client->kind_is_served(kDeployments), true);
  EXPECT_EQ(pair.client->kind_is_served({"apps", "v1", "trees", "Tree", true}), false);
  EXPECT_EQ(pair.client->kind_is_served({"gopacer.dev", "v1alpha1", "x", "X", true}), false);
}

TEST(Client, CutOffEndsWhatRunsAndSendsNothingMore) {
  std::atomic<int> hanging = 0;
  Pair pair([&](const Request& request, Connection& c) {
    if (request.target.find("watch=1") != std::string::npos) c.begin();
    ++hanging;
    c.wait_for_close();
  });
  std::jthread writing([&] {
    const auto got = pair.client->create(kDeployments, "shop", {{"metadata", {{"name", "x"}}}});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
  });
  std::jthread watching([&] {
    EXPECT_FALSE(pair.client->watch(kAllPods, "5", [](WatchEventType, const json&) {}, {}))
        << "it did not end by itself";
  });
  while (hanging < 2) std::this_thread::yield();
  pair.client->cut_off();
  writing.join();
  watching.join();
  EXPECT_FALSE(pair.client->get(kCheckout));
  EXPECT_FALSE(pair.client->watch(kAllPods, "5", [](WatchEventType, const json&) {}, {}));
  EXPECT_EQ(pair.server.requests().size(), 2);
}

// Watches.

struct Heard {
  std::vector<std::string> events;
  std::function<void(WatchEventType, const json&)> listener() {
    return [this](WatchEventType type, const json& object) {
      static const std::array<const char*, 5> kNames{"added", "modified", "deleted", "bookmark", "unreadable"};
      events.push_back(std::string(kNames.at(static_cast<std::size_t>(type))) + " " +
                       object["metadata"].value("name", ""));
    };
  }
};

TEST(Watch, DeliversEventsHoweverTheyAreCut) {
  Pair pair([](const Request&, Connection& c) {
    const std::string all =
        event("ADDED", pod("a", 1)) + event("MODIFIED", pod("a", 2)) + "\n" + event("DELETED", pod("a", 3)) +
        event("BOOKMARK", {{"kind", "Pod"}, {"metadata", {{"resourceVersion", "9"}}}}) + event("NOVELTY", pod("b", 1));
    c.begin();
    for (std::size_t at = 0; at < all.size(); at += 7) c.chunk(all.substr(at, 7));
    c.end();
  });
  Heard heard;
  ASSERT_TRUE(pair.client->watch(kAllPods, "5", heard.listener(), {}));
  EXPECT_THAT(heard.events, ElementsAre("added a", "modified a", "deleted a", "bookmark "));
  EXPECT_EQ(pair.server.requests().at(0).target,
            "/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=290");
}

TEST(Watch, KnowsThatItsVersionIsTooOld) {
  Pair pair([](const Request&, Connection& c) {
    c.begin();
    c.chunk(event("ADDED", pod("a", 1)) +
            event("ERROR", json::parse(status(410, "Expired", "too old resource version: 5 (100)"))));
    c.end();
  });
  Heard heard;
  const auto got = pair.client->watch(kAllPods, "5", heard.listener(), {});
  EXPECT_EQ(got.error().kind, ErrorKind::kExpired);
  EXPECT_THAT(got.error().message, HasSubstr("cannot watch pods in all namespaces: too old resource version"));
  EXPECT_THAT(heard.events, ElementsAre("added a"));

  Pair refused([](const Request&, Connection& c) { c.reply(410, status(410, "Expired", "too old")); });
  EXPECT_EQ(refused.client->watch(kAllPods, "5", heard.listener(), {}).error().kind, ErrorKind::kExpired);
}

TEST(Watch, SeesThatItsConnectionBroke) {
  Pair pair([](const Request&, Connection& c) {
    c.begin();
    c.chunk(event("ADDED", pod("a", 1)));
    c.cut();
  });
  Heard heard;
  const auto got = pair.client->watch(kAllPods, "5", heard.listener(), {});
  ASSERT_FALSE(got) << "a broken stream must not pass for one that the server ended";
  EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
  EXPECT_THAT(heard.events, ElementsAre("added a"));
}

TEST(Watch, StopsInTheMiddleOfSilence) {
  std::atomic<bool> open = false;
  std::atomic<bool> closed = false;
  Pair pair([&](const Request&, Connection& c) {
    c.begin();
    open = true;
    c.wait_for_close();
    closed = true;
  });
  Heard heard;
  std::jthread watching(
      [&](const std::stop_token& stop) { EXPECT_TRUE(pair.client->watch(kAllPods, "5", heard.listener(), stop)); });
  while (!open) std::this_thread::yield();
  watching.request_stop();
  watching.join();
  while (!closed) std::this_thread::yield();
}

TEST(Watch, MayStopAtAnyInstantOfAReading) {
  // The library's sockets are no friends of several threads: one that closed what another was about to read crashed.
  Pair pair([](const Request&, Connection& c) {
    c.begin();
    while (c.chunk("\n")) {
    }
  });
  std::vector<std::jthread> watchers;
  for (int watcher = 0; watcher < 4; ++watcher) {
    watchers.emplace_back([&pair, watcher] {
      for (int i = 0; i < 100; ++i) {
        std::stop_source stop;
        std::jthread stopping([&stop, watcher, i] {
          std::this_thread::sleep_for(std::chrono::microseconds(500 + 37 * ((watcher + 4 * i) % 50)));
          stop.request_stop();
        });
        EXPECT_TRUE(pair.client->watch(kAllPods, "5", Heard().listener(), stop.get_token()));
      }
    });
  }
}

TEST(Watch, EndsWhenTheServerIsSilentForTooLong) {
  ClientOptions options = fast();
  options.watch_timeout = seconds(-20) + milliseconds(200);
  Pair pair(
      [](const Request&, Connection& c) {
        c.begin();
        c.wait_for_close();
      },
      options);
  const auto got = pair.client->watch(kAllPods, "5", Heard().listener(), {});
  EXPECT_EQ(got.error().kind, ErrorKind::kRetriable);
}

TEST(Watch, RefusesAnEventWithoutEnd) {
  ClientOptions options = fast();
  options.most_event_bytes = 1 << 20;
  Pair pair(
      [](const Request&, Connection& c) {
        c.begin();
        const std::string block(65536, 'x');
        while (c.chunk(block)) {
        }
      },
      options);
  EXPECT_THAT(pair.client->watch(kAllPods, "5", Heard().listener(), {}).error().message,
              HasSubstr("cannot watch pods in all namespaces: a line of more than"));
}

TEST(Watch, ListsAgainAfterWhatIsNoEvent) {
  for (const char* line : {"garbage\n", "[]\n", "{\"type\": \"ADDED\"}\n", "{\"type\": \"ADDED\", \"object\": 5}\n",
                           "{\"type\": \"ERROR\", \"object\": {\"code\": 500}}\n",
                           "{\"type\": \"ADDED\", \"object\": {\"metadata\": \n"}) {
    Pair pair([&](const Request&, Connection& c) {
      c.begin();
      c.chunk(line);
      c.end();
    });
    const auto got = pair.client->watch(kAllPods, "5", Heard().listener(), {});
    ASSERT_FALSE(got) << line;
    EXPECT_EQ(got.error().kind, ErrorKind::kExpired) << "watched from the same version it would come again: " << line;
  }
}

TEST(Watch, SkipsWhatItCannotReadAndGoesOn) {
  ClientOptions options = fast();
  options.most_event_bytes = 20'000;
  Pair pair(
      [](const Request&, Connection& c) {
        json fat = pod("fat", 6);
        fat["spec"]["env"] = std::string(50'000, 'x');
        json deep = pod("deep", 7);
        std::string deep_line = event("ADDED", deep);
        deep_line.replace(deep_line.find("\"Pod\""), 5, std::string(1000, '[') + std::string(1000, ']'));
        std::string broken = event("MODIFIED", pod("broken", 8));
        broken.replace(broken.find("\"Pod\""), 5, "oops");
        json gone = pod("gone", 9);
        gone["spec"]["env"] = std::string(50'000, 'x');
        c.begin();
        c.chunk(event("ADDED", fat) + deep_line + broken + event("DELETED", gone) + event("ADDED", pod("b", 10)));
        c.end();
      },
      options);
  Heard heard;
  ASSERT_TRUE(pair.client->watch(kAllPods, "5", heard.listener(), {}));
  EXPECT_THAT(heard.events,
              ElementsAre("unreadable fat", "unreadable deep", "unreadable broken", "deleted gone", "added b"));
}

TEST(Watch, SkipsWhatHasTooManyValues) {
  Pair pair([](const Request&, Connection& c) {
    json dense = pod("dense", 7);
    dense["spec"]["args"] = std::vector<int>(120'000, 1);
    c.begin();
    c.chunk(event("ADDED", dense) + event("ADDED", pod("b", 10)));
    c.end();
  });
  Heard heard;
  ASSERT_TRUE(pair.client->watch(kAllPods, "5", heard.listener(), {}));
  EXPECT_THAT(heard.events, ElementsAre("unreadable dense", "added b"));
}

TEST(Watch, HoldsTheServerBackWhenItsListenerIsSlow) {
  constexpr std::size_t kBytes = 64U << 20U;
  Pair pair([](const Request&, Connection& c) {
    json fat = pod("a", 1);
    fat["x"] = std::string(60'000, 'x');
    const std::string line = event("ADDED", fat);
    c.begin();
    for (std::size_t sent = 0; sent < kBytes && c.chunk(line); sent += line.size()) {
    }
    c.end();
  });
  std::size_t events = 0;
  std::size_t written_while_blocked = 0;
  ASSERT_TRUE(pair.client->watch(kAllPods, "5",
                                 [&](WatchEventType, const json&) {
                                   if (++events != 1) return;
                                   // Until the server has written nothing more for a while.
                                   std::size_t before = 0;
                                   while (pair.server.written() != before) {
                                     before = pair.server.written();
                                     std::this_thread::sleep_for(milliseconds(300));
                                   }
                                   written_while_blocked = before;
                                 },
                                 {}));
  EXPECT_LT(written_while_blocked, kBytes / 2);
  EXPECT_GT(events * 60'000, kBytes - 200'000);
}

TEST(Watch, OthersGoOnMeanwhile) {
  std::atomic<bool> open = false;
  Pair pair([&](const Request& request, Connection& c) {
    if (request.target.find("watch=1") == std::string::npos) {
      c.reply(200, "{}");
      return;
    }
    c.begin();
    open = true;
    c.wait_for_close();
  });
  std::vector<std::jthread> watches;
  for (int i = 0; i < 8; ++i) {
    watches.emplace_back([&](const std::stop_token& stop) {
      EXPECT_TRUE(pair.client->watch(kAllPods, "5", [](WatchEventType, const json&) {}, stop));
    });
  }
  while (pair.server.requests().size() < 8) std::this_thread::yield();
  EXPECT_TRUE(pair.client->get(kCheckout)) << "more watches than the HTTP library has threads must not block it";
}

}  // namespace
}  // namespace gopacer::kube
