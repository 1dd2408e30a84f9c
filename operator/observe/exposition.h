#pragma once

#include <boost/container/flat_map.hpp>
#include <cstddef>
#include <forward_list>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "observe/lines.h"

namespace gopacer {

/// The labels of one line: pieces of it, which last as long as the line does.
using LineLabels = boost::container::flat_map<std::string_view, std::string_view>;

/// One line of a page in Prometheus' text format.
struct ExpositionSample {
  std::string_view name;
  const LineLabels& labels;
  std::size_t series;  ///< a hash of all labels but "le", by which the lines of one histogram's series belong together
  double value;        ///< may be NaN or infinite
  std::optional<Time> at;
};

/// For ExpositionSample::series. Takes as long as the labels are.
std::size_t series_of(const LineLabels& labels);

/// Reads Prometheus' text format, version 0.0.4, piece by piece and in the memory of one line. Lines of metrics that
/// nobody wants are skipped unread; a wanted line that is malformed is an error.
class Exposition {
 public:
  /// Says whether a metric of this name is of interest.
  using Wants = std::function<bool(std::string_view name)>;
  /// Returns an error text to stop with, or nothing.
  using Take = std::function<std::string(const ExpositionSample& sample)>;

  static constexpr std::size_t kMostLabels = 64;  ///< of one line

  Exposition(Wants wants, Take take);

  /// False when no more of the body is needed: it is not what was asked for.
  bool feed(std::string_view piece);
  /// After the body's end.
  Result<void> finish();
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return lines_.rest().size(); }

 private:
  bool take_line(std::string_view line, bool complete);
  bool reject(std::string message);
  bool reject_page(std::string_view beginning);

  Lines lines_;
  Wants wants_;
  Take take_;
  LineLabels labels_;                         ///< of the line that is read; empty between lines
  std::forward_list<std::string> unescaped_;  ///< those of its values that are not what stands in the line
  bool seen_metric_ = false;
  std::string error_;
};

}  // namespace gopacer
