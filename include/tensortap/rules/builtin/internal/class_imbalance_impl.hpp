// The bodies of class_imbalance.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/class_imbalance.hpp>
#include <tensortap/rules/builtin/internal/answers_now.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/internal/example_rows.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> ClassImbalance::required() const { return {detail::every_answer()}; }

TENSORTAP_INLINE std::vector<Finding> ClassImbalance::operator()(const JudgedStep& step) {
  for (const double value : {threshold_imbalance, threshold_misprediction})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  for (const std::int64_t value : {samples, start})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  std::vector<Finding> out;
  const detail::AnswersNow now(step, labels_regex, predictions_regex);
  const bool is_named = !labels_regex.empty() || !predictions_regex.empty();
  const std::vector<std::int64_t> no_counts;
  const auto& label_counts = is_named ? no_counts : step.facts().examples_of(step.step().mode).label_counts_now;
  if (now.labels().empty() && label_counts.empty()) return out;
  if (!label_counts.empty()) detail::note_examples(step);
  Counts& counts = state.windows[since_beginning ? 0 : index_of(step.step().mode)];
  for (std::size_t i = 0; i < now.labels().size(); ++i) {
    const std::int32_t label = now.labels()[i];
    if (label == Examples::no_class) continue;
    ++counts.total;
    detail::count_at(counts.labels, label);
    if (i >= now.predictions().size() || now.predictions()[i] == Examples::no_class) continue;
    // By label: how many have a prediction, and how many of these are right.
    detail::count_at(counts.predicted, label);
    if (now.predictions()[i] == label) detail::count_at(counts.right, label);
  }
  counts.labels.resize(std::max(counts.labels.size(), label_counts.size()));
  for (std::size_t i = 0; i < label_counts.size(); ++i) {
    counts.labels[i] += label_counts[i];
    counts.total += label_counts[i];
  }
  if (counts.total < samples) return out;
  judge(step, counts, out);
  if (since_beginning) return out;
  counts.total = 0;
  for (std::vector<std::int64_t>* of : {&counts.labels, &counts.predicted, &counts.right})
    std::fill(of->begin(), of->end(), 0);
  return out;
}

TENSORTAP_INLINE void ClassImbalance::judge(const JudgedStep& step, Counts& counts, std::vector<Finding>& out) const {
  std::int64_t smallest = counts.total;
  std::int64_t all_right = 0;
  std::int64_t all_predicted = 0;
  for (const std::int64_t n : counts.labels) smallest = n > 0 ? std::min(smallest, n) : smallest;
  for (const std::int64_t n : counts.right) all_right += n;
  for (const std::int64_t n : counts.predicted) all_predicted += n;
  const double imbalance = static_cast<double>(detail::largest_count(counts.labels)) / static_cast<double>(smallest);
  if (imbalance > threshold_imbalance)
    out.push_back({.severity = since_beginning ? Severity::error : Severity::advice,
                   .value = imbalance,
                   .threshold = threshold_imbalance,
                   .message = "among " + std::to_string(counts.total) + " labels, one class is " + shortest(imbalance) +
                              " times as frequent as another; weight the classes, or draw them equally often"});
  if (!since_beginning && detail::largest_count(counts.labels) == counts.total)
    out.push_back({.value = 1,
                   .threshold = 1,
                   .message = "all " + std::to_string(counts.total) +
                              " labels are of one class; look how labels are read, and shuffle the examples"});
  counts.was_bad.resize(counts.labels.size());
  Finding worst{.value = 0};
  for (std::size_t i = 0; i < counts.predicted.size(); ++i) {
    const std::int64_t n = counts.predicted[i];
    const std::int64_t right = i < counts.right.size() ? counts.right[i] : 0;
    const double wrong = 1 - detail::share(static_cast<double>(right), n);
    const bool others_are_right = detail::share(static_cast<double>(all_right - right), all_predicted - n) > 0.6;
    const bool is_enough = since_beginning ? n > 0 : n >= 20 && others_are_right && step.step().global_step >= start;
    const bool is_bad = is_enough && wrong > threshold_misprediction;
    const bool counts_now = is_bad && (since_beginning || counts.was_bad[i] != 0);
    counts.was_bad[i] = is_bad ? 1 : 0;
    if (!counts_now || wrong <= worst.value) continue;
    // A class that is hard to tell from others may take long. One that is rare in training is often left out at little
    // cost; in an evaluation where it is not rare, that is a fault.
    const double usual =
        detail::share(static_cast<double>(all_predicted), static_cast<std::int64_t>(counts.predicted.size()));
    // While the training loss is high, the class may still be learned.
    constexpr std::size_t few = 8;
    const LossSeries& loss = step.facts().trained_loss();
    const bool is_trained = loss.count == 0 || loss.recent_mean(few) < 0.3 * loss.first;
    const bool is_ignored =
        step.step().mode == Mode::eval && static_cast<double>(n) >= 0.6 * usual && wrong > 0.95 && is_trained;
    worst.severity = since_beginning || is_ignored ? Severity::error : Severity::advice;
    worst.value = wrong;
    worst.threshold = threshold_misprediction;
    worst.message = shortest(wrong) + " of the " + std::to_string(n) + " predictions for class " + std::to_string(i) +
                    " are wrong; weight the classes, or draw them equally often";
  }
  if (worst.value > 0) out.push_back(std::move(worst));
}

TENSORTAP_INLINE void ClassImbalance::visit(ParameterVisitor& visitor) {
  visitor("threshold_imbalance", threshold_imbalance, "the largest count of a class over the smallest");
  visitor("threshold_misprediction", threshold_misprediction, "wrong predictions over all of a class");
  visitor("samples", samples, "labels in a window, or before the first verdict");
  visitor("start", start, "the global step after which windows count");
  visitor("since_beginning", since_beginning, "true: the condition of smdebug");
  visitor("labels_regex", labels_regex, "the tensor of labels; empty: as its name tells");
  visitor("predictions_regex", predictions_regex, "the tensor of predictions; empty: as its name tells");
}

TENSORTAP_END_NAMESPACE
