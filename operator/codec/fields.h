#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gopacer/base/clock.h"
#include "gopacer/base/result.h"
#include "gopacer/domain/workload.h"

namespace gopacer::codec {

/// Elements of a list that are kept where Kubernetes itself sets no limit, containers of a pod for example: whoever may
/// create an object must not fill our memory with it.
inline constexpr std::size_t kMostKept = 100;
/// Bytes of what is kept of a stranger's texts: of sentences, of the names of things, and of values of GOGC and
/// GOMEMLIMIT.
inline constexpr std::size_t kLongestSentence = 500;
inline constexpr std::size_t kLongestName = 253;
inline constexpr std::size_t kLongestEnv = 64;
/// Of the labels that a profile or a trial chooses series by; the CRDs say the same.
inline constexpr std::size_t kMostSeriesLabels = 8;
inline constexpr std::size_t kLongestSeriesLabel = 128;  // characters, of a name and of a value

/// Readers of one member of a JSON object. A member that is missing or of another type gives the neutral value: the
/// schema was checked by the API server, so a surprise is a newer version's field and must not stop us.

std::string text(const nlohmann::json& object, const char* member);
/// A text that anybody may have written and of which Kubernetes bounds nothing, as it may be kept: see shown().
std::string strange(const nlohmann::json& object, const char* member, std::size_t most);
std::int64_t integer(const nlohmann::json& object, const char* member, std::int64_t otherwise = 0);
/// An integer that is cut to what an int holds.
int small(const nlohmann::json& object, const char* member, int otherwise = 0);
bool boolean(const nlohmann::json& object, const char* member, bool otherwise = false);
/// A member that holds a number as text ("12.5"), as Kubernetes keeps fractions.
double number(const nlohmann::json& object, const char* member, double otherwise = 0);
std::optional<Time> time(const nlohmann::json& object, const char* member);
Duration duration(const nlohmann::json& object, const char* member, Duration otherwise);
/// The member, or an empty object.
const nlohmann::json& child(const nlohmann::json& object, const char* member);

/// The member where it is a list, else an empty list.
const nlohmann::json& elements(const nlohmann::json& object, const char* member);
/// The labels by which series are chosen; none when it has no such member. Error: more of them, or longer ones, than
/// the CRDs allow.
Result<Labels> series_labels(const nlohmann::json& object, const char* member);
/// metadata.finalizers, which must be written back as they are. Error: more than kMostKept.
Result<std::vector<std::string>> finalizers_of(const nlohmann::json& object);

/// Whether Kubernetes takes it for the name of an object: letters, digits, '-' and '.', of which the latter two neither
/// begin nor end it.
bool is_object_name(const std::string& text);

/// metadata.namespace and metadata.name.
ObjectKey key_of(const nlohmann::json& object);
/// The same; an error when the object has no name.
Result<ObjectKey> named(const nlohmann::json& object);
std::string resource_version_of(const nlohmann::json& object);
/// The controller among the owner references.
OwnerRef controller_of(const nlohmann::json& object);
/// Whether the object has a deletionTimestamp.
bool deleting(const nlohmann::json& object);

/// The text's first `most` bytes at most, cut where a character ends: half of one would come back as something else.
std::string clipped(const std::string& text, std::size_t most);

/// All digits that a double has, so that reading it back gives the same value.
std::string exact(double value);

}  // namespace gopacer::codec
