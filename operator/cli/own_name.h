#pragma once

#include <string>

namespace gopacer {

/// Who this process is to others that want the same lease: the pod's name, or the host's and the process's.
std::string own_name();

}  // namespace gopacer
