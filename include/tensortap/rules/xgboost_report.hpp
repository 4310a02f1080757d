// What SageMaker Debugger's CreateXgboostReport shows of a training with XGBoost, as data: curves of the metrics, the
// most important features, labels, and predictions beside the labels.
//
//   std::cout << tensortap::xgboost_report(trial) << '\n';
#pragma once

#include <string>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Trial;

/// Returns a JSON object with these members; what the run does not have is null, or empty.
///
/// | member | content |
/// |---|---|
/// | objective | the hyperparameter of that name |
/// | task | "classification" or "regression": as the objective tells, else as the labels do |
/// | hyperparameters | values by name |
/// | metrics | for each metric, as "train-rmse" and "validation-rmse": its points, [step, value] |
/// | feature_importance | for each kind (weight, gain, cover …) at its last step: [feature, importance], largest first,
/// at most 100 | | labels | how they are distributed at the last step: by class, or in 20 bins | | confusion | of
/// classes, at the last step: counts[label][prediction], accuracy, and for each class, and as micro, macro and weighted
/// averages, precision, recall and f1 | | class_accuracy | of classes: for each step, the share of right predictions by
/// label | | roc | of two classes, at the last step: at most 201 points [false positive rate, true positive rate], and
/// the area | | residuals | of regression, at the last step: label minus prediction: mean, std, and 20 bins | |
/// absolute_error | of regression: for each step, the mean absolute error in 10 bins of the labels |
///
/// Steps are global. A step with predictions and without labels has those of the step before, if they are as many.
/// There are at most 100 classes; more of them, or labels that are no small whole numbers, are regression. A bin has
/// its lower edge, the last one both edges. Numbers that are not finite are null in the result, and left out of sums
/// and bins. Throws: what `Trial` throws. Source: the pages of SageMaker Debugger's XGBoost training report. It shows a
/// step of the end of the run alone.
[[nodiscard]] std::string xgboost_report(const Trial& trial);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/xgboost_report_impl.hpp>
#endif
