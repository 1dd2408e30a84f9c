#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/steady_clock.h"
#include "cli/commands.h"
#include "cli/health_pages.h"
#include "cli/local_process.h"
#include "cli/own_name.h"
#include "cli/stop_signals.h"
#include "control/controller.h"
#include "control/metrics_api.h"
#include "control/observation_feed.h"
#include "control/secret_reader.h"
#include "gopacer/base/http_url.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/event_writer.h"
#include "kube/leader_elector.h"
#include "kube/requested_token.h"
#include "kube/transport.h"
#include "net/fetcher.h"
#include "net/http_server.h"
#include "notify/notifier.h"
#include "observe/scraper.h"
#include "record/captures.h"
#include "record/operator_metrics.h"

namespace gopacer {
namespace {

constexpr std::chrono::minutes kKubeletTokenLife(20);

std::string kubelet_ca(const OperatorOptions& options) {
  if (!options.kubelet_ca_file.empty()) return options.kubelet_ca_file;
  const std::string cluster_ca = kube::ServiceAccountFiles().ca;
  return std::filesystem::exists(cluster_ca) ? cluster_ca : std::string();
}

std::string ca_or_systems(const std::string& file) {
  constexpr const char* kSystem = "/etc/ssl/certs/ca-certificates.crt";
  return file.empty() ? kSystem : file;
}

/// Most of what grows with the number of pods is their histories, and most of what strangers can make grow are readings
/// under way: each gets a part of the memory that the container may use. Three eighths are left for the rest.
ScraperOptions scraper_options(const OperatorOptions& operator_options, CaptureStore& captures) {
  constexpr double kPart = 3.0 / 8;
  constexpr double kReadingPart = 1.0 / 4;
  ScraperOptions options;
  options.prometheus = operator_options.prometheus;
  if (operator_options.captures) options.captures = &captures;
  if (const auto limit = own_memory_limit({})) {
    options.history.bytes = static_cast<std::size_t>(kPart * limit->value());
    options.reading_bytes = static_cast<std::size_t>(kReadingPart * limit->value());
  }
  return options;
}

void publish(const ScraperProbe& probe, OperatorMetrics& metrics) {
  std::uint64_t all = 0;
  std::uint64_t failed = 0;
  std::uint64_t bytes = 0;
  for (const ScraperProbe::Pages& pages : probe.pages) {
    bytes += pages.bytes;
    for (std::size_t i = 0; i < pages.outcomes.size(); ++i) {
      all += pages.outcomes[i];
      if (i != static_cast<std::size_t>(PageFailure::kNone)) failed += pages.outcomes[i];
    }
  }
  metrics.scrapes(static_cast<double>(all), static_cast<double>(failed), static_cast<double>(bytes));
  metrics.episodes(static_cast<double>(probe.long_pauses), static_cast<double>(probe.storms));
  metrics.histories(static_cast<double>(probe.history_bytes), static_cast<double>(probe.history_limit),
                    static_cast<double>(probe.shed.by_pod), static_cast<double>(probe.shed.outside_trials),
                    static_cast<double>(probe.shed.inside_trials));
}

/// The whole running operator: everything that main() would otherwise hold in its locals.
class Operator {
 public:
  /// `receivers` of notifications; none: nobody is told.
  Operator(const OperatorOptions& options, kube::Client& api, kube::Client& lease_api,
           std::optional<ReceiversFile> receivers)
      : options_(options),
        api_(api),
        kubelet_tokens_([this] { return kubelet_token(); }, steady_),
        fetcher_(TlsTrust{kubelet_ca(options), options.kubelet_insecure}),
        metrics_api_(api),
        prometheus_fetcher_(TlsTrust{ca_or_systems(options.prometheus_ca_file), false}, FetcherLimits{.names = true}),
        secrets_(api),
        scraper_(fetcher_, clock_, &kubelet_tokens_, &metrics_api_, scraper_options(options, captures_),
                 {&prometheus_fetcher_, &secrets_}),
        feed_(scraper_),
        events_(api, clock_, steady_, kube::EventWriterOptions{.instance = own_name()}),
        poster_(receivers ? std::make_unique<Fetcher>(TlsTrust{ca_or_systems(options.notifications_ca_file), false},
                                                      FetcherLimits{.names = true})
                          : nullptr),
        notifier_(receivers ? std::make_unique<Notifier>(events_, *poster_, std::move(*receivers), clock_, steady_,
                                                         NotifierOptions{.version = GOPACER_VERSION})
                            : nullptr),
        controller_(
            api, notifier_ ? static_cast<EventSink&>(*notifier_) : events_, feed_, metrics_, clock_, steady_,
            {options.watch_namespace, options.workers, {options.lease_namespace, options.agent}},
            [this](const std::string& name, const Node* node) { set_node(name, node); },
            [this](const std::string& node, const std::string& address) { set_agent(node, address); }),
        elector_(
            lease_api,
            kube::LeaseOptions{.ns = options.lease_namespace, .name = options.lease_name, .identity = own_name()},
            clock_, steady_, [this] { start(); }, [this] { lose(); }, [this] { api_.cut_off(); }) {}

