#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gopacer/base/result.h"

namespace gopacer {

/// A small HTTP server for pages that machines ask for: metrics and health. Answers GET of known paths, one request a
/// connection, on one thread of its own. A client has a second to ask and five to take the answer, and of many that
/// hold connections the oldest that has asked for nothing gives way, so that a prober is always answered. Those who are
/// slow to take a page get the same one, up to a second old. Destruction ends it.
class HttpServer {
 public:
  struct Answer {
    int status = 200;
    std::string body;
    std::string content_type = "text/plain; charset=utf-8";
  };
  /// Called on the server's thread, so it must not block.
  using Page = std::function<Answer()>;

  /// Answers for a path that is none of the pages, made anew each time; none: there is no such page.
  using OtherPage = std::function<std::optional<Answer>(const std::string& path)>;

  /// Listens on all addresses; port 0 picks a free one. Error: the port is taken or not allowed.
  static Result<std::unique_ptr<HttpServer>> listen(int port, std::map<std::string, Page> pages, OtherPage other = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gopacer
