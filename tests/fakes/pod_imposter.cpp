#include "fakes/pod_imposter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace gopacer {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("pod imposter: ") + what);
}

using KeyPtr = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using CertificatePtr = std::unique_ptr<X509, decltype(&X509_free)>;

std::string pem(const std::function<int(BIO*)>& write) {
  BIO* const memory = BIO_new(BIO_s_mem());
  check(write(memory) == 1, "PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(memory);
  return text;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  check(extension != nullptr, "certificate extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

CertificatePtr make_certificate(EVP_PKEY* key, const char* name, long serial) {
  CertificatePtr certificate(X509_new(), X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  return certificate;
}

}  // namespace

TestCertificates make_certificates(const std::string& address) {
  const KeyPtr ca_key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const KeyPtr key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const CertificatePtr ca = make_certificate(ca_key.get(), "test authority", 1);
  X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get()));
  add_extension(ca.get(), NID_basic_constraints, "critical,CA:TRUE");
  check(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "signature");
  const CertificatePtr leaf = make_certificate(key.get(), "test kubelet", 2);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca.get()));
  add_extension(leaf.get(), NID_subject_alt_name, "IP:" + address);
  check(X509_sign(leaf.get(), ca_key.get(), EVP_sha256()) > 0, "signature");
  return {pem([&](BIO* out) { return PEM_write_bio_X509(out, ca.get()); }),
          pem([&](BIO* out) { return PEM_write_bio_X509(out, leaf.get()); }), pem([&](BIO* out) {
            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

class PodImposter::Impl {
 public:
  Impl(const std::string& address, const TestCertificates* certificates) {
    std::signal(SIGPIPE, SIG_IGN);
    check(::pipe(stop_.data()) == 0, "pipe");
    if (certificates != nullptr) use(*certificates);
    const bool six = address.find(':') != std::string::npos;
    listener_ = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(listener_ >= 0, "socket");
    sockaddr_storage where{};
    socklen_t size = 0;
    if (six) {
      auto* const in6 = reinterpret_cast<sockaddr_in6*>(&where);
      in6->sin6_family = AF_INET6;
      check(::inet_pton(AF_INET6, address.c_str(), &in6->sin6_addr) == 1, "address");
      size = sizeof(sockaddr_in6);
    } else {
      auto* const in4 = reinterpret_cast<sockaddr_in*>(&where);
      in4->sin_family = AF_INET;
      check(::inet_pton(AF_INET, address.c_str(), &in4->sin_addr) == 1, "address");
      size = sizeof(sockaddr_in);
    }
    check(::bind(listener_, reinterpret_cast<sockaddr*>(&where), size) == 0, "bind");
    check(::listen(listener_, 128) == 0, "listen");
    check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size) == 0, "getsockname");
    port_ = ntohs(six ? reinterpret_cast<sockaddr_in6*>(&where)->sin6_port
                      : reinterpret_cast<sockaddr_in*>(&where)->sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~Impl() {
    check(::write(stop_[1], "x", 1) == 1, "write");
    acceptor_.join();
    for (std::thread& server : servers_) server.join();
    for (const int fd : {listener_, stop_[0], stop_[1]}) ::close(fd);
    SSL_CTX_free(tls_);
  }

  int port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::map<std::string, Behaviour> behaviours_;
  std::vector<std::string> targets_;
  std::string last_head_;
  int connections_ = 0;
  int at_once_ = 0;
  int most_at_once_ = 0;
  std::set<int> idle_;

 private:
  struct Peer {
    int fd;
    SSL* ssl = nullptr;
  };

  void use(const TestCertificates& certificates) {
    tls_ = SSL_CTX_new(TLS_server_method());
    BIO* const text =
        BIO_new_mem_buf(certificates.certificate_pem.data(), static_cast<int>(certificates.certificate_pem.size()));
    X509* const certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    check(SSL_CTX_use_certificate(tls_, certificate) == 1, "certificate");
    X509_free(certificate);
    BIO_free(text);
    BIO* const key_text = BIO_new_mem_buf(certificates.key_pem.data(), static_cast<int>(certificates.key_pem.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(key_text, nullptr, nullptr, nullptr);
    check(SSL_CTX_use_PrivateKey(tls_, key) == 1, "key");
    EVP_PKEY_free(key);
    BIO_free(key_text);
  }

  /// Waits until `fd` can be read; false when the imposter is being destroyed, or after `patience`.
  bool readable(int fd, int patience_ms = -1) const {
    std::array<pollfd, 2> fds{{{fd, POLLIN, 0}, {stop_[0], POLLIN, 0}}};
    return ::poll(fds.data(), fds.size(), patience_ms) > 0 && (fds[1].revents & POLLIN) == 0;
  }
  bool stopping_after(std::chrono::milliseconds time) const {
    pollfd fd{stop_[0], POLLIN, 0};
    return ::poll(&fd, 1, static_cast<int>(time.count())) > 0;
  }

  void accept_all() {
    while (readable(listener_)) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      // A writer must notice the end of the test although nobody reads.
      const timeval patience{0, 100'000};
      ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      const std::lock_guard lock(mutex_);
      ++connections_;
      servers_.emplace_back([this, fd] { serve(fd); });
    }
  }

  bool send(const Peer& peer, std::string_view text) const {
    while (!text.empty()) {
      long n = 0;
      if (peer.ssl != nullptr) {
        n = SSL_write(peer.ssl, text.data(), static_cast<int>(text.size()));
        if (n <= 0) return false;
      } else {
        n = ::send(peer.fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !stopping_after(std::chrono::milliseconds(0)))
          continue;
        if (n <= 0) return false;
      }
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  bool receive_head(const Peer& peer, std::string& head) {
    head.clear();
    std::array<char, 2048> piece{};
    while (head.find("\r\n\r\n") == std::string::npos) {
      if ((peer.ssl == nullptr || SSL_pending(peer.ssl) == 0) && !readable(peer.fd)) return false;
      const long n = peer.ssl != nullptr ? SSL_read(peer.ssl, piece.data(), piece.size())
                                         : ::recv(peer.fd, piece.data(), piece.size(), 0);
      if (n <= 0) return false;
      head.append(piece.data(), static_cast<std::size_t>(n));
    }
    return true;
  }

  void serve(int fd) {
    Peer peer{fd};
    bool good = true;
    if (tls_ != nullptr) {
      peer.ssl = SSL_new(tls_);
      SSL_set_fd(peer.ssl, fd);
      good = SSL_accept(peer.ssl) == 1;
    }
    std::string head;
    const auto set_idle = [&](bool idle) {
      const std::lock_guard lock(mutex_);
      if (idle) {
        idle_.insert(fd);
      } else {
        idle_.erase(fd);
      }
    };
    while (good) {
      set_idle(true);
      good = receive_head(peer, head);
      set_idle(false);
      if (!good) break;
      const std::size_t from = head.find(' ') + 1;
      const std::string target = head.substr(from, head.find(' ', from) - from);
      Behaviour behaviour = Page{"404 page not found\n", 404};
      {
        const std::lock_guard lock(mutex_);
        std::size_t longest = 0;
        for (const auto& [prefix, known] : behaviours_) {
          if (target.starts_with(prefix) && prefix.size() >= longest) {
            behaviour = known;
            longest = prefix.size();
          }
        }
        targets_.push_back(target);
        last_head_ = head;
        most_at_once_ = std::max(most_at_once_, ++at_once_);
      }
      changed_.notify_all();
      good = std::visit([&](const auto& how) { return answer(peer, how); }, behaviour);
      const std::lock_guard lock(mutex_);
      --at_once_;
    }
    SSL_free(peer.ssl);
    ::close(fd);
  }

  bool answer(const Peer& peer, const Page& page) {
    return send(peer, "HTTP/1.1 " + std::to_string(page.status) + " Status\r\nContent-Type: " + page.content_type +
                          "\r\n" + page.headers + "Content-Length: " + std::to_string(page.body.size()) + "\r\n\r\n" +
                          page.body);
  }
  bool answer(const Peer& peer, const Drip& drip) {
    const auto chunk = [&](const std::string& text) {
      std::array<char, 20> size{};
      std::snprintf(size.data(), size.size(), "%zx\r\n", text.size());
      return text.empty() || send(peer, size.data() + text + "\r\n");
    };
    bool good = send(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") && chunk(drip.body);
    while (good && !stopping_after(drip.gap)) good = chunk(drip.piece);
    return false;
  }
  bool answer(const Peer& peer, const Cut& cut) {
    send(peer, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(cut.body.size()) + "\r\n\r\n" +
                   cut.body.substr(0, cut.bytes));
    return false;
  }
  bool answer(const Peer& peer, const Raw& raw) {
    send(peer, raw.bytes);
    return false;
  }
  bool answer(const Peer& peer, const Silence&) {
    readable(peer.fd);  // until the client goes away
    return false;
  }

  std::array<int, 2> stop_{};
  int listener_ = -1;
  SSL_CTX* tls_ = nullptr;
  std::thread acceptor_;
  std::vector<std::thread> servers_;
};

PodImposter::PodImposter(const std::string& address, const TestCertificates* certificates)
    : impl_(std::make_unique<Impl>(address, certificates)) {}
PodImposter::~PodImposter() = default;

int PodImposter::port() const { return impl_->port_; }

void PodImposter::on(const std::string& target, Behaviour behaviour) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->behaviours_[target] = std::move(behaviour);
}

int PodImposter::requests(const std::string& target) const {
  const std::lock_guard lock(impl_->mutex_);
  return static_cast<int>(std::count_if(impl_->targets_.begin(), impl_->targets_.end(),
                                        [&](const std::string& seen) { return seen.starts_with(target); }));
}

std::string PodImposter::last_head() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->last_head_;
}

int PodImposter::connections() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->connections_;
}

int PodImposter::most_at_once() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->most_at_once_;
}

void PodImposter::close_idle() {
  const std::lock_guard lock(impl_->mutex_);
  for (const int fd : impl_->idle_) ::shutdown(fd, SHUT_RDWR);
}

bool PodImposter::wait_for_requests(int count, std::chrono::seconds patience) const {
  std::unique_lock lock(impl_->mutex_);
  return impl_->changed_.wait_for(lock, patience, [&] { return static_cast<int>(impl_->targets_.size()) >= count; });
}

}  // namespace gopacer
