// Findings about a training that does not learn, until it does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The errors that become advice when the loss has fallen to three quarters of what it was at the finding, and of what
/// a constant prediction reaches or, where that is unknown, of its first value. A loss below zero tells nothing.
class Recoveries {
 public:
  /// Notes the finding at `place`.
  void open(std::size_t place, const TrainingFacts& facts) {
    const LossSeries* const loss = loss_in(facts);
    if (loss == nullptr) return;
    const auto chance = facts.chance();
    open_.push_back({place, share * std::min(loss->smooth, chance ? chance->level : loss->first)});
  }

  /// Returns the place of a finding from which the training has recovered; forgets it.
  std::optional<std::size_t> next(const TrainingFacts& facts) {
    if (open_.empty()) return std::nullopt;
    const LossSeries* const loss = loss_in(facts);
    if (loss == nullptr || !loss->in_step) return std::nullopt;
    const auto found = std::find_if(open_.begin(), open_.end(),
                                    [&](const Open& one) { return loss->best >= 0 && loss->smooth < one.level; });
    if (found == open_.end()) return std::nullopt;
    const std::size_t place = found->place;
    open_.erase(found);
    return place;
  }

  void exchange(RuleState& state) { state(open_); }

 private:
  static constexpr double share = 0.75;

  struct Open {
    std::size_t place = 0;
    double level = 0;
    void exchange(RuleState& state) { state(place)(level); }
  };

  /// Returns the loss of training; null if there is none.
  static const LossSeries* loss_in(const TrainingFacts& facts) {
    const LossSeries& train = facts.loss(Mode::train);
    const LossSeries& series = train.count > 0 ? train : facts.loss(Mode::global);
    return series.count > 0 ? &series : nullptr;
  }

  std::vector<Open> open_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
