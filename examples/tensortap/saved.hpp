// What a run holds of one tensor in one step, as text: the columns of `show`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "numbers.hpp"

namespace tensortap_command {

namespace tt = tensortap;

/// What one worker saved of a tensor in one step.
struct Saved {
  std::optional<tt::Tensor> value = {};
  std::optional<tt::Tensor::Shape> shape = {};
  std::map<std::string, tt::Tensor> reductions = {};  // by their stored names, without the statistics
  std::optional<tt::Statistics> statistics = {};      // as saved, else of the elements
  bool has_statistics = false;                        // as saved

  [[nodiscard]] bool any() const { return value || shape || !reductions.empty() || has_statistics; }
};

inline Saved saved_of(const tt::TensorHistory& tensor, std::int64_t step, const std::string& worker) {
  Saved out{.value = tensor.value(step, worker), .reductions = tensor.saved_reductions(step, worker)};
  out.shape = out.value ? out.value->shape() : tensor.shape(step, worker);
  if (const auto record = out.reductions.extract(std::string(tt::to_string(tt::Reduction::statistics))))
    if (record.mapped().dtype() == tt::DType::f64)
      out.statistics = tt::Statistics::from_record(record.mapped().as<double>());
  out.has_statistics = out.statistics.has_value();
  if (!out.statistics && out.value && tt::is_real(out.value->dtype())) out.statistics = tt::statistics(*out.value);
  return out;
}

/// Returns "float32 [2, 3]".
inline std::string kind_text(const tt::Tensor& tensor) {
  return std::string(tt::to_string(tensor.dtype())) + " " + shape_text(tensor.shape());
}

/// Returns the only element, or the kind of a tensor of several.
inline std::string whole_text(const tt::Tensor& tensor) {
  return tensor.size() == 1 ? element_text(tensor, 0) : kind_text(tensor);
}

/// Returns the smallest and the largest element in the digits of their type; integers are exact.
inline std::pair<std::string, std::string> extremes_of(const Saved& saved) {
  const double min = saved.statistics->min, max = saved.statistics->max;
  if (!saved.value) return {number_text(min), number_text(max)};
  return tt::visit_dtype(saved.value->dtype(), [&]<class T>() -> std::pair<std::string, std::string> {
    if constexpr (std::is_integral_v<T>) {
      const auto elements = saved.value->as<T>();
      const auto [least, most] = std::minmax_element(elements.begin(), elements.end());
      return {number_text(*least), number_text(*most)};
    } else if constexpr (std::is_same_v<T, float>) {
      return {number_text(static_cast<float>(min)), number_text(static_cast<float>(max))};
    } else {
      return {number_text(min), number_text(max)};
    }
  });
}

/// Names and texts of numbers, in order.
using Cells = std::vector<std::pair<std::string, std::string>>;

/// Returns what was saved in a few numbers: the only element, or extremes and mean of the elements or the statistics;
/// all saved reductions; the shape, if there is nothing else.
inline Cells cells_of(const Saved& saved) {
  Cells out;
  const auto add = [&](const std::string& name, const std::string& text) {
    const auto reduced = saved.reductions.find(name);
    if (std::none_of(out.begin(), out.end(), [&](const auto& cell) { return cell.first == name; }))
      out.emplace_back(name, reduced == saved.reductions.end() ? text : whole_text(reduced->second));
  };
  if (saved.value && (saved.value->size() == 1 || !saved.statistics || saved.value->size() == 0)) {
    out.emplace_back(saved.value->size() == 1 ? "value" : "elements", whole_text(*saved.value));
  } else if (saved.statistics) {
    const auto [min, max] = extremes_of(saved);
    add("min", min);
    add("mean", number_text(saved.statistics->mean()));
    add("max", max);
    if (saved.statistics->nan > 0) out.emplace_back("nan", number_text(saved.statistics->nan));
    if (const auto infinite = saved.statistics->non_finite() - saved.statistics->nan; infinite > 0)
      out.emplace_back("inf", number_text(infinite));
  }
  for (const auto& [name, reduced] : saved.reductions) add(tt::escaped(name), whole_text(reduced));
  if (out.empty() && saved.shape) out.emplace_back("shape", shape_text(*saved.shape));
  return out;
}

/// Returns the counts of NaN and infinities, and the place of the first; with `all`, all statistics.
inline Cells statistics_cells(const Saved& saved, bool all) {
  const tt::Statistics& s = *saved.statistics;
  const tt::Tensor::Shape* const shape = saved.shape ? &*saved.shape : nullptr;
  Cells out;
  if (all) out.emplace_back("count", number_text(s.count));
  out.emplace_back("nan", number_text(s.nan));
  out.emplace_back("positive_inf", number_text(s.positive_inf));
  out.emplace_back("negative_inf", number_text(s.negative_inf));
  if (s.first_non_finite) out.emplace_back("first nan or inf", place_text(*s.first_non_finite, shape));
  if (!all) return out;
  out.emplace_back("zeros", number_text(s.zeros));
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, double>>{{"min", s.min},
                                                                                         {"max", s.max},
                                                                                         {"mean", s.mean()},
                                                                                         {"std", s.std()},
                                                                                         {"abs_min", s.abs_min},
                                                                                         {"abs_max", s.abs_max},
                                                                                         {"abs_mean", s.abs_mean()},
                                                                                         {"sum", s.sum},
                                                                                         {"l1", s.l1()},
                                                                                         {"l2", s.l2()}})
    out.emplace_back(name, number_text(value));
  if (s.abs_max_index) out.emplace_back("place of abs_max", place_text(*s.abs_max_index, shape));
  return out;
}

}  // namespace tensortap_command
