// Finds batches that are much too small for the noise of their gradients, or much larger than needed.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::GradientNoiseScale{
//       .small_regex = "^gradient_of_half/", .large_regex = "^gradient/", .small_batch = 16, .large_batch = 32}});
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/select/collection.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Gives advice on the batch size, from gradients over two batch sizes. The noise scale, the trace of the covariance of
/// the gradients of examples over the squared norm of the true gradient, is about the batch size beyond which larger
/// batches help little. If it is more than `factor` times the larger batch, noise decides the steps; if the larger
/// batch is more than `factor` times the scale, most of its examples tell nothing new.
/// Empty: without both patterns and sizes it judges nothing.
/// Source: McCandlish, Kaplan, Amodei and the OpenAI Dota team, "An Empirical Model of Large-Batch Training", 2018.
struct GradientNoiseScale {
  static constexpr std::string_view name = "GradientNoiseScale";
  static constexpr std::string_view condition = "the batch is far from the noise scale of the gradients";
  static constexpr std::string_view needs = "gradients over batches of two sizes: l2, statistics or elements";
  static constexpr std::string_view source = "McCandlish 2018";

  std::string small_regex = {};  ///< gradients over the smaller batch
  std::string large_regex = {};  ///< gradients over the larger batch
  std::int64_t small_batch = 0;  ///< examples; 1 for those of single examples
  std::int64_t large_batch = 0;  ///< examples
  double factor = 20;            ///< between the batch and the noise scale
  std::int64_t patience = 20;    ///< steps before the first verdict

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a parameter is negative or NaN.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& s) { s(state); }

  struct State {
    std::vector<std::uint8_t> kinds = {};  ///< by tensor: 0 not looked at, 1 small, 2 large, 3 neither
    std::int64_t steps = 0;
    double noise = 0;   ///< the average trace
    double signal = 0;  ///< the average squared norm of the true gradient
    void exchange(RuleState& s) { s(kinds)(steps)(noise)(signal); }
  };
  State state = {};
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/gradient_noise_scale_impl.hpp>
#endif
