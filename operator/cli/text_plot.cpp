#include "cli/text_plot.h"

#include <algorithm>
#include <cmath>

#include "gopacer/base/units.h"

namespace gopacer {
namespace {

constexpr std::size_t kScaleWidth = 9;

/// The next of 1, 2, 5, 10, 20, … at or above `value`.
double round_up(double value) {
  if (!(value > 0)) return 1;
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0}) {
    if (step * decade >= value * (1 - 1e-9)) return step * decade;
  }
  return 10 * decade;
}

std::string number(double value) {
  return format_fixed(value, value == std::floor(value) ? 0 : (std::abs(value) < 1 ? 2 : 1));
}

std::string right(const std::string& text, std::size_t width) {
  return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}

/// Characters as a terminal counts them: continuation bytes of UTF-8 take no room.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string text_plot(const std::string& title, const std::string& unit, const std::vector<PlotLine>& lines,
                      std::size_t width, std::size_t height) {
  double hours = 0;
  double highest = 0;
  for (const PlotLine& line : lines) {
    for (const auto& [at, value] : line.points) {
      hours = std::max(hours, at);
      highest = std::max(highest, value);
    }
  }
  const std::size_t columns = std::max<std::size_t>(20, width) - kScaleWidth - 2;
  const std::size_t rows = std::max<std::size_t>(4, height);
  const double top = round_up(highest);
  std::vector<std::string> canvas(rows, std::string(columns, ' '));
  for (const PlotLine& line : lines) {
    std::vector<double> highest_of(columns, -1);
    for (const auto& [at, value] : line.points) {
      const double place = hours > 0 ? at / hours * static_cast<double>(columns) : 0;
      const auto column = std::min(columns - 1, static_cast<std::size_t>(std::max(0.0, place)));
      highest_of[column] = std::max(highest_of[column], value);
    }
    for (std::size_t column = 0; column < columns; ++column) {
      if (highest_of[column] < 0) continue;
      const double level = highest_of[column] / top * static_cast<double>(rows - 1);
      canvas[rows - 1 - std::min(rows - 1, static_cast<std::size_t>(std::lround(level)))][column] = line.mark;
    }
  }

  std::string text = title + ", " + unit + "\n";
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t level = rows - 1 - row;
    const bool labelled = level == 0 || level == rows - 1 || (rows % 2 == 1 && level == (rows - 1) / 2);
    const double value = top * static_cast<double>(level) / static_cast<double>(rows - 1);
    text += right(labelled ? number(value) : "", kScaleWidth) + (labelled ? " +" : " |") + canvas[row] + "\n";
  }
  text += std::string(kScaleWidth + 1, ' ') + "+" + std::string(columns, '-') + "\n";
  const std::string end = number(std::round(hours * 10) / 10) + " h";
  const std::string middle = number(std::round(hours * 5) / 10) + " h";
  std::string axis = "0 h";
  axis += right(middle, columns / 2 + middle.size() / 2 - axis.size());
  axis += right(end, columns - std::min(columns, axis.size()));
  text += std::string(kScaleWidth + 2, ' ') + axis + "\n" + std::string(kScaleWidth + 2, ' ');
  for (const PlotLine& line : lines) text += std::string(1, line.mark) + " " + line.label + "   ";
  return text + "\n";
}

std::string text_table(const std::vector<std::vector<std::string>>& rows, Columns columns) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string room(widths[i] - width_of(row[i]), ' ');
      line += (i == 0 ? "" : "  ") + (i == 0 || columns == Columns::kTexts ? row[i] + room : room + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace gopacer
