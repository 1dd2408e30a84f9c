#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace gopacer {

/// A server that takes POSTs, on a port of the loopback interface. One request a connection. Thread-safe.
class WebhookImposter {
 public:
  struct Request {
    std::string head;    ///< as it came, to the empty line
    std::string target;  ///< path and query
    std::string body;
  };

  WebhookImposter();
  ~WebhookImposter();
  WebhookImposter(const WebhookImposter&) = delete;
  WebhookImposter& operator=(const WebhookImposter&) = delete;

  int port() const;
  std::string url(const std::string& target) const { return "http://127.0.0.1:" + std::to_string(port()) + target; }
  /// What is answered from now on, and more lines of the answer's head, each with its CRLF. 200 by default.
  void answer(int status, const std::string& headers = {});
  /// From now on requests are read and never answered.
  void fall_silent();
  /// Blocks until `count` requests came in all; false after `patience`.
  bool wait_for_requests(std::size_t count, std::chrono::seconds patience = std::chrono::seconds(10)) const;
  /// All that came.
  std::vector<Request> requests() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
