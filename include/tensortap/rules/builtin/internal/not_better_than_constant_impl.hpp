// The bodies of not_better_than_constant.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/not_better_than_constant.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> NotBetterThanConstant::required() const { return {detail::every_answer()}; }

TENSORTAP_INLINE std::vector<Finding> NotBetterThanConstant::operator()(const JudgedStep& step) {
  if (!(deviations >= 0)) throw Error::bad_threshold(name, deviations);
  for (const std::int64_t value : {start, patience})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  const Examples& examples = step.facts().examples_of(step.step().mode);
  if (!examples.block_ends || examples.block.predictions == 0) return {};
  detail::note_examples(step);
  const ExampleBlock& block = examples.block;
  Finding found;
  bool is_bad = false;
  if (examples.task == Task::classification) {
    const double others = (1 - block.majority) * static_cast<double>(block.examples);
    if (others < static_cast<double>(Examples::least_others) - 0.5) return {};
    found.value = block.correct;
    found.threshold = block.correct_of_constant(deviations);
    is_bad = found.value <= found.threshold;
    found.message = shortest(block.correct) + " of the last " + std::to_string(block.predictions) +
                    " predictions are right, and " + shortest(block.majority) +
                    " of the labels are the most frequent one; check labels, learning rate and loss";
  } else if (block.label_variance > 0) {
    found.value = block.squared_error;
    found.threshold = 0.98 * block.label_variance;
    is_bad = found.value >= found.threshold;
    found.message = "the squared error of the last " + std::to_string(block.predictions) + " predictions is " +
                    shortest(block.squared_error) + ", and the variance of the labels " +
                    shortest(block.label_variance) + "; check labels, learning rate and loss";
  }
  std::int64_t& bad_blocks = state.bad_blocks[index_of(step.step().mode)];
  bad_blocks = is_bad && step.step().global_step >= start ? bad_blocks + 1 : 0;
  if (bad_blocks < patience) return {};
  return {std::move(found)};
}

TENSORTAP_INLINE void NotBetterThanConstant::visit(ParameterVisitor& visitor) {
  visitor("deviations", deviations, "standard errors above a constant prediction");
  visitor("start", start, "the global step after which blocks of examples count");
  visitor("patience", patience, "blocks of at least 200 examples in a row");
}

TENSORTAP_END_NAMESPACE
