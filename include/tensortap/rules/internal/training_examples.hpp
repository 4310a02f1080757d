// The running counts of labels and predictions: a part of the bodies of training_facts.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/example_rows.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE double ExampleBlock::correct_of_constant(double deviations) const {
  const double p = majority > 0.7 ? by_chance : std::max(majority, by_chance);
  return p + deviations * std::sqrt(p * (1 - p) / static_cast<double>(predictions));
}

TENSORTAP_INLINE double ExampleBlock::advantage() const {
  if (predictions < Examples::block_size) return 0;
  if (label_variance > 0) return std::max(0.0, 1 - squared_error / label_variance);
  const double by_constant = std::max(majority, by_chance);
  return by_constant < 1 ? std::max(0.0, (correct - by_constant) / (1 - by_constant)) : 0;
}

TENSORTAP_INLINE bool ExampleBlock::is_no_better_than_constant(double deviations) const {
  if (predictions < Examples::block_size) return false;
  if (label_variance > 0) return squared_error >= 0.98 * label_variance;
  const double others = (1 - majority) * static_cast<double>(examples);
  return others > static_cast<double>(Examples::least_others) - 0.5 && correct <= correct_of_constant(deviations);
}

TENSORTAP_INLINE void ExampleBlock::exchange(RuleState& state) {
  state(number)(examples)(predictions)(guesses)(correct)(by_chance)(majority)(top_prediction);
  state(label_variance)(prediction_variance)(squared_error);
}

TENSORTAP_INLINE void Examples::Open::exchange(RuleState& state) {
  state(examples)(predictions)(guesses)(correct)(labels)(predicted);
  state(label_sum)(label_squares)(prediction_sum)(prediction_squares)(squared_error);
}

TENSORTAP_INLINE void Examples::exchange(RuleState& state) {
  state(task)(classes)(count)(labels)(predicted)(right);
  state(label_mean)(label_deviations)(label_abs_deviations)(label_huber_deviations)(block)(open);
  state.require(task <= Task::regression);
}

TENSORTAP_INLINE void Examples::add(const Tensor& tensor, const Tensor* predictions, LossKind kind, double limit) {
  const bool is_of_one = detail::read_classes(tensor, labels_now);
  const bool are_classes = is_of_one || (kind == LossKind::binary && detail::read_answers(tensor, labels_now));
  const bool is_table = are_classes && labels_now.size() < tensor.size();
  const bool has_scores =  // of each class
      are_classes && predictions != nullptr &&
      detail::PredictionRows(*predictions, labels_now.size(), limit).width() > 1;
  const bool of_numbers =
      !has_scores && (kind == LossKind::squared || kind == LossKind::absolute || kind == LossKind::huber);
  const bool of_classes = kind == LossKind::cross_entropy || kind == LossKind::other;
  const Task found = are_classes && (is_table || !of_numbers) ? Task::classification : Task::regression;
  if (found == Task::regression && (of_classes || task == Task::classification)) {
    labels_now.clear();
    if (of_classes || is_table) return;  // such labels tell nothing
    *this = {};                          // what looked like classes are numbers
  }
  if (task == Task::unknown) task = found;
  const std::size_t rows = task == Task::classification ? labels_now.size() : tensor.size();
  const detail::PredictionRows predicted_rows =
      predictions == nullptr ? detail::PredictionRows() : detail::PredictionRows(*predictions, rows, limit);
  if (task == Task::classification) classes = std::max(classes, static_cast<std::int64_t>(predicted_rows.width()));
  constexpr std::size_t most_numbers = std::size_t{1} << 17;  // of predictions, a fraction of a millisecond
  const std::size_t used = std::min(rows, std::max<std::size_t>(16, most_numbers / (predicted_rows.width() + 1)));
  if (task == Task::regression) {
    labels_now.clear();
    const bool is_binary = kind == LossKind::binary;  // probabilities are predicted, maybe as scores
    for (std::size_t row = 0; row < used; ++row)
      add_number(tensor.number(row), is_binary ? predicted_rows.probability(row) : predicted_rows.number(row));
  } else {
    labels_now.resize(used);
    for (std::size_t row = 0; row < used; ++row) {
      const std::int32_t guess = predicted_rows.class_of(row);
      if (predicted_rows.width() > 0) predicted_now.push_back(guess);
      add_class(labels_now[row], guess);
    }
  }
  end_block_if_full();
}

