#include "observe/exposition.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "gopacer/base/text.h"

namespace gopacer {
namespace {

constexpr std::size_t kLongestLine = std::size_t{64} * 1024;

constexpr bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}
constexpr auto kInName = [] {
  std::array<bool, 256> in_name{};
  for (int c = 0; c < 256; ++c) in_name[c] = is_name_start(static_cast<char>(c)) || (c >= '0' && c <= '9');
  return in_name;
}();
bool is_name(char c) { return kInName[static_cast<unsigned char>(c)]; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

void skip_blanks(std::string_view& text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
}

std::string_view take_name(std::string_view& text) {
  std::size_t n = 0;
  if (!text.empty() && is_name_start(text.front())) {
    while (n < text.size() && is_name(text[n])) ++n;
  }
  const std::string_view name = text.substr(0, n);
  text.remove_prefix(n);
  return name;
}

/// The quoted text at the front of `text`, unescaped; none when it is not one. What is not a piece of `text` goes to
/// `unescaped`.
std::optional<std::string_view> take_quoted(std::string_view& text, std::forward_list<std::string>& unescaped) {
  if (text.empty() || text.front() != '"') return std::nullopt;
  text.remove_prefix(1);
  // Nearly no value has anything escaped.
  if (const std::size_t quote = text.find('"');
      quote != std::string_view::npos && text.substr(0, quote).find('\\') == std::string_view::npos) {
    const std::string_view value = text.substr(0, quote);
    text.remove_prefix(quote + 1);
    return value;
  }
  std::string& value = unescaped.emplace_front();
  while (!text.empty() && text.front() != '"') {
    char c = text.front();
    text.remove_prefix(1);
    if (c == '\\') {
      if (text.empty()) return std::nullopt;
      c = text.front();
      text.remove_prefix(1);
      if (c == 'n') {
        c = '\n';
      } else if (c != '\\' && c != '"') {
        value.push_back('\\');
      }
    }
    value.push_back(c);
  }
  if (text.empty()) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

/// The labels in braces at the front of `text`; false when they are malformed.
bool take_labels(std::string_view& text, LineLabels& labels, std::forward_list<std::string>& unescaped) {
  if (text.empty() || text.front() != '{') return true;
  text.remove_prefix(1);
  for (;;) {
    skip_blanks(text);
    if (text.empty()) return false;
    if (text.front() == '}') break;
    const std::string_view name = take_name(text);
    skip_blanks(text);
    if (name.empty() || text.empty() || text.front() != '=') return false;
    text.remove_prefix(1);
    skip_blanks(text);
    const auto value = take_quoted(text, unescaped);
    if (!value || labels.size() == Exposition::kMostLabels) return false;
    if (!labels.emplace(name, *value).second) return false;
    skip_blanks(text);
    if (text.empty()) return false;
    if (text.front() == ',') {
      text.remove_prefix(1);
    } else if (text.front() != '}') {
      return false;
    }
  }
  text.remove_prefix(1);
  return true;
}

std::string_view take_word(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && !is_blank(text[n])) ++n;
  const std::string_view word = text.substr(0, n);
  text.remove_prefix(n);
  return word;
}

/// As Go's ParseFloat reads it: decimal with exponent, NaN, Inf with a sign.
std::optional<double> number(std::string_view word) {
  if (!word.empty() && word.front() == '+') {
    word.remove_prefix(1);
    if (word.starts_with('-')) return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (end != word.data() + word.size() || word.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Too large is infinite, too small is nothing; the exponent's sign tells which.
    const std::size_t exponent = word.find_first_of("eE");
    if (exponent != std::string_view::npos && word.substr(exponent + 1).starts_with('-')) return 0.0;
    return word.front() == '-' ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

/// Milliseconds since the epoch; none when it is not a plausible time.
std::optional<Time> timestamp(std::string_view word) {
  std::int64_t ms = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), ms);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  if (ms < 0 || ms > 8'000'000'000'000) return std::nullopt;
  return Time(std::chrono::milliseconds(ms));
}

}  // namespace

std::size_t series_of(const LineLabels& labels) {
  std::size_t hash = 0;
  for (const auto& [name, value] : labels) {
    if (name == "le") continue;
    for (const std::string_view text : {name, value}) hash = hash * 31 + std::hash<std::string_view>()(text);
  }
  return hash;
}

Exposition::Exposition(Wants wants, Take take)
    : lines_(kLongestLine), wants_(std::move(wants)), take_(std::move(take)) {}

bool Exposition::reject(std::string message) {
  if (error_.empty()) error_ = std::move(message);
  return false;
}

bool Exposition::reject_page(std::string_view beginning) {
  return reject("answered " + describe_body(beginning.substr(0, 256)) +
                " instead of metrics in Prometheus' text format: check the port and the path");
}

bool Exposition::feed(std::string_view piece) {
  if (!error_.empty()) return false;
  const bool more =
      lines_.feed(piece, [this](std::string_view line, bool complete) { return take_line(line, complete); });
  // A body without line ends must not be read to its limit before it is seen for what it is.
  if (more && !seen_metric_ && lines_.rest().size() == kLongestLine) return reject_page(lines_.rest());
  return more;
}

bool Exposition::take_line(std::string_view line, bool complete) {
  skip_blanks(line);
  if (line.empty() || line.front() == '#') return true;
  std::string_view rest = line;
  const std::string_view name = take_name(rest);
  if (name.empty()) {
    // Names in quotes stand inside the braces; no metric of ours has such a name.
    if (line.front() == '{' && seen_metric_) return true;
    if (!seen_metric_) return reject_page(line);
    return reject("has a line that is not Prometheus' text format: " + shown(line));
  }
  // A first line that is a bare word is no metric: "Unauthorized".
  const bool plausible = rest.empty() ? seen_metric_ : rest.front() == '{' || is_blank(rest.front());
  if (!plausible) return reject_page(line);
  if (!wants_(name)) {
    seen_metric_ = true;
    return true;
  }
  if (!complete) return reject("has a line longer than " + std::to_string(kLongestLine) + " bytes: " + shown(line));

  skip_blanks(rest);
  const bool labelled = take_labels(rest, labels_, unescaped_);
  skip_blanks(rest);
  const std::optional<double> value = labelled ? number(take_word(rest)) : std::nullopt;
  if (!value) return seen_metric_ ? reject("has a malformed line: " + shown(line, 120)) : reject_page(line);
  seen_metric_ = true;
  skip_blanks(rest);
  // An exemplar, as OpenMetrics has it, begins with '#'.
  std::optional<Time> at;
  if (!rest.empty() && rest.front() != '#') at = timestamp(take_word(rest));
  std::string problem = take_({name, labels_, series_of(labels_), *value, at});
  labels_.clear();
  unescaped_.clear();
  return problem.empty() || reject(std::move(problem));
}

Result<void> Exposition::finish() {
  if (error_.empty() && !lines_.rest().empty()) {
    // A page ends with a line end; without one the last number may have been cut off.
    if (!seen_metric_) {
      reject_page(lines_.rest());
    } else if (lines_.rest().front() != '#') {
      return retriable("answered a page of metrics that ends in the middle of a line: it was cut off");
    }
  }
  if (!error_.empty()) return invalid(error_);
  return {};
}

}  // namespace gopacer
