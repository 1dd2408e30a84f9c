#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "gopacer/domain/sample.h"

namespace gopacer {

/// The latest samples of one process. Not thread-safe.
class PodHistory {
 public:
  /// Keeps `sample`, and at most `most` in all. Begins anew when the sample is of another process than those before: a
  /// counter went back, or the process says that it began at another time.
  ///
  /// Of each reading of MemStats but the newest only the last GC cycle is kept and those that the sample before did not
  /// have, so that 400 samples hold each cycle once and not 400 times; and only the newest `kHistograms` samples keep
  /// their histograms, which are the bulk of a sample and are judged window by window.
  ///
  /// A histogram whose counts fell is no sign of another process: it is left out of its sample, and counts from the
  /// third such reading in a row on.
  static constexpr std::size_t kHistograms = 100;
  static constexpr int kFallenReadings = 3;
  void append(Sample sample, std::size_t most);
  void clear();

  const SampleRow& samples() const { return samples_; }
  /// When the first sample of the process was taken, whether it is still kept or not.
  std::optional<Time> first_read() const { return first_read_; }

 private:
  void forget_known_cycles();
  void share_bounds(Sample& sample) const;
  void drop_fallen(Sample& sample);

  SampleRow samples_;
  std::map<std::string, int> fallen_;  ///< by SLO: readings in a row below what was read before
  /// End of the newest GC cycle that the sample before the newest had.
  Time known_until_;
  std::optional<Time> first_read_;
};

/// True when `next` cannot be of the process that `before` is of.
bool is_another_process(const Sample& before, const Sample& next);

}  // namespace gopacer
