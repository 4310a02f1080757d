// The bodies of loss_plateau.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/loss_plateau.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the first values of an error of regression, if the weights were new: a network that knows nothing has an
/// error of at least about that of a constant prediction.
inline std::optional<double> level_of_fresh_network(const TrainingFacts& facts, const LossSeries& series) {
  constexpr std::size_t few = 3;
  const bool is_regression =
      series.kind == LossKind::squared || series.kind == LossKind::absolute || series.kind == LossKind::huber;
  if (!facts.is_from_scratch || !is_regression || series.history.means.size() < few) return std::nullopt;
  return mean_of(std::span(series.history.means).first(few));
}

}  // namespace detail

TENSORTAP_INLINE std::vector<Collection> LossPlateau::required() const {
  return {detail::every_loss(), detail::every_answer()};
}

TENSORTAP_INLINE std::vector<Finding> LossPlateau::operator()(const JudgedStep& step) {
  for (const double value : {error_share, advice_share})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  if (start < 0) throw Error::bad_threshold(name, static_cast<double>(start));
  const LossSeries* const series = detail::trained_loss_in(step);
  const std::int64_t at = step.step().mode_step;
  if (series == nullptr || at < start || at < state.next_check) return {};
  state.next_check = at + std::max<std::int64_t>(20, at / 10);
  const std::span<const double> means = series->history.means;
  const std::size_t quarter = means.size() / 4;
  const auto known = detail::chance_level(step, chance);
  const auto level = known ? known : detail::level_of_fresh_network(step.facts(), *series);
  if (quarter < 4 || !level) return {};
  const auto last = means.last(quarter);
  const detail::Fall fall = detail::fall_between(means.subspan(means.size() - 2 * quarter, quarter), last);
  const detail::Fall longer = detail::fall_between(means.subspan(means.size() - 3 * quarter, quarter), last);
  // The deviation of a few values is itself uncertain.
  const double more = quarter < 6 ? fall.deviation : 0;
  const bool is_still = fall.at_most() + more < 0.1 * fall.from || longer.at_most() + more < 0.2 * longer.from;
  const bool is_flat = fall.to > advice_share * *level && is_still;
  // No noise of labels keeps a loss above what it has been.
  const bool was_better = series->best_smooth < 0.6 * fall.to;
  const ExampleBlock& block = step.facts().examples_of(step.step().mode).block;
  const bool is_certain = !step.facts().predicts_sequences();
  const bool is_rarely_right =
      is_certain && detail::is_rarely_right(block) && fall.to > detail::loss_of_noisy_labels(*level);
  const bool is_explained = detail::beats_constant(step) && !is_rarely_right && !was_better &&
                            !detail::is_unsure(step, *series, *level, fall.to);
  state.flat_checks = is_flat && !is_explained ? state.flat_checks + 1 : 0;
  if (state.flat_checks < 2) return {};
  const bool is_entropy = series->kind == LossKind::cross_entropy || series->kind == LossKind::binary;
  const bool is_unexplained =
      is_entropy ? is_certain && (fall.to > detail::loss_of_noisy_labels(*level) || detail::is_rarely_right(block))
                 : block.predictions > 0 || !known;
  const bool is_error = was_better || (is_unexplained && fall.to > error_share * *level);
  return {{.severity = is_error ? Severity::error : Severity::advice,
           .tensor = series->tensor,
           .value = fall.to,
           .threshold = (is_error && !was_better ? error_share : advice_share) * *level,
           .message = "it was " + shortest(fall.from) + " and is " + shortest(fall.to) +
                      " on average in the third and the last quarter of the run, and " +
                      (known ? "a constant prediction reaches " : "the network began, untrained, at ") +
                      shortest(*level) + (known ? ", " + detail::chance_source(step, chance) : std::string()) +
                      "; try a larger network, another initialisation or another learning rate"}};
}

TENSORTAP_INLINE void LossPlateau::visit(ParameterVisitor& visitor) {
  visitor("chance", chance, "the loss of the best constant prediction; empty: as the run tells");
  visitor("error_share", error_share, "a plateau above this share of chance is an error");
  visitor("advice_share", advice_share, "a plateau above this share of chance is an advice");
  visitor("start", start, "the first step of a check");
}

TENSORTAP_END_NAMESPACE
