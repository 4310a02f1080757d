// Gradients so small that nothing is learnt any more.
//
//   const auto findings = tensortap::evaluate(trial, {tensortap::VanishingGradient{.threshold = 1e-7}});
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensortap/step_view.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds every tensor of a collection, in every step, whose mean magnitude is below a threshold.
/// Numeric: NaN and infinities are no vanishing gradients: a tensor that holds one is passed over.
/// Empty: passed over.
/// Source: SageMaker Debugger's VanishingGradient and its defaults.
struct VanishingGradient {
  static constexpr std::string_view name = "VanishingGradient";

  double threshold = 1e-7;               ///< at it is still enough
  std::string collection = "gradients";  ///< which tensors
  SaveConfig save = every(500);          ///< when they are to be saved, for `required_by`

  /// The mean magnitude is enough; statistics or the elements will do as well.
  [[nodiscard]] std::vector<Collection> required() const {
    return {{.name = collection, .save = save, .reductions = {Reduction::abs_mean}}};
  }

  [[nodiscard]] std::vector<Finding> operator()(const StepView& step) const {
    std::vector<Finding> out;
    for (const std::string& tensor : step.tensors(collection))
      if (const auto mean = step.reduction(tensor, Reduction::abs_mean); mean && *mean < threshold)
        out.push_back({.tensor = tensor,
                       .value = *mean,
                       .message = "its mean magnitude is " + shortest(*mean) + ", below " + shortest(threshold)});
    return out;
  }
};

TENSORTAP_END_NAMESPACE