TENSORTAP_INLINE void Examples::add_counts(const std::vector<std::int64_t>& labels_by_class,
                                           const std::vector<std::int64_t>& predicted_by_class) {
  if (task == Task::regression) return;
  task = Task::classification;
  const auto add = [](std::vector<std::int64_t>& to, const std::vector<std::int64_t>& more) {
    to.resize(std::max(to.size(), more.size()));
    for (std::size_t i = 0; i < more.size(); ++i) to[i] += more[i];
  };
  for (const std::int64_t n : labels_by_class) count += n, open.examples += n;
  add(labels, labels_by_class);
  add(open.labels, labels_by_class);
  for (const std::int64_t n : predicted_by_class) open.guesses += n;
  add(predicted, predicted_by_class);
  add(open.predicted, predicted_by_class);
  classes = std::max(classes, static_cast<std::int64_t>(predicted_by_class.size()));
  label_counts_now = labels_by_class;
  end_block_if_full();
}

TENSORTAP_INLINE void Examples::end_block_if_full() {
  const bool has_others =
      task == Task::regression || open.examples - detail::largest_count(open.labels) >= least_others;
  if (open.examples >= block_size && (has_others || open.examples >= longest_block)) end_block();
}

TENSORTAP_INLINE void Examples::add_class(std::int32_t label, std::int32_t prediction) {
  if (label == no_class) return;
  ++count;
  ++open.examples;
  detail::count_at(labels, label);
  detail::count_at(open.labels, label);
  if (prediction == no_class) return;
  ++open.predictions;
  ++open.guesses;
  detail::count_at(predicted, prediction);
  detail::count_at(open.predicted, prediction);
  if (prediction != label) return;
  detail::count_at(right, label);
  ++open.correct;
}

TENSORTAP_INLINE void Examples::add_number(double label, double prediction) {
  if (!std::isfinite(label)) return;
  ++count;
  ++open.examples;
  const double before = label - label_mean;
  label_mean += before / static_cast<double>(count);
  label_deviations += before * (label - label_mean);
  const double deviation = std::abs(label - label_mean);
  label_abs_deviations += deviation;
  label_huber_deviations += deviation < 1 ? deviation * deviation / 2 : deviation - 0.5;
  open.label_sum += label;
  open.label_squares += label * label;
  if (!std::isfinite(prediction)) return;
  ++open.predictions;
  ++open.guesses;
  open.prediction_sum += prediction;
  open.prediction_squares += prediction * prediction;
  open.squared_error += (prediction - label) * (prediction - label);
}

TENSORTAP_INLINE void Examples::end_block() {
  using detail::share;
  block_ends = true;
  block = {.number = block.number + 1,
           .examples = open.examples,
           .predictions = open.predictions,
           .guesses = open.guesses,
           .correct = share(static_cast<double>(open.correct), open.predictions),
           .by_chance = detail::agreement_by_chance(open.labels, open.examples, open.predicted, open.predictions),
           .majority = share(static_cast<double>(detail::largest_count(open.labels)), open.examples),
           .top_prediction = share(static_cast<double>(detail::largest_count(open.predicted)), open.guesses),
           .label_variance = detail::variance_of(open.label_sum, open.label_squares, open.examples),
           .prediction_variance = detail::variance_of(open.prediction_sum, open.prediction_squares, open.predictions),
           .squared_error = share(open.squared_error, open.predictions)};
  std::vector<std::int64_t> label_counts = std::move(open.labels);
  std::vector<std::int64_t> predicted_counts = std::move(open.predicted);
  std::fill(label_counts.begin(), label_counts.end(), 0);
  std::fill(predicted_counts.begin(), predicted_counts.end(), 0);
  open = {};
  open.labels = std::move(label_counts);
  open.predicted = std::move(predicted_counts);
}

TENSORTAP_END_NAMESPACE
