#pragma once

#include "ports/api_server.h"

namespace gopacer::resources {

/// The kinds that gopacer reads or writes.
inline const ResourceType kProfiles{"gopacer.dev", "v1alpha1", "goruntimeprofiles", "GoRuntimeProfile", true};
inline const ResourceType kTrials{"gopacer.dev", "v1alpha1", "goruntimetrials", "GoRuntimeTrial", true};
inline const ResourceType kDeployments{"apps", "v1", "deployments", "Deployment", true};
inline const ResourceType kReplicaSets{"apps", "v1", "replicasets", "ReplicaSet", true};
inline const ResourceType kPods{"", "v1", "pods", "Pod", true};
inline const ResourceType kNodes{"", "v1", "nodes", "Node", false};
inline const ResourceType kAutoscalers{"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
                                       true};
/// Served only where the autoscaler is installed.
inline const ResourceType kVerticalAutoscalers{"autoscaling.k8s.io", "v1", "verticalpodautoscalers",
                                               "VerticalPodAutoscaler", true};
/// Likewise, of Argo Rollouts and of Flagger.
inline const ResourceType kRollouts{"argoproj.io", "v1alpha1", "rollouts", "Rollout", true};
inline const ResourceType kCanaries{"flagger.app", "v1beta1", "canaries", "Canary", true};
/// Only those that profiles name, and where a person has allowed it.
inline const ResourceType kSecrets{"", "v1", "secrets", "Secret", true};
inline const ResourceType kPodMetrics{"metrics.k8s.io", "v1beta1", "pods", "PodMetrics", true};

}  // namespace gopacer::resources
