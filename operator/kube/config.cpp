#include "kube/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>

#include "gopacer/base/text.h"

namespace gopacer::kube {
namespace {

constexpr std::uintmax_t kMostConfigBytes = 4U << 20U;
constexpr std::uintmax_t kMostCredentialBytes = 1U << 20U;
constexpr Duration kTokenLife = std::chrono::minutes(1);

Result<std::string> read_file(const std::string& path, std::uintmax_t most) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (error || !std::filesystem::exists(status)) return invalid("cannot read " + path + ": no such file");
  if (!std::filesystem::is_regular_file(status)) return invalid("cannot read " + path + ": it is not a plain file");
  std::ifstream in(path, std::ios::binary);
  if (!in) return invalid("cannot read " + path + ": check that this user may read it");
  std::string text;
  std::array<char, 16384> block{};
  while (in.read(block.data(), block.size()) || in.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > most)
      return invalid(path + " has more than " + std::to_string(most) + " bytes: not what it should be");
  }
  return text;
}

/// One kubeconfig file.
struct Document {
  std::string path;
  YAML::Node root;
};

std::string text_of(const YAML::Node& node, const char* key) {
  const YAML::Node value = node[key];
  return value && value.IsScalar() ? value.as<std::string>() : std::string();
}

/// The value of the entry `name` in list `list` ("clusters"), under `member` ("cluster"), and the file it is in.
struct Entry {
  YAML::Node value;
  const Document* file = nullptr;
};

std::optional<Entry> find_entry(const std::vector<Document>& files, const char* list, const char* member,
                                const std::string& name) {
  for (const Document& file : files) {
    const YAML::Node entries = file.root[list];
    if (!entries || !entries.IsSequence()) continue;
    for (const YAML::Node& entry : entries) {
      if (!entry.IsMap() || text_of(entry, "name") != name) continue;
      const YAML::Node value = entry[member];
      if (value && value.IsMap()) return Entry{value, &file};
      return Entry{YAML::Node(YAML::NodeType::Map), &file};
    }
  }
  return std::nullopt;
}

/// The file that `key` names; empty when it is inline.
std::string material_file(const Entry& entry, const char* key) {
  const std::string path = text_of(entry.value, key);
  if (path.empty() || !text_of(entry.value, (std::string(key) + "-data").c_str()).empty()) return {};
  return (std::filesystem::path(entry.file->path).parent_path() / path).string();
}

/// `key`-data inline, or the file that `key` names.
Result<std::string> material(const Entry& entry, const char* key) {
  const std::string data_key = std::string(key) + "-data";
  if (const std::string data = text_of(entry.value, data_key.c_str()); !data.empty()) {
    std::optional<std::string> decoded = decode_base64(data);
    if (!decoded) return invalid(entry.file->path + ": " + data_key + " is not base64");
    return *decoded;
  }
  const std::string path = material_file(entry, key);
  if (path.empty()) return std::string();
  Result<std::string> text = read_file(path, kMostCredentialBytes);
  if (!text) return invalid(entry.file->path + ": " + key + ": " + text.error().message);
  return text;
}

