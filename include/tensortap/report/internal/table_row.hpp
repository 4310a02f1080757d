// The rows of a table of a run: what was saved of one tensor in one step by one worker.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/report/export.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The columns that hold numbers: the only element, the reductions, and counts.
struct NumberColumns {
  static constexpr std::size_t value = 0;
  static constexpr std::size_t reductions = 1;  // 18 of them
  static constexpr std::size_t count = reductions + reduction_count;
  static constexpr std::size_t nan = count + 1;
  static constexpr std::size_t inf = count + 2;
  static constexpr std::size_t zeros = count + 3;
  static constexpr std::size_t size = count + 4;

  static constexpr std::string_view name(std::size_t column) {
    constexpr std::array<std::string_view, 4> counts = {"count", "nan", "inf", "zeros"};
    if (column == value) return "value";
    return column < count ? to_string(static_cast<Reduction>(column - reductions)) : counts[column - count];
  }
};

struct TableRow {
  Step step;
  std::string worker;
  std::string tensor;
  std::string dtype = {};  // empty: the elements were not saved
  std::optional<Tensor::Shape> shape = {};
  std::optional<std::string> text = {};                                 // the only element, a string
  std::optional<std::string> integer = {};                              // the only element, an integer beyond 2^53
  std::array<std::optional<double>, NumberColumns::size> numbers = {};  // by NumberColumns

  /// Returns whether nothing can be read of what was saved.
  [[nodiscard]] bool is_empty() const {
    return dtype.empty() && !shape &&
           std::none_of(numbers.begin(), numbers.end(), [](const auto& number) { return number.has_value(); });
  }
};

/// Returns "2x3"; "" for no axes.
inline std::string shape_in_table(const Tensor::Shape& shape) {
  std::string out;
  for (const std::int64_t extent : shape) out.append(out.empty() ? "" : "x").append(std::to_string(extent));
  return out;
}

/// Returns the digits of the only element if it is an integer beyond 2^53, which a double may not hold.
inline std::optional<std::string> large_integer_in(const Tensor& tensor) {
  constexpr double exact = 9007199254740992.0;
  if (tensor.dtype() == DType::i64 && std::abs(tensor.number(0)) >= exact)
    return std::to_string(tensor.as<std::int64_t>()[0]);
  if (tensor.dtype() == DType::u64 && tensor.number(0) >= exact) return std::to_string(tensor.as<std::uint64_t>()[0]);
  return std::nullopt;
}

/// Returns what `worker` saved of `tensor` in step `number` of the history.
inline TableRow row_of(const TensorHistory& tensor, std::int64_t number, const Step& step, const std::string& worker) {
  TableRow out{.step = step, .worker = worker, .tensor = tensor.name()};
  const auto value = tensor.value(number, worker);
  const auto saved = tensor.saved_reductions(number, worker);
  out.shape = value ? value->shape() : tensor.shape(number, worker);
  std::optional<Statistics> statistics;
  if (const auto record = saved.find(std::string(to_string(Reduction::statistics)));
      record != saved.end() && record->second.dtype() == DType::f64)
    statistics = Statistics::from_record(record->second.as<double>());
  if (value) {
    out.dtype = to_string(value->dtype());
    if (value->size() == 1 && value->dtype() == DType::string) out.text = value->strings()[0];
    if (value->size() == 1 && is_real(value->dtype())) {
      out.numbers[NumberColumns::value] = value->number(0);
      out.integer = large_integer_in(*value);
    }
    if (!statistics && is_real(value->dtype())) statistics = tensortap::statistics(*value);
  }
  for (std::size_t i = 0; i < reduction_count; ++i) {
    const auto r = static_cast<Reduction>(i);
    auto& number_of = out.numbers[NumberColumns::reductions + i];
    if (const auto record = saved.find(std::string(to_string(r)));
        record != saved.end() && record->second.size() == 1 && record->second.dtype() != DType::string) {
      number_of = record->second.number(0);
    } else if (statistics && statistics->count > 0 && plain(r) != Reduction::prod) {
      number_of = reduction_of(*statistics, r);
    }
  }
  if (statistics) {
    out.numbers[NumberColumns::count] = static_cast<double>(statistics->count);
    out.numbers[NumberColumns::nan] = static_cast<double>(statistics->nan);
    out.numbers[NumberColumns::inf] = static_cast<double>(statistics->non_finite() - statistics->nan);
    out.numbers[NumberColumns::zeros] = static_cast<double>(statistics->zeros);
  }
  return out;
}

/// Calls `visit(history, number, step, worker)` for each tensor that `options` select, in the order of steps, then of
/// names and workers.
template <class Visit>
void for_each_saved(const Trial& trial, const ExportOptions& options, const Visit& visit) {
  const std::vector<TensorHistory> tensors = trial.tensors(options.query);
  std::map<std::int64_t, std::vector<const TensorHistory*>> by_step;
  for (const TensorHistory& tensor : tensors)
    for (const std::int64_t number : tensor.steps())
      if (options.steps.contains(number)) by_step[number].push_back(&tensor);
  const Mode mode = options.query.mode.value_or(Mode::global);
  for (const auto& [number, saved] : by_step) {
    const auto global_step = trial.global_step(mode, number);
    const auto step = global_step ? trial.step(*global_step) : std::nullopt;
    if (!step) continue;
    for (const TensorHistory* tensor : saved)
      for (const std::string& worker : tensor->workers(number))
        if (options.worker.empty() || options.worker == worker) visit(*tensor, number, *step, worker);
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
