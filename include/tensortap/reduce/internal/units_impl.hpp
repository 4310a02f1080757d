// Cuts a tensor into strips of units, and leads the kernel over them. A matrix is read 16 rows at a time, so that
// memory is read in order; of images, the runs of one channel are read one after the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/internal/unit_shape.hpp>
#include <tensortap/isa.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/convert.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/reduce/internal/unit_kernels.hpp>
#include <tensortap/reduce/units.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

/// Finds the statistics of the units of one tensor of real numbers, which it reads as `In`: float or double.
template <class In>
class UnitFinder {
 public:
  UnitFinder(const TensorView& view, const UnitShape& shape, UnitStatistics& out) noexcept
      : view_(view),
        shape_(shape),
        out_(out),
        is_direct_(is_stored_as<In>(view)),
        add_groups_(add_groups_of<In>(isa())) {}

  void run() {
    // As columns, a channel is moved to its unit once for many rows; as runs, eight lanes are moved in each row.
    shape_.inner <= std::min(longest_as_columns, group_lanes * shape_.rows) ? add_columns() : add_channels();
    for (UnitStatistics::Unit& unit : out_.list)
      unit.negative = shape_.per_unit() - unit.positive - unit.zeros - unit.nan;
  }

 private:
  static constexpr std::size_t rows_at_once = 16;         // as many streams as prefetchers follow
  static constexpr std::size_t sums_in_lane = 256;        // that a lane takes before they are added to the unit
  static constexpr std::size_t longest_as_columns = 512;  // elements of a channel
  static constexpr std::size_t piece = 4096;              // elements of a channel in one call of a kernel

  /// Takes all elements as a matrix, in which `inner` neighbouring columns are a unit. A lane is a column.
  void add_columns() {
    const std::size_t width = shape_.units * shape_.inner;
    const std::size_t judged = shape_.judged() * shape_.inner;
    const std::size_t strip = is_direct_ ? UnitLanes<In>::size : buffer_size / rows_at_once;
    for (std::size_t begin = 0; begin < judged; begin += strip)
      add_strip(begin, std::min(strip, judged - begin), width);
  }

  void add_strip(std::size_t begin, std::size_t count, std::size_t width) {
    const std::size_t groups = count / group_lanes;
    const std::size_t rest = count % group_lanes;
    const std::size_t lanes = (groups + (rest > 0 ? 1 : 0)) * group_lanes;
    // The lanes beyond the last column hold 0, and are ignored.
    if (rest > 0) std::fill_n(buffer_, is_direct_ ? rows_at_once * group_lanes : rows_at_once * lanes, In{0});
    lanes_.clear(lanes);
    std::size_t sums = 0;
    for (std::size_t row = 0; row < shape_.rows; row += rows_at_once) {
      const std::size_t rows = std::min(rows_at_once, shape_.rows - row);
      const std::size_t first = row * width + begin;
      if (is_direct_) {
        const std::byte* const from = memory(first);
        const std::size_t row_bytes = width * sizeof(In);
        add_groups_(from, row_bytes, rows, 0, groups, lanes_);
        for (std::size_t r = 0; rest > 0 && r < rows; ++r)
          std::memcpy(buffer_ + r * group_lanes, from + r * row_bytes + groups * group_lanes * sizeof(In),
                      rest * sizeof(In));
        if (rest > 0) add_groups_(buffer(), group_lanes * sizeof(In), rows, groups * group_lanes, 1, lanes_);
      } else {
        for (std::size_t r = 0; r < rows; ++r) read(first + r * width, count, buffer_ + r * lanes);
        add_groups_(buffer(), lanes * sizeof(In), rows, 0, lanes / group_lanes, lanes_);
      }
      if (++sums % sums_in_lane != 0 && row + rows < shape_.rows) continue;
      for (std::size_t i = 0; i < count; ++i) move(i, out_.list[(begin + i) / shape_.inner]);
      lanes_.clear(lanes);
    }
  }

  /// Takes one channel after the other. Lane j takes every eighth of its elements.
  void add_channels() {
    for (std::size_t row = 0; row < shape_.rows; ++row)
      for (std::size_t i = 0; i < shape_.judged(); ++i)
        add_channel((row * shape_.units + i) * shape_.inner, out_.list[i]);
  }

