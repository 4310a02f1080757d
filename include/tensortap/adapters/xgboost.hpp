// Taps a training with XGBoost's C API, 1.6 or later: metrics, hyperparameters, predictions, labels, importance of the
// features, trees, SHAP values. Names, values and steps are those of smdebug's hook for XGBoost: the step of a round is
// its number, in mode GLOBAL. Rules such as TreeDepth, and `xgboost_report`, read such runs. The program includes
// <tensortap/tensortap.hpp> and links xgboost.
//
//   tensortap::Hook hook("runs/42", {.collections = tensortap::xgboost_collections()});
//   tensortap::XgboostTap tap(hook, booster, {.train = train, .validation = validation});
//   for (int round = 0; round < 100; ++round) {
//     XGBoosterUpdateOneIter(booster, round, train);
//     tap.after_round(round);
//   }
#pragma once

#include <xgboost/c_api.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/adapters/internal/xgboost_calls.hpp>
#include <tensortap/adapters/internal/xgboost_trees.hpp>
#include <tensortap/capture/hook.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Returns the collections for a training with XGBoost: metrics, losses, predictions, labels, feature_importance and
/// trees at `save`, hyperparameters at step 0. The default is smdebug's. Add `{.name = "average_shap"}` or `{.name =
/// "full_shap"}` for SHAP values, which take long. Their patterns are smdebug's, with two additions: metrics has names
/// such as "train-ndcg@5", too, and losses lacks every measure that grows as the model gets better.
[[nodiscard]] inline std::vector<Collection> xgboost_collections(const SaveConfig& save = every(10)) {
  return {
      {.name = "metrics",
       .include_regex = {"^[a-zA-z]+-[a-zA-z0-9]+$", "^[A-Za-z0-9_]+-[A-Za-z0-9@:._-]+$"},
       .save = save},
      {.name = "losses",
       .include_regex =
           "^[A-Za-z0-9_]+-(?!(?:auc|aucpr|map|ndcg|pre|ams|interval-regression-accuracy)(?:@|-$|$))[A-Za-z0-9@:._-]+$",
       .save = save},
      {.name = "hyperparameters", .save = at({0})},
      {.name = "predictions", .save = save},
      {.name = "labels", .save = save},
      {.name = "feature_importance", .save = save},
      {.name = "trees", .save = save},
  };
}

/// What a tap knows of a training. Handles may be null: then the tensors that need them are left out.
struct XgboostTraining {
  DMatrixHandle train = nullptr;       ///< "train-…"; SHAP values are those of this matrix
  DMatrixHandle validation = nullptr;  ///< "validation-…"; predictions and labels are those of this matrix
  /// More matrices to evaluate, by the name that their metrics begin with.
  std::vector<std::pair<std::string, DMatrixHandle>> watch = {};
  /// The hyperparameters to save. Empty: all of the booster's configuration.
  std::vector<std::pair<std::string, std::string>> hyperparameters = {};
};

/// Saves what XGBoost knows after each round. XGBoost computes only what is due: of a collection with one of the names
/// above, that group; of a collection with another name, such as "all", the groups that have a tensor in it. Metrics
/// and hyperparameters are computed once before their names are known.
///
/// - `train-rmse` …: f64 [1], each metric of each matrix
/// - `hyperparameters/eta` …: i64 or f64 [1], or a string
/// - `predictions`: f32 [rows], or [rows, classes]
/// - `labels`: f32 [rows]
/// - `feature_importance/weight/f0` …: f64 [1], the share of the feature in the sum of all; kinds weight, gain, cover,
///   total_gain, total_cover
/// - `trees/Node` …: the nodes of the trees of this round: Tree, Node (i64), ID, Feature, Yes, No, Missing, Category
///   (strings), Split, Gain, Cover (f64)
/// - `average_shap/f0` …: f32 [1], the mean over rows, and classes
/// - `full_shap/f0` …: f32 [rows], or [rows, classes]
///
/// Unlike smdebug, a round of a model with several classes has all its trees, and full_shap/f0 holds the values of f0
/// alone. Models without trees (gblinear) have neither importance nor trees, as with smdebug.
/// Lifetime: hook, booster and matrices outlive the tap. Threads: those of the training loop.
class XgboostTap {
 public:
  /// Throws: the booster is null.
  XgboostTap(Hook& hook, BoosterHandle booster, XgboostTraining training = {})
      : hook_(hook), booster_(booster), training_(std::move(training)) {
    if (booster_ == nullptr) throw detail::xgboost::failure("XgboostTap", "the booster is null");
    for (const CollectionReport& collection : hook_.report().collections) {
      const auto group = std::find(groups.begin(), groups.end(), collection.name);
      (group == groups.end() ? others_ : known_).push_back(collection.name);
    }
    if (training_.train != nullptr) watch("train", training_.train);
    if (training_.validation != nullptr) watch("validation", training_.validation);
    for (const auto& [name, matrix] : training_.watch) watch(name.c_str(), matrix);
  }
  XgboostTap(const XgboostTap&) = delete;
  XgboostTap& operator=(const XgboostTap&) = delete;

