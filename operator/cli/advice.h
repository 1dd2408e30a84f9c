#pragma once

#include <string>
#include <vector>

#include "gopacer/decide/decision.h"

namespace gopacer {

/// One answer of `gopacer advise`: what was read, what it was decided on, and what came of it.
struct Advice {
  std::string subject;  ///< what was read, for people
  DecideInput input;
  Decision decision;
  std::string settings_source;     ///< where `input.current` comes from, for people
  std::vector<std::string> notes;  ///< what could not be read, or was assumed; a sentence each
  std::string name;                ///< of the profile and its Deployment, for YAML
};

/// The settings to use: where the steps of a trial would lead, else the recommended ones, or those in force where
/// nothing better is known.
const Settings& advised(const Decision& decision);
/// What is expected of them; null where nothing is.
const Prediction* predicted_of(const Decision& decision);

/// For people.
std::string advice_text(const Advice& advice);
/// One JSON object; docs/advise.md lists its members.
std::string advice_json(const Advice& advice);
/// A GoRuntimeProfile that asks for what was asked here.
std::string advice_yaml(const Advice& advice);

}  // namespace gopacer