  void add_channel(std::size_t first, UnitStatistics::Unit& unit) {
    lanes_.clear(2 * group_lanes);
    std::size_t sums = 0;
    for (std::size_t done = 0; done < shape_.inner; done += piece) {
      const std::size_t count = std::min(piece, shape_.inner - done);
      if (!is_direct_) read(first + done, count, buffer_);
      const std::byte* const from = is_direct_ ? memory(first + done) : buffer();
      const std::size_t rows = count / group_lanes;
      const std::size_t rest = count % group_lanes;
      add_groups_(from, group_lanes * sizeof(In), rows, 0, 1, lanes_);
      if (rest > 0) {
        alignas(64) In last[group_lanes]{};
        std::memcpy(last, from + rows * group_lanes * sizeof(In), rest * sizeof(In));
        // A group of its own, of which the lanes that hold no element are ignored.
        add_groups_(reinterpret_cast<const std::byte*>(last), sizeof last, 1, group_lanes, 1, lanes_);
      }
      const bool is_last = done + count == shape_.inner;
      if (++sums % sums_in_lane != 0 && !is_last) continue;
      for (std::size_t lane = 0; lane < group_lanes + (is_last ? rest : 0); ++lane) move(lane, unit);
      if (!is_last) lanes_.clear(2 * group_lanes);
    }
  }

  /// Adds what a lane has found to a unit.
  [[gnu::always_inline]] void move(std::size_t lane, UnitStatistics::Unit& unit) noexcept {
    unit.positive += lanes_.positive[lane];
    unit.zeros += lanes_.zeros[lane];
    unit.nan += lanes_.nan[lane];
    unit.infinite += lanes_.infinite[lane];
    unit.within_tanh_input += lanes_.tanh_input[lane];
    unit.within_sigmoid_input += lanes_.sigmoid_input[lane];
    unit.within_tanh_output += lanes_.tanh_output[lane];
    unit.within_sigmoid_output += lanes_.sigmoid_output[lane];
    unit.sum_squares = rounded(unit.sum_squares + lanes_.squares[lane]);
  }

  [[nodiscard]] const std::byte* memory(std::size_t first) const noexcept {
    return static_cast<const std::byte*>(view_.data()) + first * sizeof(In);
  }
  [[nodiscard]] const std::byte* buffer() const noexcept { return reinterpret_cast<const std::byte*>(buffer_); }

  /// Converts `count` elements to `to`.
  void read(std::size_t first, std::size_t count, In* to) {
    const std::size_t width = size_of(view_.dtype());
    const std::byte* from = gathered_;
    if (view_.is_contiguous()) {
      from = static_cast<const std::byte*>(view_.data()) + first * width;
    } else {
      copy_row_major(view_, first, count, gathered_);
    }
    switch (view_.dtype()) {
      case DType::f16: return widen<Half>(from, count, to);
      case DType::bf16: return widen<BFloat16>(from, count, to);
      case DType::i8: return convert_elements<std::int8_t>(from, count, to);
      case DType::i16: return convert_elements<std::int16_t>(from, count, to);
      case DType::i32: return convert_elements<std::int32_t>(from, count, to);
      case DType::i64: return convert_elements<std::int64_t>(from, count, to);
      case DType::u8: return convert_elements<std::uint8_t>(from, count, to);
      case DType::u16: return convert_elements<std::uint16_t>(from, count, to);
      case DType::u32: return convert_elements<std::uint32_t>(from, count, to);
      case DType::u64: return convert_elements<std::uint64_t>(from, count, to);
      case DType::boolean: return convert_elements<Truth>(from, count, to);
      default: std::memcpy(to, from, count * sizeof(In));  // f32 or f64, which is In
    }
  }

  template <class From>
  static void widen(const std::byte* from, std::size_t count, In* to) noexcept {
    if constexpr (std::is_same_v<In, float>) kernels<From>().widen(from, count, to);
  }

  static constexpr std::size_t buffer_size = piece;

  const TensorView& view_;
  const UnitShape& shape_;
  UnitStatistics& out_;
  bool is_direct_;
  AddGroups<In> add_groups_;
  UnitLanes<In> lanes_;
  alignas(64) In buffer_[buffer_size];
  alignas(64) std::byte gathered_[piece * sizeof(In)];
};

template <class In>
[[gnu::noinline]] void find_units_as(const TensorView& view, const UnitShape& shape, UnitStatistics& out) {
  UnitFinder<In>(view, shape, out).run();
}

}  // namespace detail

TENSORTAP_INLINE void detail::find_units(const TensorView& view, UnitStatistics& out) {
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  const UnitShape shape(view.shape());
  out.units = shape.units;
  out.per_unit = shape.units == 0 ? 0 : shape.per_unit();
  out.list.assign(shape.judged(), {});
  if (shape.units == 0) return;
  const IeeeMode ieee;
  fits_float(view.dtype()) ? find_units_as<float>(view, shape, out) : find_units_as<double>(view, shape, out);
}

TENSORTAP_INLINE UnitStatistics unit_statistics(const TensorView& view) {
  UnitStatistics out;
  detail::find_units(view, out);
  return out;
}

TENSORTAP_END_NAMESPACE
