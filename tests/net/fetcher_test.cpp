#include "net/fetcher.h"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "fakes/pod_imposter.h"

namespace gopacer {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

/// The imposters are on this machine, where an operator never asks.
const FetcherLimits kLocal{.local_addresses = true};
const FetcherLimits kNamed{.local_addresses = true, .names = true};

struct Fetched {
  tl::expected<HttpAnswer, FetchError> outcome;
  std::string body;
  int pieces = 0;  ///< in which it came
};

HttpRequest get(const PodImposter& pod, const std::string& target = "/") {
  HttpRequest request;
  request.address = "127.0.0.1";
  request.port = pod.port();
  request.target = target;
  return request;
}

HttpRequest get_by_name(const PodImposter& pod, const std::string& name = "localhost") {
  HttpRequest request = get(pod);
  request.address = name;
  return request;
}

/// For a server with this name, and with an address that is not this machine's. What make_certificates() is given
/// becomes the list of those that the certificate is good for.
TestCertificates certificates_for(const std::string& name) { return make_certificates("192.0.2.1,DNS:" + name); }

/// `most` is the length after which the sink has enough.
Fetched fetch(HttpFetcher& fetcher, const HttpRequest& request, std::size_t most = 1 << 30) {
  std::string body;
  int pieces = 0;
  // Shared: the fetcher's thread may still be in set_value() when the future is ready.
  const auto promise = std::make_shared<std::promise<tl::expected<HttpAnswer, FetchError>>>();
  auto future = promise->get_future();
  fetcher.fetch(
      request,
      [&](std::string_view piece) {
        body.append(piece);
        ++pieces;
        return body.size() < most;
      },
      [promise](tl::expected<HttpAnswer, FetchError> outcome) { promise->set_value(std::move(outcome)); });
  auto outcome = future.get();
  return {std::move(outcome), std::move(body), pieces};
}

/// A port of the loopback interface that reads what the first connection begins with, and closes it.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    const timeval patience{10, 0};
    EXPECT_EQ(::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&where), size), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size), 0);
    port_ = ntohs(where.sin_port);
  }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port() const { return port_; }
  std::string first_bytes() const {
    const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return {};
    std::array<char, 4096> bytes{};
    const long n = ::recv(peer, bytes.data(), bytes.size(), 0);
    ::close(peer);
    return n > 0 ? std::string(bytes.data(), static_cast<std::size_t>(n)) : std::string();
  }

 private:
  int fd_;
  int port_ = 0;
};

/// A file that lives as long as the test.
struct TemporaryFile {
  explicit TemporaryFile(const std::string& text)
      : path(testing::TempDir() + "gopacer-ca-" + std::to_string(::getpid()) + ".pem") {
    write(text);
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  void write(const std::string& text) const { std::ofstream(path) << text; }
  std::string path;
};

TEST(Fetcher, HandsOverTheBodyOfAPage) {
  PodImposter pod;
  pod.on("/metrics", Page{"up 1\n"});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod, "/metrics"));
  ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
  EXPECT_EQ(fetched.outcome->status, 200);
  EXPECT_EQ(fetched.outcome->bytes, 5U);
  EXPECT_THAT(fetched.outcome->content_type, HasSubstr("version=0.0.4"));
  EXPECT_EQ(fetched.body, "up 1\n");
  EXPECT_THAT(pod.last_head(), HasSubstr("Host: 127.0.0.1:" + std::to_string(pod.port())));
}

TEST(Fetcher, TakesALongPageInFewPieces) {
  PodImposter pod;
  const std::string page(200'000, 'x');
  pod.on("/metrics", Page{page});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod, "/metrics"));
  ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
  EXPECT_EQ(fetched.body, page);
  EXPECT_LT(fetched.pieces, 40) << "each may cost a system call";
}

TEST(Fetcher, UsesAConnectionAgain) {
  PodImposter pod;
  pod.on("/", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fetch(fetcher, get(pod)).body, "ok");
  EXPECT_EQ(pod.requests(), 5);
  EXPECT_EQ(pod.connections(), 1);
}

