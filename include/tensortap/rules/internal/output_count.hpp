// How many outputs a network has, as its parameters and layers tell.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Tells how many elements the tensors of a step have, also those of which only reductions were saved.
class ElementCount {
 public:
  explicit ElementCount(const JudgedStep& step) : step_(&step) {}

  /// Returns the number of elements: of the statistics, or as norms and means tell. 0: unknown.
  [[nodiscard]] std::uint64_t of(const KnownTensor& tensor) {
    if (const Statistics* const s = step_->statistics(tensor)) return s->count;
    const double by_l1 = number(tensor, Reduction::l1) / number(tensor, Reduction::abs_mean);
    if (is_whole(by_l1)) return static_cast<std::uint64_t>(std::round(by_l1));
    const Counts counts = counts_by_l2(tensor);
    const double count = divides_by_one_less() ? counts.by_one_less : counts.by_all;
    return is_whole(count) ? static_cast<std::uint64_t>(std::round(count)) : 0;
  }

 private:
  /// The number of elements if the squared deviations were divided by it, as numpy does, or by one less, as PyTorch.
  struct Counts {
    double by_all = 0;
    double by_one_less = 0;
  };

  [[nodiscard]] double number(const KnownTensor& tensor, Reduction r) const {
    return step_->reduction(tensor, r).value_or(std::numeric_limits<double>::quiet_NaN());
  }

  [[nodiscard]] Counts counts_by_l2(const KnownTensor& tensor) const {
    const double mean = number(tensor, Reduction::mean);
    const double std = number(tensor, Reduction::std);
    const double l2 = number(tensor, Reduction::l2);
    const double mean_square = mean * mean + std * std;
    return {.by_all = l2 * l2 / mean_square, .by_one_less = (l2 * l2 + std * std) / mean_square};
  }

  static double rest(double count) { return std::abs(count - std::round(count)); }
  static bool is_whole(double count) {
    constexpr double tolerance = 1e-3;  // the numbers may be those of float32
    return count > 0.5 && count < 1e6 && rest(count) < tolerance * count;
  }

  /// Returns what the first tensor tells of which only one of the counts is whole; both are if the mean is 0.
  [[nodiscard]] bool divides_by_one_less() {
    constexpr double most = 0.01;
    constexpr double clear = 0.05;
    if (divides_by_one_less_) return *divides_by_one_less_;
    divides_by_one_less_ = false;
    for (const KnownTensor* tensor : step_->saved()) {
      const Counts counts = counts_by_l2(*tensor);
      const double all = rest(counts.by_all);
      const double one_less = rest(counts.by_one_less);
      if (!(std::min(all, one_less) < most && std::max(all, one_less) > clear)) continue;
      divides_by_one_less_ = one_less < all;
      break;
    }
    return *divides_by_one_less_;
  }

  const JudgedStep* step_;
  std::optional<bool> divides_by_one_less_;
};

/// Returns the number of outputs that the parameters and outputs of layers tell, of several that with which a first
/// loss of `first_loss` is the most usual; 0 if none is known.
class OutputCount {
 public:
  explicit OutputCount(double first_loss) : first_loss_(first_loss) {}

  void offer(std::uint64_t outputs) {
    if (outputs < 2) return;
    const double distance = std::abs(std::log(first_loss_ / std::log(static_cast<double>(outputs))));
    if (count_ != 0 && !(distance < distance_ && distance < 0.3)) return;
    count_ = static_cast<std::int64_t>(outputs);
    distance_ = distance;
  }

  void look_at(const JudgedStep& step) {
    ElementCount elements(step);
    const auto biases = step.with_role(Role::bias);
    const auto weights = step.with_role(Role::weight);
    if (!biases.empty()) offer(elements.of(*biases.back()));
    if (!weights.empty())
      if (const Tensor* const value = step.value(*weights.back()); value != nullptr && value->rank() > 1)
        offer(static_cast<std::uint64_t>(value->shape()[0]));
    const auto offer_gradient = [&](const KnownTensor& tensor) {
      const KnownTensor* const parameter = step.find(tensor.subject);  // else its name tells, which takes longer
      if ((parameter != nullptr ? parameter->role : role_of(tensor.subject).role) != Role::bias) return false;
      offer(elements.of(tensor));
      return true;
    };
    const auto gradients = step.with_role(Role::gradient);
    for (std::size_t i = gradients.size(); i > 0; --i)
      if (offer_gradient(*gradients[i - 1])) break;
    for (const KnownTensor* tensor : step.saved())  // the first is the last layer if a backward pass saves them
      if (tensor->role == Role::gradient && offer_gradient(*tensor)) break;
    const auto outputs = step.with_role(Role::layer_output);
    if (!outputs.empty())
      if (const Tensor* const value = step.value(*outputs.back()); value != nullptr && value->rank() == 2)
        offer(static_cast<std::uint64_t>(value->shape()[1]));
  }

  [[nodiscard]] std::int64_t count() const noexcept { return count_; }

 private:
  double first_loss_;
  std::int64_t count_ = 0;
  double distance_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
