#include "control/secret_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "codec/fields.h"
#include "codec/resources.h"
#include "gopacer/base/text.h"
#include "ports/api_server.h"

namespace gopacer {
namespace {

constexpr std::size_t kLongest = 8192;
constexpr const char* kServer = "address";

/// One line of plain text; none when it is something else, or not there.
std::optional<std::string> line_of(const nlohmann::json& secret, const std::string& key) {
  const auto decoded = decode_base64(codec::text(codec::child(secret, "data"), key.c_str()));
  const std::string line = decoded ? trimmed(*decoded) : std::string();
  const bool fits = !line.empty() && line.size() <= kLongest &&
                    std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return fits ? std::optional(line) : std::nullopt;
}

}  // namespace

Result<SecretValue> SecretReader::read(const std::string& ns, const SecretKey& key) {
  const std::string secret = "Secret " + ns + "/" + key.name;
  const Result<nlohmann::json> found = api_.get({resources::kSecrets, ns, key.name});
  if (!found) {
    Error error = found.error();
    error.message = secret + " can't be read (" + error.message +
                    "): it has to be there, and the operator's account needs the right to get it, by a Role of that "
                    "namespace with resourceNames [" +
                    key.name + "]";
    return tl::unexpected(std::move(error));
  }
  const auto value = line_of(*found, key.key);
  if (!value) {
    return invalid(secret + " has no key " + key.key +
                   " with the value of a header, such as \"Bearer abc\": one line of at most 8192 ASCII characters");
  }
  // Whoever may write profiles, and not read Secrets, must not choose where it is sent.
  const auto server = line_of(*found, kServer);
  if (!server) return invalid(secret + " has no key " + kServer + " with the address of the server that it is for");
  return SecretValue{*value, *server};
}

}  // namespace gopacer
