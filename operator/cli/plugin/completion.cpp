#include "cli/plugin/completion.h"

#include <algorithm>
#include <set>

namespace gopacer::plugin {
namespace {

Named named_by(const std::string& command) {
  if (command == "trace") return Named::kPod;
  return command == "scan" || command == "init" ? Named::kDeployment : Named::kProfile;
}

bool takes_value(const CLI::Option* option) { return option != nullptr && option->get_items_expected_max() > 0; }

/// The words of a command, by what they are to it.
struct CommandLine {
  Place place;
  int names = 0;                          ///< words that are neither options nor their values, but the last
  const CLI::Option* value_of = nullptr;  ///< the last word is its value
};

CommandLine taken_apart(CLI::App& command, const std::vector<std::string>& words) {
  CommandLine line;
  for (std::size_t i = 1; i + 1 < words.size(); ++i) {
    const CLI::Option* const option = words[i].starts_with("-") ? command.get_option_no_throw(words[i]) : nullptr;
    if (!words[i].starts_with("-")) ++line.names;
    if (!takes_value(option)) continue;
    if (i + 2 == words.size()) {
      line.value_of = option;
      return line;
    }
    const std::string& value = words[++i];
    if (option->check_name("--namespace")) line.place.ns = value;
    if (option->check_name("--kubeconfig")) line.place.kubeconfig = value;
    if (option->check_name("--context")) line.place.context = value;
  }
  return line;
}

/// Its only word that is no option says what it is about.
bool takes_name(const CLI::App& command) {
  return command.get_option_no_throw("NAME") != nullptr || command.get_option_no_throw("POD") != nullptr;
}

}  // namespace

std::vector<std::string> outputs_of(const std::string& command) {
  if (command == "scan") return {"text", "json", "html"};
  return {"text", "json"};
}

std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words, const NamesOf& names_of) {
  if (words.empty()) return {};
  const std::string& part = words.back();
  std::set<std::string> found;
  const auto offer = [&](const std::string& candidate) {
    if (candidate.starts_with(part)) found.insert(candidate);
  };
  if (words.size() == 1) {
    for (const CLI::App* const command : app.get_subcommands({})) offer(command->get_name());
    return {found.begin(), found.end()};
  }
  const std::vector<CLI::App*> commands = app.get_subcommands({});
  const auto named = std::ranges::find(commands, words.front(), &CLI::App::get_name);
  if (named == commands.end()) return {};
  CLI::App* const command = *named;
  const CommandLine line = taken_apart(*command, words);
  if (line.value_of != nullptr) {
    if (line.value_of->check_name("--output")) std::ranges::for_each(outputs_of(words.front()), offer);
    const bool of_trial = line.value_of->check_name("--to-trial") || line.value_of->check_name("--trial");
    if (of_trial) std::ranges::for_each(names_of(Named::kTrial, line.place), offer);
  } else if (part.starts_with("-")) {
    for (const CLI::Option* const option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) offer("--" + name);
    }
  } else if (line.names == 0 && takes_name(*command)) {
    std::ranges::for_each(names_of(named_by(words.front()), line.place), offer);
  }
  return {found.begin(), found.end()};
}

std::string completion_lines(const std::vector<std::string>& candidates) {
  constexpr const char* kNoFiles = ":4\n";
  std::string lines;
  for (const std::string& candidate : candidates) lines += candidate + "\n";
  return lines + kNoFiles;
}

}  // namespace gopacer::plugin
