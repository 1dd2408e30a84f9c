#include "cli/plugin/screens.h"

#include <algorithm>
#include <array>

#include "cli/text_plot.h"

namespace gopacer::plugin {
namespace {

constexpr std::size_t kLabelWidth = 10;
constexpr const char* kEllipsis = "…";

/// Its first `width` characters; "…" stands for the rest.
std::string fit(const std::string& line, std::size_t width) {
  if (width == kNoWidth) return line;
  std::size_t characters = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(line[i]) & 0xC0U) != 0x80U;
    if (!begins) continue;
    if (characters + 1 == width) last = i;
    if (++characters > width) return line.substr(0, last) + kEllipsis;
  }
  return line;
}

class Lines {
 public:
  explicit Lines(std::size_t width) : width_(width) {}
  void add(const std::string& line) {
    if (count_ == kScreenLines) return;
    text_ += fit(line, width_) + "\n";
    ++count_;
  }
  void add(std::string label, const std::string& line) {
    if (line.empty()) return;
    label.resize(std::max(kLabelWidth, label.size() + 1), ' ');
    add(label + line);
  }
  const std::string& text() const { return text_; }

 private:
  std::size_t width_;
  std::size_t count_ = 0;
  std::string text_;
};

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) {
    if (!part.empty()) text += (text.empty() ? "" : between) + part;
  }
  return text;
}

std::string policy_of(const ProfileStory& story) {
  const std::string way = story.apply == "Live" ? "in running processes" : "";
  return joined(
      {"updateMode " + story.mode, way, story.objective + " by " + story.strategy, story.suspended ? "suspended" : ""},
      ", ");
}

std::string now_of(const ProfileStory& story) {
  const auto with = [](const std::string& value, const std::string& words) {
    return value.empty() ? "" : words + value;
  };
  const std::string peak = story.figure("peakMemory");
  const std::string limit = story.figure("memoryLimit");
  if (story.phase.empty()) return {};
  const std::string pods = story.figure("pods");
  return joined(
      {describe(story.current), pods.empty() ? "" : story.figure("podsScraped") + " of " + pods + " pods read",
       with(story.figure("gcCpuPercent"), "collection takes "),
       with(peak, "peak memory ") + (peak.empty() ? "" : with(limit, " of "))},
      "; ");
}

std::string advice_of(const ProfileStory& story) {
  if (!story.recommends) return {};
  const std::string saving = story.saving.empty() ? "" : "expected to save " + story.saving + " of the CPU";
  const std::string destination = story.destination.empty() || story.destination == describe(story.recommended)
                                      ? ""
                                      : "on the way to " + story.destination;
  return joined({describe(story.recommended), saving, destination}, ", ");
}

std::string outcome_of(const TrialStory& trial, Time now) {
  const auto with = [](const char* words, const std::string& value) { return value.empty() ? "" : words + value; };
  const std::string when = trial.ended ? rough(now - *trial.ended) + " ago" : "";
  return joined({trial.name + " " + trial.to, trial.verdict + (trial.reason.empty() ? "" : " (" + trial.reason + ")"),
                 when, with("latency ", trial.latency_change), with("collection ", trial.gc_change)},
                ", ");
}

std::string arm_line(const ProfileStory& story, std::size_t index) {
  const ArmStory& arm = story.arms[index];
  const TrialStory& trial = *story.running_trial();
  const std::int64_t requests = arm.track == "canary" ? trial.canary_requests : trial.baseline_requests;
  std::string track = arm.track;
  track.resize(kLabelWidth, ' ');
  return std::string(index + 1 < story.arms.size() ? "   ├─ " : "   └─ ") + track + arm.deployment + "  " +
         std::to_string(arm.ready) + "/" + std::to_string(arm.wanted) + " ready" +
         (requests > 0 ? ", " + std::to_string(requests) + " requests" : "");
}

void add_trial(const ProfileStory& story, Time now, Lines& lines) {
  const TrialStory& trial = *story.running_trial();
  lines.add(story.target);
  const Time since = trial.steps.empty() ? trial.created.value_or(now) : trial.steps.back().first;
  lines.add("└─ " +
            joined({"trial " + trial.name, trial.from + " → " + trial.to, trial.phase + " for " + rough(now - since),
                    trial.windows > 0 ? std::to_string(trial.windows) + " windows" : "",
                    trial.live ? "by turns in running processes" : ""},
                   ", "));
  for (std::size_t i = 0; i < story.arms.size(); ++i) lines.add(arm_line(story, i));
  if (!story.arms_unknown.empty()) lines.add("   its pods can't be told: " + story.arms_unknown);
  for (const MetricStory& metric : trial.metrics) lines.add("   " + metric.verdict + ": " + metric.summary);
}

std::string yes_or_no(bool holds) { return holds ? "True" : "False"; }

}  // namespace

std::string rough(Duration duration) {
  using std::chrono::seconds;
  struct Unit {
    std::int64_t length;
    char name;
  };
  constexpr std::array<Unit, 4> kUnits{{{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}, {1, 's'}}};
  std::int64_t left = std::max<std::int64_t>(0, std::chrono::floor<seconds>(duration).count());
  std::string text;
  int told = 0;
  for (const Unit& unit : kUnits) {
    const std::int64_t count = left / unit.length;
    left %= unit.length;
    if (told > 0) ++told;
    if (count > 0) text += std::to_string(count) + unit.name;
    if (count > 0 && told == 0) ++told;
    if (told == 2) break;
  }
  return text.empty() ? "0s" : text;
}

