// What counts as learned, and what counts as broken: by the outcome, against a healthy twin.
#pragma once

#include "task.hpp"
#include "training.hpp"

namespace zoo {

/// What the best constant answer reaches in the evaluation.
struct Chance {
  double loss = 0, score = 0;
};

Chance chance_of(const Task& task);

/// Returns whether a healthy training has learned: it closes at least three quarters of the gap between chance and what
/// is attainable, and its loss in the evaluation has not risen above its best by a quarter of that of chance.
bool has_learned(const Task& task, const Outcome& outcome);

/// Returns the part of the gap between chance and the twin that an outcome closes.
double closed_part(double chance, double outcome, double twin);

/// Returns whether the outcome is materially worse than the twin's: it closes less than 70 % of the gap in the score;
/// or less than a quarter of the gap in the loss, or less than half of it if the loss has risen above its best by a
/// quarter of that of chance.
bool is_worse(const Task& task, const Outcome& outcome, const Outcome& twin);

}  // namespace zoo
