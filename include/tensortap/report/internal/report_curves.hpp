// The curves, maps and bands of a report, from the series that were collected.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/internal/bounded_series.hpp>
#include <tensortap/report/internal/collected_series.hpp>
#include <tensortap/report/run_report.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What a page holds at most.
struct ReportLimits {
  static constexpr std::size_t curves = 240;
  static constexpr std::size_t rows = 192;  // of a map
  static constexpr std::size_t columns = 160;
  static constexpr std::size_t bands = 96;  // tensors
  static constexpr std::size_t band_entries = 80;
  static constexpr std::size_t curve_entries = 24000;  // of all curves together
  static constexpr std::size_t cells = 48000;          // of all maps together
};

/// Returns the place of a role in a report: what people look at first has the lowest number.
inline int rank_of(Role role) {
  constexpr std::array<Role, role_count> order = {
      Role::loss,         Role::metric,      Role::gradient,    Role::weight, Role::bias,
      Role::layer_output, Role::layer_input, Role::predictions, Role::labels, Role::other};
  return static_cast<int>(std::find(order.begin(), order.end(), role) - order.begin());
}

/// The series of one tensor, with its name and its place among those of its role.
struct RankedSeries {
  const CollectedSeries::Key* key;
  const TensorSeries* series;
  std::size_t place;
};

/// Returns the series that have `quantity`, sorted by role, layer, name, worker and mode.
inline std::vector<RankedSeries> series_with(const CollectedSeries& from, Quantity quantity) {
  std::vector<RankedSeries> out;
  for (const auto& [key, series] : from.series())
    if (series.find(quantity) != nullptr) out.push_back({&key, &series, from.place_of(series.role, key.tensor)});
  std::stable_sort(out.begin(), out.end(), [](const RankedSeries& a, const RankedSeries& b) {
    return std::tuple(rank_of(a.series->role), a.place, std::string_view(a.key->tensor)) <
           std::tuple(rank_of(b.series->role), b.place, std::string_view(b.key->tensor));
  });
  return out;
}

/// Returns the same, but of each tensor the series of one worker and mode: that with most numbers.
inline std::vector<RankedSeries> one_of_each(const std::vector<RankedSeries>& all, Quantity quantity) {
  std::vector<RankedSeries> out;
  for (const RankedSeries& one : all) {
    const auto points = [&](const RankedSeries& series) { return series.series->find(quantity)->points(); };
    if (out.empty() || out.back().key->tensor != one.key->tensor)
      out.push_back(one);
    else if (points(one) > points(out.back()))
      out.back() = one;
  }
  return out;
}

inline ReportCurve curve_of(const CollectedSeries::Key& key, const TensorSeries& series, Quantity quantity,
                            std::size_t most) {
  ReportCurve out{.tensor = key.tensor,
                  .worker = key.worker,
                  .mode = key.mode,
                  .role = series.role,
                  .quantity = std::string(to_string(quantity))};
  series.find(quantity)->write_to(out, most);
  return out;
}

/// Adds the tensors of one element, and for each worker the norm of all gradients.
inline void add_curves(const CollectedSeries& from, std::size_t most_entries, RunReport& out) {
  const std::vector<RankedSeries> all = series_with(from, Quantity::value);
  const std::size_t count = std::min(all.size(), ReportLimits::curves);
  out.left_out += all.size() - count;
  const std::size_t share = ReportLimits::curve_entries / std::max<std::size_t>(count + from.norms().size(), 1);
  const std::size_t most = std::clamp<std::size_t>(share, std::min<std::size_t>(most_entries, 32), most_entries);
  for (const RankedSeries& one : std::span(all).first(count))
    out.curves.push_back(curve_of(*one.key, *one.series, Quantity::value, most));
  for (const auto& [worker, series] : from.norms()) {
    ReportCurve norm{.worker = worker, .role = Role::gradient, .quantity = "gradient_norm"};
    series.write_to(norm, most);
    out.curves.push_back(std::move(norm));
  }
}

