#include "cli/plugin/plugin_command.h"

#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "cli/plugin/completion.h"
#include "cli/plugin/orders.h"
#include "cli/plugin/owners.h"
#include "cli/plugin/scan.h"
#include "cli/plugin/screens.h"
#include "cli/plugin/support_bundle.h"
#include "codec/fields.h"
#include "codec/resources.h"
#include "gopacer/base/text.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/pod_proxy.h"
#include "kube/transport.h"

namespace gopacer::plugin {
namespace {

using std::chrono::seconds;

constexpr Duration kBetweenLooks = seconds(2);
constexpr Duration kLongestTimeout = std::chrono::hours(24);
constexpr Duration kLongestScan = std::chrono::minutes(10);
constexpr const char* kClearLine = "\r\x1b[K";
constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
/// What stands before the words of a command line that is to be completed.
constexpr const char* kComplete = "__complete";
constexpr const char* kFieldManagerOfPeople = "kubectl-gopacer";

/// What all commands are told.
struct Options {
  std::string kubeconfig;
  std::string context;
  std::string ns;
  bool all_namespaces = false;
  std::string name;
  std::string output;
  bool watch = false;
  std::string timeout = "0s";
  std::string trial;
  bool all = false;
  std::string duration = "60s";
  std::string directory;
};

/// What others have written into the cluster must not steer the terminal: '.' stands for what is not seen.
std::string printable(const std::string& text) {
  constexpr std::size_t kLongestLine = 100'000;
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out += shown(std::string_view(text).substr(begin, end - begin), kLongestLine);
    if (end < text.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

/// One command: a cluster, options, and where to write.
struct Session {
  ApiServer& api;
  const Cluster& cluster;
  const Options& options;
  const Surface& surface;

  ObjectKey key() const { return {options.ns, options.name}; }
  std::string fleet() const { return options.all_namespaces ? "" : options.ns; }
  bool json() const { return options.output == "json"; }

  Exit fail(const std::string& message) const {
    surface.err << "kubectl gopacer: " << printable(message) << "\n";
    return Exit::kFailed;
  }
  Exit print(const nlohmann::json& object) const {
    surface.out << object.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) << "\n";
    return Exit::kOk;
  }
  Exit print(const std::string& text) const {
    surface.out << printable(text) << std::flush;
    return Exit::kOk;
  }
};

using Command = std::function<Exit(const Session&)>;

Exit get_all(const Session& session) {
  const auto all = read_profiles(session.api, session.fleet());
  if (!all) return session.fail(all.error().message);
  if (session.json()) {
    nlohmann::json list = nlohmann::json::array();
    for (const ProfileStory& story : *all) list.push_back(to_json(story));
    return session.print(list);
  }
  const std::string where = session.options.all_namespaces ? "" : " in namespace " + session.options.ns;
  if (all->empty()) return session.print("There is no GoRuntimeProfile" + where + ".\n");
  return session.print(list(*all, session.options.all_namespaces));
}

/// Until it is interrupted; a line of text for each change where there is no terminal that could be cleared.
Exit watch_one(const Session& session) {
  const Surface& surface = session.surface;
  std::string latest;
  while (surface.goes_on()) {
    const auto story = read_profile(session.api, session.key());
    if (!story && !story.error().retriable()) return session.fail(story.error().message);
    const std::string text = story ? screen(*story, surface.clock.now(), surface.width) : story.error().message + "\n";
    // How long ago something was changes all the time: where nothing can be cleared, that is no news.
    const std::string now = surface.width > 0 || !story ? text : to_json(*story).dump();
    if (now != latest && surface.width > 0) surface.out << kClearScreen;
    if (now != latest) session.print(text);
    latest = now;
    surface.sleep(kBetweenLooks);
  }
  return Exit::kOk;
}

/// Reads the profile and prints what `tell` makes of it, or all of it as JSON.
Exit tell_of(const Session& session, const std::function<std::string(const ProfileStory&)>& tell) {
  const auto story = read_profile(session.api, session.key());
  if (!story) return session.fail(story.error().message);
  return session.json() ? session.print(to_json(*story)) : session.print(tell(*story));
}

Exit get(const Session& session) {
  if (session.options.name.empty()) return get_all(session);
  if (session.options.watch) return watch_one(session);
  return tell_of(session, [&](const ProfileStory& story) {
    return screen(story, session.surface.clock.now(), session.surface.width);
  });
}

/// Whether nothing is under way, and nothing will be without somebody's doing or a long wait.
bool settled(const ProfileStory& story, Time now) {
  if (!story.up_to_date || story.waits_for_retry ||
      (!story.undo_wanted.empty() && story.undo_wanted != story.undone_to))
    return false;
  if (story.phase == "Tuned" || story.phase == "Blocked" || story.phase == "Suspended") return true;
  const bool waits = story.cool_down_until && *story.cool_down_until > now;
  return story.phase == "Recommended" && (story.mode == "Off" || waits);
}

Exit outcome(const ProfileStory& story) {
  const ConditionStory* const ready = story.condition("Ready");
  const TrialStory* const latest = story.latest_trial();
  // Who has asked for earlier settings since has them.
  const bool undone = !story.undone_to.empty() && story.undone_to == story.undo_wanted;
  const bool rolled_back = latest != nullptr && latest->verdict == "RollBack" && !undone;
  return ready != nullptr && ready->holds && !rolled_back ? Exit::kOk : Exit::kFailed;
}

Exit status(const Session& session) {
  const auto timeout = parse_duration(session.options.timeout);
  if (!timeout || *timeout > kLongestTimeout) {
    session.surface.err << "kubectl gopacer: --timeout " << session.options.timeout
                        << " is no time up to 24h: give one like 30m\n";
    return Exit::kUsage;
  }
  const Surface& surface = session.surface;
  const Time end = surface.clock.now() + *timeout;
  while (true) {
    const auto story = read_profile(session.api, session.key());
    const Time now = surface.clock.now();
    if (!story && (!story.error().retriable() || now >= end)) return session.fail(story.error().message);
    if (story && (now >= end || settled(*story, now))) {
      session.json() ? session.print(to_json(*story)) : session.print(screen(*story, now, surface.width));
      return settled(*story, now) ? outcome(*story) : Exit::kTimedOut;
    }
    surface.sleep(std::min(kBetweenLooks, Duration(end - now)));
  }
}

Exit trace(const Session& session) {
  const auto trace = trace_pod(session.api, session.key());
  if (!trace) return session.fail(trace.error().message);
  return session.json() ? session.print(to_json(*trace)) : session.print(text_of(*trace));
}

Exit told(const Session& session, const Result<std::string>& done) {
  return done ? session.print(*done + "\n") : session.fail(done.error().message);
}

/// Each profile as it is done: whoever interrupts the order has to know how far it came.
Told telling(const Session& session) {
  return [&session](bool done, const std::string& line) { done ? session.print(line + "\n") : session.fail(line); };
}

Exit told(const Session& session, const Result<FleetOrder>& order) {
  if (!order) return session.fail(order.error().message);
  if (order->done + order->failed == 0) session.print(std::string("There was nothing to do.\n"));
  return order->failed == 0 ? Exit::kOk : Exit::kFailed;
}

Exit resume(const Session& session) {
  if (session.options.all) return told(session, resume_all(session.api, session.fleet(), telling(session)));
  return told(session, suspend(session.api, session.key(), false));
}

/// A line on stderr that is written over; none where there is no terminal.
class Progress {
 public:
  explicit Progress(const Surface& surface) : surface_(surface) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (surface_.width > 0) surface_.err << kClearLine << std::flush;
  }
  void show(const std::string& text) const {
    if (surface_.width > 0) surface_.err << kClearLine << text << std::flush;
  }

 private:
  const Surface& surface_;
};

Result<ScanReport> scan_cluster(const Session& session, Duration duration) {
  const Cluster& cluster = session.cluster;
  const Progress progress(session.surface);
  auto report = scan({session.api, *cluster.pods, cluster.know, session.surface.clock,
                      [&](const std::string& text) { progress.show(text); }},
                     {session.fleet(), session.options.name, duration});
  if (!report) return report;
  report->refusal = cluster.refusal();
  if (report->services.empty() && !report->refusal.empty()) {
    return invalid("pods can't be asked: " + report->refusal + ". Needed is the right to get pods/proxy");
  }
  return report;
}

Exit scan_all(const Session& session) {
  const auto duration = parse_duration(session.options.duration);
  if (!duration || *duration > kLongestScan) {
    session.surface.err << "kubectl gopacer: --for " << session.options.duration
                        << " is no time up to 10m: give one like 60s, or 0s to look only\n";
    return Exit::kUsage;
  }
  const auto report = scan_cluster(session, *duration);
  if (!report) return session.fail(report.error().message);
  if (session.json()) return session.print(to_json(*report));
  return session.print(session.options.output == "html" ? html_of(*report) : text_of(*report));
}

/// Writes it where there is nothing yet. What went wrong; empty when nothing did.
std::string write_new(const std::string& path, const std::string& text) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wx"), std::fclose);
  if (file == nullptr && errno == EEXIST) return path + " exists already and is left as it is";
  if (file != nullptr && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
      std::fflush(file.get()) == 0) {
    return "";
  }
  return path + " can't be written: " + std::generic_category().message(errno);
}

Exit init(const Session& session) {
  if (session.options.name.empty() && !session.options.all) {
    session.surface.err << "kubectl gopacer init: give the NAME of a Deployment, or --all\n";
    return Exit::kUsage;
  }
  const auto report = scan_cluster(session, Duration(0));
  if (!report) return session.fail(report.error().message);
  if (report->services.empty()) return session.fail(text_of(*report));
  // A second profile for a target, or one of the same name that only recommends, would take the first one's place.
  if (!report->profiles_unknown.empty()) return session.fail(report->profiles_unknown);
  Exit exit = Exit::kOk;
  for (const ServiceStory& service : report->services) {
    const ObjectKey& key = service.workload.key;
    if (!service.profile.empty()) {
      session.surface.err << key.text() << " has profile " << service.profile << " and is left out\n";
    } else if (session.options.directory.empty()) {
      session.print(profile_yaml(service));
    } else {
      // A namespace has no dots, so that no two have the same name.
      const std::string path = session.options.directory + "/" + key.ns + "." + key.name + ".yaml";
      const std::string trouble = write_new(path, profile_yaml(service));
      if (trouble.empty()) session.print(path + "\n");
      if (!trouble.empty()) exit = session.fail(trouble);
    }
  }
  return exit;
}

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& about, Options& options) {
  CLI::App* const command = app.add_subcommand(name, about);
  command->add_option("-n,--namespace", options.ns, "Namespace; default: the context's");
  command->add_option("--kubeconfig", options.kubeconfig, "Kubeconfig file; default: $KUBECONFIG, ~/.kube/config");
  command->add_option("--context", options.context, "Context of the kubeconfig");
  return command;
}

