#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "control/reconciler.h"
#include "gopacer/domain/long_row.h"
#include "observe/plan.h"

namespace gopacer {

class Scraper;

/// A container of a pod, as the API server tells of it. Where it may be asked, and as what, is the caller's to say.
PodTarget pod_target(const Pod& pod, const ContainerSpec& container);

/// What of a profile's pods is to be read, and how often: during a trial at least once per window, and with CPU
/// profiles.
ScrapePlan scrape_plan(const Desired& desired);

/// Observations out of the scraper, each with the profile's long row, which is made of them. Thread-safe.
class ObservationFeed final : public Observations {
 public:
  explicit ObservationFeed(Scraper& scraper) : scraper_(scraper) {}

  void follow(const Desired& desired) override;
  Observation snapshot(const ObjectKey& profile, Time now) const override;
  void forget(const ObjectKey& profile) override;

 private:
  std::shared_ptr<const LongRow> long_row(const ObjectKey& profile, const Observation& observed) const;

  Scraper& scraper_;
  mutable std::mutex mutex_;
  mutable std::map<ObjectKey, std::shared_ptr<const LongRow>> long_rows_;
};

}  // namespace gopacer
