#include "observe/lines.h"

#include <algorithm>

namespace gopacer {

std::string describe_body(std::string_view beginning) {
  if (beginning.starts_with("\x1f\x8b")) return "compressed data";
  const std::size_t first = beginning.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "nothing";
  beginning.remove_prefix(first);
  if (std::any_of(beginning.begin(), beginning.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < ' ' && c != '\t' && c != '\r' && c != '\n';
      })) {
    return "binary data";
  }
  if (beginning.front() == '<') return "an HTML page";
  if (beginning.front() == '{' || beginning.front() == '[') return "JSON";
  return "other text";
}

}  // namespace gopacer
