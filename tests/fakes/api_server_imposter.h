#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace gopacer {

/// An HTTP server on a free port of 127.0.0.1 that answers as a test wants: well, badly or never. Each connection has a
/// thread. The destructor closes all connections and joins.
class ApiServerImposter {
 public:
  struct Request {
    std::string method;
    std::string target;
    std::map<std::string, std::string> headers;  ///< names in lower case
    std::string body;
  };

  /// One connection, in the middle of one request. Every write is false once the client has gone.
  class Connection {
   public:
    Connection(int socket, const std::atomic<bool>& closing, std::atomic<std::size_t>& written)
        : socket_(socket), closing_(closing), written_(written) {}
    bool raw(std::string_view bytes);
    /// A whole answer.
    bool reply(int status, const std::string& body, const std::string& extra_headers = "");
    /// The head of a chunked answer of status 200, then chunks, then the end.
    bool begin();
    bool chunk(std::string_view data);
    bool end();
    /// Closes it here and now.
    void cut();
    /// Waits until the client closes the connection, or the server ends.
    void wait_for_close();

   private:
    int socket_;
    const std::atomic<bool>& closing_;
    std::atomic<std::size_t>& written_;
  };

  using Handler = std::function<void(const Request&, Connection&)>;

  explicit ApiServerImposter(Handler handler);
  ~ApiServerImposter();
  ApiServerImposter(const ApiServerImposter&) = delete;
  ApiServerImposter& operator=(const ApiServerImposter&) = delete;

  std::string url() const;
  std::vector<Request> requests() const;
  int connections() const { return connections_; }
  /// Bytes that were given to the kernel to send.
  std::size_t written() const { return written_; }

 private:
  void accept();
  void serve(int socket);

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> closing_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<std::size_t> written_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace gopacer
