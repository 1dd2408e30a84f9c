#include "record/captures.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace gopacer {

using nlohmann::json;

bool Captures::admit(const ObjectKey& profile, Time now) {
  const std::lock_guard lock(mutex_);
  // One of the future is of a clock that was set back.
  std::erase_if(admitted_, [now](const auto& entry) { return entry.second > now || now - entry.second >= kBetween; });
  return admitted_.emplace(profile, now).second;
}

void Captures::keep(Capture capture) {
  const std::lock_guard lock(mutex_);
  // One failure tells as much as many, and takes no place of what was captured.
  std::erase_if(kept_, [&](const Kept& kept) {
    return !kept.capture.error.empty() && kept.capture.profile == capture.profile && kept.capture.kind == capture.kind;
  });
  bytes_ += capture.body.size();
  const std::string name =
      capture.profile.ns + "-" + capture.pod + "-" + std::to_string(++number_) + "." + capture.kind + ".pb.gz";
  kept_.push_back({name, std::move(capture)});
  const ObjectKey profile = kept_.back().capture.profile;
  const auto of_it = [&](const Kept& kept) { return kept.capture.profile == profile; };
  if (std::count_if(kept_.begin(), kept_.end(), of_it) > static_cast<std::ptrdiff_t>(kMostOfProfile)) {
    drop_oldest_of(profile);
  }
  while (kept_.size() > kMost || bytes_ > kMostBytes) drop_oldest_of(who_has_most());
}

void Captures::drop_oldest_of(const ObjectKey& profile) {
  const auto oldest =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.capture.profile == profile; });
  bytes_ -= oldest->capture.body.size();
  kept_.erase(oldest);
}

ObjectKey Captures::who_has_most() const {
  std::map<ObjectKey, std::size_t> bytes;
  for (const Kept& kept : kept_) bytes[kept.capture.profile] += kept.capture.body.size() + 1;
  return std::max_element(bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::string Captures::list() const {
  const std::lock_guard lock(mutex_);
  json all = json::array();
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
    const Capture& capture = kept->capture;
    json entry = {{"profile", capture.profile.text()},
                  {"pod", capture.pod},
                  {"uid", capture.uid},
                  {"at", format_time(capture.at)},
                  {"reason", capture.reason},
                  {"what", capture.what},
                  {"kind", capture.kind}};
    if (capture.error.empty()) {
      entry["name"] = kept->name;
      entry["bytes"] = capture.body.size();
    } else {
      entry["error"] = capture.error;
    }
    all.push_back(std::move(entry));
  }
  return all.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<std::string> Captures::body(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(kept_.begin(), kept_.end(),
                                  [&](const Kept& kept) { return kept.name == name && kept.capture.error.empty(); });
  if (found == kept_.end()) return std::nullopt;
  return found->capture.body;
}

}  // namespace gopacer
