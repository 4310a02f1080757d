// Whether the loss shows that a training works, for the severity of findings.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the loss of the steps that train: TRAIN, or GLOBAL if no step of TRAIN has one.
inline const LossSeries& training_loss(const TrainingFacts& facts) {
  const LossSeries& train = facts.loss(Mode::train);
  return train.count > 0 || train.not_finite > 0 ? train : facts.loss(Mode::global);
}

/// Returns whether the loss is below half of what a constant prediction reaches or, where that is unknown, of its first
/// value. Such a training is not worthless, whatever else is found.
inline bool is_learning(const TrainingFacts& facts) {
  constexpr std::size_t few = 8;
  const LossSeries& loss = training_loss(facts);
  if (loss.count == 0 || (loss.in_step && !std::isfinite(loss.now))) return false;
  const auto chance = facts.chance();
  return loss.recent_mean(few) < 0.5 * (chance ? chance->level : loss.first);
}

/// Returns whether the loss is still near what a constant prediction reaches or, where that is unknown, its first
/// value.
inline bool is_stuck(const TrainingFacts& facts) {
  constexpr std::size_t few = 8;
  constexpr std::int64_t start_step = 20;
  const LossSeries& loss = training_loss(facts);
  if (loss.kept() < few || loss.last_mode_step < start_step) return false;
  const auto chance = facts.chance();
  return loss.recent_mean(few) > 0.9 * (chance ? chance->level : loss.first);
}

/// Returns error, or advice if the training works nevertheless.
inline Severity severity_in(const TrainingFacts& facts) {
  return is_learning(facts) ? Severity::advice : Severity::error;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
