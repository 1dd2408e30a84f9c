#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gopacer::kube {

/// Finds a few short strings in JSON that is too long, too deep or too broken to be decoded, and keeps nothing else of
/// it. Not thread-safe.
class Skimmer {
 public:
  /// `paths`: members by name, "object.metadata.name". Arrays add nothing to a path. Of several strings at one path the
  /// first counts.
  explicit Skimmer(const std::vector<std::string>& paths);

  /// Takes the text piece by piece, cut anywhere. Never fails; of what is no JSON it finds nothing, or something.
  void feed(std::string_view text);
  /// Empty when there is no such string, or it is longer than 4,096 bytes or has escapes.
  std::string value(const std::string& path) const;

 private:
  struct Level {
    bool is_object;
    std::size_t path_size;  ///< of the path to this level
  };

  void in_string(char c);
  void outside(char c);
  void end_string();

  std::map<std::string, std::string> found_;  ///< by path
  std::vector<Level> levels_;
  std::size_t ignored_levels_ = 0;  ///< below the deepest that is looked at
  std::string path_;
  std::string string_;
  bool quoted_ = false;
  bool escaped_ = false;
  bool usable_ = true;  ///< the present string is short and has no escapes
  bool is_key_ = false;
};

}  // namespace gopacer::kube
