// The classes of the examples of a step, and those predicted: as the facts know them, or of tensors by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/builtin/internal/loss_level.hpp>
#include <tensortap/rules/internal/example_rows.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Labels and predictions of one step. Without predictions of these labels, there are none.
class AnswersNow {
 public:
  AnswersNow(const JudgedStep& step, const std::string& labels_regex, const std::string& predictions_regex) {
    if (labels_regex.empty() && predictions_regex.empty()) {
      const Examples& seen = step.facts().examples_of(step.step().mode);
      labels_ = seen.labels_now;
      predictions_ = seen.predicted_now;
      if (!labels_.empty()) note_examples(step);
      return;
    }
    const Tensor* const labels = first_of(step, labels_regex, Role::labels);
    const Tensor* const predictions = first_of(step, predictions_regex, Role::predictions);
    if (labels == nullptr || !read_classes(*labels, own_labels_)) return;
    labels_ = own_labels_;
    if (predictions == nullptr) return;
    const PredictionRows rows(*predictions, own_labels_.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t row = 0; rows.width() > 0 && row < own_labels_.size(); ++row)
      own_predictions_.push_back(rows.class_of(row));
    predictions_ = own_predictions_;
  }
  AnswersNow(const AnswersNow&) = delete;
  AnswersNow& operator=(const AnswersNow&) = delete;

  [[nodiscard]] std::span<const std::int32_t> labels() const noexcept { return labels_; }
  [[nodiscard]] std::span<const std::int32_t> predictions() const noexcept { return predictions_; }

 private:
  static const Tensor* first_of(const JudgedStep& step, const std::string& regex, Role role) {
    for (const KnownTensor* tensor : regex.empty() ? step.with_role(role) : step.saved()) {
      if (!regex.empty() && !Pattern(regex).finds(tensor->name)) continue;
      const Tensor* const value = step.value(*tensor);
      if (value != nullptr && value->size() > 0 && value->dtype() != DType::string) return value;
    }
    return nullptr;
  }

  std::span<const std::int32_t> labels_;
  std::span<const std::int32_t> predictions_;
  std::vector<std::int32_t> own_labels_;
  std::vector<std::int32_t> own_predictions_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
