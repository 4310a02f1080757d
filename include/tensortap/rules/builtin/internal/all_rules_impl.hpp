// The bodies of all_rules.hpp.
#pragma once

#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/rules/builtin/all_rules.hpp>
#include <tensortap/rules/builtin/all_zero.hpp>
#include <tensortap/rules/builtin/check_input_images.hpp>
#include <tensortap/rules/builtin/class_imbalance.hpp>
#include <tensortap/rules/builtin/confusion.hpp>
#include <tensortap/rules/builtin/dead_relu.hpp>
#include <tensortap/rules/builtin/double_softmax.hpp>
#include <tensortap/rules/builtin/exploding_gradient.hpp>
#include <tensortap/rules/builtin/exploding_tensor.hpp>
#include <tensortap/rules/builtin/feature_importance_overweight.hpp>
#include <tensortap/rules/builtin/gradient_noise_scale.hpp>
#include <tensortap/rules/builtin/gradient_spike.hpp>
#include <tensortap/rules/builtin/identical_units.hpp>
#include <tensortap/rules/builtin/input_range.hpp>
#include <tensortap/rules/builtin/learning_rate_range.hpp>
#include <tensortap/rules/builtin/loss_diverging.hpp>
#include <tensortap/rules/builtin/loss_not_decreasing.hpp>
#include <tensortap/rules/builtin/loss_plateau.hpp>
#include <tensortap/rules/builtin/loss_spike.hpp>
#include <tensortap/rules/builtin/nlp_sequence_ratio.hpp>
#include <tensortap/rules/builtin/not_better_than_constant.hpp>
#include <tensortap/rules/builtin/overfit.hpp>
#include <tensortap/rules/builtin/overtraining.hpp>
#include <tensortap/rules/builtin/poor_weight_initialization.hpp>
#include <tensortap/rules/builtin/prediction_collapse.hpp>
#include <tensortap/rules/builtin/rank_divergence.hpp>
#include <tensortap/rules/builtin/saturated_activation.hpp>
#include <tensortap/rules/builtin/similar_across_runs.hpp>
#include <tensortap/rules/builtin/stalled_training.hpp>
#include <tensortap/rules/builtin/tensor_variance.hpp>
#include <tensortap/rules/builtin/tree_depth.hpp>
#include <tensortap/rules/builtin/unchanged_tensor.hpp>
#include <tensortap/rules/builtin/update_missing.hpp>
#include <tensortap/rules/builtin/vanishing_gradient.hpp>
#include <tensortap/rules/builtin/weight_update_ratio.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Rule> all_rules() {
  return {
      AllZero{},
      CheckInputImages{},
      ClassImbalance{},
      Confusion{},
      DeadRelu{},
      DoubleSoftmax{},
      ExplodingGradient{},
      ExplodingTensor{},
      FeatureImportanceOverweight{},
      GradientNoiseScale{},
      GradientSpike{},
      IdenticalUnits{},
      InputRange{},
      LearningRateRange{},
      LossDiverging{},
      LossNotDecreasing{},
      LossPlateau{},
      LossSpike{},
      NLPSequenceRatio{},
      NotBetterThanConstant{},
      Overfit{},
      Overtraining{},
      PoorWeightInitialization{},
      PredictionCollapse{},
      RankDivergence{},
      SaturatedActivation{},
      SimilarAcrossRuns{},
      StalledTrainingRule{},
      TensorVariance{},
      TreeDepth{},
      UnchangedTensor{},
      UpdateMissing{},
      VanishingGradient{},
      WeightUpdateRatio{},
  };
}

TENSORTAP_INLINE std::vector<Rule> smdebug_rules() {
  return {
      AllZero{},
      CheckInputImages::smdebug(),
      ClassImbalance::smdebug(),
      Confusion::smdebug(),
      DeadRelu::smdebug(),
      ExplodingTensor::smdebug(),
      FeatureImportanceOverweight::smdebug(),
      LossNotDecreasing::smdebug(),
      NLPSequenceRatio::smdebug(),
      Overfit::smdebug(),
      Overtraining::smdebug(),
      PoorWeightInitialization::smdebug(),
      SaturatedActivation::smdebug(),
      SimilarAcrossRuns{},
      StalledTrainingRule{},
      TensorVariance{},
      TreeDepth{},
      UnchangedTensor{},
      VanishingGradient::smdebug(),
      WeightUpdateRatio::smdebug(),
  };
}

TENSORTAP_INLINE Rule rule_named(std::string_view name, const std::vector<Rule>& rules) {
  std::vector<std::string> names;
  for (const Rule& rule : rules) {
    if (rule.name() == name) return rule;
    names.push_back(rule.name());
  }
  throw Error::no_such_rule(name, detail::nearest(name, names));
}

TENSORTAP_END_NAMESPACE