TEST(Fetcher, OpensANewConnectionWhenTheOldOneWasClosedMeanwhile) {
  PodImposter pod;
  pod.on("/", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  EXPECT_EQ(fetch(fetcher, get(pod)).body, "ok");
  pod.close_idle();
  const Fetched again = fetch(fetcher, get(pod));
  ASSERT_TRUE(again.outcome.has_value()) << again.outcome.error().detail;
  EXPECT_EQ(again.body, "ok");
}

TEST(Fetcher, NeverTakesBytesBehindOneAnswerForTheNext) {
  PodImposter pod;
  pod.on("/first",
         Raw{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"});
  pod.on("/second", Page{"good"});
  Fetcher fetcher({}, kLocal);
  EXPECT_EQ(fetch(fetcher, get(pod, "/first")).body, "ok");
  EXPECT_EQ(fetch(fetcher, get(pod, "/second")).body, "good");
}

TEST(Fetcher, StopsWhenTheSinkHasEnough) {
  PodImposter pod;
  pod.on("/", Drip{"", std::string(1000, 'x'), milliseconds(0)});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod), 5000);
  ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
  EXPECT_GE(fetched.body.size(), 5000U);
}

TEST(Fetcher, EndsABodyThatIsTooLong) {
  PodImposter pod;
  pod.on("/", Drip{"", std::string(1000, 'x'), milliseconds(0)});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(pod);
  request.most_bytes = 100'000;
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTooLong);
  EXPECT_LE(fetched.body.size(), 100'000U);
}

TEST(Fetcher, GivesASlowDripNoMoreTimeThanTheWholeRequestHas) {
  PodImposter pod;
  pod.on("/", Drip{"", "x", milliseconds(20)});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(pod);
  request.timeout = seconds(2);
  const auto start = std::chrono::steady_clock::now();
  const Fetched fetched = fetch(fetcher, request);
  const auto took = std::chrono::steady_clock::now() - start;
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTimedOut);
  EXPECT_GT(fetched.outcome.error().bytes, 0U);
  EXPECT_GE(took, milliseconds(1990));
  EXPECT_LT(took, seconds(30));
}

TEST(Fetcher, GivesAFastEndlessBodyNoMoreTimeEither) {
  PodImposter pod;
  pod.on("/", Drip{"", std::string(1 << 16, 'x'), milliseconds(0)});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(pod);
  request.timeout = milliseconds(200);
  request.most_bytes = std::size_t{1} << 40;
  const auto promise = std::make_shared<std::promise<FetchFailure>>();
  auto future = promise->get_future();
  fetcher.fetch(
      request, [](std::string_view) { return true; },
      [promise](const auto& outcome) {
        promise->set_value(outcome ? FetchFailure::kStopped : outcome.error().failure);
      });
  ASSERT_EQ(future.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(future.get(), FetchFailure::kTimedOut);
}

TEST(Fetcher, TimesOutWhenNobodyAnswers) {
  PodImposter pod;
  pod.on("/", Silence{});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(pod);
  request.timeout = milliseconds(200);
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTimedOut);
}

TEST(Fetcher, IsNotHeldUpByASlowPod) {
  PodImposter slow;
  slow.on("/", Silence{});
  PodImposter fast;
  fast.on("/", Page{"ok"});
  std::promise<void> ended;
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(slow);
  request.timeout = seconds(30);
  fetcher.fetch(request, [](std::string_view) { return true; }, [&](const auto&) { ended.set_value(); });
  ASSERT_TRUE(slow.wait_for_requests(1));
  EXPECT_EQ(fetch(fetcher, get(fast)).body, "ok");
  EXPECT_EQ(ended.get_future().wait_for(seconds(0)), std::future_status::timeout);
}

TEST(Fetcher, NeverFollowsARedirect) {
  PodImposter pod;
  pod.on("/", Page{"", 302, "text/plain", "Location: http://169.254.169.254/latest\r\n"});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kRedirected);
  EXPECT_EQ(fetched.outcome.error().detail, "HTTP 302 is a redirect") << "nothing of a stranger's text";
  EXPECT_EQ(pod.requests(), 1);
}

TEST(Fetcher, TellsAPartialBodyFromAWholeOne) {
  PodImposter pod;
  pod.on("/", Cut{std::string(1000, 'x'), 400});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kCutOff);
}

