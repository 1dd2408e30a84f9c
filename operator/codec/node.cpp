#include "codec/node.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer::codec {

Result<Node> decode_node(const nlohmann::json& object) {
  Node node;
  node.key.name = text(child(object, "metadata"), "name");
  const nlohmann::json& status = child(object, "status");
  for (const nlohmann::json& address : child(status, "addresses")) {
    if (text(address, "type") == "InternalIP" && node.address.empty()) node.address = text(address, "address");
  }
  const nlohmann::json& endpoint = child(child(status, "daemonEndpoints"), "kubeletEndpoint");
  node.kubelet_port = static_cast<int>(integer(endpoint, "Port", node.kubelet_port));
  return node;
}

}  // namespace gopacer::codec
