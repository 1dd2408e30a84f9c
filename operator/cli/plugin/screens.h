#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/plugin/story.h"

namespace gopacer::plugin {

/// Lines of screen(), at most: those of the smallest terminal.
inline constexpr std::size_t kScreenLines = 24;
/// For lines that nobody shortens.
inline constexpr std::size_t kNoWidth = 0;

/// One profile: target, what it is about to do and why, and its running trial with its arms. Lines that are longer than
/// `width` columns end in "…".
std::string screen(const ProfileStory& story, Time now, std::size_t width);
/// A table with a line for each profile; `with_namespace`: they are of several.
std::string list(const std::vector<ProfileStory>& all, bool with_namespace);
/// The trials that are kept, and what got into force without one, oldest first.
std::string history(const ProfileStory& story);
/// Why these numbers: what is known and how well, what binds them, what others would cost.
std::string explanation(const ProfileStory& story);
/// What the recommendation would change of the container's env list, as a patch is read.
std::string difference(const ProfileStory& story);

/// "2m10s", "3h20m", "5d4h": two units at most.
std::string rough(Duration duration);

}  // namespace gopacer::plugin
