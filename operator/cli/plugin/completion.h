#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace gopacer::plugin {

/// What a command's --output may be.
std::vector<std::string> outputs_of(const std::string& command);

/// Of what the names in a command line are.
enum class Named { kProfile, kTrial, kPod, kDeployment };

/// What the words of a command line after `kubectl gopacer` say of where names are looked for.
struct Place {
  std::string kubeconfig;
  std::string context;
  std::string ns;
};

/// Names that there are; empty where they can't be told.
using NamesOf = std::function<std::vector<std::string>(Named, const Place&)>;

/// What the last of `words`, which may be a part of one or empty, may become: commands, options, their values, or
/// names. `app` has the commands; it is not parsed.
std::vector<std::string> completions(CLI::App& app, const std::vector<std::string>& words, const NamesOf& names_of);

/// The same as shells that kubectl has set up read it: a line each, and that no files are to be offered.
std::string completion_lines(const std::vector<std::string>& candidates);

}  // namespace gopacer::plugin
