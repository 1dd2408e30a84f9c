#include "kube/transport.h"

#include <cpprest/astreambuf.h>
#include <cpprest/http_client.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pplx/threadpool.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <tuple>
#include <utility>

namespace gopacer::kube {
namespace {

/// The library closes a cancelled request's socket while another of its threads may be in the middle of reading from
/// it, which crashes now and then. All that it does happens on one thread, from the first byte to the cancelling:
/// requests wait for the network, not for a processor.
constexpr std::size_t kThreads = 1;
/// Bytes that wait for their reader before the connection is read no further.
constexpr std::size_t kMostPending = 1U << 20U;
/// How long a cancelled request may take to come back before it is left to itself.
constexpr Duration kCancelGrace = std::chrono::seconds(2);
/// The library's own idle time-out is only a net under ours.
constexpr std::chrono::seconds kLibraryTimeout{3600};

/// What SSL_CERT_FILE and SSL_CERT_DIR said before prepare_process() emptied them.
struct SystemAuthorities {
  std::string file;
  std::string dir;
};

SystemAuthorities& system_authorities() {
  static SystemAuthorities authorities;
  return authorities;
}

struct StoreFree {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using Store = std::unique_ptr<X509_STORE, StoreFree>;

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown" : reason;
}

/// The certificates that a server's certificate may descend from.
Result<Store> make_store(const std::string& ca) {
  Store store(X509_STORE_new());
  if (ca.empty()) {
    const SystemAuthorities& system = system_authorities();
    // A machine without them is fine as long as nothing is verified.
    X509_STORE_load_file(store.get(), system.file.c_str());
    X509_STORE_load_path(store.get(), system.dir.c_str());
    ERR_clear_error();
    return store;
  }
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new_mem_buf(ca.data(), static_cast<int>(ca.size())), &BIO_free);
  int count = 0;
  while (X509* const certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    count += X509_STORE_add_cert(store.get(), certificate);
    X509_free(certificate);
  }
  const unsigned long end = ERR_peek_last_error();
  if (count == 0 || ERR_GET_REASON(end) != PEM_R_NO_START_LINE) {
    return invalid("the cluster's certificate authority is not PEM: " + openssl_reason());
  }
  ERR_clear_error();
  return store;
}

/// The authorities to believe now. A cluster replaces them while its pods run, and the file in them follows.
/// Thread-safe.
class Authorities {
 public:
  Authorities(Store store, std::string file) : store_(std::move(store)), file_(std::move(file)), seen_(stamp(file_)) {}

  /// What the file held last that was of use: a file that is half written takes nothing away.
  std::shared_ptr<X509_STORE> store() {
    const std::lock_guard lock(mutex_);
    if (const Stamp now = stamp(file_); now != seen_) {
      const Result<std::string> text = read_credential(file_);
      if (Result<Store> fresh = text && !text->empty() ? make_store(*text) : invalid("unreadable")) {
        store_ = std::move(*fresh);
        seen_ = now;
      }
    }
    return store_;
  }

 private:
  using Stamp = std::tuple<std::uint64_t, std::int64_t, std::int64_t>;

  static Stamp stamp(const std::string& file) {
    struct stat found{};
    if (file.empty() || ::stat(file.c_str(), &found) != 0) return {};
    return {found.st_ino, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
  }

  std::mutex mutex_;
  std::shared_ptr<X509_STORE> store_;
  const std::string file_;
  Stamp seen_;
};

/// Why the last server certificate was refused; the HTTP library loses it.
struct VerifyFailure {
  std::mutex mutex;
  std::string reason;
};

int verify_and_remember(X509_STORE_CTX* context, void* failure) {
  const int ok = X509_verify_cert(context);
  if (ok > 0) return ok;
  const int code = X509_STORE_CTX_get_error(context);
  auto& out = *static_cast<VerifyFailure*>(failure);
  const std::lock_guard lock(out.mutex);
  // The library's check of the name gives no code of its own.
  const bool wrong_name = code == X509_V_OK || code == X509_V_ERR_UNSPECIFIED;
  out.reason = wrong_name ? "it is not for this host" : X509_verify_cert_error_string(code);
  return ok;
}

/// What the library's threads and the caller of one exchange share.
struct Exchange {
  std::mutex mutex;
  std::condition_variable_any changed;
  bool answered = false;  ///< status and headers are there
  int status = 0;
  std::optional<std::chrono::milliseconds> retry_after;
  std::string pending;
  /// Set while the library waits for `pending` to be taken.
  std::optional<pplx::task_completion_event<void>> room;
  bool abandoned = false;  ///< the caller takes no more
  bool done = false;
  std::string failure;

