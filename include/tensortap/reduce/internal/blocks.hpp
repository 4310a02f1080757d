// Reads a tensor of any type and strides as blocks of float32 or float64, and combines the values of the blocks in a
// tree, with the same result for any number of threads. If the tensor is contiguous and has the kernel's type, a block
// is its memory. Otherwise a block is copied and converted into a buffer in the L1 cache. The whole tensor is never
// copied.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/worker_pool.hpp>
#include <tensortap/reduce/reduce_options.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the number of blocks of a tensor.
inline std::size_t block_count(const TensorView& view) noexcept { return (view.size() + block_size - 1) / block_size; }

/// Returns whether float32 holds every value of the type. Kernels read the other types as float64.
constexpr bool fits_float(DType dtype) noexcept {
  switch (dtype) {
    case DType::f16:
    case DType::bf16:
    case DType::f32:
    case DType::i8:
    case DType::i16:
    case DType::u8:
    case DType::u16:
    case DType::boolean: return true;
    default: return false;
  }
}

/// Calls `f` with an element of the type in which kernels read a tensor of real numbers: 16-bit floats and float64 as
/// they are, others as float32 if it holds all their values, else as float64.
template <class F>
decltype(auto) with_kernel_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f16: return f(Half{});
    case DType::bf16: return f(BFloat16{});
    default: return fits_float(dtype) ? f(float{}) : f(double{});
  }
}

/// Elements in memory, of any alignment.
struct Block {
  const std::byte* elements;
  std::size_t count;
};

/// Returns block `i` in the tensor's own type. Copies it to `buffer` if the tensor is not contiguous.
inline Block raw_block(const TensorView& view, std::size_t i, std::byte* buffer) {
  const std::size_t first = i * block_size;
  const std::size_t count = std::min<std::size_t>(block_size, view.size() - first);
  if (view.is_contiguous()) return {static_cast<const std::byte*>(view.data()) + first * size_of(view.dtype()), count};
  copy_row_major(view, first, count, buffer);
  return {buffer, count};
}

/// Returns whether the memory of a tensor is a row of `Element`.
template <class Element>
bool is_stored_as(const TensorView& view) noexcept {
  return view.dtype() == dtype_v<Element> && view.is_contiguous();
}

/// Reads blocks of a view as `Element`. Float reads all types that fit, double the others; Half and BFloat16 read their
/// own type alone.
template <class Element>
class BlockReader {
 public:
  explicit BlockReader(const TensorView& view) noexcept : view_(view) {}

  /// Returns block `i`, which is valid until the next call.
  [[nodiscard]] Block operator[](std::size_t i) {
    const Block raw = raw_block(view_, i, gathered_);
    if constexpr (sizeof(Element) == 2)
      return raw;
    else
      return as_elements(raw);
  }

 private:
  [[nodiscard]] Block as_elements(const Block& raw) {
    switch (view_.dtype()) {
      case DType::f16: return widened<Half>(raw);
      case DType::bf16: return widened<BFloat16>(raw);
      case DType::i8: return converted<std::int8_t>(raw);
      case DType::i16: return converted<std::int16_t>(raw);
      case DType::i32: return converted<std::int32_t>(raw);
      case DType::i64: return converted<std::int64_t>(raw);
      case DType::u8: return converted<std::uint8_t>(raw);
      case DType::u16: return converted<std::uint16_t>(raw);
      case DType::u32: return converted<std::uint32_t>(raw);
      case DType::u64: return converted<std::uint64_t>(raw);
      case DType::boolean: return converted<Truth>(raw);
      default: return raw;  // f32 or f64, which is Element
    }
  }

  template <class From>
  Block converted(const Block& raw) noexcept {
    convert_elements<From>(raw.elements, raw.count, converted_);
    return {reinterpret_cast<const std::byte*>(converted_), raw.count};
  }

  template <class From>
  Block widened(const Block& raw) noexcept {
    if constexpr (std::is_same_v<Element, float>) kernels<From>().widen(raw.elements, raw.count, converted_);
    return {reinterpret_cast<const std::byte*>(converted_), raw.count};
  }

  const TensorView& view_;
  alignas(64) Element converted_[sizeof(Element) == 2 ? 1 : block_size];
  alignas(64) std::byte gathered_[block_size * sizeof(Element)];
};

/// Combines leaf(0) to leaf(count - 1) by `merge`, in the tree of `pairwise`. `make_leaf` makes the leaf of each
/// thread; one call of a leaf reads `blocks_each` blocks.
template <class Value, std::size_t blocks_each = 1, class MakeLeaf, class Merge>
Value over_blocks(std::size_t count, ReduceOptions options, const MakeLeaf& make_leaf, const Merge& merge) {
  // A chunk has at least 256 KiB of float32: reading them takes 10 us, as long as waking a thread.
  constexpr std::size_t smallest_chunk = blocks_each < 16 ? 16 / blocks_each : 1;
  if (options.threads <= 1 || count < 2 * smallest_chunk) {
    auto leaf = make_leaf();
    return pairwise(0, count, leaf, merge);
  }
  // A chunk of 2^k blocks is a whole branch of the tree.
  const std::size_t chunk =
      std::max(smallest_chunk, std::bit_ceil(count / (32 * static_cast<std::size_t>(options.threads))));
  std::vector<Value> values((count + chunk - 1) / chunk);
  WorkerPool::instance().run(values.size(), options.threads, [&](std::size_t i) {
    const IeeeMode ieee;
    auto leaf = make_leaf();
    values[i] = pairwise(i * chunk, std::min(chunk, count - i * chunk), leaf, merge);
  });
  const auto leaf = [&](std::size_t i) { return values[i]; };
  return pairwise(0, values.size(), leaf, merge);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
