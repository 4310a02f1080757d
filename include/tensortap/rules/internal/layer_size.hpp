// The size of a layer, as its weight tells, or the numbers that were saved of weight and bias.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/output_count.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What a weight connects; outputs is 0 if that is unknown, or it is a vector.
struct LayerSize {
  std::uint64_t outputs = 0;  ///< units, or channels
  std::uint64_t inputs = 0;   ///< of a unit: of a convolution, the elements of its kernel
  std::uint64_t places = 1;   ///< of the kernel of a convolution; 1 if unknown
};

/// Returns the size from the shape of the weight, else from the numbers of elements of the weight and of its bias,
/// which `elements` counts in the same step.
inline LayerSize layer_size_of(const JudgedStep& step, const KnownTensor& weight, ElementCount& elements) {
  if (const Tensor* const value = step.value(weight)) {
    if (value->rank() < 2 || value->size() == 0) return {};
    const auto outputs = static_cast<std::uint64_t>(value->shape()[0]);
    const auto channels = static_cast<std::uint64_t>(value->shape()[1]);
    return {.outputs = outputs, .inputs = value->size() / outputs, .places = value->size() / (outputs * channels)};
  }
  const std::size_t at = weight.name.rfind("weight");
  if (at == std::string::npos) return {};
  const KnownTensor* const bias = step.find(std::string(weight.name).replace(at, 6, "bias"));
  const std::uint64_t outputs = bias == nullptr ? 0 : elements.of(*bias);
  const std::uint64_t count = outputs == 0 ? 0 : elements.of(weight);
  // What reductions tell of many elements is not exact.
  return count == 0 ? LayerSize() : LayerSize{.outputs = outputs, .inputs = (count + outputs / 2) / outputs};
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
