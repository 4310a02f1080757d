// The kernels by instruction set: tables of functions that give the same bits, of which isa() and the processor choose
// one.
//
//   kernels<float>().everything(bytes, 4096, first, totals);
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>

#include <tensortap/internal/config.hpp>
#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/by_bits.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/kernels_avx2.hpp>
#include <tensortap/reduce/internal/kernels_avx512.hpp>
#include <tensortap/reduce/internal/kernels_portable.hpp>
#include <tensortap/reduce/internal/kernels_sse2_neon.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/processor.hpp>
#include <tensortap/tensor/dtype.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The kernels for blocks of `Element`: float, double, Half or BFloat16. `start` is an element of the block.
template <class Element>
struct Kernels {
  using In = Computed<Element>;
  using Totals = void (*)(const std::byte* elements, std::size_t count, In start, BlockTotals<In>& out) noexcept;
  using SumsOfDeviations = Deviations (*)(const std::byte* elements, std::size_t count, double center,
                                          bool absolute) noexcept;

  Totals extremes, sums, everything;
  Totals everything_finite;  ///< skips NaN and infinities; `start` is finite
  SumsOfDeviations deviations, deviations_finite;
  double (*squares)(const std::byte* elements, std::size_t count) noexcept;
  /// For four full blocks in memory that begin `apart` bytes from each other. Null if `squares` is as fast.
  void (*squares_of_four)(const std::byte* elements, std::size_t apart, double* out) noexcept;

  Zeros (*count_zeros)(const std::byte* elements, std::size_t count) noexcept;
  std::size_t (*find_magnitude)(const std::byte* elements, std::size_t count, BitsOf<Element> magnitude) noexcept;

  /// Of float and double; else null.
  void (*products)(const std::byte* elements, std::size_t rows, LaneProducts& out) noexcept;
  /// Of Half and BFloat16; else null.
  void (*widen)(const std::byte* from, std::size_t count, float* to) noexcept;
};

/// Converts a block of 16-bit floats, and calls the kernel for float.
template <class Element, auto kernel, class... Rest>
auto of_floats(const std::byte* elements, std::size_t count, Rest... rest) noexcept {
  alignas(64) float block[block_size];
  convert_elements<Element>(elements, count, block);
  return kernel(reinterpret_cast<const std::byte*>(block), count, rest...);
}

template <class Element>
inline constexpr Kernels<Element> portable_kernels = {
    .extremes = portable::totals<Element, extremes, false>,
    .sums = portable::totals<Element, sums, false>,
    .everything = portable::totals<Element, everything, false>,
    .everything_finite = portable::totals<Element, everything, true>,
    .deviations = portable::deviations<Element, false>,
    .deviations_finite = portable::deviations<Element, true>,
    .squares = portable::squares_of<Element>,
    .squares_of_four = nullptr,
    .count_zeros = count_zeros<Element, 16>,
    .find_magnitude = find_magnitude<Element, 16>,
    .products = portable::products<Element>,
    .widen = nullptr,
};

template <class Element>
inline constexpr Kernels<Element> sse2_neon_kernels = {
    .extremes = vector16::totals<Element, extremes, false>,
    .sums = vector16::totals<Element, sums, false>,
    .everything = vector16::totals<Element, everything, false>,
    .everything_finite = vector16::totals<Element, everything, true>,
    .deviations = vector16::deviations<Element, false>,
    .deviations_finite = vector16::deviations<Element, true>,
    .squares = vector16::squares_of<Element>,
    .squares_of_four = nullptr,
    .count_zeros = count_zeros<Element, 16>,
    .find_magnitude = find_magnitude<Element, 16>,
    .products = vector16::products<Element>,
    .widen = nullptr,
};

/// The kernels of `table` for 16-bit floats.
template <class Element, const Kernels<float>& table>
inline constexpr Kernels<Element> kernels_of_floats = {
    .extremes = of_floats<Element, table.extremes>,
    .sums = of_floats<Element, table.sums>,
    .everything = of_floats<Element, table.everything>,
    .everything_finite = of_floats<Element, table.everything_finite>,
    .deviations = of_floats<Element, table.deviations>,
    .deviations_finite = of_floats<Element, table.deviations_finite>,
    .squares = of_floats<Element, table.squares>,
    .squares_of_four = nullptr,
    .count_zeros = count_zeros<Element, 16>,
    .find_magnitude = find_magnitude<Element, 16>,
    .products = nullptr,
    .widen = convert_elements<Element, float>,
};

template <>
inline constexpr Kernels<Half> portable_kernels<Half> = kernels_of_floats<Half, portable_kernels<float>>;
template <>
inline constexpr Kernels<BFloat16> portable_kernels<BFloat16> = kernels_of_floats<BFloat16, portable_kernels<float>>;
template <>
inline constexpr Kernels<Half> sse2_neon_kernels<Half> = kernels_of_floats<Half, sse2_neon_kernels<float>>;
template <>
inline constexpr Kernels<BFloat16> sse2_neon_kernels<BFloat16> = kernels_of_floats<BFloat16, sse2_neon_kernels<float>>;

