// What a report keeps of a run while rules judge it step by step: numbers of each tensor, in bounded memory.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/report/internal/bounded_series.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/tensor_change.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The numbers that a report follows.
enum class Quantity : std::uint8_t {
  value,  ///< the only element
  l2,     ///< the euclidean norm
  rms,    ///< the root mean square
  mean,
  std,
  min,
  max,
  abs_mean,
  abs_max,
  zeros,         ///< percent of the elements
  non_finite,    ///< number of elements
  update_ratio,  ///< the size of the change since the last step that had it, over its own size before
  dead,          ///< percent of the units, all of whose elements are zero
  saturated,     ///< percent of the units, less than one percent of whose elements are between the limits
};
inline constexpr std::size_t quantity_count = 14;

constexpr std::string_view to_string(Quantity quantity) noexcept {
  constexpr std::array<std::string_view, quantity_count> names = {
      "value",    "l2",      "rms",   "mean",       "std",          "min",  "max",
      "abs_mean", "abs_max", "zeros", "non_finite", "update_ratio", "dead", "saturated"};
  return names[static_cast<std::size_t>(quantity)];
}

/// The numbers of one tensor in one step; those that are unknown are empty.
using Numbers = std::array<std::optional<double>, quantity_count>;

inline void set(Numbers& numbers, Quantity quantity, double number) {
  numbers[static_cast<std::size_t>(quantity)] = number;
}

/// Puts what statistics tell into `out`.
inline void add_statistics(Numbers& out, const Statistics& s) {
  if (s.count == 0) return;
  const auto count = static_cast<double>(s.count);
  set(out, Quantity::non_finite, static_cast<double>(s.non_finite()));
  set(out, Quantity::zeros, 100 * static_cast<double>(s.zeros) / count);
  if (s.finite() == 0) return;
  const double l2 = s.l2();
  set(out, Quantity::l2, l2);
  set(out, Quantity::rms, l2 / std::sqrt(static_cast<double>(s.finite())));
  set(out, Quantity::mean, s.mean());
  set(out, Quantity::std, s.std());
  set(out, Quantity::min, s.min);
  set(out, Quantity::max, s.max);
  set(out, Quantity::abs_mean, s.abs_mean());
  set(out, Quantity::abs_max, s.abs_max);
}

/// Returns what is known of a tensor by its elements, statistics or reductions. `Step` is a JudgedStep with a
/// KnownTensor, or a StoredStep with a name.
template <class View, class Tensor>
Numbers numbers_of(const View& step, const Tensor& tensor) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Numbers out;
  if (const auto& value = step.value(tensor); value && value->size() == 1 && is_real(value->dtype())) {
    set(out, Quantity::value, value->number(0));
    return out;
  }
  if (const auto& s = step.statistics(tensor)) {
    if (s->count == 1)  // the statistics of a number are the number
      set(out, Quantity::value,
          s->finite() == 1       ? s->min
          : s->nan == 1          ? std::nan("")
          : s->positive_inf == 1 ? infinity
                                 : -infinity);
    else
      add_statistics(out, *s);
    return out;
  }
  constexpr std::array<std::pair<Quantity, Reduction>, 7> saved = {{{Quantity::l2, Reduction::l2},
                                                                    {Quantity::mean, Reduction::mean},
                                                                    {Quantity::std, Reduction::std},
                                                                    {Quantity::min, Reduction::min},
                                                                    {Quantity::max, Reduction::max},
                                                                    {Quantity::abs_mean, Reduction::abs_mean},
                                                                    {Quantity::abs_max, Reduction::abs_max}}};
  for (const auto& [quantity, reduction] : saved)
    if (const auto number = step.reduction(tensor, reduction)) set(out, quantity, *number);
  return out;
}

/// Puts what the units of an output tell into `out`.
inline void add_units(Numbers& out, const UnitStatistics& units, Activation activation) {
  if (units.list.empty() || units.per_unit == 0) return;
  std::size_t dead = 0, saturated = 0;
  for (const UnitStatistics::Unit& unit : units.list) {
    const std::uint64_t within = activation == Activation::tanh ? unit.within_tanh_output : unit.within_sigmoid_output;
    if (unit.zeros == units.per_unit) ++dead;
    if (within * 100 < units.per_unit) ++saturated;
  }
  const auto percent = [&](std::size_t part) {
    return 100 * static_cast<double>(part) / static_cast<double>(units.list.size());
  };
  if (activation == Activation::tanh || activation == Activation::sigmoid)
    set(out, Quantity::saturated, percent(saturated));
  else if (activation != Activation::softmax)
    set(out, Quantity::dead, percent(dead));
}

