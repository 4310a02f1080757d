#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"
#include "runs.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int check(const std::string& run, std::ostream& out) {
  const tt::Trial trial = open_run("check", run);
  std::size_t tensors = 0;
  std::size_t records = 0;
  for (const tt::TensorHistory& tensor : trial.tensors()) {
    ++tensors;
    for (const std::int64_t step : tensor.steps())
      for (const std::string& worker : tensor.workers(step)) {
        if (tensor.value(step, worker)) ++records;
        records += tensor.saved_reductions(step, worker).size();
      }
  }
  const int code = report_damage(trial, out);
  const auto incomplete = trial.steps(tt::Mode::global, tt::Completeness::any).size() - trial.steps().size();
  out << (code == 0 ? "sound" : "damaged") << ": " << tensors << " tensors, " << records << " records read, "
      << trial.steps().size() << " complete steps, " << incomplete << " incomplete, "
      << (trial.ended() ? "ended" : "not ended") << ", " << trial.damage().size() << " damaged\n";
  return code;
}

}  // namespace tensortap_command
