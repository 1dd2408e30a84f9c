#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gopacer {

/// Cuts a body that comes in pieces into lines, with memory for one line of at most `most` bytes.
class Lines {
 public:
  explicit Lines(std::size_t most) : most_(most) {}

  /// Calls `take(line, complete)` for each line that ends in `piece`; `complete` is false for a line whose end was cut
  /// off because it is too long. Stops when `take` returns false, and returns that.
  template <typename Take>
  bool feed(std::string_view piece, const Take& take) {
    while (!piece.empty()) {
      const std::size_t end = piece.find('\n');
      if (end == std::string_view::npos) {
        keep(piece);
        return true;
      }
      if (kept_.empty() && !cut_ && end <= most_) {
        if (!take(without_return(piece.substr(0, end)), true)) return false;
      } else {
        keep(piece.substr(0, end));
        const bool complete = !cut_;
        const bool more = take(without_return(kept_), complete);
        kept_.clear();
        cut_ = false;
        if (!more) return false;
      }
      piece.remove_prefix(end + 1);
    }
    return true;
  }

  /// The last line when it has no end; empty when there is none.
  std::string_view rest() const { return kept_; }

 private:
  void keep(std::string_view part) {
    const std::size_t room = most_ - kept_.size();
    cut_ = cut_ || part.size() > room;
    kept_.append(part.substr(0, room));
  }
  static std::string_view without_return(std::string_view line) {
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    return line;
  }

  std::size_t most_;
  std::string kept_;
  bool cut_ = false;
};

/// What a body that is not what was asked for seems to be, from its beginning: "an HTML page", "JSON", "binary data",
/// "nothing" or "other text".
std::string describe_body(std::string_view beginning);

}  // namespace gopacer