  void finish(const std::string& why) {
    {
      const std::lock_guard lock(mutex);
      done = true;
      failure = why;
    }
    changed.notify_all();
  }
};

/// The stream that the library writes a body into. It holds the library back when the caller does not keep up; the
/// library's own buffers would grow without end.
class Inbox final : public Concurrency::streams::details::streambuf_state_manager<std::uint8_t> {
 public:
  explicit Inbox(std::shared_ptr<Exchange> exchange)
      : streambuf_state_manager(std::ios_base::out), exchange_(std::move(exchange)) {}

  bool can_seek() const override { return false; }
  bool has_size() const override { return false; }
  std::size_t buffer_size(std::ios_base::openmode) const override { return 0; }
  void set_buffer_size(std::size_t, std::ios_base::openmode) override {}
  std::size_t in_avail() const override { return 0; }
  pos_type getpos(std::ios_base::openmode) const override { return static_cast<pos_type>(traits::eof()); }
  pos_type seekpos(pos_type, std::ios_base::openmode) override { return static_cast<pos_type>(traits::eof()); }
  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override {
    return static_cast<pos_type>(traits::eof());
  }
  bool acquire(std::uint8_t*&, std::size_t&) override { return false; }
  void release(std::uint8_t*, std::size_t) override {}

 protected:
  pplx::task<int_type> _putc(std::uint8_t c) override {
    return _putn(&c, 1).then([c](std::size_t) { return static_cast<int_type>(c); });
  }
  pplx::task<std::size_t> _putn(const std::uint8_t* data, std::size_t count) override {
    pplx::task<std::size_t> accepted = pplx::task_from_result(count);
    {
      const std::lock_guard lock(exchange_->mutex);
      if (exchange_->abandoned) return pplx::task_from_result(count);
      exchange_->pending.append(reinterpret_cast<const char*>(data), count);
      if (exchange_->pending.size() > kMostPending) {
        exchange_->room.emplace();
        accepted = pplx::create_task(*exchange_->room).then([count] { return count; });
      }
    }
    exchange_->changed.notify_all();
    return accepted;
  }
  pplx::task<int_type> _bumpc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  int_type _sbumpc() override { return traits::eof(); }
  pplx::task<int_type> _getc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  int_type _sgetc() override { return traits::eof(); }
  pplx::task<int_type> _nextc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  pplx::task<int_type> _ungetc() override { return pplx::task_from_result<int_type>(traits::eof()); }
  pplx::task<std::size_t> _getn(std::uint8_t*, std::size_t) override { return pplx::task_from_result<std::size_t>(0); }
  std::size_t _scopy(std::uint8_t*, std::size_t) override { return 0; }
  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }
  std::uint8_t* _alloc(std::size_t) override { return nullptr; }
  void _commit(std::size_t) override {}

 private:
  const std::shared_ptr<Exchange> exchange_;
};

/// Retry-After in seconds; its other form, a date, is not used by the API server.
std::optional<std::chrono::milliseconds> parse_retry_after(const std::string& text) {
  unsigned seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, 3600U));
}

void on_library_thread(std::function<void()> work) {
  crossplat::threadpool::shared_instance().service().post(std::move(work));
}

/// Sends the request and ends in Exchange::finish(). Only on the library's thread.
void send(web::http::client::http_client& client, const web::http::http_request& request,
          const pplx::cancellation_token& token, const std::shared_ptr<Exchange>& exchange) {
  using Response = web::http::http_response;
  client.request(request, token).then([exchange](const pplx::task<Response>& head) {
    try {
      const Response response = head.get();
      {
        const std::lock_guard lock(exchange->mutex);
        exchange->answered = true;
        exchange->status = response.status_code();
        if (const auto found = response.headers().find("Retry-After"); found != response.headers().end()) {
          exchange->retry_after = parse_retry_after(found->second);
        }
      }
      exchange->changed.notify_all();
      // The body's stream ends the same way whether the server finished or the connection broke: only this task tells.
      response.content_ready().then([exchange](const pplx::task<Response>& body) {
        try {
          body.get();
          exchange->finish("");
        } catch (const std::exception& error) {
          exchange->finish(std::string("the connection broke in the middle of the answer: ") + error.what());
        }
      });
    } catch (const std::exception& error) {
      exchange->finish(error.what());
    }
  });
}

}  // namespace

