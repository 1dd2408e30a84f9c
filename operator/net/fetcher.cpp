#include "net/fetcher.h"

#include <sys/stat.h>

// Asio 1.74 uses std::exchange without including it.
#include <utility>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

namespace gopacer {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t kStackBytes = std::size_t{256} * 1024;  // OpenSSL's handshake alone takes tens of kilobytes
constexpr std::size_t kPieceBytes = std::size_t{16} * 1024;
constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;
/// Of an error's page so much is read, for the connection's sake; nothing of it is kept.
constexpr std::size_t kErrorPageBytes = std::size_t{16} * 1024;
/// A query is a part of it, and with its labels it may be long.
constexpr std::size_t kMostTargetLength = std::size_t{16} * 1024;
constexpr std::size_t kMostNameLength = 253;  // of DNS
constexpr std::size_t kMostHeaderNameLength = 64;
constexpr std::size_t kMostHeaderValueLength = 256;
constexpr std::size_t kMostAuthorizationLength = std::size_t{16} * 1024;
constexpr std::size_t kMostPostBytes = std::size_t{64} * 1024;
constexpr std::chrono::seconds kLongestRetryAfter = std::chrono::hours(1);
/// These say to whom the request goes, who sends it and where it ends, and what can be read of the answer.
constexpr std::array kOwnHeaders{
    http::field::host,           http::field::authorization,     http::field::connection,
    http::field::content_length, http::field::transfer_encoding, http::field::accept_encoding,
    http::field::expect,         http::field::upgrade,           http::field::te,
    http::field::trailer,        http::field::keep_alive,        http::field::proxy_connection};
constexpr const char* kLocal =
    "a loopback, link-local, multicast or reserved address, where no pod or node can be, and is never asked";

/// Text of a stranger, fit for a log line and a condition.
std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  for (const char c : text.substr(0, most)) out.push_back(c >= ' ' && c <= '~' ? c : ' ');
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

bool is_target(std::string_view target) {
  return target.starts_with('/') && target.size() <= kMostTargetLength &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c <= '~'; });
}

/// Letters, digits and what `more` has.
bool is_made_of(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

bool is_name(std::string_view text) {
  // OpenSSL takes a dot in front for a pattern, which the certificates of all names below meet.
  return !text.empty() && text.size() <= kMostNameLength && text.front() != '.' && is_made_of(text, "-._");
}

bool is_header_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostHeaderNameLength && is_made_of(text, "!#$%&'*+-.^_`|~");
}

