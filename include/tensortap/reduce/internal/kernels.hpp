// The kernels by instruction set: tables of functions that give the same bits, of which isa() chooses one.
//
//   kernels<float>().everything(bytes, 4096, first, totals);
#pragma once

#include <atomic>
#include <cstddef>

#include <tensortap/internal/config.hpp>
#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/kernels_avx2.hpp>
#include <tensortap/reduce/internal/kernels_avx512.hpp>
#include <tensortap/reduce/internal/kernels_portable.hpp>
#include <tensortap/reduce/internal/kernels_sse2_neon.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The kernels for blocks of In, which is float or double. `start` is an element of the block.
template <class In>
struct Kernels {
  using Totals = void (*)(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept;
  using SumsOfDeviations = Deviations (*)(const std::byte* elements, std::size_t count, double center,
                                          bool absolute) noexcept;

  Totals extremes, sums, squares, everything;
  Totals everything_finite;  ///< skips NaN and infinities; `start` is finite
  SumsOfDeviations deviations, deviations_finite;
  void (*products)(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept;

  // For full blocks that begin `apart` bytes from each other. May be null.
  void (*everything_of_two)(const std::byte* elements, std::size_t apart, BlockTotals<In> (&out)[2]) noexcept;
  using Squares = void(const std::byte* elements, std::size_t apart, double* out) noexcept;
  Squares* squares_of_two;
  Squares* squares_of_four;
  Squares* squares_of_four_f16;
  Squares* squares_of_four_bf16;

  using Widen = void(const std::byte* from, std::size_t count, float* to) noexcept;
  Widen* widen_f16;
  Widen* widen_bf16;
};

template <class In>
inline constexpr Kernels<In> portable_kernels = {
    .extremes = portable::totals<In, extremes, false>,
    .sums = portable::totals<In, sums, false>,
    .squares = portable::totals<In, squares, false>,
    .everything = portable::totals<In, everything, false>,
    .everything_finite = portable::totals<In, everything, true>,
    .deviations = portable::deviations<In, false>,
    .deviations_finite = portable::deviations<In, true>,
    .products = portable::products<In>,
    .everything_of_two = nullptr,
    .squares_of_two = nullptr,
    .squares_of_four = nullptr,
    .squares_of_four_f16 = nullptr,
    .squares_of_four_bf16 = nullptr,
    .widen_f16 = convert_elements<Half, float>,
    .widen_bf16 = convert_elements<BFloat16, float>,
};

template <class In>
inline constexpr Kernels<In> sse2_neon_kernels = {
    .extremes = vector16::totals<In, extremes, false>,
    .sums = vector16::totals<In, sums, false>,
    .squares = vector16::totals<In, squares, false>,
    .everything = vector16::totals<In, everything, false>,
    .everything_finite = vector16::totals<In, everything, true>,
    .deviations = vector16::deviations<In, false>,
    .deviations_finite = vector16::deviations<In, true>,
    .products = vector16::products<In>,
    .everything_of_two = nullptr,
    .squares_of_two = nullptr,
    .squares_of_four = nullptr,
    .squares_of_four_f16 = nullptr,
    .squares_of_four_bf16 = nullptr,
    .widen_f16 = convert_elements<Half, float>,
    .widen_bf16 = convert_elements<BFloat16, float>,
};

#if defined(__x86_64__)

// SSE2 serves the rare cases: blocks with NaN or infinities, and with AVX2 also second passes.
template <class In>
inline constexpr Kernels<In> avx2_kernels = {
    .extremes = avx2::totals<In, extremes>,
    .sums = avx2::totals<In, sums>,
    .squares = avx2::totals<In, squares>,
    .everything = avx2::totals<In, everything>,
    .everything_finite = vector16::totals<In, everything, true>,
    .deviations = vector16::deviations<In, false>,
    .deviations_finite = vector16::deviations<In, true>,
    .products = avx2::products<In>,
    .everything_of_two = nullptr,
    .squares_of_two = avx2::squares_of_two<In>,
    .squares_of_four = avx2::squares_of_four<In>,
    .squares_of_four_f16 = avx2::squares_of_four<Half>,
    .squares_of_four_bf16 = avx2::squares_of_four<BFloat16>,
    .widen_f16 = avx2::widen<Half>,
    .widen_bf16 = avx2::widen<BFloat16>,
};

template <class In>
inline constexpr Kernels<In> avx512_kernels = {
    .extremes = avx512::totals<In, extremes>,
    .sums = avx512::totals<In, sums>,
    .squares = avx512::totals<In, squares>,
    .everything = avx512::totals<In, everything>,
    .everything_finite = vector16::totals<In, everything, true>,
    .deviations = avx512::deviations<In>,
    .deviations_finite = vector16::deviations<In, true>,
    .products = avx512::products<In>,
    .everything_of_two = avx512::everything_of_two<In>,
    .squares_of_two = avx512::squares_of_two<In>,
    .squares_of_four = avx512::squares_of_four<In>,
    .squares_of_four_f16 = avx512::squares_of_four<Half>,
    .squares_of_four_bf16 = avx512::squares_of_four<BFloat16>,
    .widen_f16 = avx512::widen<Half>,
    .widen_bf16 = avx512::widen<BFloat16>,
};

#endif

/// Kernels that replace all others, if any: for tests that count calls or inject wrong kernels.
template <class In>
inline std::atomic<const Kernels<In>*> substitute_kernels = nullptr;

/// Returns the kernels in use.
template <class In>
const Kernels<In>& kernels() noexcept {
  if (const auto* substitute = substitute_kernels<In>.load(std::memory_order_relaxed)) return *substitute;
  switch (isa()) {
#if defined(__x86_64__)
    case Isa::avx512: return avx512_kernels<In>;
    case Isa::avx2: return avx2_kernels<In>;
#endif
    case Isa::portable: return portable_kernels<In>;
    default: return sse2_neon_kernels<In>;
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
