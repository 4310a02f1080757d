// The bodies of prediction_collapse.hpp.
#pragma once

#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/prediction_collapse.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> PredictionCollapse::required() const { return {detail::every_answer()}; }

TENSORTAP_INLINE std::vector<Finding> PredictionCollapse::operator()(const JudgedStep& step) {
  for (const double value : {top_share, variance_share})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  for (const std::int64_t value : {start, patience})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  const Examples& examples = step.facts().examples_of(step.step().mode);
  if (!examples.block_ends || examples.block.guesses == 0) return {};
  detail::note_examples(step);
  const ExampleBlock& block = examples.block;
  Finding found;
  bool is_bad = false;
  if (examples.task == Task::classification) {
    found.value = block.top_prediction;
    found.threshold = top_share;
    is_bad = block.top_prediction >= top_share && block.majority < 0.8 * block.top_prediction;
    found.message = shortest(block.top_prediction) + " of the last " + std::to_string(block.guesses) +
                    " predictions are one class, and " + shortest(block.majority) +
                    " of the labels; check initialisation, learning rate and dead units";
  } else {
    found.value = block.prediction_variance;
    found.threshold = variance_share * block.label_variance;
    is_bad = block.label_variance > 0 && found.value < found.threshold;
    found.message = "the variance of the last " + std::to_string(block.predictions) + " predictions is " +
                    shortest(block.prediction_variance) + ", and that of the labels " + shortest(block.label_variance) +
                    "; check initialisation, learning rate and dead units";
  }
  std::int64_t& bad_blocks = state.bad_blocks[index_of(step.step().mode)];
  bad_blocks = is_bad && step.step().global_step >= start ? bad_blocks + 1 : 0;
  if (bad_blocks < patience) return {};
  return {std::move(found)};
}

TENSORTAP_INLINE void PredictionCollapse::visit(ParameterVisitor& visitor) {
  visitor("top_share", top_share, "so many predictions of one class, or more, are a finding");
  visitor("variance_share", variance_share,
          "a variance of predicted numbers below this share of that of the labels is one");
  visitor("start", start, "the global step after which blocks of examples count");
  visitor("patience", patience, "blocks of at least 200 examples in a row");
}

TENSORTAP_END_NAMESPACE
