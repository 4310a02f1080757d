// Labels and predictions as tensors: the class of each example, or its number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/training_facts.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Predictions, one row for each label.
class PredictionRows {
 public:
  /// Makes a view of no predictions.
  PredictionRows() = default;

  /// `rows`: the number of labels. `limit`: a single number above it means yes; NaN: 0.5 for shares, else 0.
  PredictionRows(const Tensor& values, std::size_t rows, double limit) : values_(&values), limit_(limit) {
    if (rows == 0 || values.size() % rows != 0) return;
    width_ = values.size() / rows;
    const auto extent = [&](std::size_t axis) { return static_cast<std::size_t>(values.shape()[axis]); };
    if (width_ > 1 && values.rank() > 2 && extent(values.rank() - 1) != width_ && extent(1) == width_)
      stride_ = values.size() / (extent(0) * width_);  // classes before places, as in images
    if (width_ == 1) look_at_numbers();
  }

  /// The number of outputs for each label; 0: these are no predictions of these labels.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }

  /// Returns the number that is predicted; NaN if there is none.
  [[nodiscard]] double number(std::size_t row) const {
    return width_ == 1 ? values_->number(row) : std::numeric_limits<double>::quiet_NaN();
  }

  /// Returns the probability that is predicted: the number, or what the sigmoid makes of it if the numbers are scores.
  [[nodiscard]] double probability(std::size_t row) const {
    const double x = number(row);
    return limit_ > 0 ? x : 1 / (1 + std::exp(-x));
  }

  /// Returns the class: that of the largest of several numbers, or one number as a class, a share or a score.
  [[nodiscard]] std::int32_t class_of(std::size_t row) const {
    if (width_ == 0) return Examples::no_class;
    if (width_ == 1) return class_of_number(number(row));
    const std::size_t begin = row / stride_ * stride_ * width_ + row % stride_;
    std::size_t best = 0;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < width_; ++i) {
      const double x = values_->number(begin + i * stride_);
      if (std::isnan(x)) return Examples::no_class;
      if (x > largest) best = i, largest = x;
    }
    return best < Examples::most_classes ? static_cast<std::int32_t>(best) : Examples::no_class;
  }

 private:
  void look_at_numbers() {
    bool are_shares = true;
    for (std::size_t i = 0; i < values_->size(); ++i) {
      const double x = values_->number(i);
      are_classes_ = are_classes_ && x == std::floor(x) && x >= 0 && x < Examples::most_classes;
      are_shares = are_shares && x >= 0 && x <= 1;
    }
    if (std::isnan(limit_)) limit_ = are_shares ? 0.5 : 0;
  }

  [[nodiscard]] std::int32_t class_of_number(double x) const {
    if (std::isnan(x)) return Examples::no_class;
    if (are_classes_) return static_cast<std::int32_t>(x);
    return x > limit_ ? 1 : 0;
  }

  const Tensor* values_ = nullptr;
  std::size_t width_ = 0;
  std::size_t stride_ = 1;
  double limit_ = 0;
  bool are_classes_ = true;
};

/// Puts the class of each example into `out`. Returns false if the labels are no classes: small whole numbers, of which
/// negative ones are left out, or rows with a single 1.
inline bool read_classes(const Tensor& labels, std::vector<std::int32_t>& out) {
  out.clear();
  const std::size_t rows = labels.rank() == 0 ? 1 : static_cast<std::size_t>(labels.shape()[0]);
  const bool is_table = labels.rank() == 2 && rows > 0 && labels.size() > rows;
  const std::size_t width = is_table ? labels.size() / rows : 1;
  bool has_one_each = is_table;
  for (std::size_t row = 0; has_one_each && row < rows; ++row) {
    std::size_t ones = 0;
    std::size_t others = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < width; ++i) {
      const double x = labels.number(row * width + i);
      if (x == 1) ++ones, at = i;
      if (x != 0 && x != 1) ++others;
    }
    has_one_each = ones == 1 && others == 0;
    out.push_back(static_cast<std::int32_t>(std::min(at, Examples::most_classes)));
  }
  if (has_one_each) return true;
  out.clear();
  const bool has_types = labels.dtype() != DType::f32 && labels.dtype() != DType::f64;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double x = labels.number(i);
    if (!(x == std::floor(x)) || x >= Examples::most_classes || (x < 0 && !has_types)) return false;
    out.push_back(x < 0 ? Examples::no_class : static_cast<std::int32_t>(x));
  }
  return !is_table || has_types;
}

/// Puts the answers to all questions of all examples, yes or no, into `out`, as the labels of a binary cross entropy
/// are. Returns false if one is neither 0 nor 1.
inline bool read_answers(const Tensor& labels, std::vector<std::int32_t>& out) {
  out.clear();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double x = labels.number(i);
    if (x != 0 && x != 1) return false;
    out.push_back(x == 1 ? 1 : 0);
  }
  return true;
}

inline void count_at(std::vector<std::int64_t>& counts, std::int32_t at) {
  if (at < 0 || at >= static_cast<std::int32_t>(Examples::most_classes)) return;
  const auto place = static_cast<std::size_t>(at);
  if (place >= counts.size()) counts.resize(place + 1);
  ++counts[place];
}

inline std::int64_t largest_count(const std::vector<std::int64_t>& counts) {
  return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

inline double share(double part, std::int64_t total) { return total > 0 ? part / static_cast<double>(total) : 0; }

/// Returns the share of equal labels and predictions if they were independent.
inline double agreement_by_chance(const std::vector<std::int64_t>& labels, std::int64_t examples,
                                  const std::vector<std::int64_t>& predicted, std::int64_t predictions) {
  double out = 0;
  for (std::size_t i = 0; i < std::min(labels.size(), predicted.size()); ++i)
    out += share(static_cast<double>(labels[i]), examples) * share(static_cast<double>(predicted[i]), predictions);
  return out;
}

inline double variance_of(double sum, double squares, std::int64_t n) {
  const double mean = share(sum, n);
  return std::max(0.0, share(squares, n) - mean * mean);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
