#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <string>

#include "fakes/webhook_imposter.h"
#include "net/fetcher.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

/// The imposter is on this machine, where an operator never asks.
const FetcherLimits kLocal{.local_addresses = true};

using Posted = tl::expected<PostAnswer, FetchError>;

HttpPost letter(const WebhookImposter& server, const std::string& body = "{}") {
  HttpPost post;
  post.to.address = "127.0.0.1";
  post.to.port = server.port();
  post.to.target = "/hook?key=1";
  post.body = body;
  return post;
}

Posted post(HttpPoster& poster, const HttpPost& what) {
  // Shared: the fetcher's thread may still be in set_value() when the future is ready.
  const auto promise = std::make_shared<std::promise<Posted>>();
  auto future = promise->get_future();
  poster.post(what, [promise](Posted outcome) { promise->set_value(std::move(outcome)); });
  return future.get();
}

TEST(Post, SendsTheBodyWithItsLengthAndType) {
  WebhookImposter server;
  Fetcher fetcher({}, kLocal);
  const Posted posted = post(fetcher, letter(server, R"({"text": "a longer text"})"));
  ASSERT_TRUE(posted) << posted.error().detail;
  EXPECT_EQ(posted->status, 200);
  EXPECT_FALSE(posted->retry_after);
  const WebhookImposter::Request got = server.requests().front();
  EXPECT_THAT(got.head, HasSubstr("POST /hook?key=1 HTTP/1.1\r\n"));
  EXPECT_THAT(got.head, HasSubstr("Content-Type: application/json"));
  EXPECT_EQ(got.body, R"({"text": "a longer text"})");
}

TEST(Post, TakesABodyOf64KiBAndNoLongerOne) {
  WebhookImposter server;
  Fetcher fetcher({}, kLocal);
  EXPECT_TRUE(post(fetcher, letter(server, std::string(65536, 'x'))));
  EXPECT_EQ(server.requests().front().body.size(), 65536);
  const Posted refused = post(fetcher, letter(server, std::string(65537, 'x')));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().failure, FetchFailure::kTooLong);
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(Post, TellsHowLongTheServerAsksToWait) {
  WebhookImposter server;
  Fetcher fetcher({}, kLocal);
  server.answer(429, "Retry-After: 30\r\n");
  const Posted posted = post(fetcher, letter(server));
  ASSERT_TRUE(posted) << posted.error().detail;
  EXPECT_EQ(posted->status, 429);
  EXPECT_EQ(posted->retry_after, seconds(30));
  server.answer(503, "Retry-After: 999999999\r\n");
  EXPECT_EQ(post(fetcher, letter(server))->retry_after, seconds(3600));
  server.answer(503, "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n");
  EXPECT_FALSE(post(fetcher, letter(server))->retry_after);
}

TEST(Post, FollowsNoRedirect) {
  WebhookImposter server;
  Fetcher fetcher({}, kLocal);
  server.answer(307, "Location: /other\r\n");
  const Posted posted = post(fetcher, letter(server));
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().failure, FetchFailure::kRedirected);
  EXPECT_EQ(server.requests().size(), 1);
}

TEST(Post, GoesOutOnceHoweverItIsAnswered) {
  WebhookImposter server;
  Fetcher fetcher({}, kLocal);
  // After an answer that leaves a connection open.
  ASSERT_TRUE(post(fetcher, letter(server)));
  server.fall_silent();
  HttpPost impatient = letter(server);
  impatient.to.timeout = milliseconds(100);
  const Posted posted = post(fetcher, impatient);
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().failure, FetchFailure::kTimedOut);
  EXPECT_EQ(server.requests().size(), 2);
}

TEST(Post, SendsNoSecretWithoutTls) {
  WebhookImposter server;
  Fetcher fetcher({}, kLocal);
  HttpPost secret = letter(server);
  secret.to.authorization = "Bearer s3cret";
  const Posted posted = post(fetcher, secret);
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().failure, FetchFailure::kTls);
  EXPECT_THAT(posted.error().detail, Not(HasSubstr("s3cret")));
  EXPECT_TRUE(server.requests().empty());
}

TEST(Post, ReachesNoLocalAddressUnlessItMay) {
  WebhookImposter server;
  Fetcher fetcher;
  const Posted posted = post(fetcher, letter(server));
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().failure, FetchFailure::kUnreachable);
}

TEST(Post, EndsWithTheFetcher) {
  WebhookImposter server;
  server.fall_silent();
  auto fetcher = std::make_unique<Fetcher>(TlsTrust{}, kLocal);
  std::promise<Posted> promise;
  fetcher->post(letter(server), [&](Posted outcome) { promise.set_value(std::move(outcome)); });
  ASSERT_TRUE(server.wait_for_requests(1));
  fetcher.reset();
  const Posted posted = promise.get_future().get();
  ASSERT_FALSE(posted);
  EXPECT_EQ(posted.error().failure, FetchFailure::kStopped);
}

}  // namespace
}  // namespace gopacer