void prepare_process() {
  static std::once_flag once;
  std::call_once(once, [] {
    const char* const file = std::getenv(X509_get_default_cert_file_env());
    const char* const dir = std::getenv(X509_get_default_cert_dir_env());
    system_authorities() = {file == nullptr ? X509_get_default_cert_file() : file,
                            dir == nullptr ? X509_get_default_cert_dir() : dir};
    // The library loads the system's authorities for each connection, about 45 ms; ours are in a store made once.
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet.
    ::setenv(X509_get_default_cert_file_env(), "", 1);
    crossplat::threadpool::initialize_with_threads(kThreads);
  });
}

struct Transport::Impl {
  std::string server;
  std::string user_agent;
  std::string host_header;
  std::shared_ptr<TokenSource> token;
  const std::shared_ptr<VerifyFailure> verify_failure = std::make_shared<VerifyFailure>();
  std::shared_ptr<web::http::client::http_client> client;

  std::string explain(std::string failure) {
    const std::lock_guard lock(verify_failure->mutex);
    if (failure.find("SSL handshake") != std::string::npos && !verify_failure->reason.empty()) {
      failure = "its certificate was refused (" + std::exchange(verify_failure->reason, "") +
                "): check the certificate authority and tls-server-name of the cluster's configuration";
    }
    return "cannot talk to the API server at " + server + ": " + failure;
  }

  /// `on_data` null: keep the body.
  Result<ApiResponse> exchange(const ApiRequest& request, const HttpLimits& limits,
                               const std::function<Result<void>(std::string_view)>* on_data, std::stop_token stop);
};

Transport::Transport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Transport::~Transport() = default;

Result<std::unique_ptr<Transport>> Transport::open(const ClusterConfig& config, std::shared_ptr<TokenSource> token,
                                                   const std::string& user_agent) {
  prepare_process();
  auto impl = std::make_unique<Impl>();
  impl->server = config.server;
  impl->user_agent = user_agent;
  impl->token = std::move(token);
  try {
    const web::uri base(config.server);
    if (base.host().starts_with('[')) {
      return invalid("the API server's address " + config.server +
                     " is an IPv6 literal, which cannot be used: give its host name");
    }
    Result<Store> store = make_store(config.skip_tls_verify ? "" : config.ca);
    if (!store) return tl::unexpected(store.error());

    // What it holds lives as long as the last connection, which may outlive this object by a moment.
    const auto set_up_tls =
        [authorities = std::make_shared<Authorities>(std::move(*store), config.skip_tls_verify ? "" : config.ca_file),
         failure = impl->verify_failure, certificate = config.client_certificate,
         key = config.client_key](boost::asio::ssl::context& context) {
          SSL_CTX* const native = context.native_handle();
          SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
          SSL_CTX_set1_cert_store(native, authorities->store().get());
          SSL_CTX_set_cert_verify_callback(native, verify_and_remember, failure.get());
          if (certificate.empty()) return;
          context.use_certificate_chain(boost::asio::buffer(certificate));
          context.use_private_key(boost::asio::buffer(key), boost::asio::ssl::context::pem);
        };
    // Said once now instead of at each connection.
    try {
      boost::asio::ssl::context trial(boost::asio::ssl::context::tls_client);
      set_up_tls(trial);
    } catch (const std::exception& error) {
      return invalid(std::string("the client certificate or its key cannot be used: ") + error.what());
    }

    web::http::client::http_client_config client_config;
    client_config.set_timeout(kLibraryTimeout);
    client_config.set_max_redirects(0);
    client_config.set_validate_certificates(!config.skip_tls_verify);
    client_config.set_ssl_context_callback(set_up_tls);
    // The library verifies the certificate against the Host header.
    impl->host_header = config.tls_server_name;
    impl->client = std::make_shared<web::http::client::http_client>(base, client_config);
  } catch (const std::exception& error) {
    return invalid("the API server's address " + config.server + " cannot be used: " + error.what());
  }
  return std::unique_ptr<Transport>(new Transport(std::move(impl)));
}

