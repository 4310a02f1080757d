#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int check(const std::string& run, std::ostream& out) {
  const tt::Trial trial(run);
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
  const auto damage = trial.damage();
  for (const tt::Damage& d : damage) out << "damaged: " << tt::escaped(d.where + ": " + d.cause) << '\n';
  const auto incomplete = trial.steps(tt::Mode::global, tt::Completeness::any).size() - trial.steps().size();
  out << (damage.empty() ? "sound" : "damaged") << ": " << tensors << " tensors, " << records << " records read, "
      << trial.steps().size() << " complete steps, " << incomplete << " incomplete, "
      << (trial.ended() ? "ended" : "not ended") << ", " << damage.size() << " damaged\n";
  return damage.empty() ? 0 : 1;
}

}  // namespace tensortap_command
