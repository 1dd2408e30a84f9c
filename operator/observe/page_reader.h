#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/steady_clock.h"
#include "observe/decoding_thread.h"
#include "observe/fair_slots.h"
#include "observe/page_error.h"
#include "observe/reading_budget.h"
#include "observe/scraper.h"

namespace gopacer {

/// Fetches pages, decodes them, and counts what came of it. The lock of all that a scraper knows is here: every method
/// is called with it held, and answers come with it held.
class PageReader : public std::enable_shared_from_this<PageReader> {
 public:
  PageReader(HttpFetcher& fetcher, const ScraperOptions& options)
      : pages(options.fetches),
        profiles(options.cpu_profiles),
        queries(options.queries),
        fetcher_(fetcher),
        on_reading_(options.on_reading),
        budget_(std::make_shared<ReadingBudget>(options.reading_bytes)) {}

  std::mutex& mutex() const { return mutex_; }

  /// From now on no answer is handed over any more.
  void stop() { stopping_ = true; }

  /// What a pod's reading ended with is told to whoever waits for it, once the lock is free.
  void announce(const ObjectKey& profile) { read_.push_back(profile); }

  /// Fetches a page through `reader` and hands what it gave, or why it gave nothing, to `done`. Nothing is fetched when
  /// `wanted` says no once it is its turn. False when `now_or_never` and no place is free.
  template <typename Reader, typename Wanted, typename Done>
  bool read(FairSlots& slots, bool now_or_never, const ObjectKey& owner, PageKind kind, HttpRequest request,
            std::shared_ptr<Reader> reader, Wanted wanted, Done done) {
    return read_by(fetcher_, slots, now_or_never, owner, kind, std::move(request), std::move(reader), std::move(wanted),
                   std::move(done));
  }
  /// The same by another fetcher, which has to outlive this.
  template <typename Reader, typename Wanted, typename Done>
  bool read_by(HttpFetcher& fetcher, FairSlots& slots, bool now_or_never, const ObjectKey& owner, PageKind kind,
               HttpRequest request, std::shared_ptr<Reader> reader, Wanted wanted, Done done) {
    const auto start = [this, &fetcher, &slots, owner, kind, request = std::move(request), reader = std::move(reader),
                        wanted = std::move(wanted), done = std::move(done)] {
      if (stopping_ || !wanted()) return false;
      const auto began = std::chrono::steady_clock::now();
      const auto reading = std::make_shared<Reading<Reader>>(reader, budget_, owner.ns);
      fetcher.fetch(
          request,
          [weak = weak_from_this(), owner, kind, reading](std::string_view piece) {
            const std::shared_ptr<PageReader> self = weak.lock();
            return self && self->feed(owner, kind, reading, piece);
          },
          [weak = weak_from_this(), &slots, owner, kind, reading, done,
           began](const tl::expected<HttpAnswer, FetchError>& outcome) {
            const std::shared_ptr<PageReader> self = weak.lock();
            if (!self) return;
            if (!reading->gathered.empty()) self->hand_over(owner, reading);
            const std::size_t bytes = outcome ? outcome->bytes : outcome.error().bytes;
            auto take = [weak, &slots, owner, kind, reading, done, began, outcome, bytes] {
              const std::shared_ptr<PageReader> pages_still_there = weak.lock();
              if (!pages_still_there) return;
              // Decoding may take a while: the lock is not held for it.
              const auto page = page_of(outcome, *reading);
              pages_still_there->take(slots, owner, kind, bytes, began, page, done);
            };
            // After the last piece of it, if there are some on the other thread.
            if (takes_long(kind, bytes)) {
              self->decoding_.post(owner.ns, std::move(take));
            } else {
              take();
            }
          });
      return true;
    };
    if (now_or_never) return slots.try_start(owner, start);
    slots.submit(owner, start);
    return true;
  }

  FairSlots pages;     ///< places for pages
  FairSlots profiles;  ///< places for CPU profiles
  FairSlots queries;   ///< places for questions to Prometheus
  ScraperProbe probe;  ///< its counters

  /// What takes long to decode is decoded on a thread of its own from here on.
  void start_decoding() { decoding_.start(); }
  /// Once stop() was called. Not with the lock held.
  void stop_decoding() { decoding_.stop(); }

 private:
  /// A page on its way through its reader.
  template <typename Reader>
  struct Reading {
    Reading(std::shared_ptr<Reader> of_page, std::shared_ptr<ReadingBudget> budget, const std::string& ns)
        : reader(std::move(of_page)), account(std::move(budget), ns) {}

    void feed(std::string_view piece) {
      if (state != State::kWanted) return;
      if (!reader->feed(piece)) state = State::kSettled;
      if (account.keep(reader->kept())) return;
      state = State::kCrowded;
      reader.reset();
      account.keep(0);
    }

