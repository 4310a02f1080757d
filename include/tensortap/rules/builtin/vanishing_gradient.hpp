// Finds gradients that are too small to learn from.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::VanishingGradient{.threshold = 1e-7}});
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/recent_window.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds weights of early layers that hardly learn: over the last checks, their gradient is tiny beside the largest
/// one, and the weights hardly move; or, from step 50 on, most of it is exactly zero. It is an advice if the loss shows
/// that the training works nevertheless, or comes to work later, or if the optimizer makes up for the small gradient.
/// The plain threshold, which is all that smdebug knows, is an advice, too: a training that is finished has small
/// gradients. Measured on 472 small networks: a ratio below 1e-3 in any check finds 71 % of the broken ones at 8.9 %
/// false alarms, the median of the checks 55 % at 0.7 %. Numeric: a tensor that holds NaN or an infinity is skipped.
/// Empty: skipped.
/// Source: SageMaker Debugger's VanishingGradient; AutoTrainer for ratios and shares of zeros.
struct VanishingGradient {
  static constexpr std::string_view name = "VanishingGradient";
  static constexpr std::string_view condition =
      "the median ratio of an early layer's gradient to the largest one is below ratio_threshold and its weights "
      "hardly "
      "move, or its gradient is mostly zero; as an advice, a mean magnitude below threshold";
  static constexpr std::string_view needs = "gradients: statistics, abs_mean or elements; better with weights";
  static constexpr std::string_view source = "SageMaker Debugger; the ratios are tensortap's";
  static constexpr double off = std::numeric_limits<double>::quiet_NaN();

  double threshold = 1e-7;               ///< a mean magnitude equal to it is not a finding
  std::string collection = "gradients";  ///< the tensors that are compared with `threshold`
  double ratio_threshold = 1e-3;         ///< least ratio of root mean squares to the largest; NaN: off
  double update_threshold = 1e-5;        ///< an update ratio below it means that weights hardly move
  double zeros_threshold = 70;           ///< percent of exact zeros in each of the last checks; NaN: off
  std::int64_t num_checks = 5;           ///< least number of checks for ratios and zeros
  SaveConfig save = every(10);           ///< when `required_by` asks for them

  struct Layer {
    RecentWindow ratios = {};
    RecentWindow updates = {};
    std::int64_t zero_checks = 0;  // how many in a row had mostly zeros
    void exchange(RuleState& s) { s(ratios)(updates)(zero_checks); }
  };
  struct State {
    std::vector<Layer> layers = {};  // by id of the gradient
    void exchange(RuleState& s) { s(layers); }
  };

  /// Returns the documented rule alone, whose findings are errors.
  static VanishingGradient smdebug() { return {.ratio_threshold = off, .zeros_threshold = off, .save = every(500)}; }

  /// Asks for statistics of gradients and weights, or for the mean magnitude if there is only `threshold`.
  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a threshold is negative, or `threshold` is NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  /// A training that learns later has recovered from it.
  [[nodiscard]] bool recovers() const { return !std::isnan(ratio_threshold) || !std::isnan(zeros_threshold); }

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  State state = {};
  TensorChoice choice = {};  ///< the tensors of `collection`

 private:
  void judge_layers(const JudgedStep& step, std::vector<Finding>& out);
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/vanishing_gradient_impl.hpp>
#endif