TEST(Fetcher, SaysWhatItAccepts) {
  PodImposter pod;
  pod.on("/", Page{"up 1\n"});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(pod);
  request.accept = "application/vnd.google.protobuf";
  ASSERT_TRUE(fetch(fetcher, request).outcome.has_value());
  EXPECT_THAT(pod.last_head(), HasSubstr("Accept: application/vnd.google.protobuf\r\n"));
}

TEST(Fetcher, TellsAConnectionThatClosesWithoutAnAnswerFromAnAnswerThatBreaksOff) {
  PodImposter pod;
  pod.on("/", Raw{""});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kNoAnswer);
  EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("without a byte"));
}

TEST(Fetcher, KeepsNothingOfAnErrorsPage) {
  PodImposter pod;
  pod.on("/", Page{"send your password to evil.example\n", 500});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_TRUE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome->status, 500);
  EXPECT_EQ(fetched.body, "");
  fetch(fetcher, get(pod));
  EXPECT_EQ(pod.connections(), 1) << "the connection is good for the next request";
}

TEST(Fetcher, NeverAsksAnAddressWhereNoPodCanBe) {
  Fetcher fetcher;
  for (const char* address :
       {"127.0.0.1", "127.8.9.1", "0.0.0.0", "0.1.2.3", "169.254.169.254", "224.0.0.1", "239.1.1.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "febf::1", "fe80::1%1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"}) {
    HttpRequest request;
    request.address = address;
    request.port = 9;
    request.timeout = seconds(1);
    const Fetched fetched = fetch(fetcher, request);
    ASSERT_FALSE(fetched.outcome.has_value()) << address;
    EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("never asked")) << address;
  }
}

TEST(Fetcher, AsksAddressesOfPods) {
  for (const char* address : {"192.0.2.1", "10.0.0.1", "172.16.0.1", "::ffff:192.0.2.1", "2001:db8::1", "fd00::1"}) {
    EXPECT_FALSE(is_local_address(address)) << address;
  }
}

TEST(Fetcher, SaysThatSomethingElseThanHttpAnswered) {
  PodImposter pod;
  pod.on("/", Raw{"SSH-2.0-OpenSSH_9.2\r\n"});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kNotHttp);
}

TEST(Fetcher, RefusesAnEndlessHeader) {
  PodImposter pod;
  pod.on("/", Raw{"HTTP/1.1 200 OK\r\nX: " + std::string(1 << 20, 'x')});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTooLong);
}

TEST(Fetcher, RefusesACompressedAnswer) {
  PodImposter pod;
  pod.on("/", Page{"\x1f\x8b", 200, "text/plain", "Content-Encoding: gzip\r\n"});
  Fetcher fetcher({}, kLocal);
  const Fetched fetched = fetch(fetcher, get(pod));
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("gzip"));
}

TEST(Fetcher, SaysThatAPortIsClosed) {
  int port = 0;
  {
    const PodImposter gone;
    port = gone.port();
  }
  Fetcher fetcher({}, kLocal);
  HttpRequest request;
  request.address = "127.0.0.1";
  request.port = port;
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kRefused);
}

TEST(Fetcher, ResolvesNoNames) {
  Fetcher fetcher({}, kLocal);
  HttpRequest request;
  request.address = "localhost";
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kUnreachable);
  EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("'localhost' is not an IP address"));
}

