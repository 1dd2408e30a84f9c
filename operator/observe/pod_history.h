#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/domain/sample.h"

namespace gopacer {

/// The latest samples of one process. Not thread-safe.
class PodHistory {
 public:
  /// So many samples, the newest, are the last to go.
  static constexpr std::size_t kWhole = 4;
  /// Older samples are not thinned to more than this between two of them: a longer gap reads as a trouble of the clock.
  static constexpr Duration kLongestGap = std::chrono::seconds(150);

  /// Keeps `sample`, and those before it that are not older than `keep`. Begins anew when it is of another process than
  /// those: a counter went back, or the process says that it began at another time.
  ///
  /// Of each reading of MemStats but the newest only the last GC cycle is kept and those that the sample before did not
  /// have, so that 400 samples hold each cycle once and not 400 times.
  ///
  /// A histogram whose counts fell is no sign of another process: it is left out of its sample, and counts from the
  /// third such reading in a row on.
  static constexpr int kFallenReadings = 3;
  void append(Sample sample, Duration keep);
  /// Gives up every second sample, but for the newest kWhole, as far as the gaps allow; where none can go that way, the
  /// older half. Of two neighbours the one with a CPU profile stays. Of the older ones only the last GC cycle is kept.
  /// Returns how many samples went; 0 when only one is left, which gives up its histograms.
  std::size_t thin();
  /// There is not even that.
  bool is_bare() const;
  /// Histograms that are being watched because their counts fell.
  std::size_t fallen() const { return fallen_.size(); }
  /// Nothing can be given up but newer samples, or the length of time that they span.
  bool is_sparse() const;
  void clear();
  /// Gives up the histograms of this SLO: they are of something else than it asks for now.
  void forget(const std::string& slo);

  const SampleRow& samples() const { return samples_; }
  /// So many profiles outlive their samples.
  static constexpr std::size_t kEarlierProfiles = 16;
  /// As PodSeries::earlier_profiles.
  const std::vector<GcProfile>& earlier_profiles() const { return earlier_; }
  /// When the first sample of the process was taken, whether it is still kept or not.
  std::optional<Time> first_read() const { return first_read_; }
  /// What all of it takes of the heap, with what malloc() adds.
  std::size_t bytes() const { return bytes_; }

 private:
  void forget_known_cycles();
  void note_settings(const Sample& next);
  void keep_profile(const Sample& leaving);
  void share_bounds(Sample& sample) const;
  void drop_fallen(Sample& sample);
  std::vector<bool> to_spare() const;
  void weigh();

  SampleRow samples_;
  std::vector<GcProfile> earlier_;
  Time settings_since_;                ///< when the process told other settings than before
  std::map<std::string, int> fallen_;  ///< by SLO: readings in a row below what was read before
  /// End of the newest GC cycle that the sample before the newest had.
  Time known_until_;
  std::optional<Time> first_read_;
  std::size_t bytes_ = 0;
};

/// True when `next` cannot be of the process that `before` is of.
bool is_another_process(const Sample& before, const Sample& next);

}  // namespace gopacer
