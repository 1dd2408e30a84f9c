#pragma once

#include <memory>
#include <string>

#include "ports/http_fetcher.h"
#include "ports/http_poster.h"

namespace gopacer {

/// How the other side of a TLS connection has to prove who it is.
struct TlsTrust {
  /// PEM bundle of the authorities that are believed; read again when the file changes. Empty: nobody is believed.
  std::string ca_file;
  /// True: anybody who answers is believed. A person has to ask for this.
  bool waived = false;
};

/// A loopback, link-local, multicast or reserved address, also one in IPv6's clothes: no pod and no node can have it.
/// False for what is no address.
bool is_local_address(const std::string& text);

struct FetcherLimits {
  /// Connections kept open for the next request; the longest unused ones are closed first.
  std::size_t idle_connections = 512;
  /// An unused connection is closed after this time.
  Duration idle_time = std::chrono::seconds(75);
  /// Of an answer's status line and headers, in bytes.
  std::size_t header_bytes = std::size_t{16} * 1024;
  /// Whether loopback, link-local, multicast and reserved addresses may be asked. Only where a person names the
  /// address: those that a cluster tells must not lead to what trusts its own machine.
  bool local_addresses = false;
  /// Whether an address may be a name, which is then resolved; what it leads to is held to `local_addresses`. Names are
  /// looked up one at a time, and a lookup can't be cut off: it may outlast its request's timeout, and destruction
  /// waits for it.
  bool names = false;
};

/// HttpFetcher and HttpPoster on one io_context and one thread of its own. Connections are kept and used again, one per
/// address (or name) and port; each post has one of its own. Destruction ends all that is under way with
/// FetchFailure::kStopped and waits for it.
class Fetcher final : public HttpFetcher, public HttpPoster {
 public:
  explicit Fetcher(TlsTrust trust = {}, FetcherLimits limits = {});
  ~Fetcher() override;
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  void fetch(HttpRequest request, BodySink sink, FetchDone done) override;
  void post(HttpPost what, PostDone done) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
