// What of a run becomes which values of TensorBoard, and where: a hook that writes them while it trains, and an export
// afterwards, give the same.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/histogram_rows.hpp>
#include <tensortap/record/internal/process_fact.hpp>
#include <tensortap/record/internal/tensorboard_events.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::tensorboard {

/// What was saved of one tensor in one step.
struct SavedParts {
  std::optional<TensorView> elements = {};                             ///< contiguous
  std::array<std::optional<double>, reduction_count> reductions = {};  ///< by Reduction
  std::optional<Statistics> statistics = {};
  bool has_reductions = false;  ///< of any kind
};

/// Numbers of values.
struct ValueCounts {
  std::uint64_t scalars = 0;           ///< points of curves
  std::uint64_t histograms = 0;        ///< of elements
  std::uint64_t without_elements = 0;  ///< tensors of which there are but reductions or statistics
  std::uint64_t left_out = 0;          ///< strings and complex numbers
};

/// Adds the values of the tensor `name` to `events` and to `counts`.
inline void add_tensor(TensorBoardEvents& events, const std::string& name, const SavedParts& saved,
                       ValueCounts& counts) {
  const auto add = [&](std::string_view part, double value) {
    events.add_scalar(name, part.empty() ? name : name + "/" + std::string(part), value);
    ++counts.scalars;
  };
  for (std::size_t i = 0; i < reduction_count; ++i)
    if (saved.reductions[i]) add(to_string(static_cast<Reduction>(i)), *saved.reductions[i]);
  if (!saved.elements) {
    if (saved.has_reductions) ++counts.without_elements;
    if (!saved.statistics) return;
    using R = Reduction;
    const Statistics& statistics = *saved.statistics;
    for (const R r : std::array{R::min, R::max, R::mean, R::std, R::l2})
      if (const auto reduced = reduction_of(statistics, r);
          reduced && statistics.count > 0 && !saved.reductions[static_cast<std::size_t>(r)])
        add(to_string(r), *reduced);
    add("zeros", static_cast<double>(statistics.zeros));
    add("nan", static_cast<double>(statistics.nan));
    add("inf", static_cast<double>(statistics.non_finite() - statistics.nan));
  } else if (!is_real(saved.elements->dtype())) {
    ++counts.left_out;
  } else if (saved.elements->size() == 1) {
    visit_dtype(saved.elements->dtype(), [&]<class T>() {
      if constexpr (requires(T x) { static_cast<double>(x); })
        add({}, static_cast<double>(*static_cast<const T*>(saved.elements->data())));
    });
  } else {
    const Statistics statistics = tensortap::statistics(*saved.elements);
    events.add_histogram(name, histogram_rows(*saved.elements, statistics));
    ++counts.histograms;
    // A histogram does not show them.
    if (statistics.nan > 0) add("nan", static_cast<double>(statistics.nan));
    if (const auto inf = statistics.non_finite() - statistics.nan; inf > 0) add("inf", static_cast<double>(inf));
  }
}

/// Returns the facts of a run that describe its training, and not its process, without "hyperparameters/".
inline std::map<std::string, std::string> hyperparameters_of(const std::map<std::string, std::string>& facts) {
  constexpr std::string_view prefix = "hyperparameters/";
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : facts) {
    if (std::find(process_fact::all.begin(), process_fact::all.end(), name) != process_fact::all.end()) continue;
    const std::string rest = name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
    out[rest.empty() || facts.contains(rest) ? name : rest] = value;
  }
  return out;
}

/// Returns `worker` as the name of a directory that is below its parent.
inline std::string directory_of_worker(const std::string& worker) {
  std::string out = worker.empty() || worker.front() == '.' ? "_" + worker : worker;
  std::replace_if(
      out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '/' || c == '\\'; }, '_');
  return out;
}

inline constexpr std::string_view file_prefix = "events.out.tfevents.";
inline constexpr std::size_t time_digits = 10;

/// Returns `seconds` since 1970 as the number in the name of a file.
inline std::int64_t time_in_name(double seconds) {
  constexpr double last = 9999999999;
  return static_cast<std::int64_t>(std::clamp(seconds, 0.0, last));
}

/// Returns the name of a file. Names sort by time, then by attempt and part.
inline std::string file_name(std::int64_t time, std::int64_t attempt = 0, std::int64_t part = 0) {
  constexpr std::size_t digits = 9;
  return std::string(file_prefix) + layout::padded(time, time_digits) + ".tensortap." +
         layout::padded(attempt, digits) + "." + layout::padded(part, digits);
}

}  // namespace detail::tensorboard
TENSORTAP_END_NAMESPACE
