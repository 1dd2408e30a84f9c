#include "source_dir.h"

namespace gopacer {

std::string in_source(const std::string& path) { return std::string(GOPACER_SOURCE_DIR) + "/" + path; }

}  // namespace gopacer