  /// Begins the step of `round`, and saves what is due. Call it after XGBoosterUpdateOneIter or XGBoosterBoostOneIter.
  /// `evaluation` is the text of XGBoosterEvalOneIter, if the loop has it: metrics are then not computed again.
  /// Throws: a call of XGBoost fails; the round does not grow; what Hook::save throws.
  void after_round(int round, std::string_view evaluation = {}) {
    hook_.begin_step(Mode::global, round);
    is_other_due_ =
        std::any_of(others_.begin(), others_.end(), [&](const std::string& name) { return hook_.due(name); });
    if (is_due("hyperparameters") || is_met(hyperparameters_)) save_hyperparameters();
    if (is_due("metrics") || is_due("losses") || is_met(metrics_)) save_metrics(round, evaluation);
    if (training_.validation != nullptr) {
      if (hook_.wants("predictions"))
        hook_.save("predictions", detail::xgboost::predict(booster_, training_.validation, 0));
      if (hook_.wants("labels")) hook_.save("labels", detail::xgboost::labels_of(training_.validation));
    }
    for (const std::string kind : {"weight", "gain", "cover", "total_gain", "total_cover"}) {
      const std::string prefix = "feature_importance/" + kind + "/";
      if (is_met_by_features("feature_importance", prefix) && has_trees()) save_importance(kind, prefix);
    }
    if (wants_trees() && has_trees()) save_trees();
    if (training_.train != nullptr) {
      const bool is_full = is_met_by_features("full_shap", "full_shap/");
      const bool is_average = is_met_by_features("average_shap", "average_shap/");
      if (is_full || is_average) save_shap(is_full, is_average);
    }
  }

 private:
  static constexpr std::array<std::string_view, 9> groups = {"hyperparameters", "metrics",   "losses",
                                                             "predictions",     "labels",    "feature_importance",
                                                             "trees",           "full_shap", "average_shap"};

  void watch(const char* name, DMatrixHandle matrix) {
    watched_names_.push_back(name);
    watched_.push_back(matrix);
  }

  /// Returns whether the collection called `group` is due.
  [[nodiscard]] bool is_due(std::string_view group) const {
    return std::find(known_.begin(), known_.end(), group) != known_.end() && hook_.due(group);
  }

  /// Returns whether another collection wants one of `names`, or may want one of names that are not known yet.
  [[nodiscard]] bool is_met(const std::vector<std::string>& names) {
    const auto is_wanted = [&](const std::string& name) { return hook_.wants(name); };
    return is_other_due_ && (names.empty() || std::any_of(names.begin(), names.end(), is_wanted));
  }

  /// Returns whether the collection called `group`, or another one, wants a name of `prefix` and a feature.
  [[nodiscard]] bool is_met_by_features(std::string_view group, const std::string& prefix) {
    if (is_due(group)) return true;
    if (!is_other_due_) return false;
    const auto is_wanted = [&](const std::string& name) { return hook_.wants(prefix + name); };
    return std::any_of(features().begin(), features().end(), is_wanted);
  }

  /// Returns the names of the features, and "bias".
  [[nodiscard]] const std::vector<std::string>& features() {
    if (features_.empty()) {
      features_ = detail::xgboost::feature_names(booster_);
      features_.emplace_back("bias");
    }
    return features_;
  }

  [[nodiscard]] bool wants_trees() {
    bool is_wanted = false;
    each_column_of_trees([&](const char* name, const auto&) { is_wanted = is_wanted || hook_.wants(name); });
    return is_wanted;
  }

  [[nodiscard]] bool has_trees() {
    if (!has_trees_)
      has_trees_ = detail::xgboost::configuration(booster_).find(R"("name":"gblinear")") == std::string::npos;
    return *has_trees_;
  }

  void save_hyperparameters() {
    auto values = training_.hyperparameters;
    if (values.empty())
      for (auto& [name, value] : detail::xgboost::text_members(detail::xgboost::configuration(booster_)))
        if (name != "name") values.emplace_back(std::move(name), detail::xgboost::shortest_float(value));
    hyperparameters_.clear();
    for (const auto& [name, value] : values) {
      const std::string& full = hyperparameters_.emplace_back("hyperparameters/" + name);
      if (const auto whole = detail::xgboost::whole_number(value)) {
        hook_.save(full, *whole);
      } else if (const auto real = detail::xgboost::number(value)) {
        hook_.save(full, *real);
      } else {
        hook_.save(full, value);
      }
    }
  }

