#pragma once

#include "control/reconciler.h"
#include "observe/plan.h"

namespace gopacer {

class Scraper;

/// What of a profile's pods is to be read, and how often: during a trial at least once per window, and with CPU
/// profiles.
ScrapePlan scrape_plan(const Desired& desired);

/// Observations out of the scraper. Thread-safe.
class ObservationFeed final : public Observations {
 public:
  explicit ObservationFeed(Scraper& scraper) : scraper_(scraper) {}

  void follow(const Desired& desired) override;
  Observation snapshot(const ObjectKey& profile, Time now) const override;
  void forget(const ObjectKey& profile) override;

 private:
  Scraper& scraper_;
};

}  // namespace gopacer
