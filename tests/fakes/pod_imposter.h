#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <variant>

namespace gopacer {

/// A whole HTTP answer. Content-Length is added.
struct Page {
  std::string body;
  int status = 200;
  std::string content_type = "text/plain; version=0.0.4; charset=utf-8";
  /// More lines, each with its CRLF.
  std::string headers = {};  // NOLINT(readability-redundant-member-init): so that it may be left out
};
/// An answer that begins with `body` and then repeats `piece` for ever, each after `gap`.
struct Drip {
  std::string body;
  std::string piece;
  std::chrono::milliseconds gap{0};
};
/// Announces `page` and closes after `bytes` of its body.
struct Cut {
  std::string body;
  std::size_t bytes;
};
/// Bytes as they are; then the connection is closed.
struct Raw {
  std::string bytes;
};
/// Reads the request and never answers.
struct Silence {};

using Behaviour = std::variant<Page, Drip, Cut, Raw, Silence>;

/// A certificate authority and a server's certificate for one IP address, made for one test.
struct TestCertificates {
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
};
/// `address` is what the server's certificate is good for.
TestCertificates make_certificates(const std::string& address);

/// A pod, or a kubelet, that answers as it is told to; a server on a port of the loopback interface. Thread-safe.
class PodImposter {
 public:
  /// Listens at `address`, over TLS when there are certificates.
  explicit PodImposter(const std::string& address = "127.0.0.1", const TestCertificates* certificates = nullptr);
  ~PodImposter();

  int port() const;
  /// What to answer at `target` (path and query) from now on; 404 where nothing is set. The longest `target` that the
  /// request's begins with counts.
  void on(const std::string& target, Behaviour behaviour);
  /// How often a request whose target begins with `target` came.
  int requests(const std::string& target = "/") const;
  /// The latest request's head, as it came.
  std::string last_head() const;
  /// How many connections were accepted.
  int connections() const;
  /// How many requests were being answered at the same time at most.
  int most_at_once() const;
  /// Ends connections that are waiting for their next request.
  void close_idle();
  /// Blocks until `count` requests came in all; false after `patience`.
  bool wait_for_requests(int count, std::chrono::seconds patience = std::chrono::seconds(10)) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