TEST(Fetcher, ResolvesANameWhereItMay) {
  PodImposter server;
  server.on("/", Page{"ok"});
  Fetcher fetcher({}, kNamed);
  for (int i = 0; i < 3; ++i) {
    const Fetched fetched = fetch(fetcher, get_by_name(server));
    ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
    EXPECT_EQ(fetched.body, "ok");
    EXPECT_THAT(server.last_head(), HasSubstr("Host: localhost:" + std::to_string(server.port()) + "\r\n"));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(Fetcher, AsksAddressesAlsoWhereNamesMayBe) {
  PodImposter server;
  server.on("/", Page{"ok"});
  Fetcher fetcher({}, kNamed);
  EXPECT_EQ(fetch(fetcher, get(server)).body, "ok");
  EXPECT_THAT(server.last_head(), HasSubstr("Host: 127.0.0.1:"));
}

TEST(Fetcher, SaysThatANameDoesNotResolve) {
  Fetcher fetcher({}, kNamed);
  HttpRequest request;
  request.address = "no-such-host.invalid";
  request.timeout = seconds(100);  // a machine without DNS takes its time to say so
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kUnreachable);
  EXPECT_THAT(fetched.outcome.error().detail, testing::StartsWith("the name does not resolve: "));
}

TEST(Fetcher, NeverAsksANameThatLeadsOnlyWhereNoPodCanBe) {
  PodImposter server;
  Fetcher fetcher({}, {.names = true});
  // The resolver takes more for an address than the fetcher does.
  for (const char* name : {"localhost", "127.1", "0x7f000001", "2130706433"}) {
    const Fetched fetched = fetch(fetcher, get_by_name(server, name));
    ASSERT_FALSE(fetched.outcome.has_value()) << name;
    EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kUnreachable) << name;
    EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("never asked")) << name;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetcher, LooksUpNothingThatIsNoName) {
  PodImposter server;
  Fetcher fetcher({}, kNamed);
  for (const std::string& name :
       {std::string(), std::string("local host"), std::string("localhost\r\nX: y"),
        std::string("localhost\0.example", 18), std::string(".localhost"), std::string("::x"),
        std::string("localhost:80"), std::string("*"), std::string("caf\xc3\xa9"), std::string(254, 'a')}) {
    const Fetched fetched = fetch(fetcher, get_by_name(server, name));
    ASSERT_FALSE(fetched.outcome.has_value()) << name;
    EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kUnreachable) << name;
    EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("neither an IP address nor a name")) << name;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetcher, GivesALookupNoTimeOfItsOwn) {
  PodImposter server;
  Fetcher fetcher({}, kNamed);
  HttpRequest request = get_by_name(server);
  request.timeout = Duration(0);
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTimedOut);
  EXPECT_EQ(fetched.outcome.error().detail, "no address in time");
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetcher, SaysThatAPortIsClosedAtEveryAddressOfAName) {
  int port = 0;
  {
    const PodImposter gone;
    port = gone.port();
  }
  Fetcher fetcher({}, kNamed);
  HttpRequest request;
  request.address = "localhost";
  request.port = port;
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kRefused);
}

