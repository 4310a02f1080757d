// Counts classes in one pass: of rows and of single elements at once, because the last row may decide which of them are
// meant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/exact_arithmetic.hpp>
#include <tensortap/reduce/classes.hpp>
#include <tensortap/reduce/internal/blocks.hpp>
#include <tensortap/reduce/internal/ieee_mode.hpp>
#include <tensortap/reduce/internal/lanes.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Counts the classes of elements that come one after the other.
class ClassCounter {
 public:
  explicit ClassCounter(const TensorView& view)
      : is_float_(is_floating(view.dtype())),
        width_(view.rank() == 2 ? static_cast<std::size_t>(view.shape()[1]) : 1),
        by_row_(width_ > 1 && width_ <= most_classes ? width_ : 0),
        are_rows_(!by_row_.empty()),
        are_elements_(width_ <= 1 || !is_float_) {}

  /// Takes an element. Returns false if no classes can be found any more.
  template <class In>
  [[gnu::always_inline]] bool add(In x) {
    if (are_elements_) add_element(x);
    if (are_rows_) add_to_row(x);
    return are_elements_ || are_rows_;
  }

  [[nodiscard]] std::optional<std::vector<std::int64_t>> take() {
    if (are_rows_) return std::move(by_row_);
    if (are_elements_) return std::move(by_element_);
    return std::nullopt;
  }

 private:
  template <class In>
  void add_element(In x) {
    constexpr auto most = static_cast<In>(most_classes);
    if (!is_finite(x) || !(x < most) || (x < 0 && is_float_)) {
      are_elements_ = false;
    } else if (x >= 0) {
      const auto place = static_cast<std::size_t>(x);
      are_elements_ = static_cast<In>(place) == x;
      if (place >= by_element_.size()) by_element_.resize(place + 1);
      ++by_element_[place];
    }
  }

  template <class In>
  void add_to_row(In x) {
    const auto number = static_cast<double>(x);
    has_nan_ = has_nan_ || (!is_finite(x) && (bits_of(number) & ~sign_bit<double>) > infinity_bits<double>);
    if (column_ == 0 || number > largest_) {
      largest_ = number;
      largest_at_ = column_;
    }
    ones_ += x == 1 ? 1 : 0;
    has_others_ = has_others_ || (x != 0 && x != 1);
    if (++column_ < width_) return;
    are_rows_ = is_float_ || (ones_ == 1 && !has_others_);
    if (!has_nan_) ++by_row_[largest_at_];
    column_ = ones_ = 0;
    has_nan_ = has_others_ = false;
  }

  bool is_float_;
  std::size_t width_;
  std::vector<std::int64_t> by_row_;
  std::vector<std::int64_t> by_element_;
  bool are_rows_;      // whether the classes are those of rows
  bool are_elements_;  // whether they may be those of elements

  // The row in progress.
  std::size_t column_ = 0;
  std::size_t largest_at_ = 0;
  double largest_ = 0;
  std::size_t ones_ = 0;
  bool has_nan_ = false;
  bool has_others_ = false;
};

template <class In>
[[gnu::noinline]] bool count_classes(const TensorView& view, ClassCounter& counter) {
  BlockReader<In> blocks(view);
  for (std::size_t i = 0; i < block_count(view); ++i) {
    const Block block = blocks[i];
    for (std::size_t k = 0; k < block.count; ++k)
      if (!counter.add(load<In>(block.elements + k * sizeof(In)))) return false;
  }
  return true;
}

}  // namespace detail

TENSORTAP_INLINE std::optional<std::vector<std::int64_t>> class_counts(const TensorView& view) {
  if (!is_real(view.dtype()) || view.size() == 0) return std::nullopt;
  const detail::IeeeMode ieee;
  detail::ClassCounter counter(view);
  const bool found = detail::fits_float(view.dtype()) ? detail::count_classes<float>(view, counter)
                                                      : detail::count_classes<double>(view, counter);
  return found ? counter.take() : std::nullopt;
}

TENSORTAP_END_NAMESPACE
