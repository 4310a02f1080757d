// What the adapters that hand a tensor to another library check: its rank.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Throws if the rank of `tensor` is not between `least` and `most`; `what` is the function, `way_out` the advice.
inline void require_rank(std::string_view what, const Tensor& tensor, std::size_t least, std::size_t most,
                         std::string_view way_out) {
  if (tensor.rank() >= least && tensor.rank() <= most) return;
  const std::string range =
      least == most ? std::to_string(most) : std::to_string(least) + " to " + std::to_string(most);
  throw Error(Errc::invalid_tensor, std::string(what) + ": tensor: its rank does not fit (" +
                                        std::to_string(tensor.rank()) + ", not " + range + "); " +
                                        std::string(way_out));
}

/// Returns extent `axis` of a tensor; 1 for axes that it does not have.
inline std::size_t extent_of(const Tensor& tensor, std::size_t axis) {
  return axis < tensor.rank() ? static_cast<std::size_t>(tensor.shape()[axis]) : 1;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