bool is_header_value(std::string_view text, std::size_t most) {
  return text.size() <= most && std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_own_header(const std::string& name) {
  return std::find(kOwnHeaders.begin(), kOwnHeaders.end(), http::string_to_field(name)) != kOwnHeaders.end();
}

/// Of the machine itself or its link, or of nobody: there is no pod and no kubelet, but there may be a cloud's metadata
/// service or something else that trusts whoever can reach it.
bool is_local(const asio::ip::address_v4& address) {
  const unsigned first = address.to_uint() >> 24U;
  const bool link_local = address.to_uint() >> 16U == 0xA9FEU;  // 169.254
  return first == 0 || first == 127 || first >= 224 || link_local;
}

bool is_local(const asio::ip::address_v6& address) {
  const auto bytes = address.to_bytes();
  const auto begins_with = [&](std::initializer_list<unsigned char> prefix) {
    return std::equal(prefix.begin(), prefix.end(), bytes.begin());
  };
  const bool holds_v4 = begins_with({0, 0, 0, 0, 0, 0, 0, 0, 0, 0}) ||         // mapped, compatible; :: and ::1 too
                        begins_with({0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0});  // NAT64
  if (holds_v4) return is_local(asio::ip::address_v4({bytes[12], bytes[13], bytes[14], bytes[15]}));
  return address.is_link_local() || address.is_multicast();
}

bool is_local(const asio::ip::address& address) {
  return address.is_v4() ? is_local(address.to_v4()) : is_local(address.to_v6());
}

/// Where a connection leads to, by address or name; connections with equal places can stand in for each other.
using Place = std::tuple<std::string, int, bool>;

struct Connection {
  Connection(asio::io_context& io, std::shared_ptr<asio::ssl::context> tls)
      : context(std::move(tls)), buffer(kBufferBytes) {
    // Beast reads as much at once as the buffer has room for, and else begins with 512 bytes.
    buffer.reserve(kBufferBytes);
    if (context) {
      secure.emplace(io, *context);
    } else {
      plain.emplace(io);
    }
  }
  beast::tcp_stream& socket() { return secure ? secure->next_layer() : *plain; }
  void close() { socket().close(); }

  std::shared_ptr<asio::ssl::context> context;
  std::optional<beast::tcp_stream> plain;
  std::optional<beast::ssl_stream<beast::tcp_stream>> secure;
  beast::flat_buffer buffer;
  bool used = false;
};
using ConnectionPtr = std::shared_ptr<Connection>;

tl::unexpected<FetchError> failed(FetchFailure failure, std::string detail, std::size_t bytes = 0) {
  return tl::unexpected<FetchError>(FetchError{failure, std::move(detail), bytes});
}

/// Whether `request` may be sent at all: parts of it are a user's, and what is written to the wire must stay one
/// request.
tl::expected<void, FetchError> check(const HttpRequest& request) {
  if (!is_target(request.target)) {
    return failed(FetchFailure::kUnreachable,
                  "'" + printable(request.target, 160) + "' is not a path: it begins with '/' and has no blanks");
  }
  if (!request.authorization.empty() && !request.tls) {
    return failed(FetchFailure::kTls, "a secret is only sent over https");
  }
  if (!is_header_value(request.authorization, kMostAuthorizationLength)) {
    return failed(FetchFailure::kUnreachable, "the header 'Authorization' is not printable ASCII of at most " +
                                                  std::to_string(kMostAuthorizationLength) + " characters");
  }
  for (const auto& [name, value] : request.headers) {
    const std::string header = "the header '" + printable(name, kMostHeaderNameLength) + "'";
    if (!is_header_name(name)) {
      return failed(FetchFailure::kUnreachable, header + " has a name that is no HTTP token of at most " +
                                                    std::to_string(kMostHeaderNameLength) + " characters");
    }
    if (is_own_header(name)) {
      return failed(FetchFailure::kUnreachable, header + " can't be set: what it says is not the request's to choose");
    }
    if (!is_header_value(value, kMostHeaderValueLength)) {
      return failed(FetchFailure::kUnreachable, header + " is not printable ASCII of at most " +
                                                    std::to_string(kMostHeaderValueLength) + " characters");
    }
  }
  return {};
}

/// What a POST has that a GET has not, and what is kept of its answer.
struct Posting {
  const HttpPost& what;
  std::optional<std::chrono::seconds> retry_after;
};

tl::expected<void, FetchError> check(const HttpPost& post) {
  if (!is_header_value(post.content_type, kMostHeaderValueLength)) {
    return failed(FetchFailure::kUnreachable, "the header 'Content-Type' is not printable ASCII of at most " +
                                                  std::to_string(kMostHeaderValueLength) + " characters");
  }
  if (post.body.size() > kMostPostBytes) {
    return failed(FetchFailure::kTooLong,
                  "what is to be sent is longer than " + std::to_string(kMostPostBytes) + " bytes");
  }
  return {};
}

/// Of Retry-After; none for its other form, a date.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::min(std::chrono::seconds(seconds), kLongestRetryAfter);
}

/// None when `text` is no IP address.
std::optional<asio::ip::address> parse_address(const std::string& text) {
  // Asio looks neither behind a zero nor at all of a zone, and the header Host has the whole text.
  if (!is_made_of(text, ".:%-_")) return std::nullopt;
  error_code ec;
  auto address = asio::ip::make_address(text, ec);
  if (ec) return std::nullopt;
  return address;
}