#if defined(__x86_64__)

/// Completes a table with the kernels that have no wider form: for blocks with NaN or infinities, and for 16-bit floats
/// those that only read a block again.
template <class Element>
constexpr Kernels<Element> completed(Kernels<Element> table) noexcept {
  const Kernels<Element>& narrow = sse2_neon_kernels<Element>;
  table.everything_finite = narrow.everything_finite;
  table.deviations_finite = narrow.deviations_finite;
  if (table.deviations == nullptr) table.deviations = narrow.deviations;
  return table;
}

template <class Element, Processor processor>
constexpr Kernels<Element> make_avx2_kernels() noexcept {
  constexpr bool prefetching = processor == Processor::other;
  Kernels<Element> table{};
  // Eight lanes of float64 are one cache line in four, a pattern that AMD's prefetchers miss: 0.35 -> 0.59 of the read
  // limit on a Zen 4; float32 has 0.70 without prefetches, 0.53 with them.
  constexpr bool prefetching_totals = prefetching || sizeof(Element) == 8;
  table.extremes = avx2::totals<Element, extremes, prefetching_totals>;
  table.sums = avx2::totals<Element, sums, prefetching_totals>;
  table.everything = avx2::totals<Element, everything, prefetching_totals>;
  table.squares = avx2::squares_of<Element, false>;
  table.count_zeros = avx2::count_zeros<Element>;
  table.find_magnitude = avx2::find_magnitude<Element>;
  if constexpr (prefetching) table.squares_of_four = avx2::squares_of_four<Element>;
  if constexpr (sizeof(Element) == 2)
    table.widen = avx2::widen<Element>;
  else
    table.products = avx2::products<Element>;
  return completed(table);
}

template <class Element, Processor processor>
constexpr Kernels<Element> make_avx512_kernels() noexcept {
  constexpr bool prefetching = processor == Processor::other;
  Kernels<Element> table{};
  table.extremes = avx512::totals<Element, extremes, prefetching>;
  table.sums = avx512::totals<Element, sums, prefetching>;
  table.everything = avx512::totals<Element, everything, prefetching>;
  if constexpr (processor == Processor::zen4 && std::same_as<Element, float>)
    table.squares = avx2::squares_of<float, false>;
  else
    table.squares = avx512::squares_of<Element>;
  table.count_zeros = avx2::count_zeros<Element>;
  table.find_magnitude = avx2::find_magnitude<Element>;
  if constexpr (prefetching) table.squares_of_four = avx512::squares_of_four<Element>;
  if constexpr (sizeof(Element) == 2) {
    table.widen = avx512::widen<Element>;
  } else {
    table.deviations = avx512::deviations<Element>;
    table.products = avx512::products<Element>;
  }
  return completed(table);
}

/// The AVX2 kernels of Zen 4 are those of all of AMD.
template <class Element, Processor processor>
inline constexpr Kernels<Element> avx2_kernels =
    make_avx2_kernels<Element, processor == Processor::other ? Processor::other : Processor::amd>();
template <class Element, Processor processor>
inline constexpr Kernels<Element> avx512_kernels = make_avx512_kernels<Element, processor>();

#endif

template <class Element>
using Tables = std::array<const Kernels<Element>*, all_isas.size()>;

/// Returns the tables for a family of processors, by instruction set.
template <class Element>
Tables<Element> tables_of([[maybe_unused]] Processor processor) noexcept {
  Tables<Element> tables;
  tables.fill(&sse2_neon_kernels<Element>);
  tables[static_cast<std::size_t>(Isa::portable)] = &portable_kernels<Element>;
#if defined(__x86_64__)
  const auto set = [&]<Processor p>() {
    tables[static_cast<std::size_t>(Isa::avx2)] = &avx2_kernels<Element, p>;
    tables[static_cast<std::size_t>(Isa::avx512)] = &avx512_kernels<Element, p>;
  };
  switch (processor) {
    case Processor::other: set.template operator()<Processor::other>(); break;
    case Processor::amd: set.template operator()<Processor::amd>(); break;
    case Processor::zen4: set.template operator()<Processor::zen4>(); break;
  }
#endif
  return tables;
}

/// Returns the kernels of an instruction set for this processor.
template <class Element>
const Kernels<Element>& kernels_of(Isa isa) noexcept {
  static const Tables<Element> tables = tables_of<Element>(this_processor());
  return *tables[static_cast<std::size_t>(isa)];
}

/// Kernels that replace all others, if any: for tests that count calls or inject wrong kernels.
template <class Element>
inline std::atomic<const Kernels<Element>*> substitute_kernels = nullptr;

/// Returns the kernels in use.
template <class Element>
const Kernels<Element>& kernels() noexcept {
  if (const auto* substitute = substitute_kernels<Element>.load(std::memory_order_relaxed)) return *substitute;
  return kernels_of<Element>(isa());
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