void with_output(CLI::App& command, Options& options) {
  command.add_option("-o,--output", options.output, "text, or json: all that is known")
      ->check(CLI::IsMember(outputs_of(command.get_name())));
}

/// The commands by name.
class Commands {
 public:
  Commands(CLI::App& app, Options& options) : app_(app), options_(options) {
    CLI::App* const getting = add("get", "One profile on one screen, or a line for each", get);
    getting->add_option("NAME", options.name, "The profile");
    getting->add_flag("-A,--all-namespaces", options.all_namespaces, "Of all namespaces");
    getting->add_flag("-w,--watch", options.watch, "Show it again when it changes, until interrupted")->needs("NAME");
    with_output(*getting, options);
    getting->get_option("--watch")->excludes("--output");
    CLI::App* const waiting = of_one("status",
                                     "Wait until nothing is under way. Exit status 0: as asked; 1: rolled back, or "
                                     "blocked; 3: still under way",
                                     status);
    waiting->add_option("--timeout", options.timeout, "Wait so long at most")->capture_default_str();
    of_one("history", "The trials that are kept, and how each ended",
           [](const Session& session) { return tell_of(session, history); });
    of_one("explain", "Why these numbers: what is known, what binds them, what others would cost",
           [](const Session& session) { return tell_of(session, explanation); });
    of_one("diff", "What the recommendation would change of the container's environment",
           [](const Session& session) { return tell_of(session, difference); });
    CLI::App* const tracing = add("trace", "Who set GOGC and GOMEMLIMIT of a pod, since when and why", trace);
    tracing->add_option("POD", options.name, "The pod")->required();
    with_output(*tracing, options);
    CLI::App* const bundling = add("support-bundle",
                                   "Print what somebody who helps from afar needs to see, as JSON without values of "
                                   "other variables",
                                   [](const Session& session) {
                                     const auto bundle =
                                         support_bundle(session.api, session.fleet(), session.surface.clock.now());
                                     return bundle ? session.print(*bundle) : session.fail(bundle.error().message);
                                   });
    bundling->add_flag("-A,--all-namespaces", options.all_namespaces, "Of all namespaces");
    add_discovery();
    add_orders();
  }

