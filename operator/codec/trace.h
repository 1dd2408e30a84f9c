#pragma once

#include <string>

#include "gopacer/simulate/trace.h"

namespace gopacer::codec {

/// Longest text of a trace that is read, in bytes.
inline constexpr std::size_t kMostTraceBytes = std::size_t{64} << 20;

/// A trace as JSON (docs/simulate.md has the schema). The error names the member, what is wrong with it and what is
/// wanted; members that are not known are errors too, so that a typing error does not become a default.
Result<simulate::Trace> decode_trace(const std::string& text);

/// The inverse, for people to edit.
std::string encode_trace(const simulate::Trace& trace);

}  // namespace gopacer::codec
