// Whether the loss shows that a training works, for the severity of findings.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/training_facts.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether the loss is below half of what a constant prediction reaches or, where that is unknown, of its first
/// value. Such a training is not worthless, whatever else is found.
inline bool is_learning(const TrainingFacts& facts) {
  constexpr std::size_t few = 8;
  const LossSeries& loss = facts.trained_loss();
  if (loss.count == 0 || (loss.in_step && !std::isfinite(loss.now))) return false;
  return loss.recent_mean(few) < 0.5 * facts.trained_from();
}

/// Returns whether the loss is still near what a constant prediction reaches or, where that is unknown, its first
/// value.
inline bool is_stuck(const TrainingFacts& facts) {
  constexpr std::size_t few = 8;
  constexpr std::int64_t start_step = 20;
  const LossSeries& loss = facts.trained_loss();
  if (loss.kept() < few || loss.last_mode_step < start_step) return false;
  return loss.recent_mean(few) > 0.9 * facts.trained_from();
}

/// Returns error, or advice if the training works nevertheless.
inline Severity severity_in(const TrainingFacts& facts) {
  return is_learning(facts) ? Severity::advice : Severity::error;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
