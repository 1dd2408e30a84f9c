#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/backoff.h"
#include "base/steady_clock.h"
#include "gopacer/base/clock.h"
#include "notify/receivers.h"
#include "ports/event_sink.h"
#include "ports/http_poster.h"

namespace gopacer {

struct NotifierOptions {
  std::string version = {};  ///< of gopacer
  /// Of a receiver. When more wait, the latest is left out.
  std::size_t most_waiting = 256;
  /// Of a receiver: notifications at once, and the time in which one more is allowed. What is above is left out.
  int burst = 10;
  Duration refill = std::chrono::seconds(10);
  /// The same event of the same object is told once in so long, unless its text changes.
  Duration quiet = std::chrono::hours(1);
  /// Events that are known to have been told.
  std::size_t most_told = 1024;
  Duration timeout = std::chrono::seconds(10);
  /// Of one notification to one receiver, and the waits between them.
  int attempts = 4;
  Backoff retry{std::chrono::seconds(10), std::chrono::minutes(1)};
  /// A receiver that asks for a longer wait gets this one.
  Duration longest_retry_after = std::chrono::minutes(1);
  /// Between two looks at the file.
  Duration look = std::chrono::seconds(10);
  /// For answers to what was sent last, when the process ends.
  Duration farewell = std::chrono::seconds(3);
};

/// Notifications to single receivers, since the start.
struct NotificationCounts {
  std::uint64_t sent = 0;    ///< and taken
  std::uint64_t failed = 0;  ///< given up: refused, or not taken in any of the attempts
  std::uint64_t dropped =
      0;  ///< never sent: over the receiver's rate, too many waited, or it was taken out of the file
};

/// Hands each event on, and tells the receivers of the file about those that are of one of the kinds. A receiver gets
/// its notifications in order, and may get one twice whose answer was lost; one that does not answer delays nobody but
/// itself. What waits is lost when the process ends. post() and counts() may be called from any thread; run() or
/// send_due() from one.
class Notifier final : public EventSink {
 public:
  /// `poster` may outlive it.
  Notifier(EventSink& next, HttpPoster& poster, ReceiversFile file, const Clock& clock, const SteadyClock& steady,
           NotifierOptions options);

  void post(const Event& event) override;

  /// Sends what is posted until `stop`, then once what is due.
  void run(std::stop_token stop);
  /// Looks at the file and at what was answered, and sends all that may be sent now. Gives the wait until there may be
  /// more.
  Duration send_due();

  NotificationCounts counts() const { return {sent_, failed_, dropped_}; }

 private:
  struct Waiting {
    std::shared_ptr<const Notification> what;
    std::uint64_t left_out = 0;  ///< before it
    int attempts = 0;
  };
  /// A receiver and what waits for it.
  struct Line {
    Receiver receiver;
    std::deque<Waiting> waiting;
    bool on_its_way = false;  ///< the first of them
    Duration not_before{0};
    Duration full_at{0};  ///< tokens, kept as the moment from which on the bucket is full
    std::uint64_t left_out = 0;
  };
  using LinePtr = std::shared_ptr<Line>;
  using Answer = tl::expected<PostAnswer, FetchError>;
  /// What the fetcher's thread brings, also when the notifier is gone.
  struct Inbox {
    std::mutex mutex;  ///< guards all that is not of the thread that sends
    std::condition_variable_any woken;
    std::uint64_t news = 0;
    std::vector<std::pair<LinePtr, Answer>> answers;
  };
  struct Told {
    std::string message;
    Duration at{0};
  };

  void look_at_file();
  void take_over(const std::vector<Receiver>& receivers);
  bool was_told(const Event& event, const std::string& message);
  void line_up(Line& line, const std::shared_ptr<const Notification>& what);
  void settle_all();
  void settle(Line& line, const Answer& answer);
  void give_up(Line& line, const std::string& why);
  HttpPost letter_to(const Line& line) const;
  void send(const LinePtr& line, HttpPost letter);

  EventSink& next_;
  HttpPoster& poster_;
  const Clock& clock_;
  const SteadyClock& steady_;
  const NotifierOptions options_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::map<std::string, LinePtr> lines_;  ///< by the receivers' names
  std::map<std::string, Told> told_;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;

  // Of the thread that sends.
  ReceiversFile file_;
  std::optional<Duration> looked_;
  std::string trouble_;  ///< with the file, as it was logged
};

}  // namespace gopacer