  Result<void> serve_pages() {
    auto pages = HttpServer::listen(options_.metrics_port, {{"/metrics", [this] { return metrics_page(); }}});
    if (!pages) return tl::unexpected(pages.error());
    std::map<std::string, HttpServer::Page> pages_of_health{{"/healthz", [this] { return health_page(controller_); }},
                                                            {"/readyz", [this] { return ready_page(); }}};
    if (options_.captures) pages_of_health["/captures"] = [this] { return captures_page(captures_); };
    auto health = HttpServer::listen(options_.health_port, std::move(pages_of_health),
                                     [this](const std::string& path) { return capture_page(captures_, path); });
    if (!health) return tl::unexpected(health.error());
    metrics_server_ = std::move(*pages);
    health_server_ = std::move(*health);
    return {};
  }

  /// Until a signal, or until the lease is lost. Gives the process's exit status.
  int run(const StopSignals& signals) {
    scraper_.start();
    std::jthread events([this](const std::stop_token& stop) { events_.run(stop); });
    std::jthread notifications;
    if (notifier_) notifications = std::jthread([this](const std::stop_token& stop) { notifier_->run(stop); });
    std::jthread kubelet_tokens([this](const std::stop_token& stop) { kubelet_tokens_.run(stop); });
    std::jthread lead;
    if (options_.leader_elect) {
      lead = std::jthread([this](const std::stop_token& stop) { elector_.run(stop); });
    } else {
      start();
    }
    const int number = signals.wait();
    stopping_ = true;
    spdlog::info("stopping signal={} lease_lost={}", number, lost_lease_.load());
    lead = {};       // gives the lease back once the controller has stopped
    stop_working();  // without leader election nobody else does
    return lost_lease_ ? 1 : 0;
  }

 private:
  void start() {
    spdlog::info("leading identity={}", own_name());
    metrics_.leading(true);
    leading_ = true;
    controller_thread_ = std::jthread([this](const std::stop_token& stop) { controller_.run(stop); });
  }

  void stop_working() {
    controller_thread_ = {};
    metrics_.leading(false);
    leading_ = false;
  }

  /// Whoever lost the lease must not act, and begins anew: the process ends, and its container is started again.
  void lose() {
    stop_working();
    if (!stopping_ && !lost_lease_.exchange(true)) kill(getpid(), SIGTERM);
  }

  /// Kubelets never see the operator's own token: whoever has it may make Deployments.
  Result<kube::IssuedToken> kubelet_token() {
    if (options_.kubelet_account.empty()) {
      return invalid("no account for kubelets was named (--kubelet-account), so kubelets are not read");
    }
    Result<kube::IssuedToken> token =
        api_.request_token(options_.lease_namespace, options_.kubelet_account, kKubeletTokenLife);
    if (!token) {
      spdlog::warn("no token for kubelets account={} error=\"{}\"", options_.kubelet_account, token.error().message);
      token.error().message += "; needed is the right to create serviceaccounts/token for resourceNames [" +
                               options_.kubelet_account + "] in namespace " + options_.lease_namespace;
    }
    return token;
  }