  const Command& chosen() const { return run_.at(app_.get_subcommands().front()); }

 private:
  CLI::App* add(const std::string& name, const std::string& about, Command run) {
    CLI::App* const command = add_command(app_, name, about, options_);
    run_[command] = std::move(run);
    return command;
  }
  CLI::App* of_one(const std::string& name, const std::string& about, Command run) {
    CLI::App* const command = add(name, about, std::move(run));
    command->add_option("NAME", options_.name, "The profile")->required();
    with_output(*command, options_);
    return command;
  }
  CLI::App* order(const std::string& name, const std::string& about, Command run) {
    CLI::App* const command = add(name, about, std::move(run));
    command->add_option("NAME", options_.name, "The profile");
    return command;
  }

  void add_discovery() {
    CLI::App* const scanning =
        add("scan", "Which Deployments run Go, and what tuning them would save; writes nothing", scan_all);
    scanning->add_option("NAME", options_.name, "Only this Deployment");
    scanning->add_flag("-A,--all-namespaces", options_.all_namespaces, "Of all namespaces");
    scanning->add_option("--for", options_.duration, "Read each service so long; 0s: look only")->capture_default_str();
    scanning->add_option("-o,--output", options_.output, "text, json or html")
        ->check(CLI::IsMember(outputs_of("scan")));
    CLI::App* const making =
        add("init", "Print a profile for a Deployment that runs Go; the cluster is left alone", init);
    making->add_option("NAME", options_.name, "The Deployment");
    making->add_flag("--all", options_.all, "For all of the namespace, or of all with -A")->excludes("NAME");
    making->add_flag("-A,--all-namespaces", options_.all_namespaces, "Of all namespaces");
    making->add_option("--dir", options_.directory, "Write a file for each into this directory instead");
  }

