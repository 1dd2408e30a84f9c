#include "notify/notifier.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "notify/bodies.h"

namespace gopacer {
namespace {

bool was_taken(const PostAnswer& answer) { return answer.status >= 200 && answer.status < 300; }

/// Whether it may be taken later as it is.
bool may_pass(const PostAnswer& answer) {
  return answer.status == 408 || answer.status == 429 || (answer.status >= 500 && answer.status < 600);
}

bool may_pass(const FetchError& error) {
  switch (error.failure) {
    case FetchFailure::kRefused:
    case FetchFailure::kUnreachable:
    case FetchFailure::kTimedOut:
    case FetchFailure::kNoAnswer:
    case FetchFailure::kCutOff:
      return true;
    case FetchFailure::kTooLong:
    case FetchFailure::kRedirected:
    case FetchFailure::kNotHttp:
    case FetchFailure::kTls:
    case FetchFailure::kStopped:
      break;
  }
  return false;
}

/// What went wrong, and what to do where that is known.
std::string words_of(const PostAnswer& answer) {
  std::string status = "HTTP " + std::to_string(answer.status);
  if (answer.status == 401 || answer.status == 403) return status + ": look at its token, or at the secret in its url";
  if (answer.status == 404 || answer.status == 410) return status + ": its url is none, or not any more";
  if (answer.status == 400 || answer.status == 422) return status + ": look whether its type is right";
  return status;
}

}  // namespace

Notifier::Notifier(EventSink& next, HttpPoster& poster, ReceiversFile file, const Clock& clock,
                   const SteadyClock& steady, NotifierOptions options)
    : next_(next),
      poster_(poster),
      clock_(clock),
      steady_(steady),
      options_(std::move(options)),
      file_(std::move(file)) {
  take_over(file_.receivers());
}

void Notifier::post(const Event& event) {
  next_.post(event);
  auto found = notification_of(event, clock_.now());
  if (!found) return;
  {
    const std::lock_guard lock(inbox_->mutex);
    if (was_told(event, found->message)) return;
    const auto what = std::make_shared<const Notification>(std::move(*found));
    for (const auto& [name, line] : lines_) {
      if (line->receiver.wants(*what)) line_up(*line, what);
    }
    ++inbox_->news;
  }
  inbox_->woken.notify_one();
}

bool Notifier::was_told(const Event& event, const std::string& message) {
  const Duration now = steady_.now();
  std::erase_if(told_, [&](const auto& entry) { return now - entry.second.at >= options_.quiet; });
  const std::string key = event.ns + "/" + event.name + "/" + event.uid + "/" + event.reason;
  const auto known = told_.find(key);
  if (known != told_.end() && known->second.message == message) return true;
  if (known == told_.end() && told_.size() >= options_.most_told) {
    told_.erase(std::min_element(told_.begin(), told_.end(),
                                 [](const auto& a, const auto& b) { return a.second.at < b.second.at; }));
  }
  told_[key] = {message, now};
  return false;
}

void Notifier::line_up(Line& line, const std::shared_ptr<const Notification>& what) {
  const Duration now = steady_.now();
  const bool has_token = line.full_at + options_.refill <= now + options_.refill * options_.burst;
  if (!has_token || line.waiting.size() >= options_.most_waiting) {
    ++line.left_out;
    ++dropped_;
    return;
  }
  line.full_at = std::max(line.full_at, now) + options_.refill;
  line.waiting.push_back({what, std::exchange(line.left_out, 0), 0});
}

void Notifier::run(std::stop_token stop) {
  std::unique_lock lock(inbox_->mutex);
  while (!stop.stop_requested()) {
    // Counted from before the sending, so that what comes meanwhile does not wait for the next time.
    const std::uint64_t seen = inbox_->news;
    lock.unlock();
    const Duration wait = send_due();
    lock.lock();
    inbox_->woken.wait_for(lock, stop, wait, [&] { return inbox_->news != seen; });
  }
  lock.unlock();
  send_due();
  lock.lock();
  const auto on_its_way =
      std::count_if(lines_.begin(), lines_.end(), [](const auto& entry) { return entry.second->on_its_way; });
  inbox_->woken.wait_for(lock, options_.farewell, [&] { return std::ssize(inbox_->answers) >= on_its_way; });
  settle_all();
}

Duration Notifier::send_due() {
  look_at_file();
  std::vector<std::pair<LinePtr, HttpPost>> letters;
  Duration wait = options_.look;
  {
    const std::lock_guard lock(inbox_->mutex);
    settle_all();
    const Duration now = steady_.now();
    for (const auto& [name, line] : lines_) {
      if (line->on_its_way || line->waiting.empty()) continue;
      if (line->not_before > now) {
        wait = std::min(wait, line->not_before - now);
        continue;
      }
      line->on_its_way = true;
      letters.emplace_back(line, letter_to(*line));
    }
  }
  for (auto& [line, letter] : letters) send(line, std::move(letter));
  return wait;
}

void Notifier::send(const LinePtr& line, HttpPost letter) {
  poster_.post(std::move(letter), [inbox = inbox_, line](Answer answer) {
    {
      const std::lock_guard lock(inbox->mutex);
      inbox->answers.emplace_back(line, std::move(answer));
      ++inbox->news;
    }
    inbox->woken.notify_one();
  });
}

HttpPost Notifier::letter_to(const Line& line) const {
  const Receiver& receiver = line.receiver;
  const Waiting& first = line.waiting.front();
  HttpPost letter;
  letter.to.address = receiver.server.host;
  letter.to.port = receiver.server.port;
  letter.to.target = receiver.target;
  letter.to.accept = "*/*";
  letter.to.tls = receiver.server.tls;
  letter.to.authorization = receiver.authorization;
  letter.to.timeout = options_.timeout;
  letter.body = body_for(receiver.type, *first.what, first.left_out, options_.version);
  return letter;
}

void Notifier::settle_all() {
  for (const auto& [line, answer] : std::exchange(inbox_->answers, {})) settle(*line, answer);
}

void Notifier::settle(Line& line, const Answer& answer) {
  line.on_its_way = false;
  // Of a receiver that is not in the file any more.
  if (line.waiting.empty()) return;
  if (answer && was_taken(*answer)) {
    ++sent_;
    line.waiting.pop_front();
    return;
  }
  Waiting& first = line.waiting.front();
  const bool again = answer ? may_pass(*answer) : may_pass(answer.error());
  if (!again || ++first.attempts >= options_.attempts) {
    return give_up(line, answer ? words_of(*answer) : answer.error().detail);
  }
  Duration wait = options_.retry.delay(first.attempts - 1, 0);
  if (answer && answer->retry_after) {
    wait = std::max(wait, std::min<Duration>(*answer->retry_after, options_.longest_retry_after));
  }
  line.not_before = steady_.now() + wait;
}

void Notifier::give_up(Line& line, const std::string& why) {
  const Waiting& first = line.waiting.front();
  spdlog::warn("notification not sent receiver={} kind={} namespace={} profile={} error=\"{}\"", line.receiver.name,
               to_string(first.what->kind), first.what->ns, first.what->profile, why);
  ++failed_;
  line.left_out += first.left_out + 1;
  line.waiting.pop_front();
}

void Notifier::look_at_file() {
  const Duration now = steady_.now();
  if (looked_ && now - *looked_ < options_.look) return;
  looked_ = now;
  const Result<bool> changed = file_.refresh();
  const std::string trouble = changed ? std::string() : changed.error().message;
  if (!trouble.empty() && trouble != trouble_) {
    spdlog::warn("receivers of notifications stay as they were error=\"{}\"", trouble);
  }
  trouble_ = trouble;
  if (!changed || !*changed) return;
  const std::lock_guard lock(inbox_->mutex);
  take_over(file_.receivers());
  spdlog::info("receivers of notifications were read again receivers={}", lines_.size());
}

void Notifier::take_over(const std::vector<Receiver>& receivers) {
  std::map<std::string, LinePtr> before = std::exchange(lines_, {});
  for (const Receiver& receiver : receivers) {
    LinePtr& line = lines_[receiver.name];
    const auto known = before.find(receiver.name);
    line = known == before.end() ? std::make_shared<Line>() : known->second;
    if (known != before.end()) before.erase(known);
    if (line->receiver == receiver) continue;
    line->receiver = receiver;
    // What it is now may take at once what it did not take as it was.
    line->not_before = Duration(0);
  }
  for (const auto& [name, line] : before) {
    dropped_ += line->waiting.size();
    line->waiting.clear();
  }
}

}  // namespace gopacer