  void set_node(const std::string& name, const Node* node) {
    const bool has_address = node != nullptr && !node->address.empty();
    scraper_.set_node(name, has_address ? std::optional(NodeAddress{node->address, node->kubelet_port}) : std::nullopt);
  }

  void set_agent(const std::string& node, const std::string& address) {
    scraper_.set_agent(node, address.empty() ? std::nullopt : std::optional(NodeAddress{address, options_.agent_port}));
  }

  HttpServer::Answer metrics_page() {
    publish(scraper_.probe(), metrics_);
    metrics_.events_dropped(static_cast<double>(events_.dropped()));
    if (leading_) {
      for (const WatchAge& age : controller_.watch_ages()) metrics_.watch_age(age.kind, age.silent);
    }
    return {200, metrics_.text(), "text/plain; version=0.0.4; charset=utf-8"};
  }

  HttpServer::Answer ready_page() const {
    return leading_ ? leaders_ready_page(controller_) : standbys_ready_page(elector_.trouble());
  }

  const OperatorOptions& options_;
  kube::Client& api_;
  const SystemClock clock_;
  const SystemSteadyClock steady_;
  OperatorMetrics metrics_;
  kube::RequestedToken kubelet_tokens_;
  Fetcher fetcher_;
  MetricsApi metrics_api_;
  Fetcher prometheus_fetcher_;
  SecretReader secrets_;
  Captures captures_;
  Scraper scraper_;
  ObservationFeed feed_;
  kube::EventWriter events_;
  std::unique_ptr<Fetcher> poster_;
  std::unique_ptr<Notifier> notifier_;
  Controller controller_;
  kube::LeaderElector elector_;
  std::unique_ptr<HttpServer> metrics_server_;
  std::unique_ptr<HttpServer> health_server_;
  std::atomic<bool> leading_ = false;
  std::atomic<bool> lost_lease_ = false;
  std::atomic<bool> stopping_ = false;
  std::jthread controller_thread_;
};

int fail_start(const Error& error) {
  spdlog::error("can't start error=\"{}\"", error.message);
  return 1;
}

}  // namespace

int run_operator(const OperatorOptions& options) {
  const StopSignals signals;
  kube::prepare_process();
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(options.log_level == "warn" ? "warning" : options.log_level));
  spdlog::info("gopacer starts watch_namespace={} workers={}",
               options.watch_namespace.empty() ? "all" : options.watch_namespace, options.workers);

  for (const std::string& address : options.prometheus) {
    const Result<HttpUrl> url = parse_http_url(address);
    if (!url) return fail_start(invalid("--prometheus '" + address + "' " + url.error().message).value());
  }
  std::optional<ReceiversFile> receivers;
  if (!options.notifications_file.empty()) {
    Result<ReceiversFile> file = ReceiversFile::open(options.notifications_file);
    if (!file) return fail_start(file.error());
    receivers = std::move(*file);
  }
  const Result<kube::ClusterConfig> config = kube::find_config(options.kubeconfig, options.context);
  if (!config) return fail_start(config.error());
  const std::shared_ptr<TokenSource> tokens = kube::make_token_source(*config);
  const auto api = kube::Client::open(*config, tokens, {});
  if (!api) return fail_start(api.error());
  const auto lease_api = kube::Client::open(*config, tokens, kube::lease_client_options());
  if (!lease_api) return fail_start(lease_api.error());

  Operator whole(options, **api, **lease_api, std::move(receivers));
  if (const Result<void> serving = whole.serve_pages(); !serving) return fail_start(serving.error());
  return whole.run(signals);
}

}  // namespace gopacer