  void add_orders() {
    order("pause", "Abort the running trial and begin none; recommendations go on",
          [](const Session& session) { return told(session, suspend(session.api, session.key(), true)); })
        ->get_option("NAME")
        ->required();
    order("abort", "End the running trial; the next one may begin",
          [](const Session& session) { return told(session, abort_trial(session.api, session.key())); })
        ->get_option("NAME")
        ->required();
    CLI::App* const undoing =
        order("undo", "Put the settings of an earlier trial back, without another one", [](const Session& session) {
          return told(session, undo_to(session.api, session.key(), session.options.trial));
        });
    undoing->get_option("NAME")->required();
    undoing->add_option("--to-trial", options_.trial, "The trial")->required();
    order("promote", "Put the settings of the running trial in force without its verdict",
          [](const Session& session) { return told(session, promote(session.api, session.key())); })
        ->get_option("NAME")
        ->required();
    CLI::App* const retrying = order(
        "retry", "Let another trial begin at once, in spite of a cool-down or of what was learned",
        [](const Session& session) { return told(session, retry(session.api, session.key(), session.options.trial)); });
    retrying->get_option("NAME")->required();
    retrying->add_option("--trial", options_.trial, "Whose settings may be tried again; default: the latest one's");
    CLI::App* const resuming = order("resume", "Let trials begin again", resume);
    fleet_flags(*resuming, "All profiles that `stop --all` has paused")->excludes("NAME");
    CLI::App* const stopping = add(
        "stop", "Pause every profile of the namespace, or of all with -A; recommendations go on",
        [](const Session& session) {
          return told(session, stop_all(session.api, session.fleet(), session.surface.clock.now(), telling(session)));
        });
    fleet_flags(*stopping, "Yes, all of them")->required();
  }

  CLI::Option* fleet_flags(CLI::App& command, const std::string& about) {
    command.add_flag("-A,--all-namespaces", options_.all_namespaces, "Of all namespaces");
    return command.add_flag("--all", options_.all, about);
  }

  CLI::App& app_;
  Options& options_;
  std::map<const CLI::App*, Command> run_;
};

/// More names than anybody chooses from.
constexpr std::size_t kMostCandidates = 500;

std::vector<std::string> names_of(const ResourceType& type, ApiServer& api, const std::string& ns) {
  std::vector<std::string> names;
  const auto page = api.list({type, ns, "", "", true}, "");
  if (!page) return {};
  for (const nlohmann::json& object : page->items) {
    if (names.size() < kMostCandidates) names.push_back(codec::key_of(object).name);
  }
  return names;
}

