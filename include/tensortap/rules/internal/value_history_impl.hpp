// The bodies of value_history.hpp.
#pragma once

#include <algorithm>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/internal/element_numbers.hpp>
#include <tensortap/rules/value_history.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE void ValueHistory::add(const Tensor& value, std::int64_t mode_step, std::size_t most) {
  Value added;
  if (values_.size() >= most && most > 0) {
    added = std::move(values_.front());  // its memory serves again
    forget(values_.size() - most + 1);
  }
  added.mode_step = mode_step;
  added.size = value.size();
  const std::size_t kept = std::min(value.size(), most_elements);
  added.elements.resize(kept);
  detail::with_numbers(value, [&](auto elements) {
    for (std::size_t i = 0; i < kept; ++i)
      added.elements[i] = static_cast<double>(elements[kept == elements.size() ? i : i * elements.size() / kept]);
  });
  values_.push_back(std::move(added));
}

TENSORTAP_INLINE void ValueHistory::forget(std::size_t count) {
  values_.erase(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(count));
}

TENSORTAP_END_NAMESPACE
