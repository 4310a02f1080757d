// Stops a training by a rule of your own.
//
// A rule is a callable that takes one step and returns what it found; it may keep what it saw in earlier steps. Here
// Judge runs it in the training process, on the thread that writes. evaluate() runs the same rule over a stored run.
#include <cmath>
#include <iostream>
#include <optional>
#include <tensortap/tensortap.hpp>

namespace tt = tensortap;

/// Finds a loss that is NaN, or that grows in three steps in a row.
struct LossDiverges {
  static constexpr std::string_view name = "LossDiverges";

  double last = std::nan("");
  int growing = 0;

  std::vector<tt::Collection> required() const {
    return {{.name = "losses", .include_regex = "^loss$", .save = tt::every(1)}};
  }

  std::optional<tt::Finding> operator()(const tt::StepView& step) {
    const auto loss = step.reduction("loss", tt::Reduction::mean);
    if (!loss) return std::nullopt;
    growing = *loss > last ? growing + 1 : 0;
    last = *loss;
    if (std::isnan(*loss)) return tt::Finding{.tensor = "loss", .value = *loss, .message = "it is NaN"};
    if (growing < 3) return std::nullopt;
    return tt::Finding{.tensor = "loss", .value = *loss, .message = "it grew in three steps in a row"};
  }
};

int main() {
  tt::StopSignal stop;
  tt::Hook hook("runs/own_rule",
                {.collections = tt::required_by({LossDiverges()}),
                 .stop = stop,
                 .on_step = tt::Judge({LossDiverges()}, {tt::Print{std::cout}, tt::StopTraining{stop}})});
  double weight = 1;
  while (hook.next_step() < 1000 && !hook.interrupted()) {
    hook.begin_step();
    hook.save("loss", weight * weight);
    weight -= 1.1 * 2 * weight;  // this learning rate is too large
    hook.flush();                // so that the writer has judged the step; a real loop need not wait
  }
  std::cout << "stopped after step " << hook.step() << ", because of a " << to_string(stop.reason()) << '\n';
  hook.close();

  const auto verdict = tt::evaluate(tt::Trial("runs/own_rule"), {LossDiverges()});
  std::cout << verdict.findings.size() << " findings in the stored run\n";
}
