#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"
#include "runs.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int check(const std::string& run, std::ostream& out) {
  const tt::Trial trial = open_run("check", run);
  const tt::VerifiedRecords read = trial.verify();
  const int code = report_damage(trial, out);
  for (const tt::RepeatedStep& step : trial.repeated_steps()) {
    out << "repeated: " << tt::to_string(step.mode) << " step " << step.mode_step << " is in the global steps";
    for (const std::int64_t global_step : step.global_steps) out << ' ' << global_step;
    out << "; a history of a tensor shows the last of them\n";
  }
  const auto incomplete = trial.steps(tt::Mode::global, tt::Completeness::any).size() - trial.steps().size();
  out << (!trial.damage().empty() ? "damaged"
          : code != 0             ? "incomplete"
                                  : "sound")
      << ": " << read.tensors << " tensors, " << read.records << " records read, " << trial.steps().size()
      << " complete steps, " << incomplete << " incomplete, " << (trial.ended() ? "ended" : "not ended") << ", "
      << trial.damage().size() << " damaged\n";
  return code;
}

}  // namespace tensortap_command
