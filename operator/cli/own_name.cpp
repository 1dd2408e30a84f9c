#include "cli/own_name.h"

#include <unistd.h>

#include <array>
#include <cstdlib>

namespace gopacer {

std::string own_name() {
  if (const char* const pod = std::getenv("POD_NAME"); pod != nullptr && *pod != '\0') return pod;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  return std::string(host.data()) + "-" + std::to_string(getpid());
}

}  // namespace gopacer
