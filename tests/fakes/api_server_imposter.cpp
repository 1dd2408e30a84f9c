#include "fakes/api_server_imposter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <stdexcept>

namespace gopacer {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool receive(int socket, std::string& buffer) {
  std::array<char, 16384> block{};
  const ssize_t count = ::recv(socket, block.data(), block.size(), 0);
  if (count <= 0) return false;
  buffer.append(block.data(), static_cast<std::size_t>(count));
  return true;
}

/// Takes the next request from the connection; none when it ends.
std::optional<ApiServerImposter::Request> read_request(int socket, std::string& buffer) {
  std::size_t head_end = 0;
  while ((head_end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!receive(socket, buffer)) return std::nullopt;
  }
  ApiServerImposter::Request request;
  std::size_t at = buffer.find("\r\n");
  const std::string line = buffer.substr(0, at);
  request.method = line.substr(0, line.find(' '));
  request.target = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
  while (at < head_end) {
    const std::size_t begin = at + 2;
    at = buffer.find("\r\n", begin);
    const std::string header = buffer.substr(begin, at - begin);
    const std::size_t colon = header.find(':');
    const std::size_t value = header.find_first_not_of(' ', colon + 1);
    request.headers[lower(header.substr(0, colon))] = value == std::string::npos ? "" : header.substr(value);
  }
  buffer.erase(0, head_end + 4);
  const auto length = request.headers.find("content-length");
  const std::size_t body = length == request.headers.end() ? 0 : std::stoul(length->second);
  while (buffer.size() < body) {
    if (!receive(socket, buffer)) return std::nullopt;
  }
  request.body = buffer.substr(0, body);
  buffer.erase(0, body);
  return request;
}

}  // namespace

bool ApiServerImposter::Connection::raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0 || closing_) return false;
    written_ += static_cast<std::size_t>(count);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool ApiServerImposter::Connection::reply(int status, const std::string& body, const std::string& extra_headers) {
  return raw("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n" + extra_headers + "\r\n" + body);
}

bool ApiServerImposter::Connection::begin() {
  return raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

bool ApiServerImposter::Connection::chunk(std::string_view data) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string size;
  for (std::size_t rest = data.size(); rest > 0; rest >>= 4U) size.insert(size.begin(), kDigits[rest & 15U]);
  return raw(size + "\r\n") && raw(data) && raw("\r\n");
}

bool ApiServerImposter::Connection::end() { return raw("0\r\n\r\n"); }

void ApiServerImposter::Connection::cut() { ::shutdown(socket_, SHUT_RDWR); }

void ApiServerImposter::Connection::wait_for_close() {
  pollfd poll{socket_, POLLIN | POLLRDHUP, 0};
  while (!closing_ && ::poll(&poll, 1, 50) <= 0) {
  }
}

ApiServerImposter::ApiServerImposter(Handler handler) : handler_(std::move(handler)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("cannot listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept(); });
}

ApiServerImposter::~ApiServerImposter() {
  closing_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) ::close(socket);
  ::close(listener_);
}

std::string ApiServerImposter::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

std::vector<ApiServerImposter::Request> ApiServerImposter::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void ApiServerImposter::accept() {
  while (true) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) return;
    ++connections_;
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket] { serve(socket); });
  }
}

void ApiServerImposter::serve(int socket) {
  std::string buffer;
  while (!closing_) {
    const std::optional<Request> request = read_request(socket, buffer);
    if (!request) break;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(*request);
    }
    Connection connection(socket, closing_, written_);
    handler_(*request, connection);
  }
  ::shutdown(socket, SHUT_RDWR);
}

}  // namespace gopacer
