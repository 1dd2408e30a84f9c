#include "cli/health_pages.h"

namespace gopacer {
namespace {

HttpServer::Answer good(const std::string& words) { return {200, words + "\n"}; }
HttpServer::Answer bad(const std::string& words) { return {503, words + "\n"}; }

}  // namespace

HttpServer::Answer health_page(const Controller& controller) {
  const std::string stuck = controller.stuck_pass();
  return stuck.empty() ? good("ok") : bad(stuck);
}

HttpServer::Answer leaders_ready_page(const Controller& controller) {
  const bool synced = controller.synced();
  const std::string trouble = synced ? controller.silent_watch() : controller.trouble();
  if (synced && trouble.empty()) return good("leading");
  return bad(trouble.empty() ? "reading the cluster" : trouble);
}

HttpServer::Answer standbys_ready_page(const std::string& trouble) {
  return trouble.empty() ? good("standing by") : bad(trouble);
}

HttpServer::Answer health_page(const Agent& agent) {
  const std::string stuck = agent.stuck();
  return stuck.empty() ? good("ok") : bad(stuck);
}

HttpServer::Answer agents_ready_page(const Agent& agent) {
  const std::string trouble = agent.trouble();
  return trouble.empty() ? good("ok") : bad(trouble);
}

HttpServer::Answer captures_page(const Captures& captures) { return {200, captures.list(), "application/json"}; }

std::optional<HttpServer::Answer> capture_page(const Captures& captures, const std::string& path) {
  constexpr std::string_view kBefore = "/captures/";
  if (!path.starts_with(kBefore)) return std::nullopt;
  auto body = captures.body(path.substr(kBefore.size()));
  if (!body) return std::nullopt;
  return HttpServer::Answer{200, std::move(*body), "application/octet-stream"};
}

}  // namespace gopacer
