#include "kube/pod_proxy.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>

#include "fakes/api_server_imposter.h"

namespace gopacer::kube {
namespace {

using ::testing::HasSubstr;

struct Outcome {
  tl::expected<HttpAnswer, FetchError> answer;
  std::string body;
};

/// Asks a pod's page through an API server that answers as the test wants.
class PodProxyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ClusterConfig config;
    config.server = server_.url();
    config.token = "secret";
    auto opened = PodProxy::open(config, make_token_source(config), "test");
    ASSERT_TRUE(opened) << opened.error().message;
    proxy_ = std::move(*opened);
    proxy_->know("10.0.0.1", {"shop", "checkout-x"});
  }

  static HttpRequest page(const std::string& target = "/debug/pprof/heap?debug=1") {
    HttpRequest request;
    request.address = "10.0.0.1";
    request.port = 6060;
    request.target = target;
    return request;
  }
  /// `enough`: bytes after which the sink wants no more.
  Outcome get(HttpRequest request, std::size_t enough = std::string::npos) {
    const auto body = std::make_shared<std::string>();
    const auto ended = std::make_shared<std::promise<tl::expected<HttpAnswer, FetchError>>>();
    proxy_->fetch(
        std::move(request),
        [body, enough](std::string_view piece) {
          body->append(piece);
          return body->size() < enough;
        },
        [ended](tl::expected<HttpAnswer, FetchError> answer) { ended->set_value(std::move(answer)); });
    auto answer = ended->get_future().get();
    return {std::move(answer), *body};
  }
  void refuse(int status, const std::string& message) {
    handler_ = [status, message](const auto&, ApiServerImposter::Connection& connection) {
      connection.reply(status, R"({"kind":"Status","message":")" + message + "\"}");
    };
  }

  ApiServerImposter::Handler handler_ = [](const auto&, ApiServerImposter::Connection& connection) {
    connection.reply(200, "heap profile: 1");
  };
  ApiServerImposter server_{[this](const auto& request, auto& connection) { handler_(request, connection); }};
  std::unique_ptr<PodProxy> proxy_;
};

TEST_F(PodProxyTest, AsksByWayOfTheApiServer) {
  const Outcome outcome = get(page());
  ASSERT_TRUE(outcome.answer) << outcome.answer.error().detail;
  EXPECT_EQ(outcome.answer->status, 200);
  EXPECT_EQ(outcome.body, "heap profile: 1");
  const auto requests = server_.requests();
  EXPECT_EQ(requests.at(0).target, "/api/v1/namespaces/shop/pods/checkout-x:6060/proxy/debug/pprof/heap?debug=1");
  EXPECT_EQ(requests.at(0).headers.at("authorization"), "Bearer secret");
}

TEST_F(PodProxyTest, AsksOnlyPodsThatItWasToldOf) {
  HttpRequest request = page();
  request.address = "10.0.0.2";
  EXPECT_EQ(get(request).answer.error().failure, FetchFailure::kUnreachable);
  request = page();
  request.tls = true;
  EXPECT_EQ(get(request).answer.error().failure, FetchFailure::kTls);
  EXPECT_TRUE(server_.requests().empty());
}

TEST_F(PodProxyTest, TellsThePodsAnswerFromTheServers) {
  refuse(503, "error trying to reach service: dial tcp 10.0.0.1:6060: connect: connection refused");
  EXPECT_EQ(get(page()).answer.error().failure, FetchFailure::kRefused);
  EXPECT_EQ(proxy_->refusal(), "");
  refuse(403, "pods checkout-x is forbidden");
  EXPECT_THAT(get(page()).answer.error().detail, HasSubstr("is forbidden"));
  EXPECT_THAT(proxy_->refusal(), HasSubstr("is forbidden"));
  handler_ = [](const auto&, auto& connection) { connection.reply(404, "404 page not found"); };
  EXPECT_EQ(get(page()).answer->status, 404) << "that was the pod";
}

TEST_F(PodProxyTest, ReadsNoFurtherThanItsCallerWants) {
  handler_ = [](const auto&, ApiServerImposter::Connection& connection) {
    connection.begin();
    while (connection.chunk(std::string(1000, 'x'))) {
    }
  };
  const Outcome wanted = get(page(), 5000);
  ASSERT_TRUE(wanted.answer);
  EXPECT_GE(wanted.body.size(), 5000U);
  HttpRequest bounded = page();
  bounded.most_bytes = 5000;
  EXPECT_EQ(get(bounded).answer.error().failure, FetchFailure::kTooLong);
}

TEST_F(PodProxyTest, DoesNotWaitForABodyWithoutEnd) {
  handler_ = [](const auto&, ApiServerImposter::Connection& connection) {
    connection.begin();
    connection.chunk("x");
    connection.wait_for_close();
  };
  HttpRequest request = page();
  request.timeout = std::chrono::milliseconds(200);
  EXPECT_FALSE(get(request).answer);
}

TEST_F(PodProxyTest, AnswersEverybodyWhenItEnds) {
  handler_ = [](const auto&, ApiServerImposter::Connection& connection) { connection.wait_for_close(); };
  std::atomic<int> ended = 0;
  for (int i = 0; i < 50; ++i) {
    proxy_->fetch(page(), [](std::string_view) { return true; }, [&](const auto&) { ++ended; });
  }
  proxy_.reset();
  EXPECT_EQ(ended, 50);
}

}  // namespace
}  // namespace gopacer::kube