/// `name` as certificates and servers have it: without the dot that tells a resolver not to add anything.
std::string tls_name(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

/// Lets the handshake fail unless the certificate is good for `address`. False when that can't be had.
bool demand_certificate_for(SSL* ssl, const std::string& address) {
  if (parse_address(address)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return SSL_set1_host(ssl, tls_name(address).c_str()) == 1;
}

tl::unexpected<FetchError> failed_connect(const error_code& ec) {
  if (ec == beast::error::timeout) return failed(FetchFailure::kTimedOut, "no connection in time");
  if (ec == asio::error::connection_refused) return failed(FetchFailure::kRefused, "connection refused");
  return failed(FetchFailure::kUnreachable, ec.message());
}

tl::unexpected<FetchError> failed_exchange(const error_code& ec, std::size_t bytes) {
  if (ec == beast::error::timeout) return failed(FetchFailure::kTimedOut, "no complete answer in time", bytes);
  if (ec == http::error::end_of_stream || ec == http::error::partial_message || ec == asio::error::eof ||
      ec == asio::error::connection_reset || ec == asio::error::broken_pipe ||
      ec == asio::ssl::error::stream_truncated) {
    return failed(FetchFailure::kCutOff, "the connection was closed in the middle of the answer", bytes);
  }
  if (ec == http::error::header_limit || ec == http::error::buffer_overflow) {
    return failed(FetchFailure::kTooLong, "the answer's header is too long", bytes);
  }
  if (ec.category() == http::make_error_code(http::error::bad_version).category()) {
    return failed(FetchFailure::kNotHttp, "the answer is not HTTP (" + ec.message() + ")", bytes);
  }
  return failed(FetchFailure::kCutOff, ec.message(), bytes);
}

}  // namespace

class Fetcher::Impl {
 public:
  Impl(TlsTrust trust, FetcherLimits limits)
      : trust_(std::move(trust)), limits_(limits), work_(asio::make_work_guard(io_)), thread_([this] { io_.run(); }) {}

  ~Impl() {
    asio::post(io_, [this] {
      stopping_ = true;
      resolver_.cancel();  // the lookups that wait; the one that runs comes to its own end
      for (const ConnectionPtr& connection : active_) connection->close();
      idle_.clear();
      idle_by_place_.clear();
    });
    work_.reset();
    thread_.join();
  }

  void fetch(HttpRequest request, BodySink sink, FetchDone done) {
    asio::spawn(
        io_,
        [this, request = std::move(request), sink = std::move(sink),
         done = std::move(done)](asio::yield_context yield) {
          // On the thread's own stack: what the caller does with the answer may need more than a coroutine's.
          asio::post(io_, [done, outcome = attempt(request, sink, nullptr, yield)] { done(outcome); });
        },
        boost::coroutines::attributes(kStackBytes));
  }

  void post(HttpPost what, PostDone done) {
    asio::spawn(
        io_,
        [this, what = std::move(what), done = std::move(done)](asio::yield_context yield) {
          asio::post(io_, [done, outcome = send(what, yield)] { done(outcome); });
        },
        boost::coroutines::attributes(kStackBytes));
  }

 private:
  using Outcome = tl::expected<HttpAnswer, FetchError>;
  using Endpoints = std::vector<tcp::endpoint>;

  struct Idle {
    Place place;
    ConnectionPtr connection;
    SteadyTime since;
  };
  using IdleList = std::list<Idle>;

  tl::expected<PostAnswer, FetchError> send(const HttpPost& what, const asio::yield_context& yield) {
    if (auto good = check(what); !good) return tl::unexpected<FetchError>(good.error());
    Posting posting{what, std::nullopt};
    const Outcome outcome = attempt(what.to, BodySink(), &posting, yield);
    if (!outcome) return tl::unexpected<FetchError>(outcome.error());
    return PostAnswer{outcome->status, posting.retry_after};
  }

  /// `posting` is null for a GET.
  Outcome attempt(const HttpRequest& request, const BodySink& sink, Posting* posting,
                  const asio::yield_context& yield) {
    // Until the deadline everything has to be done: no single slow step gets time of its own.
    const SteadyTime deadline = std::chrono::steady_clock::now() + request.timeout;
    try {
      // Over a connection that has gone stale a POST would have to be sent twice.
      Outcome outcome = once(request, sink, posting, deadline, posting == nullptr, yield);
      return stopping_ ? Outcome(failed(FetchFailure::kStopped, "stopping")) : outcome;
    } catch (const std::exception& e) {
      return failed(FetchFailure::kNotHttp, e.what());
    }
  }

  Outcome once(const HttpRequest& request, const BodySink& sink, Posting* posting, SteadyTime deadline, bool may_reuse,
               const asio::yield_context& yield) {
    if (stopping_) return failed(FetchFailure::kStopped, "stopping");
    if (auto good = check(request); !good) return tl::unexpected<FetchError>(good.error());
    const Place place{request.address, request.port, request.tls};
    ConnectionPtr connection = may_reuse ? take_idle(place) : nullptr;
    const bool reused = connection != nullptr;
    if (!connection) {
      tl::expected<ConnectionPtr, FetchError> opened = open(request, deadline, yield);
      if (!opened) return tl::unexpected<FetchError>(opened.error());
      connection = std::move(*opened);
    }

    connection->socket().expires_at(deadline);
    active_.insert(connection);
    bool answered = false;
    bool reusable = false;
    Outcome outcome =
        connection->secure
            ? exchange(*connection->secure, *connection, request, sink, posting, deadline, answered, reusable, yield)
            : exchange(*connection->plain, *connection, request, sink, posting, deadline, answered, reusable, yield);
    active_.erase(connection);

    if (reused && !answered && !outcome && outcome.error().failure == FetchFailure::kCutOff) {
      // The other side had closed it while it was idle; that says nothing about the page.
      connection->close();
      return once(request, sink, posting, deadline, false, yield);
    }
    if (!answered && !outcome && outcome.error().failure == FetchFailure::kCutOff) {
      outcome = failed(FetchFailure::kNoAnswer, "the connection was closed without a byte of an answer");
    }
    if (reusable && !stopping_) {
      keep(place, std::move(connection));
    } else {
      connection->close();
    }
    return outcome;
  }

  tl::expected<ConnectionPtr, FetchError> open(const HttpRequest& request, SteadyTime deadline,
                                               const asio::yield_context& yield) {
    auto endpoints = find(request, deadline, yield);
    if (!endpoints) return tl::unexpected<FetchError>(endpoints.error());
    std::shared_ptr<asio::ssl::context> tls;
    if (request.tls) {
      auto context = tls_context();
      if (!context) return tl::unexpected<FetchError>(context.error());
      tls = std::move(*context);
    }

    auto connection = std::make_shared<Connection>(io_, tls);
    active_.insert(connection);
    connection->socket().expires_at(deadline);
    auto done = connect(*connection, *endpoints, yield);
    if (done && connection->secure) done = shake_hands(*connection->secure, request.address, yield);
    active_.erase(connection);
    if (!done) return tl::unexpected<FetchError>(done.error());
    return connection;
  }

  /// Where `request` may be sent: at least one endpoint.
  tl::expected<Endpoints, FetchError> find(const HttpRequest& request, SteadyTime deadline,
                                           const asio::yield_context& yield) {
    const auto address = parse_address(request.address);
    if (!address && !(limits_.names && is_name(request.address))) {
      return failed(FetchFailure::kUnreachable,
                    "'" + printable(request.address, 64) +
                        (limits_.names ? "' is neither an IP address nor a name" : "' is not an IP address"));
    }
    if (request.port < 1 || request.port > 65535) {
      return failed(FetchFailure::kUnreachable, "there is no port " + std::to_string(request.port));
    }
    if (!address) return look_up(request, deadline, yield);
    if (!limits_.local_addresses && is_local(*address)) {
      return failed(FetchFailure::kUnreachable, std::string("it is ") + kLocal);
    }
    return Endpoints{tcp::endpoint(*address, static_cast<unsigned short>(request.port))};
  }

  tl::expected<Endpoints, FetchError> look_up(const HttpRequest& request, SteadyTime deadline,
                                              const asio::yield_context& yield) {
    error_code ec;
    const auto found = resolver_.async_resolve(request.address, std::to_string(request.port),
                                               tcp::resolver::numeric_service, yield[ec]);
    // Who stops closes the connections that there are; one opened from here on would stay.
    if (stopping_) return failed(FetchFailure::kStopped, "stopping");
    // While getaddrinfo() runs, for this name or one before it in the queue, nothing can cut it off: only afterwards is
    // it seen that the time is over.
    if (std::chrono::steady_clock::now() >= deadline) return failed(FetchFailure::kTimedOut, "no address in time");
    if (ec) return failed(FetchFailure::kUnreachable, "the name does not resolve: " + ec.message());
    Endpoints endpoints;
    for (const auto& entry : found) {
      if (limits_.local_addresses || !is_local(entry.endpoint().address())) endpoints.push_back(entry.endpoint());
    }
    if (endpoints.empty()) return failed(FetchFailure::kUnreachable, std::string("it resolves to ") + kLocal);
    return endpoints;
  }

  /// With the first of `endpoints` that lets it.
  tl::expected<void, FetchError> connect(Connection& connection, const Endpoints& endpoints,
                                         const asio::yield_context& yield) {
    error_code ec;
    for (const tcp::endpoint& endpoint : endpoints) {
      connection.socket().async_connect(endpoint, yield[ec]);
      // The time that is over is that of the others too.
      if (!ec || ec == beast::error::timeout || stopping_) break;
      connection.close();
    }
    if (!ec) (void)connection.socket().socket().set_option(tcp::no_delay(true), ec);
    if (ec) return failed_connect(ec);
    return {};
  }

  tl::expected<void, FetchError> shake_hands(beast::ssl_stream<beast::tcp_stream>& stream, const std::string& address,
                                             const asio::yield_context& yield) {
    SSL* const ssl = stream.native_handle();
    if (!trust_.waived && !demand_certificate_for(ssl, address)) {
      return failed(FetchFailure::kTls, "no certificate can be checked against the address " + address);
    }
    // Which of its certificates a server shows depends on it.
    if (!parse_address(address) && SSL_set_tlsext_host_name(ssl, tls_name(address).c_str()) != 1) {
      return failed(FetchFailure::kTls, "the server cannot be told that " + address + " is wanted");
    }
    error_code ec;
    stream.async_handshake(asio::ssl::stream_base::client, yield[ec]);
    if (!ec) return {};
    if (ec == beast::error::timeout) return failed(FetchFailure::kTimedOut, "no TLS handshake in time");
    const long verified = SSL_get_verify_result(ssl);
    std::string why = ec.message();
    if (verified != X509_V_OK) why = X509_verify_cert_error_string(verified);
    return failed(FetchFailure::kTls, "TLS: " + why);
  }

  template <typename Stream>
  Outcome exchange(Stream& stream, Connection& connection, const HttpRequest& request, const BodySink& sink,
                   Posting* posting, SteadyTime deadline, bool& answered, bool& reusable,
                   const asio::yield_context& yield) {
    error_code ec;
    http::request<http::string_body> question{posting == nullptr ? http::verb::get : http::verb::post, request.target,
                                              11};
    const bool bracketed = request.address.find(':') != std::string::npos;
    question.set(http::field::host,
                 (bracketed ? "[" + request.address + "]" : request.address) + ":" + std::to_string(request.port));
    question.set(http::field::user_agent, "gopacer");
    question.set(http::field::accept, request.accept);
    question.set(http::field::accept_encoding, "identity");
    for (const auto& [name, value] : request.headers) question.set(name, value);
    if (request.tls && !request.authorization.empty()) question.set(http::field::authorization, request.authorization);
    if (posting != nullptr) {
      question.set(http::field::content_type, posting->what.content_type);
      question.body() = posting->what.body;
      question.prepare_payload();
    }
    http::async_write(stream, question, yield[ec]);
    if (ec) return failed_exchange(ec, 0);

    http::response_parser<http::buffer_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
    // Counted below, with an error that says more. (boost::none refuses every body in 1.74.)
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());
    http::async_read_header(stream, connection.buffer, parser, yield[ec]);
    answered = parser.got_some();
    if (ec) return failed_exchange(ec, 0);

    HttpAnswer answer;
    answer.status = parser.get().result_int();
    answer.content_type = printable(
        {parser.get()[http::field::content_type].data(), parser.get()[http::field::content_type].size()}, 100);
    if (answer.status >= 300 && answer.status < 400) {
      // Where to is the stranger's text, and may be meant for whoever reads it.
      return failed(FetchFailure::kRedirected, "HTTP " + std::to_string(answer.status) + " is a redirect");
    }
    if (posting != nullptr) {
      const auto wait = parser.get()[http::field::retry_after];
      posting->retry_after = parse_retry_after({wait.data(), wait.size()});
      return answer;
    }
    const bool good = answer.status >= 200 && answer.status < 300;
    const auto encoding = parser.get()[http::field::content_encoding];
    if (good && !encoding.empty() && encoding != "identity") {
      return failed(FetchFailure::kNotHttp, "the answer is compressed (" +
                                                printable({encoding.data(), encoding.size()}, 40) +
                                                ") although that was not asked for");
    }

    std::array<char, kPieceBytes> piece;
    bool wanted = true;
    while (wanted && !parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      http::async_read_some(stream, connection.buffer, parser, yield[ec]);
      if (ec == http::error::need_buffer) ec = {};
      if (ec) return failed_exchange(ec, answer.bytes);
      // The stream's timer fires only while it waits: it never does for a body that comes faster than it is read.
      if (std::chrono::steady_clock::now() >= deadline) return failed_exchange(beast::error::timeout, answer.bytes);
      const std::size_t n = piece.size() - parser.get().body().size;
      answer.bytes += n;
      const std::string_view text(piece.data(), n);
      if (!good) {
        wanted = answer.bytes < kErrorPageBytes;
      } else if (answer.bytes > request.most_bytes) {
        return failed(FetchFailure::kTooLong,
                      "the answer is longer than " + std::to_string(request.most_bytes) + " bytes", answer.bytes);
      } else if (n > 0) {
        wanted = sink(text);
      }
    }
    // Bytes beyond the answer would be taken for the next one, and so would the answer that one of 1xx announces.
    reusable = answer.status >= 200 && parser.is_done() && parser.keep_alive() && connection.buffer.size() == 0;
    return answer;
  }

  ConnectionPtr take_idle(const Place& place) {
    const SteadyTime oldest = std::chrono::steady_clock::now() - limits_.idle_time;
    while (!idle_.empty() && idle_.front().since < oldest) drop(idle_.begin());
    const auto found = idle_by_place_.find(place);
    if (found == idle_by_place_.end()) return nullptr;
    ConnectionPtr connection = std::move(found->second->connection);
    idle_.erase(found->second);
    idle_by_place_.erase(found);
    return connection;
  }

  void keep(const Place& place, ConnectionPtr connection) {
    const auto found = idle_by_place_.find(place);
    if (found != idle_by_place_.end()) drop(found->second);
    while (!idle_.empty() && idle_.size() >= limits_.idle_connections) drop(idle_.begin());
    if (limits_.idle_connections == 0) return;
    connection->socket().expires_never();
    idle_.push_back({place, std::move(connection), std::chrono::steady_clock::now()});
    idle_by_place_[place] = std::prev(idle_.end());
  }

  void drop(IdleList::iterator entry) {
    idle_by_place_.erase(entry->place);
    idle_.erase(entry);
  }

  tl::expected<std::shared_ptr<asio::ssl::context>, FetchError> tls_context() {
    struct stat file{};
    if (!trust_.waived) {
      if (trust_.ca_file.empty()) {
        return failed(FetchFailure::kTls, "no CA file is configured to check the certificate with");
      }
      if (::stat(trust_.ca_file.c_str(), &file) != 0) {
        return failed(FetchFailure::kTls, "the CA file " + trust_.ca_file + " cannot be read");
      }
      if (tls_ && file.st_mtim.tv_sec == tls_file_.st_mtim.tv_sec && file.st_ino == tls_file_.st_ino &&
          file.st_mtim.tv_nsec == tls_file_.st_mtim.tv_nsec) {
        return tls_;
      }
    } else if (tls_) {
      return tls_;
    }
    auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
    error_code ec;
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    if (trust_.waived) {
      (void)context->set_verify_mode(asio::ssl::verify_none, ec);
    } else {
      (void)context->set_verify_mode(asio::ssl::verify_peer, ec);
      (void)context->load_verify_file(trust_.ca_file, ec);
      if (ec) {
        return failed(FetchFailure::kTls,
                      "the CA file " + trust_.ca_file + " holds no certificates in PEM form (" + ec.message() + ")");
      }
    }
    tls_ = context;
    tls_file_ = file;
    return tls_;
  }

  const TlsTrust trust_;
  const FetcherLimits limits_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  tcp::resolver resolver_{io_};

  // All below belongs to the thread.
  bool stopping_ = false;
  std::set<ConnectionPtr> active_;
  IdleList idle_;  ///< the longest unused first
  std::map<Place, IdleList::iterator> idle_by_place_;
  std::shared_ptr<asio::ssl::context> tls_;
  struct stat tls_file_{};
  std::thread thread_;
};

bool is_local_address(const std::string& text) {
  error_code ec;
  const auto address = asio::ip::make_address(text, ec);
  return !ec && is_local(address);
}

Fetcher::Fetcher(TlsTrust trust, FetcherLimits limits) : impl_(std::make_unique<Impl>(std::move(trust), limits)) {}
Fetcher::~Fetcher() = default;

void Fetcher::fetch(HttpRequest request, BodySink sink, FetchDone done) {
  impl_->fetch(std::move(request), std::move(sink), std::move(done));
}

void Fetcher::post(HttpPost what, PostDone done) { impl_->post(std::move(what), std::move(done)); }

}  // namespace gopacer
