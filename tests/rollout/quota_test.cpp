#include "rollout/quota.h"

#include <gtest/gtest.h>

namespace gopacer {
namespace {

const std::string kOfPods =
    "pods \"checkout-gopacer-canary-x\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: "
    "pods=2";

TEST(QuotaNeeded, IsWhatIsInUseAndWhatTheMissingPodsTake) {
  EXPECT_EQ(quota_needed(kOfPods, 2),
            "ResourceQuota small has to allow pods=4 at least, for 2 pods that the trial lacks.");
  EXPECT_EQ(quota_needed(kOfPods, 1),
            "ResourceQuota small has to allow pods=3 at least, for 1 pod that the trial lacks.");
}

TEST(QuotaNeeded, CountsMemoryAndCores) {
  EXPECT_EQ(
      quota_needed("exceeded quota: q, requested: limits.memory=256Mi,requests.cpu=20m,requests.ephemeral-storage=1k, "
                   "used: limits.memory=1Gi,requests.cpu=1960m,requests.ephemeral-storage=0, "
                   "limited: limits.memory=1Gi,requests.cpu=1970m,requests.ephemeral-storage=1",
                   2),
      "ResourceQuota q has to allow limits.memory=1536Mi, requests.cpu=2, requests.ephemeral-storage=2000 at "
      "least, for 2 pods that the trial lacks.");
  EXPECT_EQ(quota_needed("exceeded quota: q, requested: cpu=150m, used: cpu=1, limited: cpu=1", 1),
            "ResourceQuota q has to allow cpu=1150m at least, for 1 pod that the trial lacks.");
}

TEST(QuotaNeeded, OfAmountsBeyondAllMeasureIsANumberAllTheSame) {
  EXPECT_NE(quota_needed("exceeded quota: q, requested: limits.memory=9000000000000000000, used: "
                         "limits.memory=9000000000000000000, limited: x=1",
                         40),
            "");
}

TEST(QuotaNeeded, IsNotToldOfOtherRefusals) {
  EXPECT_EQ(quota_needed("admission webhook \"x\" denied the request: no", 2), "");
  EXPECT_EQ(quota_needed("", 2), "");
  EXPECT_EQ(quota_needed(kOfPods, 0), "");
  EXPECT_EQ(quota_needed("exceeded quota: q, requested: pods=1", 2), "") << "nobody knows what is in use";
  EXPECT_EQ(quota_needed("exceeded quota: q, requested: pods=many,x, used: pods=2,y", 2), "");
}

}  // namespace
}  // namespace gopacer
