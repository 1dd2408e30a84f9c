#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "gopacer/base/result.h"
#include "observe/exposition.h"

namespace gopacer {

/// Asks for Prometheus' protobuf format, which alone carries native histograms, and takes text where there is none.
inline constexpr const char* kProtobufAccept =
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited, "
    "text/plain;version=0.0.4;q=0.5";

/// Reads Prometheus' protobuf format piece by piece, in the memory of one series, and hands its metrics on as the lines
/// that the text format would have. A native histogram becomes one with classic buckets: for each of its own label sets
/// the same bounds at every reading, kNativeBounds at most, from 2^-20 s (1 µs) to 2^10 s (17 min).
class ProtoExposition {
 public:
  static constexpr int kNativeBounds = 121;

  ProtoExposition(Exposition::Wants wants, Exposition::Take take);

  /// Whether a body that begins so is of this format: a length, then the field of a name. None while that is open.
  static std::optional<bool> recognizes(std::string_view beginning);

  /// False when no more of the body is needed.
  bool feed(std::string_view piece);
  Result<void> finish();
  /// Bytes that it keeps of the page now.
  std::size_t kept() const { return kept_.size(); }

 private:
  bool take_fields(std::string_view& text);
  bool take_metric(std::string_view bytes);
  bool reject(std::string message);

  Exposition::Wants wants_;
  Exposition::Take take_;
  std::string kept_;                 ///< of the field whose end has not come yet
  std::size_t skip_ = 0;             ///< bytes to come of what nobody wants
  std::size_t family_left_ = 0;      ///< bytes of the present family that stand after `skip_`
  std::optional<std::string> name_;  ///< of the present family, once it is known
  std::string error_;
};

}  // namespace gopacer
