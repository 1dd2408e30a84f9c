#include "cli/plugin/orders.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/plugin/listing.h"
#include "cli/plugin/story.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "gopacer/domain/profile.h"
#include "ports/api_server.h"

namespace gopacer::plugin {
namespace {

using codec::child;
using nlohmann::json;

ObjectPath path_of(const ObjectKey& profile) { return {resources::kProfiles, profile.ns, profile.name}; }

Result<void> patch(ApiServer& api, const ObjectKey& profile, const json& change) {
  const auto written = api.merge_patch(path_of(profile), change, "");
  if (!written) return tl::unexpected(explained(written.error(), "patch", resources::kProfiles.plural, profile.ns));
  return {};
}

json suspension(bool suspended) { return {{"spec", {{"updatePolicy", {{"suspend", suspended}}}}}}; }

/// An annotation of the profile; taken away where `trial` is empty.
Result<void> wish(ApiServer& api, const ObjectKey& profile, const char* annotation, const std::string& trial) {
  const json value = trial.empty() ? json(nullptr) : json(trial);
  return patch(api, profile, {{"metadata", {{"annotations", {{annotation, value}}}}}});
}

std::string names_of(const std::vector<TrialStory>& trials) {
  std::string names;
  for (const TrialStory& trial : trials) names += (names.empty() ? "" : ", ") + trial.name;
  return names.empty() ? "none is kept" : "kept are " + names;
}

bool is_suspended(const json& profile) {
  return codec::boolean(child(child(profile, "spec"), "updatePolicy"), "suspend");
}

bool was_stopped(const json& profile) {
  return child(child(profile, "metadata"), "annotations").contains(kStoppedAnnotation);
}

/// Writes `change` to each profile that `concerned` chooses.
template <typename Concerned>
Result<FleetOrder> each_profile(ApiServer& api, const std::string& ns, const json& change, const std::string& done,
                                const Told& tell, const Concerned& concerned) {
  // All are listed first: the writes would expire the pages.
  std::vector<ObjectKey> keys;
  auto listed = each_of(api, {resources::kProfiles, ns, "", ""}, [&](const json& object) {
    if (concerned(object)) keys.push_back(codec::key_of(object));
  });
  if (!listed) return tl::unexpected(listed.error());
  FleetOrder order;
  for (const ObjectKey& key : keys) {
    const auto written = patch(api, key, change);
    if (written) {
      ++order.done;
      tell(true, key.text() + " " + done);
    } else if (written.error().kind != ErrorKind::kNotFound) {
      ++order.failed;
      tell(false, key.text() + ": " + written.error().message);
    }
  }
  return order;
}

}  // namespace

Result<std::string> suspend(ApiServer& api, const ObjectKey& profile, bool suspended) {
  json change = suspension(suspended);
  // A person's word on this one profile: a later `resume --all` is not about it.
  change["metadata"]["annotations"][kStoppedAnnotation] = nullptr;
  if (auto written = patch(api, profile, change); !written) return tl::unexpected(written.error());
  return profile.text() + (suspended
                               ? " is suspended: a running trial is aborted and none begins; confirmed settings stay."
                               : " is not suspended any more.");
}

Result<std::string> abort_trial(ApiServer& api, const ObjectKey& profile) {
  const Result<ProfileStory> story = read_profile(api, profile);
  if (!story) return tl::unexpected(story.error());
  const TrialStory* const trial = story->running_trial();
  if (trial == nullptr) return invalid("no trial of " + profile.text() + " is running: there is nothing to abort");
  const auto removed = api.remove({resources::kTrials, profile.ns, trial->name}, trial->uid);
  if (!removed) return tl::unexpected(explained(removed.error(), "delete", resources::kTrials.plural, profile.ns));
  return "Trial " + trial->name +
         " is being aborted: its pods go, and settings that its watch has not confirmed are taken back. The next one "
         "may "
         "begin at once; `kubectl gopacer pause " +
         profile.name + "` prevents it.";
}

Result<std::string> undo_to(ApiServer& api, const ObjectKey& profile, const std::string& trial) {
  const Result<ProfileStory> story = read_profile(api, profile);
  if (!story) return tl::unexpected(story.error());
  const TrialStory* const known = story->trial_named(trial);
  if (known == nullptr) {
    return invalid(profile.text() + " has no trial '" + trial + "': " + names_of(story->trials));
  }
  if (known->running()) return invalid("trial " + trial + " is still running: abort it, and its settings go");
  if (story->undone_to == trial) {
    return invalid("the settings of trial " + trial + " were put back already. To ask for them again, first take the " +
                   "annotation away: kubectl annotate grp " + profile.name + " -n " + profile.ns + " " +
                   kUndoAnnotation + "-");
  }
  const auto written = wish(api, profile, kUndoAnnotation, trial);
  if (!written) return tl::unexpected(written.error());
  return "The settings of trial " + trial + ", " + known->to + ", are put back into " + story->target +
         " without another trial; `kubectl gopacer status " + profile.name + "` waits for it.";
}

Result<std::string> promote(ApiServer& api, const ObjectKey& profile) {
  const Result<ProfileStory> story = read_profile(api, profile);
  if (!story) return tl::unexpected(story.error());
  const TrialStory* const trial = story->running_trial();
  if (trial == nullptr) {
    return invalid("no trial of " + profile.text() + " is running: there is nothing to promote. For the settings of " +
                   "an ended one: kubectl gopacer undo " + profile.name + " --to-trial TRIAL");
  }
  if (!trial->verdict.empty()) return invalid("trial " + trial->name + " has its verdict already: " + trial->verdict);
  if (trial->phase == "RollingBack") return invalid("trial " + trial->name + " is being rolled back");
  if (auto written = wish(api, profile, kPromoteAnnotation, trial->name); !written) {
    return tl::unexpected(written.error());
  }
  return "The settings of trial " + trial->name + ", " + trial->to +
         ", are promoted without a verdict once its pods are warm and four windows were compared, unless harm is seen. "
         "The watch follows as usual.";
}

Result<std::string> retry(ApiServer& api, const ObjectKey& profile, const std::string& trial) {
  const Result<ProfileStory> story = read_profile(api, profile);
  if (!story) return tl::unexpected(story.error());
  if (const TrialStory* const running = story->running_trial()) {
    return invalid("trial " + running->name + " of " + profile.text() + " is running: wait for it, or abort it");
  }
  const TrialStory* const known = trial.empty() ? story->latest_trial() : story->trial_named(trial);
  if (known == nullptr && trial.empty()) return invalid(profile.text() + " has had no trial that is kept");
  if (known == nullptr) return invalid(profile.text() + " has no trial '" + trial + "': " + names_of(story->trials));
  if (story->retried == known->name) {
    // The same word again is another wish.
    if (auto taken = wish(api, profile, kRetryAnnotation, ""); !taken) return tl::unexpected(taken.error());
    return "Trial " + known->name + " was retried already: the annotation is taken away. Ask once more in a moment.";
  }
  if (auto written = wish(api, profile, kRetryAnnotation, known->name); !written) {
    return tl::unexpected(written.error());
  }
  return "The next trial of " + profile.text() + " begins as soon as something is worth one, and may try " + known->to +
         " of trial " + known->name + " again: no cool-down, and nothing that it was found bad for, stands against it.";
}

Result<FleetOrder> stop_all(ApiServer& api, const std::string& ns, Time now, const Told& tell) {
  json change = suspension(true);
  change["metadata"]["annotations"][kStoppedAnnotation] = format_time(now);
  return each_profile(api, ns, change, "is suspended", tell,
                      [](const json& profile) { return !is_suspended(profile); });
}

Result<FleetOrder> resume_all(ApiServer& api, const std::string& ns, const Told& tell) {
  json change = suspension(false);
  change["metadata"]["annotations"][kStoppedAnnotation] = nullptr;
  return each_profile(api, ns, change, "goes on", tell, was_stopped);
}

}  // namespace gopacer::plugin