Result<ClusterConfig> assemble(const std::vector<Document>& files, const std::string& wanted_context) {
  std::string context = wanted_context;
  for (const Document& file : files) {
    if (context.empty()) context = text_of(file.root, "current-context");
  }
  const std::string where =
      files.size() == 1 ? files.front().path : files.front().path + " and the files merged with it";
  if (context.empty()) return invalid(where + ": no current-context: choose one with --context");
  const auto chosen = find_entry(files, "contexts", "context", context);
  if (!chosen) return invalid(where + ": no context '" + context + "': kubectl config get-contexts lists them");

  const std::string cluster_name = text_of(chosen->value, "cluster");
  const auto cluster = find_entry(files, "clusters", "cluster", cluster_name);
  if (!cluster)
    return invalid(where + ": context '" + context + "' names cluster '" + cluster_name + "', which is not there");

  ClusterConfig config;
  config.server = text_of(cluster->value, "server");
  while (!config.server.empty() && config.server.back() == '/') config.server.pop_back();
  if (!config.server.starts_with("https://") && !config.server.starts_with("http://")) {
    return invalid(where + ": cluster '" + cluster_name + "': server '" + config.server +
                   "' must begin with https:// or http://");
  }
  if (!text_of(cluster->value, "proxy-url").empty()) {
    return invalid(where + ": cluster '" + cluster_name +
                   "' has a proxy-url, which gopacer cannot use: give a direct address");
  }
  config.skip_tls_verify = text_of(cluster->value, "insecure-skip-tls-verify") == "true";
  config.tls_server_name = text_of(cluster->value, "tls-server-name");
  Result<std::string> ca = material(*cluster, "certificate-authority");
  if (!ca) return tl::unexpected(ca.error());
  config.ca = *ca;
  config.ca_file = material_file(*cluster, "certificate-authority");
  config.ns = text_of(chosen->value, "namespace");
  if (config.ns.empty()) config.ns = "default";

  const std::string user_name = text_of(chosen->value, "user");
  if (user_name.empty()) return config;
  const auto user = find_entry(files, "users", "user", user_name);
  if (!user) return invalid(where + ": context '" + context + "' names user '" + user_name + "', which is not there");
  const std::string who = where + ": user '" + user_name + "'";
  for (const char* unsupported : {"exec", "auth-provider"}) {
    if (user->value[unsupported]) {
      return invalid(who + " logs in by a plugin (" + unsupported +
                     "), which gopacer does not run: use a service account token instead, for example what "
                     "`kubectl create token gopacer -n gopacer` prints, under users[].user.token");
    }
  }
  if (!text_of(user->value, "username").empty()) {
    return invalid(where + ": user '" + user_name +
                   "' logs in with a password, which Kubernetes no longer accepts: use a token");
  }
  Result<std::string> certificate = material(*user, "client-certificate");
  if (!certificate) return tl::unexpected(certificate.error());
  Result<std::string> key = material(*user, "client-key");
  if (!key) return tl::unexpected(key.error());
  if (certificate->empty() != key->empty()) {
    return invalid(where + ": user '" + user_name + "' needs both client-certificate and client-key");
  }
  config.client_certificate = *certificate;
  config.client_key = *key;
  config.token = trimmed(text_of(user->value, "token"));
  if (const std::string file = text_of(user->value, "tokenFile"); !file.empty()) {
    config.token_file = (std::filesystem::path(user->file->path).parent_path() / file).string();
  }
  return config;
}

class FixedToken final : public TokenSource {
 public:
  explicit FixedToken(std::string token) : token_(std::move(token)) {}
  Result<std::string> token() override { return token_; }
  void refused() override {}

 private:
  const std::string token_;
};

class TokenFile final : public TokenSource {
 public:
  TokenFile(std::string path, std::shared_ptr<const SteadyClock> clock)
      : path_(std::move(path)), clock_(std::move(clock)) {}

  Result<std::string> token() override {
    const std::lock_guard lock(mutex_);
    const Duration now = clock_->now();
    if (!token_.empty() && now < read_again_) return token_;
    const Result<std::string> text = read_file(path_, kMostCredentialBytes);
    std::string token = text ? trimmed(*text) : std::string();
    // It becomes a line of a request.
    if (std::any_of(token.begin(), token.end(), [](unsigned char c) { return c <= ' ' || c > '~'; })) token.clear();
    if (token.empty()) {
      // The old token may well be good for some minutes more.
      if (!token_.empty()) return token_;
      return retriable(text ? path_ + " holds no service account token: check the volume that it comes from"
                            : text.error().message);
    }
    token_ = token;
    read_again_ = now + kTokenLife;
    return token_;
  }

  void refused() override {
    const std::lock_guard lock(mutex_);
    read_again_ = Duration(0);
  }

