// Finds the first tensors that hold NaN or infinities, and says where.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::ExplodingTensor{}});
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds every tensor with an element that is NaN or infinite. The message gives the place and bits of the first such
/// element and, for the first tensor of a step, which tensors saved before it were finite. An input of a layer, or a
/// tensor named mask, whose elements are all 0 or -infinity is a mask of attention, which is added to scores: it is no
/// finding unless tensors are chosen or `masks` is set. `smdebug()` has no such exception.
/// Numeric: of a tensor of which only reductions were saved, a reduction that is not finite counts; `min` and `max` can
/// miss an infinity of the other sign.
/// Empty: skipped.
/// Source: SageMaker Debugger's ExplodingTensor and its defaults.
struct ExplodingTensor {
  static constexpr std::string_view name = "ExplodingTensor";
  static constexpr std::string_view condition = "a tensor holds NaN or, unless only_nan, an infinity";
  static constexpr std::string_view needs = "any tensors: statistics, elements or reductions";
  static constexpr std::string_view source = "SageMaker Debugger";

  std::string collection_names = {};  ///< collections, with commas between them
  std::string tensor_regex = {};      ///< names of tensors. Empty, as collection_names: all tensors
  bool only_nan = false;              ///< true: an infinity is no finding
  bool masks = false;                 ///< true: a mask of attention is a finding, too
  SaveConfig save = every(10);        ///< when `required_by` asks for gradients and weights

  /// Returns the documented rule.
  static ExplodingTensor smdebug() { return {.masks = true}; }

  /// Asks for each loss, and for statistics of gradients and weights; the rule looks at all that is saved.
  [[nodiscard]] std::vector<Collection> required() const;

  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);

  TensorChoice choice = {};  ///< what the parameters choose
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/exploding_tensor_impl.hpp>
#endif