  void save_metrics(int round, std::string_view evaluation) {
    if (evaluation.empty()) {
      if (watched_.empty()) return;
      const char* text = nullptr;
      detail::xgboost::require(
          XGBoosterEvalOneIter(booster_, round, watched_.data(), watched_names_.data(), watched_.size(), &text),
          "XGBoosterEvalOneIter");
      detail::xgboost::require_memory(text, 1, "XGBoosterEvalOneIter");
      evaluation = text;
    }
    metrics_.clear();
    for (const auto& [name, value] : detail::xgboost::metrics(evaluation)) {
      metrics_.push_back(name);
      hook_.save(name, value);
    }
  }

  void save_importance(const std::string& kind, const std::string& prefix) {
    bst_ulong count = 0, rank = 0;
    const char** names = nullptr;
    const bst_ulong* shape = nullptr;
    const float* scores = nullptr;
    constexpr std::string_view call = "XGBoosterFeatureScore";
    const std::string config = "{\"importance_type\":\"" + kind + "\"}";
    detail::xgboost::require(XGBoosterFeatureScore(booster_, config.c_str(), &count, &names, &rank, &shape, &scores),
                             call);
    if (detail::xgboost::view_of(scores, shape, rank, call).size() != count)
      throw detail::xgboost::failure(call, "it returned more scores than names, or fewer");
    detail::xgboost::require_memory(names, count, call);
    double total = 0;
    for (std::size_t i = 0; i < count; ++i) total += static_cast<double>(scores[i]);
    for (std::size_t i = 0; i < count; ++i) hook_.save(prefix + names[i], static_cast<double>(scores[i]) / total);
  }

  void save_trees() {
    const auto nodes = detail::xgboost::trees_of_last_round(booster_);
    if (nodes.empty()) return;
    each_column_of_trees([&](const char* name, const auto& value_of) {
      std::vector<decltype(value_of(nodes[0]))> column;
      column.reserve(nodes.size());
      for (const auto& node : nodes) column.push_back(value_of(node));
      hook_.save(name, column);
    });
  }

  /// Calls `column` with the name of each tensor of trees and what it has of a node.
  template <class Column>
  static void each_column_of_trees(const Column& column) {
    using Node = detail::xgboost::Node;
    column("trees/Tree", [](const Node& node) { return node.tree; });
    column("trees/Node", [](const Node& node) { return node.node; });
    column("trees/ID", [](const Node& node) { return std::to_string(node.tree) + "-" + std::to_string(node.node); });
    column("trees/Feature", [](const Node& node) { return node.feature; });
    column("trees/Split", [](const Node& node) { return node.split; });
    column("trees/Yes", [](const Node& node) { return node.yes; });
    column("trees/No", [](const Node& node) { return node.no; });
    column("trees/Missing", [](const Node& node) { return node.missing; });
    column("trees/Gain", [](const Node& node) { return node.gain; });
    column("trees/Cover", [](const Node& node) { return node.cover; });
    column("trees/Category", [](const Node& node) { return node.category; });
  }

  void save_shap(bool is_full, bool is_average) {
    const TensorView all = detail::xgboost::predict(booster_, training_.train, 2);  // [rows, (classes,) features + 1]
    const auto width = static_cast<std::size_t>(all.rank() == 0 ? 0 : all.shape().back());
    if (width == 0) return;
    const std::vector<std::string>& names = features();
    if (names.size() != width)
      throw detail::xgboost::failure("XGBoosterPredictFromDMatrix", "it returned another number of features");
    const auto* const values = static_cast<const float*>(all.data());
    const std::size_t rows = all.size() / width;
    for (std::size_t i = 0; i < width; ++i) {
      if (is_full)
        hook_.save("full_shap/" + names[i], TensorView(values + i, DType::f32, all.shape().first(all.rank() - 1),
                                                       all.strides().first(all.rank() - 1)));
      if (!is_average) continue;
      double sum = 0;
      for (std::size_t row = 0; row < rows; ++row) sum += static_cast<double>(values[row * width + i]);
      hook_.save("average_shap/" + names[i], static_cast<float>(sum / static_cast<double>(rows)));
    }
  }

  Hook& hook_;
  BoosterHandle booster_;
  XgboostTraining training_;
  std::vector<std::string> known_;                                 // the hook's collections with the name of a group
  std::vector<std::string> others_;                                // its other collections
  bool is_other_due_ = false;                                      // one of them, in this round
  std::vector<std::string> hyperparameters_, metrics_, features_;  // names met so far
  std::vector<DMatrixHandle> watched_;
  std::vector<const char*> watched_names_;
  std::optional<bool> has_trees_;
};

TENSORTAP_END_NAMESPACE
