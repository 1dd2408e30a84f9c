#include "control/secret_reader.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "codec/resources.h"
#include "fakes/fake_api_server.h"

namespace gopacer {
namespace {

using nlohmann::json;
using testing::HasSubstr;

struct Scene {
  FakeApiServer api;
  SecretReader reader{api};

  void keep(const json& data) {
    api.create(resources::kSecrets, "shop", {{"metadata", {{"name", "prom"}}}, {"data", data}}).value();
  }
  Result<SecretValue> read(const std::string& key = "token") { return reader.read("shop", {"prom", key}); }
};

TEST(SecretReader, GivesTheValueOfTheKeyWithoutTheLineEndOfItsFile) {
  Scene scene;
  scene.keep({{"token", "QmVhcmVyIGFiYwo="}, {"address", "aHR0cHM6Ly9wcm9t"}});
  EXPECT_EQ(scene.read()->value, "Bearer abc");
  EXPECT_EQ(scene.read()->server, "https://prom");
}

TEST(SecretReader, SaysWhatIsMissing) {
  Scene scene;
  EXPECT_THAT(scene.read().error().message,
              testing::AllOf(HasSubstr("Secret shop/prom can't be read"), HasSubstr("resourceNames [prom]")));
  scene.keep({{"token", "QmVhcmVyIGFiYwo="}});
  EXPECT_THAT(scene.read("key").error().message, HasSubstr("Secret shop/prom has no key key"));
  EXPECT_THAT(scene.read().error().message, HasSubstr("Secret shop/prom has no key address"));
}

TEST(SecretReader, RefusesWhatIsNoValueOfAHeader) {
  for (const std::string encoded : {"YQ0KWDogYg==", "w6Q=", "!!", "ICAK"}) {
    Scene scene;
    scene.keep({{"token", encoded}});
    ASSERT_FALSE(scene.read()) << encoded;
    EXPECT_THAT(scene.read().error().message, HasSubstr("with the value of a header"));
  }
}

}  // namespace
}  // namespace gopacer
