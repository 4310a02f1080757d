#include <algorithm>
#include <iomanip>
#include <set>
#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

std::string shape_text(const tt::Tensor::Shape& shape) {
  std::string out = "[";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) out += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  return out + "]";
}

/// Returns the number of attempts; 0 if it is unknown.
std::size_t attempts_of(const tt::Trial& trial) {
  std::set<std::int64_t> numbers;
  for (const tt::Attempt& attempt : trial.attempts()) numbers.insert(attempt.number);
  return numbers.size();
}

std::string range_text(const std::vector<std::int64_t>& steps) {
  if (steps.empty()) return "no steps";
  std::string out = plural(steps.size(), "step") + ", " + std::to_string(steps.front());
  if (steps.size() > 1) out += " to " + std::to_string(steps.back());
  return out;
}

/// Prints one line for each innermost row, at most `limit` elements.
void print_elements(const tt::Tensor& tensor, std::size_t limit, std::ostream& out) {
  const std::size_t row =
      tensor.rank() == 0 ? 1 : static_cast<std::size_t>(std::max<std::int64_t>(tensor.shape().back(), 1));
  const std::size_t shown = std::min(tensor.size(), limit);
  for (std::size_t i = 0; i < shown; ++i) {
    if (tensor.dtype() == tt::DType::string) {
      out << tt::in_quotes(tensor.strings()[i]);
    } else {
      out << tensor.number(i);
    }
    out << ((i + 1) % row == 0 || i + 1 == shown ? '\n' : ' ');
  }
  if (shown < tensor.size()) out << "… " << tensor.size() - shown << " more; --all shows them\n";
}

void print_reductions(const tt::TensorHistory& tensor, std::int64_t step, const std::string& worker,
                      std::ostream& out) {
  for (const auto& [name, value] : tensor.saved_reductions(step, worker)) {
    if (name == tt::to_string(tt::Reduction::statistics) || value.dtype() == tt::DType::string) continue;
    out << "  " << std::left << std::setw(14) << tt::escaped(name) << std::right;
    for (std::size_t i = 0; i < std::min<std::size_t>(value.size(), 4); ++i) out << ' ' << value.number(i);
    out << '\n';
  }
}

int show_step(const tt::TensorHistory& tensor, const Show& what, std::ostream& out) {
  const std::int64_t step = *what.step;
  const auto workers = what.worker.empty() ? tensor.workers(step) : std::vector<std::string>{what.worker};
  bool any = false;
  for (const std::string& worker : workers) {
    const auto value = tensor.value(step, worker);
    const auto shape = tensor.shape(step, worker);
    if (!value && !shape && tensor.saved_reductions(step, worker).empty()) continue;
    any = true;
    out << tt::escaped(tensor.name()) << ", step " << step << ", " << tt::escaped(worker);
    if (value) out << ", " << tt::to_string(value->dtype());
    if (shape) out << ", shape " << shape_text(*shape);
    out << '\n';
    print_reductions(tensor, step, worker, out);
    if (value) print_elements(*value, what.all ? value->size() : 100, out);
  }
  if (!any)
    out << tt::escaped(tensor.name()) << ": nothing was saved in step " << step << " (" << range_text(tensor.steps())
        << ")\n";
  return any ? 0 : 1;
}

/// Prints minimum, mean and maximum, one line for each step.
int show_history(const tt::TensorHistory& tensor, const Show& what, std::ostream& out) {
  out << std::setw(12) << "step" << std::setw(14) << "min" << std::setw(14) << "mean" << std::setw(14) << "max" << '\n';
  for (const std::int64_t step : tensor.steps()) {
    out << std::setw(12) << step;
    for (const tt::Reduction r : {tt::Reduction::min, tt::Reduction::mean, tt::Reduction::max}) {
      const auto value = tensor.reduction(step, r, what.worker);
      out << std::setw(14);
      value ? out << *value : out << "-";
    }
    out << '\n';
  }
  return 0;
}

}  // namespace

int list(const std::string& run, std::ostream& out) {
  const tt::Trial trial(run);
  out << tt::escaped(run) << (trial.ended() ? ": ended" : ": running or interrupted") << ", "
      << plural(static_cast<std::size_t>(trial.num_workers()), "worker");
  if (const std::size_t attempts = attempts_of(trial)) out << ", " << plural(attempts, "attempt");
  out << '\n';
  for (const tt::Mode mode : trial.modes())
    out << "  " << tt::to_string(mode) << ": " << range_text(trial.steps(mode)) << '\n';
  if (!trial.collections().empty()) out << "\ncollections\n";
  for (const tt::Collection& collection : trial.collections())
    out << "  " << tt::escaped(collection.name) << ": "
        << plural(trial.tensors({.collection = collection.name}).size(), "tensor") << '\n';
  out << "\ntensors\n";
  for (const tt::TensorHistory& tensor : trial.tensors())
    out << "  " << tt::escaped(tensor.name()) << ": " << range_text(tensor.steps()) << ", " << tensor.stored_bytes()
        << " bytes\n";
  for (const tt::Damage& damage : trial.damage())
    out << "damaged: " << tt::escaped(damage.where + ": " + damage.cause) << '\n';
  return 0;
}

int show(const std::string& run, const Show& what, std::ostream& out) {
  const tt::Trial trial(run);
  const auto tensor = trial.tensor(what.tensor, tt::parse_mode(what.mode).value_or(tt::Mode::global));
  const int code = what.step ? show_step(tensor, what, out) : show_history(tensor, what, out);
  for (const tt::Damage& damage : trial.damage())
    out << "damaged: " << tt::escaped(damage.where + ": " + damage.cause) << '\n';
  return code;
}

}  // namespace tensortap_command