 private:
  const std::string path_;
  const std::shared_ptr<const SteadyClock> clock_;
  std::mutex mutex_;
  std::string token_;
  Duration read_again_{0};
};

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ':');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

}  // namespace

Result<ClusterConfig> read_kubeconfig(const std::vector<std::string>& files, const std::string& context) {
  std::vector<Document> documents;
  Error last{ErrorKind::kTerminal, "no kubeconfig file was named"};
  for (const std::string& path : files) {
    const Result<std::string> text = read_file(path, kMostConfigBytes);
    if (!text) {
      // As with kubectl, a list may name files that are not there.
      last = text.error();
      continue;
    }
    try {
      const YAML::Node root = YAML::Load(*text);
      if (!root.IsMap()) return invalid(path + " is not a kubeconfig: it should be a YAML mapping");
      documents.push_back({path, root});
    } catch (const YAML::Exception& error) {
      return invalid(path + " is not a kubeconfig: " + error.what());
    }
  }
  if (documents.empty()) return tl::unexpected(last);
  try {
    return assemble(documents, context);
  } catch (const YAML::Exception& error) {
    return invalid(documents.front().path + " is not a kubeconfig: " + error.what());
  }
}

Result<ClusterConfig> in_cluster_config(const std::string& host, const std::string& port,
                                        const ServiceAccountFiles& files) {
  ClusterConfig config;
  // The HTTP library cannot connect to IPv6 literals; the service's name stands for the same address.
  const bool ipv6 = host.find(':') != std::string::npos;
  config.server = "https://" + (ipv6 ? "kubernetes.default.svc" : host) + ":" + port;
  config.token_file = files.token;
  Result<std::string> token = read_file(files.token, kMostCredentialBytes);
  if (!token) {
    return invalid(token.error().message +
                   "; the pod needs a service account token: leave automountServiceAccountToken on");
  }
  Result<std::string> ca = read_file(files.ca, kMostCredentialBytes);
  if (!ca) return tl::unexpected(ca.error());
  config.ca = *ca;
  config.ca_file = files.ca;
  const Result<std::string> ns = read_file(files.ns, kMostCredentialBytes);
  config.ns = ns ? trimmed(*ns) : "";
  if (config.ns.empty()) config.ns = "default";
  return config;
}

Result<ClusterConfig> find_config(const std::string& kubeconfig, const std::string& context, const Environment& env) {
  if (!kubeconfig.empty()) return read_kubeconfig({kubeconfig}, context);
  if (const auto list = env("KUBECONFIG"); list && !list->empty()) return read_kubeconfig(split_list(*list), context);
  if (const auto host = env("KUBERNETES_SERVICE_HOST"); host && !host->empty()) {
    return in_cluster_config(*host, env("KUBERNETES_SERVICE_PORT").value_or("443"), {});
  }
  const auto home = env("HOME");
  const std::string fallback = home.value_or("") + "/.kube/config";
  std::error_code error;
  if (home && std::filesystem::exists(fallback, error)) return read_kubeconfig({fallback}, context);
  return invalid("no cluster to talk to: give --kubeconfig, set KUBECONFIG, or run inside a cluster");
}

Result<ClusterConfig> find_config(const std::string& kubeconfig, const std::string& context) {
  return find_config(kubeconfig, context, [](const char* name) -> std::optional<std::string> {
    const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): at start, before other threads
    if (value == nullptr) return std::nullopt;
    return value;
  });
}

Result<std::string> read_credential(const std::string& path) { return read_file(path, kMostCredentialBytes); }

std::shared_ptr<TokenSource> make_token_source(const ClusterConfig& config, std::shared_ptr<const SteadyClock> clock) {
  if (config.token_file.empty()) return std::make_shared<FixedToken>(config.token);
  return std::make_shared<TokenFile>(config.token_file, std::move(clock));
}

std::shared_ptr<TokenSource> make_token_source(const ClusterConfig& config) {
  return make_token_source(config, std::make_shared<SystemSteadyClock>());
}

}  // namespace gopacer::kube
