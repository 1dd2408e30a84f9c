#include "record/operator_metrics.h"

#include <gmock/gmock.h>

namespace gopacer {
namespace {

using testing::HasSubstr;
using testing::Not;

const ObjectKey kCheckout{"shop", "checkout"};
const ObjectKey kCart{"shop", "cart"};

TEST(OperatorMetrics, SayThatNobodyLeadsBeforeTheElection) {
  EXPECT_THAT(OperatorMetrics().text(), HasSubstr("gopacer_leader 0"));
}

TEST(OperatorMetrics, CountPassesAndFailures) {
  OperatorMetrics metrics;
  metrics.pass_done(kCheckout, std::chrono::milliseconds(5), false);
  metrics.pass_done(kCheckout, std::chrono::milliseconds(50), true);
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_reconcile_duration_seconds_count 2"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_reconcile_duration_seconds_bucket{le=\"0.01\"} 1"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_reconcile_errors_total{namespace=\"shop\",profile=\"checkout\"} 1"));
}

TEST(OperatorMetrics, SayWhatHistoriesTakeAndWhatWasGivenUpOfThem) {
  OperatorMetrics metrics;
  metrics.histories(1000, 4096, 1, 20, 300);
  metrics.histories(2000, 4096, 1, 25, 300);
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_history_bytes 2000"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_history_limit_bytes 4096"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_history_shed_total{limit=\"pod\",pods=\"any\"} 1"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_history_shed_total{limit=\"all\",pods=\"outside_trials\"} 25"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_history_shed_total{limit=\"all\",pods=\"in_trials\"} 300"));
}

TEST(OperatorMetrics, CountTheEventsThatWereDropped) {
  OperatorMetrics metrics;
  metrics.events_dropped(3);
  metrics.events_dropped(5);
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_events_dropped_total 5"));
}

TEST(OperatorMetrics, ForgetAProfileAndNoOther) {
  OperatorMetrics metrics;
  for (const ObjectKey& key : {kCheckout, kCart}) {
    metrics.show(key, {{"gopacer_target_gc_cpu_ratio", {}, 0.1},
                       {"gopacer_target_pods", {{"result", "read"}}, 3},
                       {"gopacer_target_gogc_percent", {}, 200},
                       {"gopacer_target_gomemlimit_bytes", {}, 430e6}});
    metrics.pass_done(key, std::chrono::milliseconds(1), true);
    metrics.trial_ended(key, "Promote");
  }
  metrics.forget(kCheckout);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("profile=\"checkout\"")));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_target_gogc_percent{namespace=\"shop\",profile=\"cart\"} 200"));
}

TEST(OperatorMetrics, TellHowOldEachWatchIsAndWhatIsLeftOut) {
  OperatorMetrics metrics;
  metrics.watch_age("Pod", std::chrono::milliseconds(61'500));
  metrics.unreadable_object("Pod");
  metrics.unreadable_object("Pod");
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_watch_age_seconds{kind=\"Pod\"} 61.5"));
  EXPECT_THAT(metrics.text(), HasSubstr("gopacer_unreadable_objects_total{kind=\"Pod\"} 2"));
}

}  // namespace
}  // namespace gopacer