std::string screen(const ProfileStory& story, Time now, std::size_t width) {
  Lines lines(width);
  lines.add(
      joined({story.key.text(), story.target, story.container.empty() ? "" : "container " + story.container}, "  "));
  const ConditionStory* const ready = story.condition("Ready");
  const std::string phase = story.phase.empty() ? "not looked at yet: is the operator running?" : story.phase;
  lines.add("Phase",
            joined({phase, ready == nullptr ? "" : "Ready " + yes_or_no(ready->holds) + " (" + ready->reason + ")",
                    story.up_to_date || story.phase.empty() ? "" : "the latest change of the spec is not in it yet"},
                   ", "));
  lines.add("Policy", policy_of(story));
  lines.add("Now", now_of(story));
  lines.add("Advice", advice_of(story));
  lines.add("Why", ready == nullptr ? "" : ready->message);
  for (const char* const trouble : {"ConfigUnsupported", "FieldConflict"}) {
    const ConditionStory* const condition = story.condition(trouble);
    const bool told = ready != nullptr && condition != nullptr && condition->message == ready->message;
    if (condition != nullptr && condition->holds && !told) lines.add("Trouble", condition->message);
  }
  if (story.cool_down_until && *story.cool_down_until > now) {
    lines.add("Waits",
              "no trial before " + format_time(*story.cool_down_until) + ", in " + rough(*story.cool_down_until - now));
  }
  if (story.running_trial() != nullptr) {
    add_trial(story, now, lines);
  } else if (const TrialStory* const latest = story.latest_trial()) {
    lines.add("Latest", outcome_of(*latest, now));
    for (const MetricStory& metric : latest->metrics) lines.add("", metric.summary);
  }
  return lines.text();
}

std::string list(const std::vector<ProfileStory>& all, bool with_namespace) {
  std::vector<std::vector<std::string>> rows{{"NAME", "PHASE", "NOW", "ADVICE", "GC-CPU", "SAVING", "READY"}};
  for (const ProfileStory& story : all) {
    const ConditionStory* const ready = story.condition("Ready");
    rows.push_back({with_namespace ? story.key.text() : story.key.name, story.phase,
                    story.phase.empty() ? "" : describe(story.current),
                    story.recommends ? describe(story.recommended) : "", story.figure("gcCpuPercent"), story.saving,
                    ready == nullptr ? "" : yes_or_no(ready->holds)});
  }
  return text_table(rows, Columns::kTexts);
}

std::string history(const ProfileStory& story) {
  std::vector<std::vector<std::string>> rows{
      {"TRIAL", "BEGAN", "FROM", "TO", "VERDICT", "REASON", "LATENCY", "COLLECTION", "TOOK"}};
  for (const TrialStory& trial : story.trials) {
    rows.push_back({trial.name, trial.created ? format_time(*trial.created) : "", trial.from, trial.to,
                    trial.verdict.empty() ? trial.phase : trial.verdict, trial.reason, trial.latency_change,
                    trial.gc_change, trial.duration});
  }
  std::string text =
      rows.size() == 1 ? "No trial is kept of " + story.key.text() + ".\n" : text_table(rows, Columns::kTexts);
  for (const ChangeStory& change : story.changes) {
    text += format_time(change.at) + "  " + change.from + " → " + change.to + ": " + change.why + "\n";
  }
  return text;
}

std::string explanation(const ProfileStory& story) {
  std::string text = story.key.text() + ", " + story.target + "\n";
  const ConditionStory* const given = story.condition("RecommendationProvided");
  if (given != nullptr) text += given->message + "\n";
  if (!story.binding.empty()) text += "What holds it: " + story.binding + ".\n";
  if (!story.destination.empty()) text += "Where steps like this lead as things are: " + story.destination + ".\n";
  if (!story.observed.empty()) {
    text += "\nWhat is known:\n";
    for (const auto& [name, value] : story.observed) text += "  " + name + ": " + value + "\n";
  }
  if (!story.sources.empty()) {
    text += "\nWhere it comes from, and how far it may be off:\n";
    for (const auto& [name, value] : story.sources) text += "  " + name + ": " + value + "\n";
  }
  if (!story.tradeoff.empty()) {
    text += "\nWhat other settings are expected to come to:\n";
    for (const std::string& line : story.tradeoff) text += "  " + line + "\n";
  }
  return text;
}

std::string difference(const ProfileStory& story) {
  if (story.phase.empty()) return "Nothing is known of " + story.target + " yet: is the operator running?\n";
  const std::string place = story.target + ", container " + story.container;
  if (!story.recommends || story.recommended == story.current) {
    return "Nothing would change of " + place + ".\n";
  }
  const EnvText before = to_env(story.current);
  const EnvText after = to_env(story.recommended);
  std::string text = "--- " + place + " now\n+++ " + place + " as recommended\n";
  const auto add = [&](const char* variable, const std::optional<std::string>& old,
                       const std::optional<std::string>& now) {
    const auto line = [&](const char* mark, const std::string& value) {
      return std::string(mark) + "- {name: " + variable + ", value: \"" + value + "\"}\n";
    };
    if (old == now) {
      if (old) text += line(" ", *old);
      return;
    }
    if (old) text += line("-", *old);
    if (now) text += line("+", *now);
  };
  add(kGogcVariable, before.gogc, after.gogc);
  add(kGoMemLimitVariable, before.go_mem_limit, after.go_mem_limit);
  return text;
}

}  // namespace gopacer::plugin