/// Returns `quantity` of several tensors in at most `most` ranges of steps.
inline ReportMap map_of(std::span<const RankedSeries> rows, Quantity quantity, std::size_t most) {
  ReportMap out{.quantity = std::string(to_string(quantity)), .role = rows.front().series->role};
  std::vector<std::int64_t> steps;
  for (const RankedSeries& row : rows)
    for (const BoundedSeries::Entry& entry : row.series->find(quantity)->entries()) steps.push_back(entry.first);
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  const std::size_t columns = std::min(most, steps.size());
  for (std::size_t i = 0; i < columns; ++i) out.columns.push_back(steps[i * steps.size() / columns]);
  constexpr double nothing = std::numeric_limits<double>::quiet_NaN();
  for (const RankedSeries& row : rows) {
    out.tensors.push_back(row.key->tensor);
    std::vector<double> min(columns, nothing), max(columns, nothing);
    for (const BoundedSeries::Entry& entry : row.series->find(quantity)->entries()) {
      const auto next = std::upper_bound(out.columns.begin(), out.columns.end(), entry.first);
      const auto column = static_cast<std::size_t>(next - out.columns.begin()) - 1;
      if (!(min[column] <= entry.min)) min[column] = entry.min;
      if (!(max[column] >= entry.max)) max[column] = entry.max;
    }
    out.min.push_back(std::move(min));
    out.max.push_back(std::move(max));
  }
  return out;
}

/// Adds a map for each quantity and role that has more than zeros.
inline void add_maps(const CollectedSeries& from, RunReport& out) {
  std::vector<std::pair<Quantity, std::vector<RankedSeries>>> maps;
  std::size_t rows = 0;
  for (const Quantity quantity :
       {Quantity::l2, Quantity::update_ratio, Quantity::dead, Quantity::saturated, Quantity::non_finite}) {
    std::map<int, std::vector<RankedSeries>> by_role;
    for (const RankedSeries& one : one_of_each(series_with(from, quantity), quantity)) {
      const auto& entries = one.series->find(quantity)->entries();
      const bool shows_zeros = quantity == Quantity::l2 || quantity == Quantity::update_ratio ||
                               quantity == Quantity::saturated ||
                               (quantity == Quantity::dead && one.series->activation == Activation::relu);
      if (shows_zeros || std::any_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.max > 0; }))
        by_role[quantity == Quantity::non_finite ? 0 : rank_of(one.series->role)].push_back(one);
    }
    for (auto& [_, list] : by_role) {
      if (list.size() > ReportLimits::rows) {
        out.left_out += list.size() - ReportLimits::rows;
        list.resize(ReportLimits::rows);
      }
      rows += list.size();
      maps.emplace_back(quantity, std::move(list));
    }
  }
  const std::size_t columns = ReportLimits::cells / std::max<std::size_t>(rows, 1);
  for (const auto& [quantity, list] : maps)
    out.maps.push_back(map_of(list, quantity, std::clamp<std::size_t>(columns, 24, ReportLimits::columns)));
}

/// Adds min, mean, std and max of the tensors of several elements.
inline void add_bands(const CollectedSeries& from, RunReport& out) {
  const std::vector<RankedSeries> all = one_of_each(series_with(from, Quantity::mean), Quantity::mean);
  const std::size_t count = std::min(all.size(), ReportLimits::bands);
  out.left_out += all.size() - count;
  const std::size_t entries = std::clamp<std::size_t>(ReportLimits::curve_entries / 4 / std::max<std::size_t>(count, 1),
                                                      24, ReportLimits::band_entries);
  for (const RankedSeries& one : std::span(all).first(count))
    for (const Quantity quantity : {Quantity::min, Quantity::mean, Quantity::std, Quantity::max})
      if (one.series->find(quantity) != nullptr)
        out.bands.push_back(curve_of(*one.key, *one.series, quantity, entries));
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