    enum class State { kWanted, kSettled, kCrowded };
    std::atomic<State> state = State::kWanted;
    std::shared_ptr<Reader> reader;  ///< null once there was no room for what it keeps
    ReadingBudget::Account account;
    // Of the thread that fetches.
    std::string gathered;  ///< of a page of metrics, what is not on its way to the other thread yet
  };

  /// A part of a page that waits to be decoded.
  struct Piece {
    Piece(std::string part, std::shared_ptr<ReadingBudget> budget, const std::string& ns)
        : text(std::move(part)), account(std::move(budget), ns) {}

    const std::string text;
    ReadingBudget::Account account;
  };

  /// False when no more of the page is needed, or there is no room for it. A page of metrics can be made such that each
  /// of its bytes takes long: it goes to the thread on which namespaces take turns.
  template <typename Reader>
  bool feed(const ObjectKey& owner, PageKind kind, const std::shared_ptr<Reading<Reader>>& reading,
            std::string_view piece) {
    if (kind != PageKind::kMetrics) {
      reading->feed(piece);
    } else if (reading->state == Reading<Reader>::State::kWanted) {
      // Who sends single bytes must not fill the memory with what goes with each piece.
      reading->gathered += piece;
      if (reading->gathered.size() >= kShortestPiece) hand_over(owner, reading);
    }
    return reading->state == Reading<Reader>::State::kWanted;
  }

  template <typename Reader>
  void hand_over(const ObjectKey& owner, const std::shared_ptr<Reading<Reader>>& reading) {
    const auto part = std::make_shared<Piece>(std::exchange(reading->gathered, {}), budget_, owner.ns);
    if (part->account.keep(part->text.size())) {
      decoding_.post(owner.ns, [reading, part] { reading->feed(part->text); });
    } else {
      reading->state = Reading<Reader>::State::kCrowded;
    }
  }

  template <typename Page, typename Done>
  void take(FairSlots& slots, const ObjectKey& owner, PageKind kind, std::size_t bytes,
            std::chrono::steady_clock::time_point began, const Page& page, const Done& done) {
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    ScraperProbe::Pages& seen = probe.pages[static_cast<std::size_t>(kind)];
    ++seen.outcomes[static_cast<std::size_t>(page ? PageFailure::kNone : page.error().failure)];
    seen.bytes += bytes;
    seen.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    slots.release(owner);
    done(page);
    const std::vector<ObjectKey> read = std::exchange(read_, {});
    lock.unlock();
    if (!on_reading_) return;
    for (const ObjectKey& profile : read) on_reading_(profile);
  }

  /// A profile is inflated and decoded at its end only, and metrics have just come on the other thread, whatever their
  /// length on the wire.
  static bool takes_long(PageKind kind, std::size_t bytes) {
    return kind == PageKind::kCpuProfile || kind == PageKind::kMetrics || bytes > kShortPage;
  }

  static constexpr std::size_t kShortPage = std::size_t{64} << 10;
  static constexpr std::size_t kShortestPiece = std::size_t{16} << 10;  ///< but the last of a page

  template <typename Reader>
  using Value = typename decltype(std::declval<Reader&>().finish())::value_type;

  template <typename Reader>
  static tl::expected<Value<Reader>, PageError> page_of(const tl::expected<HttpAnswer, FetchError>& outcome,
                                                        Reading<Reader>& reading) {
    if (!outcome) return tl::unexpected<PageError>(page_error(outcome.error()));
    if (outcome->status < 200 || outcome->status >= 300) return tl::unexpected<PageError>(page_error(*outcome));
    if (reading.state == Reading<Reader>::State::kCrowded) {
      return tl::unexpected<PageError>(PageError{
          PageFailure::kContent, 0,
          "was given up: too many large pages at once, its namespace's share of the memory for readings is used up; "
          "let its pods have shorter pages, or raise the operator's resources.limits.memory"});
    }
    auto value = reading.reader->finish();
    if (!value) {
      return tl::unexpected<PageError>(
          PageError{PageFailure::kContent, 0, value.error().message, value.error().kind == ErrorKind::kNotFound});
    }
    return std::move(*value);
  }

  HttpFetcher& fetcher_;
  const std::function<void(const ObjectKey&)> on_reading_;
  const std::shared_ptr<ReadingBudget> budget_;
  mutable std::mutex mutex_;
  const SystemSteadyClock steady_;
  DecodingThread decoding_{steady_};
  bool stopping_ = false;
  std::vector<ObjectKey> read_;  ///< profiles of the pods whose reading has just ended
};

}  // namespace gopacer
