// A tensor of any type and strides as blocks of float32 or float64, for the kernels: where it is contiguous and of that
// type a block is the memory itself, else it is gathered and converted into a buffer that stays in the L1 cache. The
// tensor is never copied as a whole. Not for user code.
//
//   tensortap::detail::BlockReader<float> blocks(view);
//   const auto [elements, count] = blocks[0];
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/kernels.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// How many blocks a tensor has.
inline std::size_t block_count(const TensorView& view) noexcept { return (view.size() + block_size - 1) / block_size; }

/// True if float32 holds every value of the type; the rest goes through float64.
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

/// Elements as they lie in memory: any alignment.
struct Block {
  const std::byte* elements;
  std::size_t count;
};

/// Block `i` as elements of the tensor's own type, gathered to `buffer` if they do not lie in order.
inline Block raw_block(const TensorView& view, std::size_t i, std::byte* buffer) {
  const std::size_t first = i * block_size;
  const std::size_t count = std::min<std::size_t>(block_size, view.size() - first);
  if (view.is_contiguous()) return {static_cast<const std::byte*>(view.data()) + first * size_of(view.dtype()), count};
  copy_row_major(view, first, count, buffer);
  return {buffer, count};
}

/// Blocks of `view` as In, which is float or double.
template <class In>
class BlockReader {
 public:
  explicit BlockReader(const TensorView& view) noexcept : view_(view) {}

  /// Block `i`, valid until the next is asked for.
  [[nodiscard]] Block operator[](std::size_t i) {
    const Block raw = raw_block(view_, i, gathered_);
    switch (view_.dtype()) {
      case DType::f16: return widened(raw, kernels<float>().widen_f16);
      case DType::bf16: return widened(raw, kernels<float>().widen_bf16);
      case DType::i8: return converted<std::int8_t>(raw);
      case DType::i16: return converted<std::int16_t>(raw);
      case DType::i32: return converted<std::int32_t>(raw);
      case DType::i64: return converted<std::int64_t>(raw);
      case DType::u8: return converted<std::uint8_t>(raw);
      case DType::u16: return converted<std::uint16_t>(raw);
      case DType::u32: return converted<std::uint32_t>(raw);
      case DType::u64: return converted<std::uint64_t>(raw);
      case DType::boolean: return converted<Truth>(raw);
      default: return raw;  // f32 or f64, which is In
    }
  }

 private:
  /// A bool in memory that may hold any byte.
  struct Truth {
    std::uint8_t byte;
    explicit operator In() const noexcept { return byte != 0 ? In{1} : In{0}; }
  };

  template <class From>
  Block converted(const Block& raw) noexcept {
    convert_elements<From>(raw.elements, raw.count, converted_);
    return {reinterpret_cast<const std::byte*>(converted_), raw.count};
  }

  Block widened(const Block& raw, Kernels<float>::Widen* widen) noexcept {
    if constexpr (std::is_same_v<In, float>) widen(raw.elements, raw.count, converted_);
    return {reinterpret_cast<const std::byte*>(converted_), raw.count};
  }

  const TensorView& view_;
  alignas(64) In converted_[block_size];
  alignas(64) std::byte gathered_[block_size * sizeof(In)];
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
