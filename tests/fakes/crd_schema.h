#pragma once

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "source_dir.h"

namespace gopacer::crds {

/// A YAML document as the API server's JSON: plain scalars are numbers and booleans where they look like ones.
inline nlohmann::json to_json(const YAML::Node& node) {
  if (node.IsSequence()) {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& item : node) out.push_back(to_json(item));
    return out;
  }
  if (node.IsMap()) {
    nlohmann::json out = nlohmann::json::object();
    for (const auto& member : node) out[member.first.as<std::string>()] = to_json(member.second);
    return out;
  }
  if (node.IsNull()) return nullptr;
  std::string text = node.as<std::string>();
  if (node.Tag() == "!") return text;  // in quotes
  const nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  return value.is_number() || value.is_boolean() ? value : nlohmann::json(text);
}

/// The schema of one of our definitions: "goruntimeprofiles" or "goruntimetrials".
inline nlohmann::json schema_of(const std::string& plural) {
  const YAML::Node definition = YAML::LoadFile(in_source("crds/gopacer.dev_" + plural + ".yaml"));
  return to_json(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]);
}

}  // namespace gopacer::crds