TEST(Fetcher, SendsMoreHeaders) {
  PodImposter server;
  server.on("/", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(server);
  request.headers = {{"X-Scope-OrgID", "tenant 1"}, {"x-empty", ""}, {"x-long", std::string(256, 'v')}};
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
  EXPECT_THAT(server.last_head(), HasSubstr("\r\nX-Scope-OrgID: tenant 1\r\n"));
  EXPECT_THAT(server.last_head(), HasSubstr("\r\nx-empty:"));
  EXPECT_THAT(server.last_head(), HasSubstr("\r\nx-long: " + std::string(256, 'v') + "\r\n"));
}

TEST(Fetcher, WritesNothingButOneRequestWhateverTheHeadersAre) {
  PodImposter server;
  Fetcher fetcher({}, kLocal);
  const std::map<std::string, std::string> bad{{"X-Break", "a\r\nX-Other: b"},
                                               {"X-Line", "a\nb"},
                                               {"X-Tab", "a\tb"},
                                               {"X-Zero", std::string("a\0b", 3)},
                                               {"X-Foreign", "caf\xc3\xa9"},
                                               {"X-Long", std::string(257, 'v')},
                                               {"", "v"},
                                               {"X Blank", "v"},
                                               {"X-Colon:", "v"},
                                               {"X-Name\r\nX-Other", "v"},
                                               {std::string(65, 'n'), "v"},
                                               {"host", "v"},
                                               {"AUTHORIZATION", "v"},
                                               {"Connection", "close"},
                                               {"Content-Length", "5"},
                                               {"Transfer-encoding", "chunked"},
                                               {"accept-Encoding", "gzip"},
                                               {"Expect", "100-continue"},
                                               {"upgrade", "h2c"},
                                               {"TE", "trailers"},
                                               {"Trailer", "X"},
                                               {"Keep-Alive", "timeout=5"},
                                               {"Proxy-Connection", "close"}};
  for (const auto& [name, value] : bad) {
    HttpRequest request = get(server);
    request.headers = {{"X-Good", "v"}, {name, value}};
    const Fetched fetched = fetch(fetcher, request);
    ASSERT_FALSE(fetched.outcome.has_value()) << name;
    EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kUnreachable) << name;
    const std::string begin = name.substr(0, std::min<std::size_t>(64, name.find('\r')));
    EXPECT_THAT(fetched.outcome.error().detail, testing::StartsWith("the header '" + begin)) << name;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetcher, AsksNothingOnAConnectionOnWhichAnAnswerIsStillToCome) {
  PodImposter server;
  server.on("/early", Page{"", 103});
  server.on("/late", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  const Fetched early = fetch(fetcher, get(server, "/early"));
  ASSERT_TRUE(early.outcome.has_value());
  EXPECT_EQ(early.outcome->status, 103U) << "of which nothing is used";
  EXPECT_EQ(fetch(fetcher, get(server, "/late")).body, "ok");
  EXPECT_EQ(server.connections(), 2) << "or the second one would be given the first one's answer";
}

TEST(Fetcher, TakesALongQuery) {
  PodImposter server;
  server.on("/api/v1/query", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  std::string target = "/api/v1/query?query=";
  target.append(16384 - target.size(), 'x');
  EXPECT_EQ(fetch(fetcher, get(server, target)).body, "ok");
  EXPECT_EQ(server.requests(target), 1);
  const Fetched longer = fetch(fetcher, get(server, target + "x"));
  ASSERT_FALSE(longer.outcome.has_value());
  EXPECT_THAT(longer.outcome.error().detail, HasSubstr("is not a path"));
}

TEST(Fetcher, WritesNothingButOneRequestWhateverThePathIs) {
  PodImposter pod;
  pod.on("/", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  for (const char* target : {"/a HTTP/1.1\r\nX: y\r\n\r\nGET /b", "metrics", "", "/caf\xc3\xa9"}) {
    const Fetched fetched = fetch(fetcher, get(pod, target));
    ASSERT_FALSE(fetched.outcome.has_value()) << target;
    EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("is not a path"));
  }
  EXPECT_EQ(pod.requests(), 0);
}

TEST(Fetcher, WritesNothingButOneRequestWhateverTheAddressIs) {
  Fetcher fetcher({}, kLocal);
  for (const std::string& address :
       {std::string("127.0.0.1\0\r\nX: y", 16), std::string("::1%1\r\nX: y"), std::string("::1%1 x")}) {
    HttpRequest request;
    request.address = address;
    request.port = 9;
    const Fetched fetched = fetch(fetcher, request);
    ASSERT_FALSE(fetched.outcome.has_value()) << address;
    EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("is not an IP address")) << address;
  }
}

TEST(Fetcher, ReachesIPv6Addresses) {
  PodImposter pod("::1");
  pod.on("/", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  HttpRequest request = get(pod);
  request.address = "::1";
  EXPECT_EQ(fetch(fetcher, request).body, "ok");
  EXPECT_THAT(pod.last_head(), HasSubstr("Host: [::1]:"));
}

TEST(Fetcher, EndsRunningFetchesWhenItIsDestroyed) {
  PodImposter pod;
  pod.on("/", Silence{});
  std::promise<FetchFailure> promise;
  {
    Fetcher fetcher({}, kLocal);
    HttpRequest request = get(pod);
    request.timeout = seconds(60);
    fetcher.fetch(
        request, [](std::string_view) { return true; },
        [&](const auto& outcome) { promise.set_value(outcome.error().failure); });
    ASSERT_TRUE(pod.wait_for_requests(1));
  }
  EXPECT_EQ(promise.get_future().get(), FetchFailure::kStopped);
}

TEST(Fetcher, EndsLookupsWhenItIsDestroyed) {
  PodImposter server;
  server.on("/", Silence{});
  constexpr int kFetches = 20;
  std::atomic<int> stopped{0};
  {
    Fetcher fetcher({}, kNamed);
    HttpRequest request = get_by_name(server);
    request.timeout = seconds(60);
    for (int i = 0; i < kFetches; ++i) {
      fetcher.fetch(
          request, [](std::string_view) { return true; },
          [&](const auto& outcome) { stopped += outcome.error().failure == FetchFailure::kStopped ? 1 : 0; });
    }
  }
  EXPECT_EQ(stopped, kFetches);
}

TEST(FetcherTls, BelievesACertificateOfItsAuthority) {
  const TestCertificates certificates = make_certificates("127.0.0.1");
  PodImposter kubelet("127.0.0.1", &certificates);
  kubelet.on("/", Page{"ok"});
  const TemporaryFile ca(certificates.ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kLocal);
  HttpRequest request = get(kubelet);
  request.tls = true;
  request.authorization = "Bearer secret";
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
  EXPECT_EQ(fetched.body, "ok");
  EXPECT_THAT(kubelet.last_head(), HasSubstr("Authorization: Bearer secret\r\n"));
  fetch(fetcher, request);
  EXPECT_EQ(kubelet.connections(), 1);
}

TEST(FetcherTls, RefusesACertificateForAnotherAddress) {
  const TestCertificates certificates = make_certificates("10.1.2.3");
  PodImposter kubelet("127.0.0.1", &certificates);
  const TemporaryFile ca(certificates.ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kLocal);
  HttpRequest request = get(kubelet);
  request.tls = true;
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTls);
  EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("IP address mismatch"));
  EXPECT_EQ(kubelet.requests(), 0) << "the token must not be sent to a stranger";
}

TEST(FetcherTls, RefusesAnAddressThatNoCertificateCanBeCheckedAgainst) {
  const TestCertificates certificates = make_certificates("10.1.2.3");
  PodImposter kubelet("::1", &certificates);
  kubelet.on("/", Page{"ok"});
  const TemporaryFile ca(certificates.ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kLocal);
  HttpRequest request = get(kubelet);
  request.address = "::1%1";  // with a zone, which no certificate can name
  request.tls = true;
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value()) << "any certificate of the authority passed";
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTls);
  EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("no certificate can be checked against"));
}