Result<ApiResponse> Transport::send(const ApiRequest& request, const HttpLimits& limits, std::stop_token stop) {
  return impl_->exchange(request, limits, nullptr, std::move(stop));
}

Result<ApiResponse> Transport::stream(const ApiRequest& request, const HttpLimits& limits,
                                      const std::function<Result<void>(std::string_view)>& on_data,
                                      std::stop_token stop) {
  return impl_->exchange(request, limits, &on_data, std::move(stop));
}

Result<ApiResponse> Transport::Impl::exchange(const ApiRequest& request, const HttpLimits& limits,
                                              const std::function<Result<void>(std::string_view)>* on_data,
                                              std::stop_token stop) {
  using std::chrono::steady_clock;
  const auto shared = std::make_shared<Exchange>();
  const auto inbox = std::make_shared<Inbox>(shared);
  pplx::cancellation_token_source cancel;
  const auto begun = steady_clock::now();

  if (stop.stop_requested()) {
    if (on_data != nullptr) return ApiResponse{};
    return retriable("not sent: this client was cut off");
  }
  const Result<std::string> bearer = token->token();
  if (!bearer) return tl::unexpected(bearer.error());
  try {
    web::http::http_request message(request.method);
    message.set_request_uri(web::uri(request.target));
    if (!host_header.empty()) message.headers().add("Host", host_header);
    message.headers().add("User-Agent", user_agent);
    message.headers().add("Accept", request.accept);
    if (!bearer->empty()) message.headers().add("Authorization", "Bearer " + *bearer);
    if (!request.body.empty()) message.set_body(request.body, request.content_type);
    message.set_response_stream(concurrency::streams::ostream(concurrency::streams::streambuf<std::uint8_t>(inbox)));
    on_library_thread([client = client, message, token = cancel.get_token(), shared] {
      try {
        kube::send(*client, message, token, shared);
      } catch (const std::exception& error) {
        shared->finish(error.what());
      }
    });
  } catch (const std::exception& error) {
    return retriable(explain(error.what()));
  }

  ApiResponse response;
  std::optional<Error> trouble;
  auto deadline = begun + limits.total;
  std::unique_lock lock(shared->mutex);
  bool answered = false;
  while (true) {
    const bool woken = shared->changed.wait_until(lock, stop, deadline, [&] {
      return shared->done || shared->answered != answered || (answered && !shared->pending.empty());
    });
    if (stop.stop_requested()) {
      if (on_data == nullptr) trouble = Error{ErrorKind::kRetriable, "stopped while talking to the API server"};
      break;
    }
    if (!woken) {
      const Duration waited = steady_clock::now() - begun;
      trouble =
          Error{ErrorKind::kRetriable,
                explain("no answer for " + format_duration(std::chrono::duration_cast<std::chrono::seconds>(waited)))};
      break;
    }
    if (shared->answered != answered) {
      answered = true;
      if (on_data != nullptr) deadline = steady_clock::now() + limits.idle;
      continue;
    }
    // The library may deliver the body before it tells the status, without which nobody knows whose the body is.
    if (!answered || shared->pending.empty()) break;

    const std::string data = std::exchange(shared->pending, {});
    const auto room = std::exchange(shared->room, std::nullopt);
    const bool good = shared->status >= 200 && shared->status < 300;
    lock.unlock();
    if (room) room->set();
    if (on_data != nullptr && good) {
      if (const Result<void> taken = (*on_data)(data); !taken) trouble = taken.error();
      deadline = steady_clock::now() + limits.idle;
    } else if (response.body.size() + data.size() > limits.most_bytes) {
      response.too_large = true;
    } else {
      response.body += data;
    }
    lock.lock();
    if (trouble || response.too_large) break;
  }

  if (!shared->done) {
    shared->abandoned = true;
    const auto room = std::exchange(shared->room, std::nullopt);
    lock.unlock();
    on_library_thread([cancel] { cancel.cancel(); });
    if (room) room->set();
    lock.lock();
    shared->changed.wait_for(lock, kCancelGrace, [&] { return shared->done; });
  } else if (!trouble && !response.too_large && !shared->failure.empty() && !stop.stop_requested()) {
    trouble = Error{ErrorKind::kRetriable, explain(shared->failure)};
  }
  if (trouble) return tl::unexpected(*trouble);
  response.status = shared->status;
  response.retry_after = shared->retry_after;
  return response;
}

}  // namespace gopacer::kube
