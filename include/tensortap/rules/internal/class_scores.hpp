// How well classes are predicted: precision, recall and f1, and their averages.
#pragma once

#include <optional>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// How well a class is predicted.
struct ClassScores {
  double precision = 0;
  double recall = 0;
  std::optional<double> f1_sum = {};  // of an average: the sum of those of the classes

  [[nodiscard]] double f1() const {
    if (f1_sum) return *f1_sum;
    return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
  }
  void add(const ClassScores& other, double weight) {
    precision += weight * other.precision;
    recall += weight * other.recall;
    f1_sum = f1_sum.value_or(0) + weight * other.f1();
  }
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
