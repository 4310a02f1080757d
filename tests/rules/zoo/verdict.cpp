#include "verdict.hpp"

#include <algorithm>

#include "loss.hpp"

namespace zoo {

namespace {

bool has_risen(const Chance& chance, const Outcome& outcome) {
  return outcome.loss > outcome.best_loss + 0.25 * chance.loss;
}

}  // namespace

Chance chance_of(const Task& task) {
  const Examples& examples = task.evaluation;
  Chance chance{constant_loss(task.loss, task.classes, examples.labels, examples.targets), 0};
  for (std::size_t c = 0; c < task.classes; ++c) {
    const auto count = std::count(examples.labels.begin(), examples.labels.end(), static_cast<std::int64_t>(c));
    chance.score = std::max(chance.score, static_cast<double>(count) / static_cast<double>(examples.size()));
  }
  return chance;
}

bool has_learned(const Task& task, const Outcome& outcome) {
  const Chance chance = chance_of(task);
  return closed_part(chance.score, outcome.score, task.attainable) >= 0.75 && !has_risen(chance, outcome);
}

double closed_part(double chance, double outcome, double twin) { return (outcome - chance) / (twin - chance); }

bool is_worse(const Task& task, const Outcome& outcome, const Outcome& twin) {
  const Chance chance = chance_of(task);
  const double loss = closed_part(chance.loss, outcome.loss, twin.loss);
  return closed_part(chance.score, outcome.score, twin.score) < 0.7 || loss < 0.25 ||
         (loss < 0.5 && has_risen(chance, outcome));
}

}  // namespace zoo
