#pragma once

#include <string>
#include <utility>
#include <vector>

namespace gopacer {

/// One line of a plot: a value over time, drawn with one character.
struct PlotLine {
  char mark = '*';
  std::string label;
  std::vector<std::pair<double, double>> points;  ///< hours, value; in order of time
};

/// A plot in plain text, `width` characters wide at most: title, a scale from 0 with the unit, hours below. Where
/// several points share a column, the highest is drawn; of several lines on one spot, the last.
std::string text_plot(const std::string& title, const std::string& unit, const std::vector<PlotLine>& lines,
                      std::size_t width = 96, std::size_t height = 12);

/// How the columns of a table stand, but for the first, which always stands left.
enum class Columns { kNumbers, kTexts };

/// A table of columns that are as wide as they must be. The first row is the head. Numbers stand right, texts left.
std::string text_table(const std::vector<std::vector<std::string>>& rows, Columns columns = Columns::kNumbers);

}  // namespace gopacer
