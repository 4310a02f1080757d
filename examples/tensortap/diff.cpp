#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "numbers.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;
using nlohmann::json;

json as_json(const std::optional<std::string>& text) { return text ? json(*text) : json(nullptr); }

/// Returns a number as JSON; NaN and infinities, which JSON lacks, as text.
json as_json(double value) { return std::isfinite(value) ? json(value) : json(number_text(value)); }

json as_json(const std::optional<tt::TensorDifference>& found) {
  if (!found) return nullptr;
  const char* const kinds[] = {"value", "shape", "dtype", "absent"};
  json out = {{"kind", kinds[static_cast<int>(found->kind)]},
              {"step", found->step.global_step},
              {"mode", tt::to_string(found->step.mode)},
              {"mode_step", found->step.mode_step},
              {"tensor", found->tensor},
              {"worker", found->worker},
              {"first", found->first},
              {"second", found->second}};
  if (!found->reduction.empty()) out["reduction"] = found->reduction;
  if (found->index) out["index"] = *found->index;
  if (found->largest) out["largest"] = as_json(*found->largest);
  if (found->tolerance) out["tolerance"] = as_json(*found->tolerance);
  return out;
}

void print_differences(const tt::RunDifferences& found, std::ostream& out) {
  json facts = json::object();
  for (const auto& [name, values] : found.facts) facts[name] = {as_json(values.first), as_json(values.second)};
  json curves = json::array();
  for (const tt::CurveDifference& curve : found.curves)
    curves.push_back({{"tensor", curve.tensor},
                      {"mode", tt::to_string(curve.mode)},
                      {"steps", curve.steps},
                      {"last_step", curve.last_step},
                      {"last", {as_json(curve.first), as_json(curve.second)}},
                      {"largest", as_json(curve.largest)},
                      {"largest_step", curve.largest_step}});
  const json root = {{"same_values", found.same_values()},
                     {"facts", facts},
                     {"collections", found.collections},
                     {"tensors_only_in", {found.only_first, found.only_second}},
                     {"common_steps", found.common_steps},
                     {"steps_only_in", {found.steps_only_first, found.steps_only_second}},
                     {"compared", found.compared},
                     {"equal", found.equal},
                     {"within_round_off", found.within},
                     {"first_other_bits", as_json(found.first_bits)},
                     {"first_difference", as_json(found.first)},
                     {"curves", curves},
                     {"damage", found.damage}};
  out << root.dump(2, ' ', true, json::error_handler_t::replace) << '\n';
}

/// Returns "conv1.weight, step 3 of TRAIN (global step 7), worker_0".
std::string place_of(const tt::TensorDifference& found) {
  std::string out = tt::escaped(found.tensor) + ", ";
  if (found.step.mode != tt::Mode::global)
    out += "step " + std::to_string(found.step.mode_step) + " of " + std::string(tt::to_string(found.step.mode)) + ", ";
  out += "global step " + std::to_string(found.step.global_step) + ", " + tt::escaped(found.worker);
  if (!found.reduction.empty()) out += ", " + tt::escaped(found.reduction);
  if (found.index) out += ", element " + std::to_string(*found.index);
  return out;
}

void print_difference(const char* title, const tt::TensorDifference& found, std::ostream& out) {
  out << title << ": " << place_of(found) << ": " << tt::escaped(found.first) << " and " << tt::escaped(found.second);
  if (found.largest && found.tolerance)
    out << "; at most " << number_text(*found.largest)
        << " apart in this tensor (round-off: " << number_text(*found.tolerance) << ")";
  out << '\n';
}

void print_text(const tt::RunDifferences& found, std::ostream& out) {
  for (const auto& [name, values] : found.facts)
    out << "fact " << tt::escaped(name) << ": " << (values.first ? tt::in_quotes(*values.first) : "none") << " and "
        << (values.second ? tt::in_quotes(*values.second) : "none") << '\n';
  for (const std::string& name : found.collections) out << "collection " << tt::escaped(name) << ": not the same\n";
  if (!found.only_first.empty()) out << "tensors of the first run alone: " << listed(found.only_first) << '\n';
  if (!found.only_second.empty()) out << "tensors of the second run alone: " << listed(found.only_second) << '\n';
  if (found.steps_only_first > 0) out << "of the first run alone: " << plural(found.steps_only_first, "step") << '\n';
  if (found.steps_only_second > 0)
    out << "of the second run alone: " << plural(found.steps_only_second, "step") << '\n';
  for (const tt::CurveDifference& curve : found.curves)
    if (curve.largest_step >= 0)
      out << "curve " << tt::escaped(curve.tensor) << " (" << tt::to_string(curve.mode) << "): in step "
          << curve.last_step << ' ' << number_text(curve.first) << " and " << number_text(curve.second) << "; at most "
          << number_text(curve.largest) << " apart, in step " << curve.largest_step << '\n';
  if (found.first_bits && found.first_bits != found.first) print_difference("first other bits", *found.first_bits, out);
  if (found.first) print_difference("first difference", *found.first, out);
  for (const std::string& one : found.damage) out << "damaged: " << one << '\n';
  const std::size_t differ = found.compared - found.equal - found.within;
  out << "compared: " << plural(found.compared, "value") << " in " << plural(found.common_steps, "step") << ": "
      << found.equal << " equal, " << found.within << " within round-off, " << differ << " different\n";
}

}  // namespace

int diff(const std::string& first, const std::string& second, const Diff& how, std::ostream& out) {
  const tt::Trial one = open_run("diff", first), other = open_run("diff", second);
  const tt::RunDifferences found = tt::compare(
      one, other, {.query = {.include_regex = how.tensors, .mode = how.mode}, .round_offs = how.round_offs});
  if (found.compared == 0 && found.damage.empty() && !found.first && found.only_first.empty() &&
      found.only_second.empty()) {
    require_tensors("diff", one, how.tensors);
    throw std::runtime_error(
        "diff: nothing was compared: no tensor of the options was saved in a step that both runs have");
  }
  if (how.json) {
    print_differences(found, out);
  } else {
    print_text(found, out);
  }
  return found.same_values() && found.damage.empty() ? 0 : 1;
}

}  // namespace tensortap_command
