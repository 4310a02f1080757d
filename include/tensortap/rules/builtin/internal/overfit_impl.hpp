// The bodies of overfit.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/builtin/overfit.hpp>
#include <tensortap/rules/internal/loss_value.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Collection> Overfit::required() const { return {detail::every_loss()}; }

TENSORTAP_INLINE std::vector<Finding> Overfit::operator()(const JudgedStep& step) {
  for (const double value : {ratio_threshold, gap_share, rise_share})
    if (!(value >= 0)) throw Error::bad_threshold(name, value);
  for (const std::int64_t value : {start_step, patience})
    if (value < 0) throw Error::bad_threshold(name, static_cast<double>(value));
  return by_ratio ? judge_ratio(step) : judge_level(step);
}

TENSORTAP_INLINE std::vector<Finding> Overfit::judge_level(const JudgedStep& step) {
  const LossSeries& train = step.facts().loss(Mode::train);
  const LossSeries& validation = step.facts().loss(Mode::eval);
  if (!validation.in_step || train.count < 8) return {};
  detail::note_tensor(step, validation.tensor);
  if (validation.count < 3 || validation.last_mode_step < start_step || !std::isfinite(validation.now)) return {};
  const auto level = detail::chance_level(step, chance);
  // Labels that are all the same have a chance of 0, which is no scale.
  const double scale = level && *level > 0.05 * train.first ? *level : train.first;
  // The median forgets the first values sooner than the average, of which there are few.
  std::array<double, 3> last = {};
  const std::size_t size = std::min(validation.kept(), last.size());
  for (std::size_t i = 0; i < size; ++i) last[i] = validation.before(i);
  const double now = std::min(validation.smooth, detail::median_of(std::span(last).first(size)));
  const double gap = now - train.smooth;
  // Where classes are rare in training alone, its chance is small and says little of the validation.
  // A validation that is worse than a constant prediction needs less: what was learned holds for no other data.
  const double learned = now > scale ? 0.9 : 0.5;
  const bool is_learned = scale > 0 && (train.smooth < learned * scale || train.smooth < 0.1 * now);
  const bool is_bad = now > scale || now > validation.best_smooth + rise_share * scale;
  // Examples that are known by heart, while others are predicted badly, need not make the validation rise.
  // New networks are wrong by more than a constant prediction: a share of the first error is more of that.
  const bool is_first_error = !level && step.facts().is_from_scratch && detail::usual_error_of(train.kind).most > 0;
  const double bad_share = is_first_error && train.smooth < 0.01 * now ? gap_share / 2 : gap_share;
  const bool is_by_heart = scale > 0 && train.smooth < 0.15 * now && now > bad_share * scale &&
                           step.facts().examples_of(Mode::eval).block.advantage() < 0.5;
  const bool is_overfit = is_by_heart || (is_learned && is_bad && gap > gap_share * scale);
  state.in_a_row = is_overfit ? state.in_a_row + 1 : 0;
  state.hints_in_a_row = is_learned && gap > gap_share / 2 * scale ? state.hints_in_a_row + 1 : 0;
  if (state.hints_in_a_row < patience) return {};
  const bool is_error = state.in_a_row >= patience;
  return {{.severity = is_error ? Severity::error : Severity::advice,
           .tensor = validation.tensor,
           .value = gap,
           .threshold = (is_error ? gap_share : gap_share / 2) * scale,
           .message = "it is about " + shortest(now) + " in validation and " + shortest(train.smooth) +
                      " in training, and has been " + shortest(validation.best_smooth) +
                      "; stop earlier, take more examples or a smaller network, or regularise"}};
}

TENSORTAP_INLINE std::vector<Finding> Overfit::judge_ratio(const JudgedStep& step) {
  const Mode mode = step.step().mode;
  if (mode != Mode::train && mode != Mode::eval) return {};
  const std::optional<Pattern> wanted = tensor_regex.empty() ? std::nullopt : std::optional<Pattern>(tensor_regex);
  double sum = 0;
  std::int64_t count = 0;
  for (const KnownTensor* tensor : step.saved()) {
    if (wanted ? !wanted->finds(tensor->name) : tensor->role != Role::loss) continue;
    const auto value = detail::loss_in(step, *tensor);
    if (!value || !std::isfinite(*value)) continue;
    sum += *value;
    ++count;
  }
  if (count == 0) return {};
  const double mean = sum / static_cast<double>(count);
  if (mode == Mode::train) {
    state.train_mean = mean;
    state.has_train_mean = true;
    return {};
  }
  if (!state.has_train_mean || step.step().mode_step < start_step) return {};
  const double ratio = (mean - state.train_mean) / state.train_mean;
  state.in_a_row = ratio > ratio_threshold ? state.in_a_row + 1 : 0;
  if (state.in_a_row == 0 || state.in_a_row < patience) return {};
  return {
      {.value = ratio,
       .threshold = ratio_threshold,
       .message = "the mean loss is " + shortest(mean) + " in EVAL and " + shortest(state.train_mean) + " in TRAIN"}};
}

TENSORTAP_INLINE void Overfit::visit(ParameterVisitor& visitor) {
  visitor("tensor_regex", tensor_regex, "losses, for by_ratio; empty: the collection");
  visitor("start_step", start_step, "the first EVAL step that counts");
  visitor("patience", patience, "EVAL values in a row");
  visitor("ratio_threshold", ratio_threshold, "the difference over the training loss, for by_ratio");
  visitor("by_ratio", by_ratio, "true: the condition of smdebug");
  visitor("chance", chance, "the loss of the best constant prediction; empty: as the run tells");
  visitor("gap_share", gap_share, "the least gap, as a share of chance");
  visitor("rise_share", rise_share, "the least rise of the validation loss, as a share of chance");
}

TENSORTAP_END_NAMESPACE
