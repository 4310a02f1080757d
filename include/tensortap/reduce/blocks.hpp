// A tensor of any type and strides as blocks of float32 or float64, for the kernels: where it is contiguous and of that
// type a block is the memory itself, else it is gathered and converted into a buffer that stays in the L1 cache. The
// tensor is never copied as a whole. Not for user code.
//
//   tensortap::detail::BlockReader<float> blocks(view);
//   const auto [elements, count] = blocks[0];
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/reduce/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0::detail {

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

/// The bits of the float with the value of a binary16: like the conversion of `Half`, but without branches, so that
/// compilers make vectors of it.
inline std::uint32_t widened(std::uint16_t half) noexcept {
  const std::int32_t magnitude = half & 0x7fff;
  const std::int32_t rebias = magnitude < 0x7c00 ? 112 << 23 : 224 << 23;
  const std::int32_t normal = (magnitude << 13) + rebias;
  const auto subnormal = std::bit_cast<std::int32_t>(static_cast<float>(magnitude) * 0x1p-24F);
  const std::int32_t is_subnormal = -static_cast<std::int32_t>(magnitude < 0x400);  // a mask: g++ 12 would branch here
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  return static_cast<std::uint32_t>((subnormal & is_subnormal) | (normal & ~is_subnormal)) | sign;
}

template <class From, class To>
void convert(const From& from, To& to) noexcept {
  if constexpr (std::same_as<From, Half>) {
    to = std::bit_cast<float>(widened(from.bits));
  } else if constexpr (std::same_as<From, BFloat16>) {
    to = std::bit_cast<float>(static_cast<std::uint32_t>(from.bits) << 16);
  } else {
    to = static_cast<To>(from);
  }
}

template <class From, class To>
void convert_block(const Block& from, To* to) noexcept {
  constexpr std::size_t chunk = 16;  // a constant number of rounds, which g++ 12 -O2 turns into vectors
  std::size_t i = 0;
  for (; i + chunk <= from.count; i += chunk) {
    From chunk_from[chunk];
    To chunk_to[chunk];
    std::memcpy(chunk_from, from.elements + i * sizeof(From), sizeof chunk_from);
    for (std::size_t k = 0; k < chunk; ++k) convert(chunk_from[k], chunk_to[k]);
    std::memcpy(to + i, chunk_to, sizeof chunk_to);
  }
  for (; i < from.count; ++i) convert(load<From>(from.elements + i * sizeof(From)), to[i]);
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
      case DType::f16: return converted<Half>(raw);
      case DType::bf16: return converted<BFloat16>(raw);
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
    convert_block<From>(raw, converted_);
    return {reinterpret_cast<const std::byte*>(converted_), raw.count};
  }

  const TensorView& view_;
  alignas(64) In converted_[block_size];
  alignas(64) std::byte gathered_[block_size * sizeof(In)];
};

}  // namespace tensortap::inline v0::detail
