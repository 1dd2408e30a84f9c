#include "fakes/api_contract.h"

#include "fakes/crd_schema.h"

namespace gopacer {
namespace {

/// The API server in memory. api_test.cpp runs the same tests on a real one.
class Fake {
 public:
  Fake() {
    for (const ResourceType& type : {resources::kProfiles, resources::kTrials}) {
      api_.use_schema(type.plural, crds::schema_of(type.plural));
    }
  }
  ApiServer& api() { return api_; }
  std::string ns() const { return "shop"; }
  void person_updates(const std::string& manager, const std::string& name, const nlohmann::json& patch) {
    api_.update_as(manager, objects::deployment_path({ns(), name}), [&](nlohmann::json& o) { o.merge_patch(patch); });
  }

 private:
  FakeApiServer api_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Fake, ApiContract, Fake);

}  // namespace
}  // namespace gopacer
