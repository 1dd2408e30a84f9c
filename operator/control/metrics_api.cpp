#include "control/metrics_api.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/resources.h"
#include "ports/api_server.h"

namespace gopacer {

Result<std::vector<PodUsage>> MetricsApi::list(const std::string& ns) {
  std::vector<PodUsage> all;
  std::string next;
  do {
    const Result<ListPage> page = api_.list({resources::kPodMetrics, ns, "", ""}, next);
    if (!page) return tl::unexpected(page.error());
    for (const nlohmann::json& pod : page->items) {
      const nlohmann::json& metadata = codec::child(pod, "metadata");
      for (const nlohmann::json& container : codec::child(pod, "containers")) {
        const Result<Bytes> memory = parse_quantity(codec::text(codec::child(container, "usage"), "memory"));
        if (!memory) continue;
        PodUsage usage;
        usage.pod = {codec::text(metadata, "namespace"), codec::text(metadata, "name")};
        usage.container = codec::text(container, "name");
        usage.usage.working_set = *memory;
        all.push_back(std::move(usage));
      }
    }
    next = page->continue_token;
  } while (!next.empty());
  return all;
}

}  // namespace gopacer
