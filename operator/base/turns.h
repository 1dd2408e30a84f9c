#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace gopacer {

/// Things that wait, by whose they are: the owners take turns, and what one owner has comes in the order of its
/// arrival. Whoever brings many things delays their own. Not thread-safe.
template <typename T>
class Turns {
 public:
  void push(const std::string& owner, T thing) {
    std::deque<T>& line = lines_[owner];
    if (line.empty()) turns_.push_back(owner);
    line.push_back(std::move(thing));
    ++size_;
  }

  /// Puts back what pop() gave: it is the next one again, and so is its owner.
  void put_back(const std::string& owner, T thing) {
    std::erase(turns_, owner);
    turns_.push_front(owner);
    lines_[owner].push_front(std::move(thing));
    ++size_;
  }

  /// The next thing, of the owner whose turn it is among those with the least `load`: a function of an owner that gives
  /// a number, 0 at least.
  template <typename Load>
  std::optional<T> pop(const Load& load) {
    auto next = turns_.begin();
    for (auto at = turns_.begin(); at != turns_.end(); ++at) {
      if (load(*at) < load(*next)) next = at;
      if (load(*next) == 0) break;
    }
    if (next == turns_.end()) return std::nullopt;
    const std::string owner = std::move(*next);
    turns_.erase(next);
    const auto line = lines_.find(owner);
    T thing = std::move(line->second.front());
    line->second.pop_front();
    --size_;
    if (line->second.empty()) {
      lines_.erase(line);
    } else {
      turns_.push_back(owner);
    }
    return thing;
  }

  std::optional<T> pop() {
    return pop([](const std::string&) { return 0; });
  }

  std::size_t size() const { return size_; }

  /// Drops the latest thing of the owner that has most: of `rather` when nobody has more than it. Something must wait
  /// of `rather`.
  void drop_from_longest(const std::string& rather) {
    auto longest = lines_.find(rather);
    for (auto at = lines_.begin(); at != lines_.end(); ++at) {
      if (at->second.size() > longest->second.size()) longest = at;
    }
    longest->second.pop_back();
    --size_;
    if (!longest->second.empty()) return;
    std::erase(turns_, longest->first);
    lines_.erase(longest);
  }

  void clear() {
    turns_.clear();
    lines_.clear();
    size_ = 0;
  }

 private:
  std::deque<std::string> turns_;  ///< the owners that wait, each once, the next first
  std::map<std::string, std::deque<T>> lines_;
  std::size_t size_ = 0;
};

}  // namespace gopacer
