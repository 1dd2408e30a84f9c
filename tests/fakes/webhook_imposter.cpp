#include "fakes/webhook_imposter.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>

namespace gopacer {
namespace {

void check(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("webhook imposter: ") + what);
}

/// The length that the head announces; 0 when it announces none.
std::size_t content_length(const std::string& head) {
  constexpr const char* kHeader = "\r\nContent-Length: ";
  const std::size_t at = head.find(kHeader);
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + std::string(kHeader).size()));
}

}  // namespace

class WebhookImposter::Impl {
 public:
  Impl() {
    check(::pipe(stop_.data()) == 0, "pipe");
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(listener_ >= 0, "socket");
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    check(::bind(listener_, reinterpret_cast<sockaddr*>(&where), size) == 0, "bind");
    check(::listen(listener_, 16) == 0, "listen");
    check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size) == 0, "getsockname");
    port_ = ntohs(where.sin_port);
    thread_ = std::thread([this] { serve_all(); });
  }

  ~Impl() {
    // A pipe of ours that nobody else writes to has room for a byte.
    [[maybe_unused]] const long written = ::write(stop_[1], "x", 1);
    thread_.join();
    for (const int fd : silent_) ::close(fd);
    for (const int fd : {listener_, stop_[0], stop_[1]}) ::close(fd);
  }

  int port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Request> requests_;
  int status_ = 200;
  std::string headers_;
  bool is_silent_ = false;

 private:
  void serve_all() {
    std::array<pollfd, 2> fds{{{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) > 0 && (fds[1].revents & POLLIN) == 0) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const timeval patience{10, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      serve(fd);
    }
  }

  void serve(int fd) {
    const std::optional<Request> request = receive(fd);
    std::string answer;
    if (request) {
      const std::lock_guard lock(mutex_);
      requests_.push_back(*request);
      if (is_silent_) {
        silent_.push_back(fd);
      } else {
        answer = "HTTP/1.1 " + std::to_string(status_) + " Status\r\n" + headers_ + "Content-Length: 2\r\n\r\nok";
      }
    }
    if (!request || !answer.empty()) {
      ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(fd);
    }
    changed_.notify_all();
  }

  static std::optional<Request> receive(int fd) {
    std::string text;
    std::array<char, 4096> piece{};
    std::size_t end = std::string::npos;
    std::size_t whole = 0;
    while (end == std::string::npos || text.size() < whole) {
      const long n = ::recv(fd, piece.data(), piece.size(), 0);
      if (n <= 0) return std::nullopt;
      text.append(piece.data(), static_cast<std::size_t>(n));
      end = text.find("\r\n\r\n");
      if (end != std::string::npos) whole = end + 4 + content_length(text.substr(0, end));
    }
    const std::size_t from = text.find(' ') + 1;
    return Request{text.substr(0, end), text.substr(from, text.find(' ', from) - from), text.substr(end + 4)};
  }

  std::array<int, 2> stop_{};
  int listener_ = -1;
  std::vector<int> silent_;
  std::thread thread_;
};

WebhookImposter::WebhookImposter() : impl_(std::make_unique<Impl>()) {}
WebhookImposter::~WebhookImposter() = default;

int WebhookImposter::port() const { return impl_->port_; }

void WebhookImposter::answer(int status, const std::string& headers) {
  const std::lock_guard lock(impl_->mutex_);
  impl_->status_ = status;
  impl_->headers_ = headers;
  impl_->is_silent_ = false;
}

void WebhookImposter::fall_silent() {
  const std::lock_guard lock(impl_->mutex_);
  impl_->is_silent_ = true;
}

bool WebhookImposter::wait_for_requests(std::size_t count, std::chrono::seconds patience) const {
  std::unique_lock lock(impl_->mutex_);
  return impl_->changed_.wait_for(lock, patience, [&] { return impl_->requests_.size() >= count; });
}

std::vector<WebhookImposter::Request> WebhookImposter::requests() const {
  const std::lock_guard lock(impl_->mutex_);
  return impl_->requests_;
}

}  // namespace gopacer
