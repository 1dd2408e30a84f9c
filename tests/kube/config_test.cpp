#include "kube/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "fakes/fake_steady_clock.h"

namespace gopacer::kube {
namespace {

using testing::HasSubstr;

/// A directory of its own for each test.
class ConfigTest : public testing::Test {
 public:
  ~ConfigTest() override { std::filesystem::remove_all(dir_); }

 protected:
  ConfigTest()
      : dir_(std::filesystem::path(testing::TempDir()) /
             ("gopacer-" + std::to_string(::getpid()) + "-" +
              testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(dir_);
  }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
    return (dir_ / name).string();
  }
  std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return write("config", "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: " + cluster +
                               "}]\nusers: [{name: u, user: " + user +
                               "}]\ncontexts: [{name: x, context: {cluster: c, user: u}}, {name: y, context: {cluster: "
                               "c, user: u, namespace: shop}}]\n"
                               "current-context: x\n");
  }
  std::filesystem::path dir_;
};

TEST_F(ConfigTest, ReadsEmbeddedCredentials) {
  const auto file =
      kubeconfig("{server: 'https://10.0.0.1:6443/', certificate-authority-data: Y2E=, tls-server-name: kubernetes}",
                 "{client-certificate-data: Y2VydA==, client-key-data: a2V5}");
  const ClusterConfig config = read_kubeconfig({file}, "").value();
  EXPECT_EQ(config.server, "https://10.0.0.1:6443");
  EXPECT_EQ(config.ca, "ca");
  EXPECT_EQ(config.tls_server_name, "kubernetes");
  EXPECT_EQ(config.client_certificate, "cert");
  EXPECT_EQ(config.client_key, "key");
  EXPECT_EQ(config.ns, "default");
  EXPECT_FALSE(config.skip_tls_verify);
}

TEST_F(ConfigTest, ReadsCredentialsFromFilesBesideIt) {
  write("ca.crt", "the ca");
  write("tls.crt", "the cert");
  write("tls.key", "the key");
  const auto file = kubeconfig("{server: https://h, certificate-authority: ca.crt}",
                               "{client-certificate: tls.crt, client-key: " + (dir_ / "tls.key").string() + "}");
  const ClusterConfig config = read_kubeconfig({file}, "").value();
  EXPECT_EQ(config.ca, "the ca");
  EXPECT_EQ(config.client_certificate, "the cert");
  EXPECT_EQ(config.client_key, "the key");
}

TEST_F(ConfigTest, TakesTheContextThatIsAskedFor) {
  const auto file = kubeconfig("{server: https://h, insecure-skip-tls-verify: true}", "{token: abc, tokenFile: tok}");
  const ClusterConfig config = read_kubeconfig({file}, "y").value();
  EXPECT_EQ(config.ns, "shop");
  EXPECT_TRUE(config.skip_tls_verify);
  EXPECT_EQ(config.token, "abc");
  EXPECT_EQ(config.token_file, (dir_ / "tok").string());
  EXPECT_THAT(read_kubeconfig({file}, "z").error().message, HasSubstr("no context 'z'"));
}

TEST_F(ConfigTest, MergesFilesAndTheFirstWins) {
  const auto first = write("a",
                           "contexts: [{name: x, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: "
                           "{server: https://first}}]\n");
  const auto second = write("b",
                            "current-context: x\nusers: [{name: u, user: {token: t}}]\nclusters: [{name: c, cluster: "
                            "{server: https://second}}]\n");
  const ClusterConfig config = read_kubeconfig({(dir_ / "missing").string(), first, second}, "").value();
  EXPECT_EQ(config.server, "https://first");
  EXPECT_EQ(config.token, "t");
}

TEST_F(ConfigTest, RefusesPluginsAndSaysWhatToUseInstead) {
  for (const char* plugin : {"exec", "auth-provider"}) {
    const auto file = kubeconfig("{server: https://h}", std::string("{") + plugin + ": {command: aws}}");
    const auto got = read_kubeconfig({file}, "");
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error().message, HasSubstr(plugin));
    EXPECT_THAT(got.error().message, HasSubstr("kubectl create token"));
  }
}

