#include "gopacer/domain/workload.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

TEST(Selector, WantsEachOfItsLabels) {
  const Labels labels{{"app", "checkout"}, {"tier", "web"}};
  EXPECT_TRUE(selects({{"app", "checkout"}}, labels));
  EXPECT_TRUE(selects(labels, labels));
  EXPECT_FALSE(selects({{"app", "cart"}}, labels));
  EXPECT_FALSE(selects({{"app", "checkout"}, {"zone", "a"}}, labels));
}

TEST(Selector, SelectsNothingWhenItIsEmpty) {
  EXPECT_FALSE(selects({}, {{"app", "checkout"}}));
  EXPECT_FALSE(selects({}, {}));
}

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

TEST(ObjectKey, IsWrittenAsKubectlDoes) { EXPECT_EQ((ObjectKey{"shop", "checkout"}).text(), "shop/checkout"); }

}  // namespace
}  // namespace gopacer
