// The body of xgboost_report.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/rules/finding.hpp>  // before rooms that their bodies include
#include <tensortap/rules/training_facts.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/class_scores.hpp>
#include <tensortap/rules/internal/equal_bins.hpp>
#include <tensortap/rules/internal/example_rows.hpp>
#include <tensortap/rules/internal/json_object.hpp>
#include <tensortap/rules/internal/json_text.hpp>
#include <tensortap/rules/xgboost_report.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Labels and predictions of one step.
struct XgboostAnswers {
  std::int64_t step = 0;
  Tensor labels;
  Tensor predictions;
};

/// Makes the report of one run.
class XgboostReport : JsonObject {
 public:
  explicit XgboostReport(const Trial& trial) : trial_(trial) {}

  [[nodiscard]] std::string text() {
    read_hyperparameters();
    add_metrics();
    add_importance();
    read_answers();
    find_task();
    text_ += ",\"task\":";
    text_ += last_ == nullptr ? "null" : are_classes_ ? "\"classification\"" : "\"regression\"";
    add_labels();
    are_classes_ ? add_classes() : add_regression();
    return text_ + "}";
  }

 private:
  static constexpr std::size_t most_classes = 100;
  static constexpr std::size_t most_features = 100;

  // ---- What the run has

  /// Returns the tensors of a collection; those that a pattern finds, if the run has no such collection.
  [[nodiscard]] std::vector<TensorHistory> tensors_of(const std::string& collection, const std::string& pattern) const {
    const auto known = trial_.collection(collection);
    std::vector<TensorHistory> out;
    if (known) out = trial_.tensors({.collection = collection});
    if (out.empty()) out = trial_.tensors({.include_regex = pattern});
    return out;
  }

  void read_hyperparameters() {
    std::map<std::string, std::string> values;  // as JSON
    for (const TensorHistory& tensor : tensors_of("hyperparameters", "^hyperparameters/")) {
      const auto steps = tensor.steps();
      const auto value = steps.empty() ? std::nullopt : tensor.value(steps.front());
      if (!value || value->size() != 1) continue;
      const std::string name = tensor.name().substr(tensor.name().rfind('/') + 1);
      std::string json;
      if (value->dtype() == DType::string) {
        append_json_text(json, value->strings()[0]);
        if (name == "objective") objective_ = value->strings()[0];
      } else {
        append_json_number(json, value->number(0));
      }
      values[name] = std::move(json);
    }
    add_key("objective");
    if (objective_.empty()) {
      text_ += "null";
    } else {
      append_json_text(text_, objective_);
    }
    add_key("hyperparameters");
    text_ += '{';
    for (const auto& [name, json] : values) {
      add_key(name);
      text_ += json;
    }
    text_ += '}';
  }

  void add_metrics() {
    const std::string pattern = "^[A-Za-z0-9_]+-[A-Za-z0-9@:._-]+$";  // "train-rmse", as XGBoost names them
    std::map<std::string, TensorHistory> found;
    for (const char* collection : {"metrics", "losses"})
      for (TensorHistory& tensor : tensors_of(collection, pattern)) found.emplace(tensor.name(), std::move(tensor));
    add_key("metrics");
    text_ += '{';
    for (const auto& [name, tensor] : found) {
      add_key(name);
      text_ += '[';
      for (const std::int64_t step : tensor.steps()) {
        const auto value = tensor.reduction(step, Reduction::mean);
        if (!value) continue;
        add_separator();
        text_ += "[" + std::to_string(step) + ",";
        append_json_number(text_, *value);
        text_ += ']';
      }
      text_ += ']';
    }
    text_ += '}';
  }