TEST(FetcherTls, RefusesACertificateOfAnotherAuthority) {
  const TestCertificates certificates = make_certificates("127.0.0.1");
  PodImposter kubelet("127.0.0.1", &certificates);
  const TemporaryFile ca(make_certificates("127.0.0.1").ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kLocal);
  HttpRequest request = get(kubelet);
  request.tls = true;
  EXPECT_EQ(fetch(fetcher, request).outcome.error().failure, FetchFailure::kTls);
}

TEST(FetcherTls, ReadsTheAuthoritiesAgainWhenTheFileChanges) {
  const TestCertificates certificates = make_certificates("127.0.0.1");
  PodImposter kubelet("127.0.0.1", &certificates);
  kubelet.on("/", Page{"ok"});
  const TemporaryFile ca(make_certificates("127.0.0.1").ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kLocal);
  HttpRequest request = get(kubelet);
  request.tls = true;
  EXPECT_FALSE(fetch(fetcher, request).outcome.has_value());
  std::remove(ca.path.c_str());
  ca.write(certificates.ca_pem);
  EXPECT_EQ(fetch(fetcher, request).body, "ok");
}

TEST(FetcherTls, BelievesAnybodyOnlyWhenToldTo) {
  const TestCertificates certificates = make_certificates("10.1.2.3");
  PodImposter kubelet("127.0.0.1", &certificates);
  kubelet.on("/", Page{"ok"});
  HttpRequest request = get(kubelet);
  request.tls = true;
  Fetcher strict({}, kLocal);
  const Fetched refused = fetch(strict, request);
  ASSERT_FALSE(refused.outcome.has_value());
  EXPECT_THAT(refused.outcome.error().detail, HasSubstr("no CA file"));
  Fetcher trusting({.ca_file = "", .waived = true}, kLocal);
  EXPECT_EQ(fetch(trusting, request).body, "ok");
}

TEST(FetcherTls, KeepsASecretFromPlainConnections) {
  PodImposter pod;
  pod.on("/", Page{"ok"});
  Fetcher fetcher({}, kLocal);
  ASSERT_EQ(fetch(fetcher, get(pod)).body, "ok");
  HttpRequest request = get(pod);
  request.authorization = "Bearer secret";
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value()) << "also where a connection is open already";
  EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTls);
  EXPECT_EQ(fetched.outcome.error().detail, "a secret is only sent over https");
  EXPECT_EQ(pod.requests(), 1);
}

