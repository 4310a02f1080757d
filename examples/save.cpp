// Saves the tensors of a training loop and reads them back.
//
// Three collections of one run: the losses in each step, all statistics of the gradients in the steps 1, 2, 3 and each
// 100th, and the weights, whose elements are saved each 250th step. `due` tells whether a step saves a collection, so
// that a loop can leave out the work of fetching its tensors. The files lie in runs/save.
#include <iostream>
#include <tensortap/tensortap.hpp>
#include <vector>

namespace tt = tensortap;
using R = tt::Reduction;

int main() {
  tt::Hook hook("runs/save", {.collections = {
                                  {.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                                  {.name = "gradients",
                                   .include_regex = "\\.grad$",
                                   .save = tt::every(100) | tt::at({1, 2, 3}),
                                   .reductions = {R::statistics}},
                                  {.name = "weights", .include_regex = "^weight$", .save = tt::every(250)},
                              }});
  std::vector<float> weight = {4, -3, 2, -1}, gradient(weight.size());
  for (int i = 0; i < 500; ++i) {
    hook.begin_step();
    float loss = 0;
    for (std::size_t j = 0; j < weight.size(); ++j) {
      loss += weight[j] * weight[j];
      gradient[j] = 2 * weight[j];
      weight[j] -= 0.01F * gradient[j];
    }
    hook.save("loss", loss);
    hook.save("weight", weight);
    if (hook.due("gradients")) hook.save("weight.grad", gradient);
  }
  hook.close();

  const tt::Trial trial("runs/save");
  std::cout << "runs/save has " << trial.steps().size() << " steps of " << trial.tensors().size() << " tensors\n";
  const tt::TensorHistory gradients = trial.tensor("weight.grad");
  for (const auto step : gradients.steps())
    if (const auto s = gradients.statistics(step))
      std::cout << "step " << step << ": " << s->count << " gradients, l2 " << s->l2() << ", " << s->nan << " NaN\n";
  const auto last = trial.tensor("weight").value(250);
  std::cout << "weight in step 250: " << last->size() << " elements, the first is " << last->number(0) << '\n';
}
