#include "codec/settings.h"

#include <nlohmann/json.hpp>

#include "codec/fields.h"

namespace gopacer::codec {

nlohmann::json encode(const Settings& settings) {
  const EnvText env = to_env(settings);
  nlohmann::json object = nlohmann::json::object();
  if (env.gogc) object["gogc"] = *env.gogc;
  if (env.go_mem_limit) object["goMemLimit"] = *env.go_mem_limit;
  return object;
}

Settings decode_settings(const nlohmann::json& object) {
  EnvText env;
  if (const std::string gogc = text(object, "gogc"); !gogc.empty()) env.gogc = gogc;
  if (const std::string limit = text(object, "goMemLimit"); !limit.empty()) env.go_mem_limit = limit;
  return parse_settings(env).value_or(Settings{});
}

}  // namespace gopacer::codec
