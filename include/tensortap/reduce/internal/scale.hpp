// A tensor times a quotient, in place. Not for user code: clip_grad_norm uses it.
//
//   tensortap::detail::scale(view, 1, 2);
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/narrow.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/writable_view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Calls `f(pointer, count)` for each run of elements that follow each other with one stride, in bytes.
template <class F>
void for_each_run(const WritableView& view, const F& f) {
  auto* const first = static_cast<std::byte*>(view.data());
  const auto width = static_cast<std::int64_t>(size_of(view.dtype()));
  if (view.size() == 0) return;
  if (view.is_contiguous()) return f(first, view.size(), width);
  const std::size_t last = view.rank() - 1;
  const auto run = static_cast<std::size_t>(view.shape()[last]);
  std::int64_t index[TensorView::max_rank]{};
  for (std::size_t done = 0; done < view.size(); done += run) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < last; ++axis) offset += index[axis] * view.strides()[axis];
    f(first + offset * width, run, view.strides()[last] * width);
    for (std::size_t axis = last; axis-- > 0;) {  // carry
      if (++index[axis] < view.shape()[axis]) break;
      index[axis] = 0;
    }
  }
}

template <class T>
void scale_run(std::byte* at, std::size_t count, std::int64_t stride, double factor, DType dtype) noexcept {
  for (std::size_t i = 0; i < count; ++i, at += stride) {
    T x;
    std::memcpy(&x, at, sizeof x);
    double wide;
    if constexpr (requires { x.bits; })
      wide = static_cast<double>(static_cast<float>(x));
    else
      wide = static_cast<double>(x);
    const std::uint64_t bits = narrowed(rounded(wide * factor), dtype);
    std::memcpy(at, &bits, sizeof x);
  }
}

/// Floats in order, in vectors of 16 bytes.
inline void scale_floats(std::byte* at, std::size_t count, double factor) noexcept {
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4, at += sizeof(F32x4)) {
    const Four<float> x = Four<float>::at(at);
    const F64x2 low = rounded(x.low() * factor);
    const F64x2 high = rounded(x.high() * factor);
    const float scaled[4] = {static_cast<float>(low[0]), static_cast<float>(low[1]), static_cast<float>(high[0]),
                             static_cast<float>(high[1])};
    std::memcpy(at, scaled, sizeof scaled);
  }
  scale_run<float>(at, count - i, sizeof(float), factor, DType::f32);
}

/// Times `to` / `from`. Elements that are not finite stay so. The tensor is of floating type; the caller sets the
/// `IeeeMode`.
[[gnu::noinline]] inline void scale(const WritableView& view, double to, double from) {
  const double factor = quotient(to, from);
  for_each_run(view, [&](std::byte* at, std::size_t count, std::int64_t stride) {
    switch (view.dtype()) {
      case DType::f16: return scale_run<Half>(at, count, stride, factor, DType::f16);
      case DType::bf16: return scale_run<BFloat16>(at, count, stride, factor, DType::bf16);
      case DType::f64: return scale_run<double>(at, count, stride, factor, DType::f64);
      default:
        if (stride == sizeof(float)) return scale_floats(at, count, factor);
        return scale_run<float>(at, count, stride, factor, DType::f32);
    }
  });
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
