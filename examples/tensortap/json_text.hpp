// What the commands print for programs: one JSON object a line.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tensortap_command {

using Json = nlohmann::ordered_json;

/// Prints an object as a line. Bytes that are not UTF-8 are replaced; numbers that JSON lacks are null.
inline void print_json(const Json& object, std::ostream& out) {
  out << object.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
}

/// Returns {"count": 3, "first": 0, "last": 20}; without steps, the count alone.
inline Json json_of(const std::vector<std::int64_t>& steps) {
  Json out = {{"count", steps.size()}};
  if (!steps.empty()) {
    out["first"] = steps.front();
    out["last"] = steps.back();
  }
  return out;
}

inline Json json_of(const std::vector<tensortap::Damage>& damages) {
  Json out = Json::array();
  for (const tensortap::Damage& one : damages) out.push_back({{"where", one.where}, {"cause", one.cause}});
  return out;
}

/// Adds to `object` what a run lacks: "damage", "lost" and "thinned".
inline void add_gaps(Json& object, const tensortap::Trial& trial) {
  object["damage"] = json_of(trial.damage());
  const tensortap::RunLosses lost = trial.losses();
  object["lost"] = lost.empty() ? Json() : Json{{"steps", lost.steps},         {"tensors", lost.tensors},
                                                {"bytes", lost.bytes},         {"first_step", lost.first_step},
                                                {"last_step", lost.last_step}, {"error", lost.error}};
  object["thinned"] = Json::array();
  for (const tensortap::Thinning& one : trial.thinned())
    object["thinned"].push_back({{"detail", to_string(one.detail)},
                                 {"first_step", one.first_step},
                                 {"last_step", one.last_step},
                                 {"saved", one.saved},
                                 {"passed_over", one.passed_over}});
}

}  // namespace tensortap_command