  void add_importance() {
    struct Kind {
      std::int64_t step = -1;
      std::vector<std::pair<std::string, double>> features = {};
    };
    std::map<std::string, Kind> kinds;
    constexpr std::string_view prefix = "feature_importance/";
    for (const TensorHistory& tensor : trial_.tensors({.include_regex = "^feature_importance/"})) {
      const auto steps = tensor.steps();
      const auto value = steps.empty() ? std::nullopt : tensor.value(steps.back());
      if (!value || value->dtype() == DType::string) continue;
      const std::string rest = tensor.name().substr(prefix.size());
      const std::size_t slash = std::min(rest.find('/'), rest.size());
      Kind& kind = kinds[rest.substr(0, slash)];
      if (steps.back() > kind.step) kind = {.step = steps.back()};
      if (steps.back() < kind.step) continue;  // a feature that the model used earlier
      for (std::size_t i = 0; i < value->size(); ++i) {
        std::string feature = slash < rest.size() ? rest.substr(slash + 1) : "f" + std::to_string(i);
        if (slash < rest.size() && value->size() > 1) feature += "[" + std::to_string(i) + "]";
        if (std::isfinite(value->number(i))) kind.features.emplace_back(std::move(feature), value->number(i));
      }
    }
    add_key("feature_importance");
    text_ += '{';
    for (auto& [name, kind] : kinds) {
      std::stable_sort(kind.features.begin(), kind.features.end(),
                       [](const auto& a, const auto& b) { return a.second > b.second; });
      kind.features.resize(std::min(kind.features.size(), most_features));
      add_key(name);
      text_ += "{\"step\":" + std::to_string(kind.step) + ",\"features\":[";
      for (const auto& [feature, importance] : kind.features) {
        add_separator();
        text_ += '[';
        append_json_text(text_, feature);
        text_ += ',';
        append_json_number(text_, importance);
        text_ += ']';
      }
      text_ += "]}";
    }
    text_ += '}';
  }

  /// Reads labels and predictions, which are as many as the labels or a multiple of it.
  void read_answers() {
    const auto first_of = [&](const char* name) -> std::optional<TensorHistory> {
      if (!trial_.has_tensor(name)) return std::nullopt;
      return trial_.tensor(name);
    };
    const auto labels = first_of("labels");
    const auto predictions = first_of("predictions");
    if (!labels || !predictions) return;
    std::optional<Tensor> known;
    for (const std::int64_t step : predictions->steps()) {
      auto predicted = predictions->value(step);
      if (auto now = labels->value(step)) known = std::move(now);
      if (!known || !predicted || known->size() == 0 || predicted->size() % known->size() != 0) continue;
      if (known->dtype() == DType::string || predicted->dtype() == DType::string || predicted->size() == 0) continue;
      answers_.push_back({step, *known, std::move(*predicted)});
    }
    if (!answers_.empty()) last_ = &answers_.back();
  }

  void find_task() {
    if (last_ == nullptr || objective_.starts_with("reg:") || objective_.starts_with("rank:")) return;
    std::vector<std::int32_t> classes;
    std::size_t most = 0;
    for (const XgboostAnswers& answers : answers_) {
      if (!read_classes(answers.labels, classes)) return;
      for (const std::int32_t one : classes) most = std::max(most, static_cast<std::size_t>(std::max(one, 0)) + 1);
    }
    const std::size_t width = last_->predictions.size() / last_->labels.size();
    are_classes_ = std::max(most, width) <= most_classes;
    classes_ = std::max({most, width, std::size_t{2}});
  }

  // ---- Labels

  void add_labels() {
    add_key("labels");
    if (last_ == nullptr) {
      text_ += "null";
      return;
    }
    text_ += "{\"step\":" + std::to_string(last_->step);
    if (are_classes_) {
      std::vector<std::int64_t> counts(classes_);
      for (const std::int32_t one : classes_of(last_->labels))
        if (one >= 0) ++counts[static_cast<std::size_t>(one)];
      add_list("counts", counts);
    } else {
      add_bins(Bins(numbers_of(last_->labels), 20));
    }
    text_ += '}';
  }

