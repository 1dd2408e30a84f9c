#include "net/http_server.h"

// Asio 1.74 needs std::exchange in C++20 and does not include it itself.
#include <utility>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <thread>

namespace gopacer {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::size_t kMostConnections = 64;
/// A prober sends its request with the connection; who takes longer holds a place and nothing else.
constexpr std::chrono::seconds kLongestHead(1);
constexpr std::chrono::seconds kLongestAnswer(5);
/// Before the next try when a connection can't be taken, for want of file descriptors for example.
constexpr std::chrono::milliseconds kAcceptRetry(50);
/// As long as a page that is still being sent is sent to others too: whoever takes pages slowly, on all connections,
/// holds so many of them as are made in kLongestAnswer, and not one for each connection.
constexpr std::chrono::seconds kSharedFor(1);
constexpr std::size_t kMostHeaderBytes = std::size_t{8} * 1024;

}  // namespace

class HttpServer::Impl {
 public:
  Impl(std::map<std::string, Page> pages, OtherPage other)
      : pages_(std::move(pages)), other_(std::move(other)), acceptor_(context_) {}

  /// Lets the connections come to their end on their own thread: a stack that is torn down on another one runs its
  /// destructors there.
  ~Impl() {
    if (!thread_.joinable()) return;
    asio::post(context_, [this] {
      closing_ = true;
      beast::error_code ignored;
      (void)acceptor_.close(ignored);
      make_room(0);
    });
    thread_.join();
  }

  Result<void> listen(int port) {
    beast::error_code error;
    // One socket for both families; where the kernel has no IPv6, IPv4 alone.
    (void)acceptor_.open(tcp::v6(), error);
    const bool both = !error;
    if (both) {
      (void)acceptor_.set_option(asio::ip::v6_only(false), error);
    } else {
      (void)acceptor_.open(tcp::v4(), error);
    }
    if (!error) (void)acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) {
      (void)acceptor_.bind(tcp::endpoint(both ? tcp::v6() : tcp::v4(), static_cast<unsigned short>(port)), error);
    }
    if (!error) (void)acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return invalid("can't listen on port " + std::to_string(port) + ": " + error.message() +
                     "; choose another port or end what uses it");
    }
    asio::spawn(context_, [this](asio::yield_context yield) { accept(yield); });
    thread_ = std::thread([this] { context_.run(); });
    return {};
  }

  int port() const { return acceptor_.local_endpoint().port(); }

 private:
  struct Peer {
    explicit Peer(tcp::socket socket) : stream(std::move(socket)) {}
    beast::tcp_stream stream;
    bool has_asked = false;
  };
  using PeerPtr = std::shared_ptr<Peer>;
  using AnswerPtr = std::shared_ptr<const Answer>;
  /// The latest making of a page. Whoever asks soon after gets the same, so that asking often costs little.
  struct Made {
    AnswerPtr answer;
    std::chrono::steady_clock::time_point at;
  };

  void accept(asio::yield_context yield) {
    while (true) {
      beast::error_code error;
      tcp::socket socket(context_);
      acceptor_.async_accept(socket, yield[error]);
      if (closing_) return;
      if (error) {
        if (!peers_.empty()) make_room(peers_.size() - 1);
        asio::steady_timer(context_, kAcceptRetry).async_wait(yield[error]);
        continue;
      }
      make_room(kMostConnections - 1);
      auto peer = std::make_shared<Peer>(std::move(socket));
      peers_.push_back(peer);
      asio::spawn(context_, [this, peer](asio::yield_context inner) {
        serve(*peer, inner);
        peers_.remove(peer);
      });
    }
  }

  /// Closes the oldest connections until at most `most` are left, those first that have asked for nothing: whoever only
  /// holds a place gives it to whoever has a question.
  void make_room(std::size_t most) {
    while (peers_.size() > most) {
      auto oldest = std::find_if(peers_.begin(), peers_.end(), [](const PeerPtr& peer) { return !peer->has_asked; });
      if (oldest == peers_.end()) oldest = peers_.begin();
      (*oldest)->stream.close();
      peers_.erase(oldest);
    }
  }

  void serve(Peer& peer, asio::yield_context yield) {
    beast::error_code error;
    beast::flat_buffer buffer;
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kMostHeaderBytes);
    peer.stream.expires_after(kLongestHead);
    http::async_read(peer.stream, buffer, parser, yield[error]);
    if (error) return;

    peer.has_asked = true;
    const AnswerPtr answer = answer_to(parser.get());
    http::response<http::span_body<const char>> response(static_cast<http::status>(answer->status),
                                                         parser.get().version());
    response.set(http::field::content_type, answer->content_type);
    response.set(http::field::connection, "close");
    response.body() = {answer->body.data(), answer->body.size()};
    response.prepare_payload();
    peer.stream.expires_after(kLongestAnswer);
    http::async_write(peer.stream, response, yield[error]);
    (void)peer.stream.socket().shutdown(tcp::socket::shutdown_both, error);
  }

  AnswerPtr answer_to(const http::request<http::empty_body>& request) {
    const auto error = [](int status, const char* text) {
      return std::make_shared<const Answer>(Answer{status, text});
    };
    if (request.method() != http::verb::get) return error(405, "only GET is answered here\n");
    const std::string path(request.target().substr(0, request.target().find('?')));
    const auto page = pages_.find(path);
    if (page == pages_.end()) {
      auto made = other_ ? other_(path) : std::nullopt;
      return made ? std::make_shared<const Answer>(std::move(*made)) : error(404, "there is no such page here\n");
    }
    Made& made = made_[path];
    const auto now = std::chrono::steady_clock::now();
    if (!made.answer || now - made.at >= kSharedFor) made = {std::make_shared<const Answer>(page->second()), now};
    return made.answer;
  }

  const std::map<std::string, Page> pages_;
  const OtherPage other_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::thread thread_;
  // Of the thread.
  bool closing_ = false;
  std::list<PeerPtr> peers_;  ///< the oldest first
  std::map<std::string, Made> made_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(int port, std::map<std::string, Page> pages, OtherPage other) {
  auto impl = std::make_unique<Impl>(std::move(pages), std::move(other));
  if (const Result<void> listening = impl->listen(port); !listening) return tl::unexpected(listening.error());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->port(); }

}  // namespace gopacer
