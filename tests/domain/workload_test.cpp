#include "gopacer/domain/workload.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

TEST(Deployment, IsSettledWhenAllReplicasRunTheCurrentTemplate) {
  Workload deployment;
  deployment.generation = deployment.observed_generation = 3;
  deployment.replicas = deployment.updated_replicas = deployment.available_replicas = deployment.total_replicas = 2;
  EXPECT_TRUE(deployment.settled());
  deployment.observed_generation = 2;
  EXPECT_FALSE(deployment.settled());
  deployment.observed_generation = 3;
  deployment.total_replicas = 3;  // an old pod is still there
  EXPECT_FALSE(deployment.settled());
  deployment.total_replicas = 2;
  deployment.available_replicas = 1;
  EXPECT_FALSE(deployment.settled());
}

TEST(Deployment, IsRolledOutWhenKubernetesSaysSoEvenIfOneOfManyPodsIsMissing) {
  Workload deployment;
  deployment.generation = deployment.observed_generation = 3;
  deployment.replicas = deployment.updated_replicas = deployment.total_replicas = 50;
  deployment.available_replicas = 49;
  EXPECT_FALSE(deployment.rolled_out());
  deployment.rollout.complete = true;
  EXPECT_TRUE(deployment.rolled_out());
  EXPECT_FALSE(deployment.settled());
  deployment.observed_generation = 2;  // what it says is about the template before
  EXPECT_FALSE(deployment.rolled_out());
  deployment.observed_generation = 3;
  deployment.updated_replicas = 49;
  EXPECT_FALSE(deployment.rolled_out());
}

TEST(Deployment, KnowsWhichVariablesAreAnothers) {
  Workload deployment;
  deployment.env_owners = {{"app", kGogcVariable, kFieldManager},
                           {"app", kGoMemLimitVariable, "kubectl-set"},
                           {"sidecar", kGogcVariable, "helm"}};
  EXPECT_FALSE(set_by_another(deployment, "app", kGogcVariable));
  EXPECT_TRUE(set_by_another(deployment, "app", kGoMemLimitVariable));
  EXPECT_TRUE(set_by_another(deployment, "sidecar", kGogcVariable));
  EXPECT_FALSE(set_by_another(deployment, "sidecar", kGoMemLimitVariable));
}

TEST(ObjectKey, IsWrittenAsKubectlDoes) { EXPECT_EQ((ObjectKey{"shop", "checkout"}).text(), "shop/checkout"); }

}  // namespace
}  // namespace gopacer
