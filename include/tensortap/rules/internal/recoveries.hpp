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

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The errors that become advice when the loss has fallen by a tenth since the finding, and to three quarters of what a
/// constant prediction reaches or, where that is unknown, of its first value; or by a tenth and below that level, and
/// predictions of classes are right in 70 % of the cases in which a constant one is wrong. A loss that had been lower
/// before the finding has to come back to that, or to a fifth of that level. If the weights were new and the first
/// value is below a hundredth of that level, the loss is scaled, and that value serves instead. A loss below zero tells
/// nothing, nor one that falls while predictions are no better than a constant one: it is not a loss of these labels.
class Recoveries {
 public:
  /// Notes the finding at `place`.
  void open(std::size_t place, const TrainingFacts& facts) {
    constexpr std::size_t last = 10;  // the average, of twenty steps, lags behind a fall before the finding
    const LossSeries& loss = facts.trained_loss();
    if (loss.count == 0) return;
    const double now = std::min(loss.smooth, loss.recent_mean(last));
    const bool is_scaled = facts.is_from_scratch && loss.first < scaled * facts.trained_from();
    const double from = is_scaled ? loss.first : facts.trained_from();
    const double level = std::min(fall * now, std::max(as_before * loss.best_smooth, low * from));
    open_.push_back({place, std::min(level, share * from), std::min(level, from)});
  }

  /// Returns the place of a finding from which the training has recovered; forgets it.
  std::optional<std::size_t> next(const TrainingFacts& facts) {
    if (open_.empty()) return std::nullopt;
    const LossSeries& loss = facts.trained_loss();
    constexpr double deviations = 3;
    if (!loss.in_step || loss.best < 0 || facts.trained_block().is_no_better_than_constant(deviations))
      return std::nullopt;
    const bool is_right = facts.trained_block().advantage() > share;
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& one) {
      return loss.smooth < one.level || (is_right && loss.smooth < one.fallen);
    });
    if (found == open_.end()) return std::nullopt;
    const std::size_t place = found->place;
    open_.erase(found);
    return place;
  }

  void exchange(RuleState& state) { state(open_); }

 private:
  static constexpr double share = 0.7;
  static constexpr double fall = 0.9;
  static constexpr double as_before = 1.1;
  static constexpr double low = 0.2;
  static constexpr double scaled = 0.01;

  struct Open {
    std::size_t place = 0;
    double level = 0;   // of the loss
    double fallen = 0;  // of the loss, if most predictions are right
    void exchange(RuleState& state) { state(place)(level)(fallen); }
  };

  std::vector<Open> open_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
