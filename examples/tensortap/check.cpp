#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"
#include "json_text.hpp"
#include "runs.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int check(const std::string& run, bool json, std::ostream& out) {
  const tt::Trial trial = open_run("check", run);
  const tt::VerifiedRecords read = trial.verify();
  const auto incomplete = trial.steps(tt::Mode::global, tt::Completeness::any).size() - trial.steps().size();
  const auto verdict_for = [&](int code) {
    if (!trial.damage().empty()) return "damaged";
    return code != 0 ? "incomplete" : "sound";
  };
  if (json) {
    const int code = trial.damage().empty() && trial.losses().empty() ? 0 : 1;
    Json object = {{"verdict", verdict_for(code)},   {"tensors", read.tensors},
                   {"records", read.records},        {"complete_steps", trial.steps().size()},
                   {"incomplete_steps", incomplete}, {"ended", trial.ended()}};
    add_gaps(object, trial);
    object["repeated"] = Json::array();
    for (const tt::RepeatedStep& step : trial.repeated_steps())
      object["repeated"].push_back(
          {{"mode", tt::to_string(step.mode)}, {"mode_step", step.mode_step}, {"global_steps", step.global_steps}});
    print_json(object, out);
    return code;
  }
  const int code = report_damage(trial, out);
  for (const tt::RepeatedStep& step : trial.repeated_steps()) {
    out << "repeated: " << tt::to_string(step.mode) << " step " << step.mode_step << " is in the global steps";
    for (const std::int64_t global_step : step.global_steps) out << ' ' << global_step;
    out << "; a history of a tensor shows the last of them\n";
  }
  out << verdict_for(code) << ": " << read.tensors << " tensors, " << read.records << " records read, "
      << trial.steps().size() << " complete steps, " << incomplete << " incomplete, "
      << (trial.ended() ? "ended" : "not ended") << ", " << trial.damage().size() << " damaged\n";
  return code;
}

}  // namespace tensortap_command