TEST_F(ConfigTest, SaysWhatIsWrongAndWhere) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{server: 'tcp://h'}|{}", "must begin with https://"},
      {"{server: https://h, certificate-authority-data: '!!'}|{}", "certificate-authority-data is not base64"},
      {"{server: https://h, certificate-authority: gone.crt}|{}", "gone.crt"},
      {"{server: https://h, proxy-url: 'http://p'}|{}", "proxy-url"},
      {"{server: https://h}|{client-certificate-data: Y2E=}", "needs both"},
      {"{server: https://h}|{username: admin, password: x}", "password"},
  };
  for (const auto& [parts, message] : cases) {
    const auto bar = parts.find('|');
    const auto got = read_kubeconfig({kubeconfig(parts.substr(0, bar), parts.substr(bar + 1))}, "");
    ASSERT_FALSE(got) << parts;
    EXPECT_THAT(got.error().message, HasSubstr(message));
    EXPECT_THAT(got.error().message, HasSubstr(dir_.string()));
  }
}

TEST_F(ConfigTest, RefusesWhatIsNoKubeconfig) {
  for (const char* text : {"", "- a\n", "just text", "{unclosed", "clusters: 7\ncurrent-context: x\n",
                           "current-context: [1]\n", "contexts: [7, {name: x}]\ncurrent-context: x\n"}) {
    EXPECT_FALSE(read_kubeconfig({write("bad", text)}, "")) << text;
  }
  EXPECT_FALSE(read_kubeconfig({dir_.string()}, ""));
  EXPECT_FALSE(read_kubeconfig({}, ""));
}

TEST_F(ConfigTest, ReadsThePodsOwnAccount) {
  const ServiceAccountFiles files{write("token", "tok"), write("ca.crt", "ca"), write("namespace", "gopacer-system\n")};
  const ClusterConfig config = in_cluster_config("10.96.0.1", "443", files).value();
  EXPECT_EQ(config.server, "https://10.96.0.1:443");
  EXPECT_EQ(config.ns, "gopacer-system");
  EXPECT_EQ(config.token_file, files.token);
  EXPECT_EQ(config.ca, "ca");
  EXPECT_EQ(in_cluster_config("fd00::1", "443", files)->server, "https://kubernetes.default.svc:443");
  EXPECT_THAT(in_cluster_config("10.96.0.1", "443", {"/nowhere", files.ca, files.ns}).error().message,
              HasSubstr("automountServiceAccountToken"));
}

TEST_F(ConfigTest, LooksForItsConfigurationInTheUsualOrder) {
  const auto make = [&](const std::string& name, const std::string& server) {
    std::filesystem::create_directories((dir_ / name).parent_path());
    return write(name,
                 "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c, cluster: "
                 "{server: https://" +
                     server + "}}]\n");
  };
  std::map<std::string, std::string> env;
  const auto look = [&](const char* name) -> std::optional<std::string> {
    const auto found = env.find(name);
    return found == env.end() ? std::nullopt : std::optional(found->second);
  };
  EXPECT_THAT(find_config("", "", look).error().message, HasSubstr("--kubeconfig"));
  make(".kube/config", "home");
  env["HOME"] = dir_.string();
  EXPECT_EQ(find_config("", "", look)->server, "https://home");
  env["KUBECONFIG"] = make("a", "variable") + ":" + (dir_ / "b").string();
  EXPECT_EQ(find_config("", "", look)->server, "https://variable");
  EXPECT_EQ(find_config(make("c", "flag"), "", look)->server, "https://flag");
}

TEST_F(ConfigTest, ReadsATokenAgainWhenItWasReplaced) {
  const auto clock = std::make_shared<FakeSteadyClock>();
  ClusterConfig config;
  config.token_file = write("token", "first\n");
  const auto source = make_token_source(config, clock);
  EXPECT_EQ(source->token(), "first");
  write("token", "second");
  EXPECT_EQ(source->token(), "first") << "not at each request";
  clock->advance(std::chrono::minutes(1));
  EXPECT_EQ(source->token(), "second");
  write("token", "third");
  source->refused();
  EXPECT_EQ(source->token(), "third");
}

TEST_F(ConfigTest, KeepsTheOldTokenWhileTheFileCannotBeRead) {
  const auto clock = std::make_shared<FakeSteadyClock>();
  ClusterConfig config;
  config.token_file = write("token", "");
  const auto source = make_token_source(config, clock);
  EXPECT_EQ(source->token().error().kind, ErrorKind::kRetriable);
  write("token", "two\r\nlines");
  EXPECT_EQ(source->token().error().kind, ErrorKind::kRetriable);
  write("token", "good");
  EXPECT_EQ(source->token(), "good");
  std::filesystem::remove(config.token_file);
  clock->advance(std::chrono::hours(1));
  EXPECT_EQ(source->token(), "good");
}

}  // namespace
}  // namespace gopacer::kube
