#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace gopacer {

/// A stranger's text, fit to be kept, logged and shown: '.' stands for each byte of what is no UTF-8 and of what is not
/// seen (control characters, separators of lines, marks that turn the direction of writing). At most `most` bytes, and
/// "..." where there was more, so that nobody takes the beginning for the whole.
std::string shown(std::string_view text, std::size_t most = 60);

}  // namespace gopacer
