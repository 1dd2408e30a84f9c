#include "kube/pod_proxy.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "codec/fields.h"
#include "gopacer/base/text.h"
#include "kube/transport.h"
#include "kube/wire.h"

namespace gopacer::kube {
namespace {

constexpr int kThreads = 16;
constexpr std::size_t kLongestDetail = 300;

using Answer = tl::expected<HttpAnswer, FetchError>;

struct Job {
  HttpRequest request;
  BodySink sink;
  FetchDone done;
};

/// What the API server itself says in place of the pod: a Status object.
std::string status_message(const ApiResponse& response) {
  const auto body = parse_json(response.body);
  if (!body || !body->is_object() || codec::text(*body, "kind") != "Status") return {};
  return codec::strange(*body, "message", kLongestDetail);
}

FetchFailure failure_of(const std::string& message) {
  const auto says = [&](const char* words) { return message.find(words) != std::string::npos; };
  if (says("connection refused")) return FetchFailure::kRefused;
  if (says("timeout") || says("deadline exceeded")) return FetchFailure::kTimedOut;
  if (says("malformed HTTP")) return FetchFailure::kNotHttp;
  return FetchFailure::kUnreachable;
}

/// Takes a body for a sink, and remembers why it was given up.
class Body {
 public:
  Body(const HttpRequest& request, const BodySink& sink, std::mutex& delivery)
      : request_(request), sink_(sink), delivery_(delivery), end_(std::chrono::steady_clock::now() + request.timeout) {}

  Result<void> take(std::string_view piece) {
    bytes_ += piece.size();
    if (bytes_ > request_.most_bytes) return give_up(FetchFailure::kTooLong, "the body is too long");
    if (std::chrono::steady_clock::now() > end_) return give_up(FetchFailure::kTimedOut, "the body has no end");
    const std::lock_guard lock(delivery_);
    if (sink_(piece)) return {};
    enough_ = true;
    return retriable("enough");
  }
  std::size_t bytes() const { return bytes_; }
  bool enough() const { return enough_; }
  const std::optional<FetchError>& failure() const { return failure_; }

 private:
  Result<void> give_up(FetchFailure failure, const char* detail) {
    failure_ = FetchError{failure, detail, bytes_};
    return retriable(detail);
  }

  const HttpRequest& request_;
  const BodySink& sink_;
  std::mutex& delivery_;
  std::chrono::steady_clock::time_point end_;
  std::size_t bytes_ = 0;
  bool enough_ = false;
  std::optional<FetchError> failure_;
};

}  // namespace

class PodProxy::Impl {
 public:
  explicit Impl(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {
    for (int i = 0; i < kThreads; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) { run(stop); });
    }
  }

  ~Impl() {
    for (std::jthread& thread : threads_) thread.request_stop();
    threads_.clear();
    for (Job& job : jobs_) job.done(tl::unexpected(FetchError{FetchFailure::kStopped, "stopping", 0}));
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void know(const std::string& address, const ObjectKey& pod) {
    const std::lock_guard lock(mutex_);
    pods_[address] = pod;
  }
  std::string refusal() const {
    const std::lock_guard lock(mutex_);
    return refusal_;
  }
  void add(Job job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    more_.notify_one();
  }

 private:
  void run(const std::stop_token& stop) {
    while (true) {
      Job job;
      {
        std::unique_lock lock(mutex_);
        if (!more_.wait(lock, stop, [this] { return !jobs_.empty(); })) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      Answer answer = answer_to(job, stop);
      const std::lock_guard lock(delivery_);
      job.done(std::move(answer));
    }
  }

  Answer answer_to(const Job& job, const std::stop_token& stop) {
    const HttpRequest& request = job.request;
    const auto fails = [](FetchFailure failure, std::string detail) {
      return tl::unexpected(FetchError{failure, std::move(detail), 0});
    };
    const std::optional<ObjectKey> pod = pod_at(request.address);
    if (!pod) return fails(FetchFailure::kUnreachable, "no pod is known at this address");
    if (request.tls) return fails(FetchFailure::kTls, "pages over TLS are not asked for through the API server");
    if (!request.headers.empty() || !request.authorization.empty() || request.target.empty() ||
        request.target.front() != '/') {
      return fails(FetchFailure::kUnreachable, "the request can't be sent through the API server");
    }
    const std::string target = "/api/v1/namespaces/" + pod->ns + "/pods/" + pod->name + ":" +
                               std::to_string(request.port) + "/proxy" + request.target;
    const HttpLimits limits{request.timeout, request.timeout, request.most_bytes};
    Body body(request, job.sink, delivery_);
    const auto response = transport_->stream(
        {"GET", target, "", "", request.accept}, limits, [&](std::string_view piece) { return body.take(piece); },
        stop);
    if (stop.stop_requested()) return fails(FetchFailure::kStopped, "stopping");
    if (body.enough()) return HttpAnswer{200, "", body.bytes()};
    if (body.failure()) return tl::unexpected(*body.failure());
    if (!response) return fails(failure_of(response.error().message), shown(response.error().message, kLongestDetail));
    return answer_of(*response, body.bytes());
  }

  Answer answer_of(const ApiResponse& response, std::size_t bytes) {
    const std::string message = response.status < 300 ? "" : status_message(response);
    if (message.empty()) return HttpAnswer{response.status, "", bytes};
    if (response.status == 401 || response.status == 403) {
      const std::lock_guard lock(mutex_);
      refusal_ = message;
    }
    return tl::unexpected(FetchError{failure_of(message), message, bytes});
  }

  std::optional<ObjectKey> pod_at(const std::string& address) const {
    const std::lock_guard lock(mutex_);
    const auto found = pods_.find(address);
    return found == pods_.end() ? std::nullopt : std::optional(found->second);
  }

  std::unique_ptr<Transport> transport_;
  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable_any more_;
  std::deque<Job> jobs_;
  std::map<std::string, ObjectKey> pods_;
  std::string refusal_;
  std::mutex delivery_;  ///< one sink or done at a time
  std::vector<std::jthread> threads_;
};

PodProxy::PodProxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PodProxy::~PodProxy() = default;

Result<std::unique_ptr<PodProxy>> PodProxy::open(const ClusterConfig& config, std::shared_ptr<TokenSource> token,
                                                 const std::string& user_agent) {
  auto transport = Transport::open(config, std::move(token), user_agent);
  if (!transport) return tl::unexpected(transport.error());
  return std::unique_ptr<PodProxy>(new PodProxy(std::make_unique<Impl>(std::move(*transport))));
}

void PodProxy::know(const std::string& address, const ObjectKey& pod) { impl_->know(address, pod); }
std::string PodProxy::refusal() const { return impl_->refusal(); }
void PodProxy::fetch(HttpRequest request, BodySink sink, FetchDone done) {
  impl_->add({std::move(request), std::move(sink), std::move(done)});
}

}  // namespace gopacer::kube
