#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gopacer/domain/profile.h"
#include "observe/plan.h"
#include "ports/http_fetcher.h"

namespace gopacer {

/// What a recording says of the process once, in target.json.
struct RecordedTarget {
  std::string subject;  ///< what was read, for people
  Duration interval = std::chrono::seconds(5);
  std::optional<EnvText> settings;  ///< in force, where that is known
  std::optional<Bytes> memory_limit;
  std::optional<double> cpu_limit;
  std::optional<Time> started;
  std::string go_version;  ///< empty: unknown
};

/// Writes all that passes through it into a directory: one numbered directory for each reading, with the pages as they
/// came. docs/advise.md has the layout. Never fails a fetch; `problem` tells whether all could be written.
class RecordingFetcher final : public HttpFetcher {
 public:
  /// `directory` has to be empty, or not there yet. `usage` may be null; both outlive this.
  static Result<std::unique_ptr<RecordingFetcher>> open(HttpFetcher& inner, const Clock& clock, UsageFallback* usage,
                                                        std::filesystem::path directory);

  void fetch(HttpRequest request, BodySink sink, FetchDone done) override;

  /// After the last fetch.
  Result<void> close(const RecordedTarget& target);

 private:
  RecordingFetcher(HttpFetcher& inner, const Clock& clock, UsageFallback* usage, std::filesystem::path directory)
      : inner_(inner), clock_(clock), usage_(usage), directory_(std::move(directory)) {}

  void keep(const std::string& page, const std::string& body);
  void write(const std::filesystem::path& file, const std::string& text);

  HttpFetcher& inner_;
  const Clock& clock_;
  UsageFallback* const usage_;
  const std::filesystem::path directory_;
  // Fetches end one at a time, and close() comes after the last.
  int readings_ = 0;
  std::string problem_;
};

struct Recording {
  RecordedTarget target;
  PodSeries series;
};

/// Reads a recording with the decoders that live pages go through. The error names the reading and the file, and says
/// what is the matter: cut short, of another process, taken under a clock that was set, not of a Go program.
Result<Recording> read_recording(const std::filesystem::path& directory, const std::vector<Slo>& slos);

}  // namespace gopacer