/// A shell asks while somebody types: what can't be told is left out, and nothing else is said.
Exit complete(CLI::App& app, const std::vector<std::string>& words, const OpenCluster& open, const Surface& surface) {
  const auto names = [&](Named named, const Place& place) -> std::vector<std::string> {
    const Cluster cluster = open(place.kubeconfig, place.context);
    if (cluster.api == nullptr) return {};
    const std::string ns = place.ns.empty() ? cluster.ns : place.ns;
    const ResourceType& type = named == Named::kProfile ? resources::kProfiles
                               : named == Named::kTrial ? resources::kTrials
                               : named == Named::kPod   ? resources::kPods
                                                        : resources::kDeployments;
    return names_of(type, *cluster.api, ns);
  };
  surface.out << completion_lines(completions(app, words, names)) << std::flush;
  return Exit::kOk;
}

Cluster no_cluster(const Error& error) { return {nullptr, "", error.message, nullptr, {}, {}}; }

/// Columns of the terminal that `out` is; 0 where it is none.
std::size_t terminal_width() {
  if (isatty(STDOUT_FILENO) == 0) return 0;
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

bool is_plugin_name(const std::string& program) {
  return std::filesystem::path(program).filename().string().starts_with("kubectl-gopacer") ||
         is_completion_name(program);
}

bool is_completion_name(const std::string& program) {
  return std::filesystem::path(program).filename().string().starts_with("kubectl_complete-gopacer");
}

Exit run_plugin(const std::vector<std::string>& arguments, const OpenCluster& open, const Surface& surface) {
  CLI::App app("What gopacer does in a cluster, and orders to it", "kubectl gopacer");
  app.set_version_flag("--version", GOPACER_VERSION);
  app.require_subcommand(1);
  Options options;
  const Commands commands(app, options);
  if (!arguments.empty() && arguments.front() == kComplete) {
    return complete(app, {arguments.begin() + 1, arguments.end()}, open, surface);
  }
  try {
    // CLI11 takes them from the end.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error, surface.out, surface.err) == 0 ? Exit::kOk : Exit::kUsage;
  }
  if (app.got_subcommand("resume") && options.name.empty() && !options.all) {
    surface.err << "kubectl gopacer resume: give the NAME of a profile, or --all\n";
    return Exit::kUsage;
  }
  const Cluster cluster = open(options.kubeconfig, options.context);
  if (cluster.api == nullptr) {
    surface.err << "kubectl gopacer: " << cluster.trouble << "\n";
    return Exit::kFailed;
  }
  if (options.ns.empty()) options.ns = cluster.ns;
  return commands.chosen()({*cluster.api, cluster, options, surface});
}

int run_plugin(int argc, char** argv) {
  kube::prepare_process();
  spdlog::set_level(spdlog::level::off);
  std::unique_ptr<kube::Client> api;
  std::unique_ptr<kube::PodProxy> pods;
  const OpenCluster open = [&](const std::string& kubeconfig, const std::string& context) -> Cluster {
    const Result<kube::ClusterConfig> config = kube::find_config(kubeconfig, context);
    if (!config) return no_cluster(config.error());
    kube::ClientOptions options;
    options.user_agent = kFieldManagerOfPeople;
    options.field_manager = kFieldManagerOfPeople;
    auto client = kube::Client::open(*config, kube::make_token_source(*config), options);
    if (!client) return no_cluster(client.error());
    auto proxy = kube::PodProxy::open(*config, kube::make_token_source(*config), kFieldManagerOfPeople);
    if (!proxy) return no_cluster(proxy.error());
    api = std::move(*client);
    pods = std::move(*proxy);
    return {api.get(),
            config->ns,
            "",
            pods.get(),
            [&](const std::string& address, const ObjectKey& pod) { pods->know(address, pod); },
            [&] { return pods->refusal(); }};
  };
  const SystemClock clock;
  const Surface surface{
      std::cout, std::cerr, clock, [](Duration time) { std::this_thread::sleep_for(time); }, terminal_width(), {[] {
        return true;
      }}};
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (is_completion_name(argv[0])) arguments.insert(arguments.begin(), kComplete);
  return static_cast<int>(run_plugin(arguments, open, surface));
}

}  // namespace gopacer::plugin
