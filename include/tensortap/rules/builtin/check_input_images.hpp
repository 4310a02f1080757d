// Finds images that were not normalised.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::CheckInputImages{.regex = ".*input_image"}});
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule_parameters.hpp>
#include <tensortap/rules/rule_state.hpp>
#include <tensortap/rules/tensor_choice.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Finds, once enough images were seen, each tensor of images of which a channel has a mean far from 0. The finding is
/// advice: networks learn from such images, but more slowly.
/// Shape: rank 4; other tensors are skipped.
/// Numeric: NaN and infinities enter no mean.
/// Source: SageMaker Debugger's CheckInputImages. smdebug() looks for the one name that Gluon gives; by default the
/// rule looks at the input of the network, whatever its name is.
struct CheckInputImages {
  static constexpr std::string_view name = "CheckInputImages";
  static constexpr std::string_view condition =
      "after threshold_samples images, the mean of a channel is farther from 0 than threshold_mean";
  static constexpr std::string_view needs = "the images that enter the network: elements";
  static constexpr std::string_view source = "SageMaker Debugger";

  double threshold_mean = 0.2;           ///< a mean of this magnitude is no finding
  std::int64_t threshold_samples = 500;  ///< images that must have been seen
  std::string regex = {};                ///< names of tensors; empty: what enters the first layer
  std::int64_t channel = 1;              ///< the axis of the channels
  SaveConfig save = every(500);          ///< when `required_by` asks for them

  static CheckInputImages smdebug() { return {.regex = ".*hybridsequential0_input_0"}; }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: a threshold is negative or NaN, or there is no such axis.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);
  void exchange(RuleState& rule_state) { rule_state(state); }

  /// What was seen of one tensor.
  struct Seen {
    std::int64_t images = 0;
    std::vector<double> sums = {};          ///< by channel
    std::vector<std::int64_t> counts = {};  ///< finite elements by channel
    void exchange(RuleState& rule_state);
  };

  std::map<std::string, Seen> state = {};  ///< by tensor
  TensorChoice choice = {};                ///< the tensors of `regex`
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/check_input_images_impl.hpp>
#endif
