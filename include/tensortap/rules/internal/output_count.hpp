// How many outputs a network has, as its parameters and layers tell.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the number of elements of a vector: of its statistics, or as its norms and means tell. 0: unknown.
inline std::uint64_t count_in(const JudgedStep& step, const KnownTensor& tensor) {
  if (const Statistics* const s = step.statistics(tensor)) return s->count;
  const auto of = [&](Reduction r) {
    return step.reduction(tensor, r).value_or(std::numeric_limits<double>::quiet_NaN());
  };
  const double mean = of(Reduction::mean);
  const double std = of(Reduction::std);
  const double l2 = of(Reduction::l2);
  for (const double count : {of(Reduction::l1) / of(Reduction::abs_mean), l2 * l2 / (mean * mean + std * std)}) {
    const double whole = std::round(count);
    constexpr double tolerance = 1e-3;  // the numbers may be those of float32
    if (whole >= 1 && whole < 1e6 && std::abs(count - whole) < tolerance * whole)
      return static_cast<std::uint64_t>(whole);
  }
  return 0;
}

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
    const auto biases = step.with_role(Role::bias);
    const auto weights = step.with_role(Role::weight);
    if (!biases.empty()) offer(count_in(step, *biases.back()));
    if (!weights.empty())
      if (const Tensor* const value = step.value(*weights.back()); value != nullptr && value->rank() > 1)
        offer(static_cast<std::uint64_t>(value->shape()[0]));
    const auto offer_gradient = [&](const KnownTensor& tensor) {
      const KnownTensor* const parameter = step.find(tensor.subject);  // else its name tells, which takes longer
      if ((parameter != nullptr ? parameter->role : role_of(tensor.subject).role) != Role::bias) return false;
      offer(count_in(step, tensor));
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