  [[nodiscard]] static std::vector<double> numbers_of(const Tensor& tensor) {
    std::vector<double> out(tensor.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = tensor.number(i);
    return out;
  }
  [[nodiscard]] static std::vector<std::int32_t> classes_of(const Tensor& labels) {
    std::vector<std::int32_t> out;
    (void)read_classes(labels, out);
    return out;
  }

  // ---- Classification

  using Matrix = std::vector<std::vector<std::int64_t>>;  // by label and prediction

  [[nodiscard]] Matrix confusion_of(const XgboostAnswers& answers) const {
    const double limit = objective_ == "binary:logitraw" ? 0 : std::numeric_limits<double>::quiet_NaN();
    const std::vector<std::int32_t> labels = classes_of(answers.labels);
    const PredictionRows rows(answers.predictions, labels.size(), limit);
    Matrix out(classes_, std::vector<std::int64_t>(classes_));
    for (std::size_t row = 0; rows.width() > 0 && row < labels.size(); ++row) {
      const std::int32_t guess = rows.class_of(row);
      if (labels[row] < 0 || guess < 0 || static_cast<std::size_t>(guess) >= classes_) continue;
      ++out[static_cast<std::size_t>(labels[row])][static_cast<std::size_t>(guess)];
    }
    return out;
  }

  void add_classes() {
    add_confusion(confusion_of(*last_));
    add_key("class_accuracy");
    text_ += '[';
    for (const XgboostAnswers& answers : answers_) {
      const Matrix counts = confusion_of(answers);
      std::vector<double> right(classes_);
      for (std::size_t i = 0; i < classes_; ++i) {
        std::int64_t total = 0;
        for (const std::int64_t n : counts[i]) total += n;
        right[i] = static_cast<double>(counts[i][i]) / static_cast<double>(total);  // NaN, null, if there are none
      }
      add_separator();
      text_ += "{\"step\":" + std::to_string(answers.step);
      add_list("accuracy", right);
      text_ += '}';
    }
    text_ += ']';
    add_roc();
    text_ += ",\"residuals\":null,\"absolute_error\":null";
  }

  void add_confusion(const Matrix& counts) {
    add_key("confusion");
    text_ += "{\"step\":" + std::to_string(last_->step) + ",\"counts\":[";
    for (const auto& row : counts) {
      add_separator();
      add_list(row);
    }
    text_ += ']';
    std::vector<std::int64_t> labels(classes_), predicted(classes_);
    std::int64_t total = 0;
    std::int64_t right = 0;
    for (std::size_t i = 0; i < classes_; ++i)
      for (std::size_t j = 0; j < classes_; ++j) {
        labels[i] += counts[i][j];
        predicted[j] += counts[i][j];
        total += counts[i][j];
        right += i == j ? counts[i][j] : 0;
      }
    add_value("accuracy", share(static_cast<double>(right), total));
    ClassScores macro, weighted;
    double known = 0;  // classes with labels or predictions
    add_key("classes");
    text_ += '[';
    for (std::size_t i = 0; i < classes_; ++i) {
      const auto hits = static_cast<double>(counts[i][i]);
      const ClassScores scores = {share(hits, predicted[i]), share(hits, labels[i])};
      if (labels[i] + predicted[i] > 0) {
        ++known;
        macro.add(scores, 1);
        weighted.add(scores, share(static_cast<double>(labels[i]), total));
      }
      add_separator();
      text_ += "{\"class\":" + std::to_string(i);
      add_scores(scores);
      text_ += ",\"support\":" + std::to_string(labels[i]) + "}";
    }
    text_ += ']';
    const double accuracy = share(static_cast<double>(right), total);
    add_average("micro", {accuracy, accuracy}, 1);
    add_average("macro", macro, known);
    add_average("weighted", weighted, 1);
    text_ += '}';
  }

  void add_scores(const ClassScores& scores) {
    add_value("precision", scores.precision);
    add_value("recall", scores.recall);
    add_value("f1", scores.f1());
  }
  void add_average(std::string_view name, ClassScores scores, double divisor) {
    if (divisor > 0) {
      scores.precision /= divisor;
      scores.recall /= divisor;
      if (scores.f1_sum) *scores.f1_sum /= divisor;
    }
    add_key(name);
    text_ += '{';
    add_scores(scores);
    text_ += '}';
  }

  /// Adds the curve of the scores of two classes: of one prediction for each label, or of the second of two.
  void add_roc() {
    add_key("roc");
    const std::vector<std::int32_t> labels = classes_of(last_->labels);
    const std::size_t width = last_->predictions.size() / last_->labels.size();
    std::vector<std::pair<double, bool>> scores;
    double positive = 0;
    for (std::size_t row = 0; row < labels.size() && width <= 2 && classes_ == 2; ++row) {
      const double score = last_->predictions.number(row * width + width - 1);
      if (labels[row] < 0 || std::isnan(score)) continue;
      scores.emplace_back(score, labels[row] == 1);
      positive += labels[row] == 1 ? 1 : 0;
    }
    const double negative = static_cast<double>(scores.size()) - positive;
    if (!(positive > 0 && negative > 0)) {
      text_ += "null";
      return;
    }
    std::sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    std::vector<std::pair<double, double>> points = {{0, 0}};
    double hits = 0;
    double alarms = 0;
    double area = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      (scores[i].second ? hits : alarms) += 1;
      if (i + 1 < scores.size() && scores[i + 1].first == scores[i].first) continue;  // equal scores are one point
      const std::pair<double, double> point = {alarms / negative, hits / positive};
      area += (point.first - points.back().first) * (point.second + points.back().second) / 2;
      points.push_back(point);
    }
    text_ += "{\"step\":" + std::to_string(last_->step);
    add_value("area", area);
    add_key("points");
    text_ += '[';
    const std::size_t shown = std::min<std::size_t>(points.size(), 201);
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& [x, y] = points[i * (points.size() - 1) / (shown - 1)];
      add_separator();
      add_list(std::vector<double>{x, y});
    }
    text_ += "]}";
  }

  // ---- Regression

  void add_regression() {
    text_ += ",\"confusion\":null,\"class_accuracy\":null,\"roc\":null";
    if (last_ == nullptr || last_->predictions.size() != last_->labels.size()) {
      text_ += ",\"residuals\":null,\"absolute_error\":null";
      return;
    }
    add_residuals();
    const Bins bins(numbers_of(last_->labels), 10);
    add_key("absolute_error");
    text_ += '{';
    add_list("edges", bins.edges());
    text_ += ",\"steps\":[";
    for (const XgboostAnswers& answers : answers_) {
      if (answers.predictions.size() != answers.labels.size()) continue;
      std::vector<double> sums(bins.size()), counts(bins.size());
      for (std::size_t i = 0; i < answers.labels.size(); ++i) {
        const auto bin = bins.of(answers.labels.number(i));
        const double error = std::abs(answers.labels.number(i) - answers.predictions.number(i));
        if (!bin || !std::isfinite(error)) continue;
        sums[*bin] += error;
        counts[*bin] += 1;
      }
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= counts[i];  // NaN, null, for an empty bin
      add_separator();
      text_ += "{\"step\":" + std::to_string(answers.step);
      add_list("mean", sums);
      text_ += '}';
    }
    text_ += "]}";
  }

  void add_residuals() {
    std::vector<double> residuals(last_->labels.size());
    double mean = 0;
    double deviations = 0;
    double count = 0;
    for (std::size_t i = 0; i < residuals.size(); ++i) {
      residuals[i] = last_->labels.number(i) - last_->predictions.number(i);
      if (!std::isfinite(residuals[i])) continue;
      const double before = residuals[i] - mean;
      mean += before / ++count;
      deviations += before * (residuals[i] - mean);
    }
    add_key("residuals");
    text_ += "{\"step\":" + std::to_string(last_->step);
    add_value("mean", count > 0 ? mean : std::numeric_limits<double>::quiet_NaN());
    add_value("std", std::sqrt(deviations / count));
    add_bins(Bins(residuals, 20));
    text_ += '}';
  }

  const Trial& trial_;
  std::string objective_;
  std::vector<XgboostAnswers> answers_;   // by step
  const XgboostAnswers* last_ = nullptr;  // the last of them
  bool are_classes_ = false;
  std::size_t classes_ = 0;
};

}  // namespace detail

TENSORTAP_INLINE std::string xgboost_report(const Trial& trial) { return detail::XgboostReport(trial).text(); }

TENSORTAP_END_NAMESPACE
