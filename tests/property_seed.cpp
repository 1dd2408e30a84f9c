// Linked into every test program that checks properties with rapidcheck.
#include <cstdlib>
#include <string>

#ifndef GOPACER_PROPERTY_CASES
#define GOPACER_PROPERTY_CASES 100
#endif

namespace {

/// Before rapidcheck reads it: the same cases in each run, unless GOPACER_SEED asks for others. A failure shows the
/// seed as "Using configuration: seed=…", and goes on doing so when that is given again. RC_PARAMS of one's own counts.
const bool kSeeded = [] {
  const char* const seed = std::getenv("GOPACER_SEED");
  const std::string params = "seed=" + std::string(seed != nullptr && *seed != '\0' ? seed : "1") +
                             " max_success=" + std::to_string(GOPACER_PROPERTY_CASES);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): no other thread runs yet.
  return ::setenv("RC_PARAMS", params.c_str(), /*overwrite=*/0) == 0;
}();

}  // namespace
