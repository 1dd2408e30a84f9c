#include "net/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace gopacer {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

/// A TCP connection to the server; closed with its owner.
class Caller {
 public:
  explicit Caller(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(port));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
  }
  Caller(Caller&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Caller(const Caller&) = delete;
  ~Caller() {
    if (fd_ >= 0) ::close(fd_);
  }

  void send(const std::string& text) const {
    // What the other side has closed takes nothing, and that is what some tests are about.
    static_cast<void>(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL));
  }
  /// The first bytes that come.
  std::string read_piece() const {
    std::array<char, 4096> piece{};
    const auto n = ::recv(fd_, piece.data(), piece.size(), 0);
    return n < 0 ? std::string() : std::string(piece.data(), static_cast<std::size_t>(n));
  }
  /// All that comes until the server closes, or nothing comes any more for ten seconds.
  std::string read_all() const {
    std::string all;
    std::array<char, 4096> piece{};
    pollfd waiting{fd_, POLLIN, 0};
    while (::poll(&waiting, 1, 10'000) > 0) {
      const auto n = ::recv(fd_, piece.data(), piece.size(), 0);
      if (n <= 0) break;
      all.append(piece.data(), static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  int fd_;
};

std::unique_ptr<HttpServer> serve() {
  return HttpServer::listen(0, {{"/healthz", [] { return HttpServer::Answer{200, "ok\n"}; }},
                                {"/readyz", [] { return HttpServer::Answer{503, "a sentence\n"}; }}})
      .value();
}

std::string get(const HttpServer& server, const std::string& path) {
  const Caller caller(server.port());
  caller.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  return caller.read_all();
}

TEST(HttpServer, AnswersByPath) {
  const auto server = serve();
  EXPECT_THAT(get(*server, "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(get(*server, "/readyz?verbose"), testing::AllOf(HasSubstr("503"), HasSubstr("a sentence")));
  EXPECT_THAT(get(*server, "/secret"), HasSubstr("404"));
}

TEST(HttpServer, AnswersAProberWhileManyHoldConnectionsAndAskNothing) {
  const auto server = serve();
  std::vector<Caller> idle;
  for (int i = 0; i < 150; ++i) {
    idle.emplace_back(server->port());
    ASSERT_THAT(get(*server, "/healthz"), HasSubstr("200 OK")) << "with " << i + 1 << " idle connections";
  }
}

TEST(HttpServer, AnswersAProberWhileManyAskSlowly) {
  const auto server = serve();
  std::vector<Caller> slow;
  for (int i = 0; i < 150; ++i) {
    slow.emplace_back(server->port());
    slow.back().send("GET /healthz HTTP/1.1\r\nHost: x");
  }
  EXPECT_THAT(get(*server, "/healthz"), HasSubstr("200 OK"));
}

TEST(HttpServer, HoldsFewCopiesOfAPageThatManyAreSlowToTake) {
  constexpr std::size_t kBytes = 16U << 20U;  // more than the kernel takes of what nobody reads
  std::atomic<int> made = 0;
  const auto server = HttpServer::listen(0, {{"/metrics",
                                              [&] {
                                                ++made;
                                                return HttpServer::Answer{200, std::string(kBytes, 'x')};
                                              }}})
                          .value();
  std::vector<Caller> slow;
  for (int i = 0; i < 20; ++i) {
    slow.emplace_back(server->port());
    slow.back().send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_THAT(slow.back().read_piece(), HasSubstr("200 OK"));
  }
  EXPECT_LT(made, 20);
  slow.clear();
  EXPECT_GT(get(*server, "/metrics").size(), kBytes) << "all of it comes to who takes it";
}

TEST(HttpServer, MakesAPageOnceForAllWhoAskWithinASecond) {
  std::atomic<int> made = 0;
  const auto server =
      HttpServer::listen(0, {{"/n", [&] { return HttpServer::Answer{200, "n=" + std::to_string(++made)}; }}}).value();
  const auto begun = steady_clock::now();
  int asked = 0;
  while (made < 2) {
    EXPECT_THAT(get(*server, "/n"), HasSubstr("n="));
    ++asked;
  }
  EXPECT_GE(steady_clock::now() - begun, seconds(1));
  EXPECT_GT(asked, 2);
}

TEST(HttpServer, AsksForOtherPagesWhatIsNoPageOfItsOwn) {
  std::atomic<int> asked = 0;
  const auto server =
      HttpServer::listen(0, {{"/healthz", [] { return HttpServer::Answer{200, "ok\n"}; }}},
                         [&](const std::string& path) -> std::optional<HttpServer::Answer> {
                           if (path != "/pods/uid/app") return std::nullopt;
                           return HttpServer::Answer{200, "n=" + std::to_string(++asked), "application/json"};
                         })
          .value();
  EXPECT_THAT(get(*server, "/healthz"), HasSubstr("ok"));
  EXPECT_EQ(asked, 0);
  EXPECT_THAT(get(*server, "/pods/uid/app"),
              testing::AllOf(HasSubstr("200 OK"), HasSubstr("application/json"), HasSubstr("n=1")));
  EXPECT_THAT(get(*server, "/pods/uid/app?at=once"), HasSubstr("n=2")) << "each time anew";
  for (const char* const path : {"/pods/uid", "/pods/uid/app/", "/pods/uid/../uid/app", "/", "/pods/%00"}) {
    EXPECT_THAT(get(*server, path), HasSubstr("404")) << path;
  }
  const Caller caller(server->port());
  caller.send("POST /pods/uid/app HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(caller.read_all(), HasSubstr("405"));
  EXPECT_EQ(asked, 2);
}

TEST(HttpServer, GivesAClientASecondToAsk) {
  const auto server = serve();
  const Caller silent(server->port());
  const auto begun = steady_clock::now();
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_LT(steady_clock::now() - begun, seconds(4));
}

TEST(HttpServer, EndsWhileConnectionsAreOpen) {
  auto server = serve();
  const Caller silent(server->port());
  EXPECT_THAT(get(*server, "/healthz"), HasSubstr("200 OK"));
  server.reset();
  EXPECT_EQ(silent.read_all(), "");
}

TEST(HttpServer, SaysThatAPortIsTaken) {
  const auto first = serve();
  const auto second = HttpServer::listen(first->port(), {});
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("choose another port"));
}

}  // namespace
}  // namespace gopacer
