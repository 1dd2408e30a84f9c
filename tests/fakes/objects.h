#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fakes/fake_api_server.h"
#include "gopacer/domain/trial.h"

/// Objects as the API server has them, and short ways to put them there. The same workload as in builders.h.
namespace gopacer::objects {

inline const ObjectKey kTarget{"shop", "checkout"};
inline const ObjectKey kProfile{"shop", "checkout"};
inline const ObjectKey kCanary{"shop", "checkout-gopacer-canary"};
inline const ObjectKey kBaseline{"shop", "checkout-gopacer-baseline"};

ObjectPath deployment_path(const ObjectKey& key);
ObjectPath profile_path(const ObjectKey& key = kProfile);
ObjectPath trial_path(const ObjectKey& key);

/// All objects of a kind.
std::vector<nlohmann::json> all(FakeApiServer& api, const ResourceType& type);

/// One container, app, with two environment variables that are nobody's business, and without a status.
nlohmann::json deployment_object();
/// An arm as a trial of that name and uid makes it, for profile checkout.
nlohmann::json arm_object(const std::string& track, const std::string& trial, const std::string& trial_uid);
/// Mode Canary, short times.
nlohmann::json profile_object();

/// kubectl apply of deployment_object(), and what the deployment controller makes of it.
void deploy(FakeApiServer& api, const nlohmann::json& object = deployment_object());
/// Plays the deployment controller: all Deployments run their present template on all replicas.
void settle_deployments(FakeApiServer& api);
/// Makes a trial with a status.
void put_trial(FakeApiServer& api, const Trial& trial);
/// Deletes it for good, whatever finalizers it has.
void drop_trial(FakeApiServer& api, const ObjectKey& key);

/// The value of a variable of the container in a Deployment; empty when it is not there.
std::string env_value(const nlohmann::json& deployment, const std::string& variable,
                      const std::string& container = "app");
std::string annotation(const nlohmann::json& object, const std::string& name);

/// Everything of the kinds that gopacer writes, without what may differ between two ways to the same state.
nlohmann::json lasting_state(FakeApiServer& api);

}  // namespace gopacer::objects
