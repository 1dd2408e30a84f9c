#include "decide/series.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gopacer::deciding {
namespace {

/// A straight line over less says nothing of the next hour.
constexpr Duration kLeastForSlope = std::chrono::minutes(5);
/// A gap of so many usual ones, and of this length, is more than a few readings that failed.
constexpr int kGapFactor = 10;
constexpr Duration kLongGap = std::chrono::minutes(3);

}  // namespace

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double upper(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(p * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

double relative_error(const std::vector<double>& values) {
  if (values.size() < 3) return 0;
  const double average = mean(values);
  if (!(average > 0)) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - average) * (value - average);
  const double n = static_cast<double>(values.size());
  return std::sqrt(squares / (n - 1) / n) / average;
}

double steady_slope(const std::vector<Moment>& moments) {
  if (moments.size() < 10 || moments.back().at - moments.front().at < kLeastForSlope) return 0;
  double n = 0, sum_t = 0, sum_m = 0, sum_tt = 0, sum_tm = 0, sum_mm = 0;
  for (const Moment& moment : moments) {
    const double t = to_seconds(moment.at - moments.front().at);
    const double m = moment.value;
    n += 1, sum_t += t, sum_m += m, sum_tt += t * t, sum_tm += t * m, sum_mm += m * m;
  }
  const double tt = sum_tt - sum_t * sum_t / n;
  const double tm = sum_tm - sum_t * sum_m / n;
  const double mm = sum_mm - sum_m * sum_m / n;
  return tt <= 0 || mm <= 0 || tm * tm / (tt * mm) < 0.9 ? 0 : tm / tt;
}

std::optional<Rise> rise_of(const std::vector<Moment>& readings) {
  if (readings.size() < 2) return std::nullopt;
  for (std::size_t i = 1; i < readings.size(); ++i) {
    if (!(readings[i].value >= readings[i - 1].value)) return std::nullopt;
  }
  return Rise{readings.back().value - readings.front().value, to_seconds(readings.back().at - readings.front().at)};
}

std::optional<double> rate_over(const std::vector<Moment>& readings, Time from, Time to) {
  if (readings.size() < 2) return std::nullopt;
  auto first = readings.begin();
  while (std::next(first) != readings.end() && std::next(first)->at <= from) ++first;
  auto last = first;
  while (std::next(last) != readings.end() && last->at < to) ++last;
  if (last == first) return std::nullopt;
  return (last->value - first->value) / to_seconds(last->at - first->at);
}

Break last_break(const Samples& samples) {
  std::vector<Duration> gaps;
  for (std::size_t i = 1; i < samples.size(); ++i) gaps.push_back(samples[i]->at - samples[i - 1]->at);
  std::vector<Duration> sorted = gaps;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = gaps.size(); i-- > 0;) {
    const std::string length = format_duration(std::chrono::floor<std::chrono::seconds>(std::chrono::abs(gaps[i])));
    if (gaps[i] <= Duration(0)) return {i + 1, "The clock was set back by " + length + " between two readings"};
    if (gaps[i] > kLongGap && gaps[i] > kGapFactor * sorted[sorted.size() / 2]) {
      return {i + 1, "Between two readings the clock went ahead by " + length + ", or nothing was read for so long"};
    }
  }
  return {};
}

std::size_t with_other_settings(const Samples& samples) {
  std::optional<Settings> latest;
  for (std::size_t i = samples.size(); i > 0; --i) {
    const auto& process = samples[i - 1]->process;
    if (!process || !process->gogc) continue;
    const Settings told{process->gogc, process->go_mem_limit};
    if (latest && told != *latest) return i;
    latest = told;
  }
  return 0;
}

}  // namespace gopacer::deciding
