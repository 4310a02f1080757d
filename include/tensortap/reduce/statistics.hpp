// All statistics of a tensor in one pass over its elements. Sums are taken in float64 from the first element on, in one
// order: the same bits on every machine, with any number of threads.
//
//   const tensortap::Statistics s = tensortap::statistics(gradient);
//   if (s.non_finite() > 0) std::cerr << "first at element " << *s.first_non_finite << '\n';
//   std::cout << s.mean() << " +- " << s.std() << ", norm " << s.l2() << '\n';
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <tensortap/error.hpp>
#include <tensortap/reduce/block_statistics.hpp>
#include <tensortap/reduce/blocks.hpp>
#include <tensortap/reduce/ieee_mode.hpp>
#include <tensortap/reduce/over_blocks.hpp>
#include <tensortap/reduce/statistics_record.hpp>
#include <tensortap/reduce/sum_squares.hpp>
#include <tensortap/reduce/totals.hpp>
#include <tensortap/tensor/as_view.hpp>
#include <tensortap/tensor/view.hpp>

namespace tensortap::inline v0 {

namespace detail {

/// `merge`, of which there are several.
inline constexpr auto merge_statistics = [](const Statistics& a, const Statistics& b) { return merge(a, b); };

/// Finds where in its block the largest magnitude is, and the bits of the first NaN or infinity.
template <class In>
void find_places(const TensorView& view, BlockReader<In>& reader, Statistics& s) {
  if (s.abs_max_index) {
    const std::size_t first = static_cast<std::size_t>(*s.abs_max_index);
    *s.abs_max_index += find_magnitude<In>(reader[first / block_size], static_cast<In>(s.abs_max));
  }
  if (s.first_non_finite) {
    std::byte bytes[sizeof(std::uint64_t)]{};
    copy_row_major(view, static_cast<std::size_t>(*s.first_non_finite), 1, bytes);
    std::memcpy(&s.non_finite_bits, bytes, sizeof bytes);
  }
}

template <class In>
[[gnu::noinline]] void read_statistics(const TensorView& view, unsigned parts, ReduceOptions options, Statistics& out) {
  const auto leaves = [&] {
    return [parts, reader = BlockReader<In>(view)](std::size_t i) mutable {
      return block_statistics<In>(reader[i], parts);
    };
  };
  out = over_blocks<Statistics>(block_count(view), options, leaves, merge_statistics);
  if ((parts & places) == 0) return;
  BlockReader<In> reader(view);
  find_places(view, reader, out);
}

/// The statistics of a tensor of real numbers, as far as `parts` asks for them.
inline Statistics statistics_of(const TensorView& view, unsigned parts, ReduceOptions options = {}) {
  Statistics s;
  if (view.size() == 0) return s;
  if ((parts & (deviations | places)) != 0) parts |= everything;
  const IeeeMode ieee;
  if (parts == squares) {
    s.sum_squares = sum_squares(view, options);
    s.count = view.size();
    if (is_finite(s.sum_squares)) return s;
  }
  fits_float(view.dtype()) ? read_statistics<float>(view, parts, options, s)
                           : read_statistics<double>(view, parts, options, s);
  return s;
}

}  // namespace detail

/// All statistics of whatever `as_view` sees a tensor in. Throws: complex numbers and strings.
/// Threads: any; needs 200 KiB of stack. With `options.threads`, others help.
template <class T>
[[nodiscard]] Statistics statistics(const T& tensor, ReduceOptions options = {}) {
  const TensorView view = as_view(tensor);
  if (!is_real(view.dtype())) throw Error::wrong_type("real numbers", to_string(view.dtype()));
  return detail::statistics_of(view, detail::whole, options);
}

}  // namespace tensortap::inline v0
