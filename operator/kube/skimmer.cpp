#include "kube/skimmer.h"

namespace gopacer::kube {
namespace {

constexpr std::size_t kLongestString = 4096;
constexpr std::size_t kDeepest = 16;

}  // namespace

Skimmer::Skimmer(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) found_[path];
}

void Skimmer::feed(std::string_view text) {
  for (const char c : text) {
    if (quoted_) {
      in_string(c);
    } else {
      outside(c);
    }
  }
}

std::string Skimmer::value(const std::string& path) const {
  const auto found = found_.find(path);
  return found == found_.end() ? std::string() : found->second;
}

void Skimmer::in_string(char c) {
  if (!escaped_ && c == '"') {
    quoted_ = false;
    if (ignored_levels_ == 0) end_string();
    return;
  }
  escaped_ = !escaped_ && c == '\\';
  usable_ = usable_ && c != '\\' && string_.size() < kLongestString;
  if (usable_) string_ += c;
}

void Skimmer::outside(char c) {
  switch (c) {
    case '"':
      quoted_ = true;
      usable_ = true;
      string_.clear();
      break;
    case '{':
    case '[':
      if (ignored_levels_ > 0 || levels_.size() >= kDeepest) {
        ++ignored_levels_;
      } else {
        levels_.push_back({c == '{', path_.size()});
        is_key_ = c == '{';
      }
      break;
    case '}':
    case ']':
      if (ignored_levels_ > 0) {
        --ignored_levels_;
      } else if (!levels_.empty()) {
        path_.resize(levels_.back().path_size);
        levels_.pop_back();
        is_key_ = false;
      }
      break;
    case ',':
      if (ignored_levels_ == 0) is_key_ = !levels_.empty() && levels_.back().is_object;
      break;
    default:
      break;
  }
}

void Skimmer::end_string() {
  if (is_key_) {
    is_key_ = false;
    path_.resize(levels_.back().path_size);
    if (!path_.empty()) path_ += '.';
    // A key that can't be used leads to no path that was asked for.
    path_ += usable_ ? string_ : std::string("?");
    return;
  }
  const auto wanted = found_.find(path_);
  if (usable_ && wanted != found_.end() && wanted->second.empty()) wanted->second = string_;
}

}  // namespace gopacer::kube
