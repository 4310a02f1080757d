// How many elements of a tensor are zero, from whatever was saved of it.
#pragma once

#include <optional>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/statistics_record.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the percentage of zeros. Of reductions alone, it is 100 if they tell that all elements are zero, else 0,
/// which is the least that it can be. nullopt: unknown, or there are no elements.
inline std::optional<double> percent_of_zeros(const JudgedStep& step, const KnownTensor& tensor) {
  if (const Statistics* const s = step.statistics(tensor)) {
    if (s->count == 0) return std::nullopt;
    return 100.0 * static_cast<double>(s->zeros) / static_cast<double>(s->count);
  }
  for (const Reduction r : {Reduction::abs_max, Reduction::l2, Reduction::abs_mean, Reduction::l1})
    if (const auto size = step.reduction(tensor, r)) return *size == 0 ? 100 : 0;
  return std::nullopt;
}

/// Throws: `percent` is not in [0, 100].
inline void require_percent(std::string_view rule, double percent) {
  if (!(percent >= 0 && percent <= 100)) throw Error::bad_threshold(rule, percent);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