/// The series of one tensor in one mode.
struct TensorSeries {
  Role role = Role::other;
  Activation activation = Activation::none;
  std::array<std::unique_ptr<BoundedSeries>, quantity_count> by_quantity;

  [[nodiscard]] const BoundedSeries* find(Quantity quantity) const {
    return by_quantity[static_cast<std::size_t>(quantity)].get();
  }
  void add(std::int64_t step, const Numbers& numbers, std::size_t most) {
    for (std::size_t i = 0; i < quantity_count; ++i) {
      if (!numbers[i]) continue;
      if (!by_quantity[i]) by_quantity[i] = std::make_unique<BoundedSeries>(most);
      by_quantity[i]->add(step, *numbers[i]);
    }
  }
};

/// All series of a run.
class CollectedSeries {
 public:
  /// A tensor of a worker in a mode.
  struct Key {
    std::string worker, tensor;
    Mode mode;
    friend bool operator<(const Key& a, const Key& b) {
      return std::tie(a.worker, a.tensor, a.mode) < std::tie(b.worker, b.tensor, b.mode);
    }
  };
  using Map = std::map<Key, TensorSeries>;

  /// `most`: the entries of a series.
  explicit CollectedSeries(std::size_t most) : most_(most) {}

  void add(const JudgedStep& step) {
    const Step at = step.step();
    Places& places = places_of(step.worker());
    double squares = 0;
    bool has_gradients = false;
    for (const KnownTensor* tensor : step.saved()) {
      Numbers numbers = numbers_of(step, *tensor);
      if (tensor->role == Role::weight || tensor->role == Role::bias)
        if (const TensorChange* const change = step.change(*tensor); change != nullptr && change->rms_before > 0)
          set(numbers, Quantity::update_ratio, change->rms / change->rms_before);
      if (tensor->role == Role::layer_output)
        if (const UnitStatistics* const units = step.units(*tensor)) add_units(numbers, *units, tensor->activation);
      if (const auto& l2 = numbers[static_cast<std::size_t>(Quantity::l2)]; l2 && tensor->role == Role::gradient) {
        squares += *l2 * *l2;
        has_gradients = true;
      }
      TensorSeries& series = places.find(series_, *tensor, at.mode, step.worker());
      series.role = tensor->role;
      series.activation = tensor->activation;
      series.add(at.global_step, numbers, most_);
    }
    if (has_gradients && at.mode != Mode::eval) norm_of(step.worker()).add(at.global_step, std::sqrt(squares));
    keep_order(step);
  }

  [[nodiscard]] const Map& series() const noexcept { return series_; }
  /// Returns the norm of all gradients together, by worker.
  [[nodiscard]] const std::map<std::string, BoundedSeries>& norms() const noexcept { return norms_; }

  /// Returns the place of a tensor among those of its role, from the first layer to the last.
  [[nodiscard]] std::size_t place_of(Role role, const std::string& tensor) const {
    const std::vector<std::string>& order = order_[static_cast<std::size_t>(role)];
    return static_cast<std::size_t>(std::find(order.begin(), order.end(), tensor) - order.begin());
  }

 private:
  /// Where the series of a worker's tensors are, by the numbers of the tensors.
  struct Places {
    std::vector<std::array<TensorSeries*, all_modes.size()>> by_id;

    TensorSeries& find(Map& series, const KnownTensor& tensor, Mode mode, std::string_view worker) {
      if (tensor.id >= by_id.size()) by_id.resize(tensor.id + 1);
      TensorSeries*& place = by_id[tensor.id][index_of(mode)];
      if (place == nullptr) place = &series[{std::string(worker), tensor.name, mode}];
      return *place;
    }
  };

  Places& places_of(std::string_view worker) {
    const auto found = places_.find(worker);
    return found != places_.end() ? found->second : places_[std::string(worker)];
  }
  BoundedSeries& norm_of(std::string_view worker) {
    return norms_.try_emplace(std::string(worker), most_).first->second;
  }

  void keep_order(const JudgedStep& step) {
    for (std::size_t role = 0; role < role_count; ++role) {
      const auto tensors = step.with_role(static_cast<Role>(role));
      if (tensors.size() <= order_[role].size()) continue;
      order_[role].clear();
      for (const KnownTensor* tensor : tensors) order_[role].push_back(tensor->name);
    }
  }

  std::size_t most_;
  Map series_;
  std::map<std::string, BoundedSeries> norms_;
  std::map<std::string, Places, std::less<>> places_;
  std::array<std::vector<std::string>, role_count> order_;
};

/// A rule that finds nothing: it collects what it is shown.
struct Collect {
  static constexpr std::string_view name = "report";

  std::shared_ptr<CollectedSeries> to;

  std::vector<Finding> operator()(const JudgedStep& step) const {
    to->add(step);
    return {};
  }
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
