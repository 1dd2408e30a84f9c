#pragma once

#include <cstddef>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

#include "source_dir.h"

namespace gopacer {

/// A body of tests/data.
inline std::string recorded(const std::string& name) {
  const std::string path = in_source("tests/data/" + name);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Feeds a whole body in pieces of `size` bytes, as a network would, until the reader has enough.
template <typename Reader>
void feed_in_pieces(Reader& reader, std::string_view body, std::size_t size) {
  while (!body.empty()) {
    if (!reader.feed(body.substr(0, size))) return;
    body.remove_prefix(std::min(size, body.size()));
  }
}

}  // namespace gopacer
