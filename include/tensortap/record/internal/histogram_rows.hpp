// A histogram as TensorBoard's plugin "histograms" reads it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Equally wide buckets from the least to the largest finite element: left end, right end, number of elements.
struct HistogramRows {
  static constexpr std::size_t buckets = 30;  // as many as TensorBoard's own writer makes
  std::array<std::array<double, 3>, buckets> rows{};
};

/// Returns the histogram of the finite elements of `view`, which is contiguous, real, and has these statistics. If all
/// are equal, they are in the last bucket, and all ends are this number. If there is none, everything is 0.
inline HistogramRows histogram_rows(const TensorView& view, const Statistics& statistics) {
  HistogramRows out;
  if (statistics.finite() == 0) return out;
  // The range of float64 is wider than its largest number: such elements are halved first.
  const double scale = std::isfinite(statistics.max - statistics.min) ? 1 : 0.5;
  const double min = statistics.min * scale;
  const double range = statistics.max * scale - min;
  constexpr auto buckets = static_cast<double>(HistogramRows::buckets);
  for (std::size_t i = 0; i < HistogramRows::buckets; ++i) {
    out.rows[i][0] = i == 0 ? statistics.min : out.rows[i - 1][1];
    const double end = min + range * (static_cast<double>(i + 1) / buckets);
    out.rows[i][1] = i + 1 == HistogramRows::buckets ? statistics.max : end / scale;
  }
  if (range == 0) {
    out.rows.back()[2] = static_cast<double>(statistics.finite());
    return out;
  }
  visit_dtype(view.dtype(), [&]<class T>() {
    if constexpr (requires(T x) { static_cast<double>(x); }) {
      const T* const elements = static_cast<const T*>(view.data());
      for (std::size_t i = 0; i < view.size(); ++i) {
        const auto x = static_cast<double>(elements[i]);
        if (!std::isfinite(x)) continue;
        const auto bucket = static_cast<std::size_t>((x * scale - min) / range * buckets);
        ++out.rows[std::min(bucket, HistogramRows::buckets - 1)][2];
      }
    }
  });
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