TEST(FetcherTls, WritesNothingButOneRequestWhateverTheSecretIs) {
  const TestCertificates certificates = make_certificates("127.0.0.1");
  PodImposter server("127.0.0.1", &certificates);
  Fetcher fetcher({.ca_file = "", .waived = true}, kLocal);
  for (const std::string& secret : {std::string("Basic c2VjcmV0\r\nX: y"), std::string(16385, 's')}) {
    HttpRequest request = get(server);
    request.tls = true;
    request.authorization = secret;
    const Fetched fetched = fetch(fetcher, request);
    ASSERT_FALSE(fetched.outcome.has_value());
    EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kUnreachable);
    EXPECT_EQ(fetched.outcome.error().detail,
              "the header 'Authorization' is not printable ASCII of at most 16384 characters")
        << "and nothing of the secret";
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(FetcherTls, BelievesACertificateForTheName) {
  const TestCertificates certificates = certificates_for("localhost");
  PodImposter server("127.0.0.1", &certificates);
  server.on("/", Page{"ok"});
  const TemporaryFile ca(certificates.ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kNamed);
  HttpRequest request = get_by_name(server);
  request.tls = true;
  request.authorization = "Basic c2VjcmV0";
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_TRUE(fetched.outcome.has_value()) << fetched.outcome.error().detail;
  EXPECT_EQ(fetched.body, "ok");
  EXPECT_THAT(server.last_head(), HasSubstr("Authorization: Basic c2VjcmV0\r\n"));
  EXPECT_THAT(server.last_head(), HasSubstr("Host: localhost:"));
}

TEST(FetcherTls, RefusesACertificateForAnotherName) {
  for (const TestCertificates& certificates : {certificates_for("prometheus.example"), certificates_for("local*"),
                                               certificates_for("localhost.example"), make_certificates("127.0.0.1")}) {
    PodImposter server("127.0.0.1", &certificates);
    const TemporaryFile ca(certificates.ca_pem);
    Fetcher fetcher({.ca_file = ca.path, .waived = false}, kNamed);
    HttpRequest request = get_by_name(server);
    request.tls = true;
    request.authorization = "Bearer secret";
    const Fetched fetched = fetch(fetcher, request);
    ASSERT_FALSE(fetched.outcome.has_value());
    EXPECT_EQ(fetched.outcome.error().failure, FetchFailure::kTls);
    EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("ostname mismatch"));
    EXPECT_EQ(server.requests(), 0) << "the secret must not be sent to a stranger";
  }
}

TEST(FetcherTls, RefusesTheNamesCertificateForItsAddress) {
  const TestCertificates certificates = certificates_for("localhost");
  PodImposter server("127.0.0.1", &certificates);
  const TemporaryFile ca(certificates.ca_pem);
  Fetcher fetcher({.ca_file = ca.path, .waived = false}, kNamed);
  HttpRequest request = get(server);
  request.tls = true;
  const Fetched fetched = fetch(fetcher, request);
  ASSERT_FALSE(fetched.outcome.has_value());
  EXPECT_THAT(fetched.outcome.error().detail, HasSubstr("IP address mismatch"));
}

TEST(FetcherTls, TellsTheServerWhichNameIsWanted) {
  const Listener listener;
  Fetcher fetcher({.ca_file = "", .waived = true}, kNamed);
  HttpRequest request;
  request.address = "localhost";
  request.port = listener.port();
  request.tls = true;
  // Shared: the fetcher's thread may still be in set_value() when the future is ready.
  const auto ended = std::make_shared<std::promise<void>>();
  fetcher.fetch(request, [](std::string_view) { return true; }, [ended](const auto&) { ended->set_value(); });
  // As the extension has it: the length in two bytes, then the name.
  EXPECT_THAT(listener.first_bytes(), HasSubstr(std::string("\0\x09localhost", 11)));
  ended->get_future().wait();
}

TEST(FetcherTls, SaysThatThePortDoesNotSpeakTls) {
  PodImposter pod;
  Fetcher fetcher({.ca_file = "", .waived = true}, kLocal);
  HttpRequest request = get(pod);
  request.tls = true;
  request.timeout = milliseconds(500);
  EXPECT_FALSE(fetch(fetcher, request).outcome.has_value());
}

}  // namespace
}  // namespace gopacer
