#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace gopacer {

/// A stranger's text, fit to be kept, logged and shown: '.' stands for each byte of what is no UTF-8 and of what is not
/// seen (control characters, separators of lines, marks that turn the direction of writing). At most `most` bytes, and
/// "..." where there was more, so that nobody takes the beginning for the whole.
std::string shown(std::string_view text, std::size_t most = 60);

/// Without blanks and line ends around it.
std::string trimmed(const std::string& text);

/// None when it is not base64. Line ends and blanks in it are skipped.
std::optional<std::string> decode_base64(const std::string& text);

}  // namespace gopacer
