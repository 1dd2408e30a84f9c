#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/trial.h"
#include "fakes/builders.h"
#include "judge/recorded_trial.h"

namespace gopacer {
namespace {

/// What a successor reads of the evidence that its predecessor wrote.
Evidence written_and_read(const Evidence& evidence) {
  TrialStatus status = builders::trial(TrialPhase::kMeasuring).status;
  status.evidence = evidence;
  nlohmann::json object = codec::trial_object({"shop", "checkout-1"}, builders::trial(TrialPhase::kMeasuring).spec);
  object["metadata"]["creationTimestamp"] = format_time(builders::kStart);
  // Through the text that the API server keeps.
  object["status"] = nlohmann::json::parse(codec::encode(status).dump());
  const Result<Trial> trial = codec::decode_trial(object);
  if (!trial) throw std::logic_error(trial.error().message);
  return trial->status.evidence;
}

RC_GTEST_PROP(Handover, OfATrialAfterEachWindowEndsAsWithOneOperator, ()) {
  testing::TrialStory story = testing::any_story();
  story.windows = 25;
  story.pods = 1;
  testing::tell(story);
  const testing::RecordedTrial trial = testing::record(story);
  const Verdict one = trial.judged();
  const Verdict many = trial.judged([](Evidence& evidence) { evidence = written_and_read(evidence); });
  RC_TAG(one.reason);
  RC_ASSERT(many.outcome == one.outcome);
  RC_ASSERT(many.reason == one.reason);
  RC_ASSERT(many.message == one.message);
  RC_ASSERT(many.evidence.windows == one.evidence.windows);
  RC_ASSERT(many.evidence.canary_requests == one.evidence.canary_requests);
  RC_ASSERT(many.evidence.baseline_requests == one.evidence.baseline_requests);
  for (const MetricEvidence& metric : one.evidence.metrics) {
    RC_ASSERT(testing::metric(many.evidence, metric.name).stats == metric.stats);
  }
}

}  // namespace
}  // namespace gopacer
