#include "kube/real_api_server.h"
#include "source_dir.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace gopacer::kube {
namespace {

const std::string kCluster = in_source("tests/cluster/");

/// Output of a shell command; throws when it fails.
std::string run(const std::string& command) {
  FILE* const pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string output;
  std::array<char, 4096> block{};
  while (const std::size_t count = std::fread(block.data(), 1, block.size(), pipe)) output.append(block.data(), count);
  if (const int status = ::pclose(pipe); status != 0) {
    throw std::runtime_error(command + " failed (" + std::to_string(WEXITSTATUS(status)) + "): " + output);
  }
  return output;
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

/// Lives as long as the program.
struct Running {
  std::filesystem::path dir;
  std::string kubeconfig;

  Running() {
    if (const char* const given = std::getenv("GOPACER_TEST_KUBECONFIG"); given != nullptr && *given != '\0') {
      kubeconfig = given;
      return;
    }
    dir = std::filesystem::temp_directory_path() / ("gopacer-kube-" + std::to_string(::getpid()));
    std::filesystem::create_directories(dir);
    kubeconfig = last_line(
        run("'" + kCluster + "api_up.sh' '" + (dir / "api").string() + "' --parent " + std::to_string(::getpid())));
  }
  ~Running() {
    if (dir.empty()) return;
    [[maybe_unused]] const int status =
        std::system(("'" + kCluster + "api_down.sh' '" + (dir / "api").string() + "' >/dev/null 2>&1").c_str());
    std::error_code ignored;
    std::filesystem::remove_all(dir, ignored);
  }
};

const Running& running() {
  static const Running kInstance;
  return kInstance;
}

}  // namespace

const std::string& RealApiServer::kubeconfig() { return running().kubeconfig; }

ClusterConfig RealApiServer::config() { return read_kubeconfig({kubeconfig()}, "").value(); }

std::unique_ptr<Client> RealApiServer::client(const ClientOptions& options) { return client(config(), options); }

std::unique_ptr<Client> RealApiServer::client(const ClusterConfig& config, const ClientOptions& options) {
  return Client::open(config, make_token_source(config), options).value();
}

std::string RealApiServer::make_namespace(Client& client) {
  static std::atomic<int> next = 0;
  const std::string name = "t" + std::to_string(::getpid()) + "-" + std::to_string(++next);
  client.create({"", "v1", "namespaces", "Namespace", false}, "", {{"metadata", {{"name", name}}}}).value();
  return name;
}

std::string RealApiServer::kubectl(const std::string& arguments, const std::string& input) {
  static const std::string kProgram = last_line(run("'" + kCluster + "build.sh' kube")) + "/kubectl";
  const auto file = std::filesystem::temp_directory_path() / ("gopacer-input-" + std::to_string(::getpid()));
  std::ofstream(file) << input;
  std::string output =
      run("'" + kProgram + "' --kubeconfig '" + kubeconfig() + "' " + arguments + " 2>&1 <'" + file.string() + "'");
  std::filesystem::remove(file);
  return output;
}

}  // namespace gopacer::kube
