// Finds models that rest on few features.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::FeatureImportanceOverweight{.threshold = 0.9}});
#pragma once

#include <cstdint>
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

/// Finds steps in which the most important features make up too much of the importance of all. The finding is advice,
/// and about the run, not about a tensor. By default it is silent about models of few features: of three, the most
/// important three have a share of 1. smdebug() is not. Numeric: elements that are not finite or not positive are left
/// out. Source: SageMaker Debugger's FeatureImportanceOverweight and its thresholds.
struct FeatureImportanceOverweight {
  static constexpr std::string_view name = "FeatureImportanceOverweight";
  static constexpr std::string_view condition =
      "the nfeatures most important features have a share of all importance above threshold";
  static constexpr std::string_view needs = "feature_importance/weight/…: elements";
  static constexpr std::string_view source = "SageMaker Debugger";

  double threshold = 0.8;                                    ///< a share that is no finding
  std::int64_t nfeatures = 3;                                ///< the most important features
  std::int64_t min_features = 10;                            ///< a model of fewer features is not judged
  std::string tensor_regex = ".*feature_importance/weight";  ///< names of tensors
  SaveConfig save = every(500);                              ///< when `required_by` asks for them

  static FeatureImportanceOverweight smdebug() { return {.min_features = 0}; }

  [[nodiscard]] std::vector<Collection> required() const;

  /// Throws: the threshold is negative or NaN, or nfeatures is not positive.
  [[nodiscard]] std::vector<Finding> operator()(const JudgedStep& step);

  void visit(ParameterVisitor& visitor);

  TensorChoice choice = {};  ///< the tensors of `tensor_regex`
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/builtin/internal/feature_importance_overweight_impl.hpp>
#endif
