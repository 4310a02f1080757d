// The bodies of compare.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/error_texts.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/compare.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/compare_values.hpp>
#include <tensortap/trial/stored_step.hpp>
#include <tensortap/trial/tensor_history.hpp>
#include <tensortap/trial/trial.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One comparison of two runs; run() is called once.
class RunComparison {
 public:
  RunComparison(const Trial& first, const Trial& second, const CompareOptions& options)
      : first_(first), second_(second), options_(options) {}

  RunDifferences run() {
    compare_facts();
    compare_collections();
    find_tensors();
    compare_steps();
    for (auto& [key, curve] : curves_)
      if (curve.steps > 0) out_.curves.push_back(curve);
    for (const auto& [trial, name] : {std::pair(&first_, "first run: "), std::pair(&second_, "second run: ")})
      for (const Damage& damage : trial->damage()) out_.damage.push_back(name + damage.where + ": " + damage.cause);
    return std::move(out_);
  }

 private:
  using Histories = std::map<std::string, TensorHistory, std::less<>>;

  void compare_facts() {
    const auto first = first_.facts(), second = second_.facts();
    for (const auto& [name, value] : first) out_.facts[name].first = value;
    for (const auto& [name, value] : second) out_.facts[name].second = value;
    std::erase_if(out_.facts, [](const auto& fact) { return fact.second.first == fact.second.second; });
  }

  void compare_collections() {
    std::map<std::string, std::vector<Collection>> by_name;
    for (const Trial* const trial : {&first_, &second_})
      for (Collection& collection : trial->collections()) {
        collection.tensor_names.clear();  // the tensors that were found, which are compared by themselves
        by_name[collection.name].push_back(std::move(collection));
      }
    for (const auto& [name, both] : by_name)
      if (both.size() != 2 || !(both[0] == both[1])) out_.collections.push_back(name);
  }

  static Histories histories_of(const Trial& trial, const TensorQuery& query) {
    Histories out;
    TensorQuery global = query;
    global.mode.reset();  // the steps of a history then are global ones
    if (!query.collection.empty() && !trial.collection(query.collection)) return out;
    for (TensorHistory& tensor : trial.tensors(global)) out.emplace(tensor.name(), std::move(tensor));
    return out;
  }

  void find_tensors() {
    const std::string& collection = options_.query.collection;
    if (!collection.empty() && !first_.collection(collection) && !second_.collection(collection))
      (void)first_.tensors(options_.query);  // throws: no such collection
    firsts_ = histories_of(first_, options_.query);
    seconds_ = histories_of(second_, options_.query);
    for (const auto& [name, tensor] : firsts_)
      if (!seconds_.contains(name)) out_.only_first.push_back(name);
    for (const auto& [name, tensor] : seconds_)
      if (!firsts_.contains(name)) out_.only_second.push_back(name);
  }

  void compare_steps() {
    const std::optional<Mode> mode = options_.query.mode;
    std::set<std::int64_t> matched;
    for (const std::int64_t step : first_.steps(Mode::global, Completeness::any)) {
      const Step at = *first_.step(step);
      if ((mode && at.mode != *mode) || !options_.range_steps.contains(step)) continue;
      const auto other = second_.global_step(at.mode, at.mode_step);
      if (!other) {
        ++out_.steps_only_first;
        continue;
      }
      ++out_.common_steps;
      matched.insert(*other);
      compare_step(at, *other);
    }
    if (options_.range_steps.begin > 0 || options_.range_steps.end) return;  // others are left out of one run alone
    for (const std::int64_t step : second_.steps(Mode::global, Completeness::any))
      if (!matched.contains(step) && (!mode || second_.step(step)->mode == *mode)) ++out_.steps_only_second;
  }

  /// Compares the tensors of one step, in the order in which the first run has saved them.
  void compare_step(const Step& step, std::int64_t other) {
    std::vector<std::string> names;
    std::set<std::string, std::less<>> seen;
    first_.view(step.global_step)->for_each([&](std::string_view name) {
      if (seen.emplace(name).second) names.emplace_back(name);
    });
    for (const std::string& name : second_.view(other)->tensors())
      if (!seen.contains(name)) names.push_back(name);
    for (const std::string& name : names) {
      const auto x = firsts_.find(name), y = seconds_.find(name);
      if (x == firsts_.end() || y == seconds_.end()) continue;
      std::set<std::string> workers;
      for (std::string& worker : x->second.workers(step.global_step)) workers.insert(std::move(worker));
      for (std::string& worker : y->second.workers(other)) workers.insert(std::move(worker));
      for (const std::string& worker : workers) compare_tensor(x->second, y->second, step, other, worker);
    }
  }

  void compare_tensor(const TensorHistory& x, const TensorHistory& y, const Step& step, std::int64_t other,
                      const std::string& worker) {
    TensorDifference at{.step = step, .tensor = x.name(), .worker = worker};
    const auto has = [&](const TensorHistory& tensor, std::int64_t in) {
      const auto workers = tensor.workers(in);
      return std::find(workers.begin(), workers.end(), worker) != workers.end();
    };
    const bool in_first = has(x, step.global_step), in_second = has(y, other);
    if (in_first != in_second) {
      at.kind = DifferenceKind::absent;
      at.first = in_first ? "saved" : "not saved";
      at.second = in_second ? "saved" : "not saved";
      return note(at, true);
    }
    const auto a = x.value(step.global_step, worker), b = y.value(other, worker);
    if (a && b) return compare_values(*a, *b, at);
    compare_reductions(x, y, at, other);
  }

  void compare_values(const Tensor& a, const Tensor& b, TensorDifference& at) {
    ++out_.compared;
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
      const bool types = a.dtype() != b.dtype();
      at.kind = types ? DifferenceKind::dtype : DifferenceKind::shape;
      at.first = types ? std::string(to_string(a.dtype())) : shape_text(a.shape());
      at.second = types ? std::string(to_string(b.dtype())) : shape_text(b.shape());
      return note(at, true);
    }
    add_to_curve(a, b, at);
    const Comparison found = compare_elements(a, b, options_.round_offs);
    using Result = Comparison::Result;
    if (found.result == Result::equal) ++out_.equal;
    if (found.result == Result::within) ++out_.within;
    if (found.result == Result::equal) return;
    at.index = found.first ? found.first : found.first_bits;
    at.first = text_of_element(a, *at.index);
    at.second = text_of_element(b, *at.index);
    if (a.dtype() != DType::string) at.largest = found.largest;
    at.tolerance = found.tolerance;
    note(at, found.result == Result::differs);
  }

  /// Compares all reductions that one of the runs has saved, and that both can tell.
  void compare_reductions(const TensorHistory& x, const TensorHistory& y, const TensorDifference& at,
                          std::int64_t other) {
    std::set<Reduction> saved;
    const auto add = [&](const TensorHistory& tensor, std::int64_t step) {
      for (const auto& [name, value] : tensor.saved_reductions(step, at.worker))
        if (const auto r = parse_reduction(name); r && !is_record(*r)) saved.insert(*r);
      if (tensor.statistics(step, at.worker))
        saved.insert({Reduction::min, Reduction::max, Reduction::mean, Reduction::std, Reduction::l1, Reduction::l2});
    };
    add(x, at.step.global_step);
    add(y, other);
    std::map<Reduction, std::pair<double, double>> values;
    double magnitude = 0;  // of elements: a mean near 0 is as exact as they are
    for (const Reduction r : saved) {
      const auto a = x.reduction(at.step.global_step, r, at.worker), b = y.reduction(other, r, at.worker);
      if (!a || !b) continue;
      values[r] = {*a, *b};
      if (!is_of_element_size(r)) continue;
      for (const double value : {*a, *b})
        if (std::isfinite(value)) magnitude = std::max(magnitude, std::abs(value));
    }
    if (values.empty()) compare_shapes(x, y, at, other);
    for (const auto& [r, both] : values) {
      const auto [a, b] = both;
      ++out_.compared;
      if (a == b || (std::isnan(a) && std::isnan(b))) {
        ++out_.equal;
        continue;
      }
      TensorDifference found = at;
      found.reduction = to_string(r);
      found.first = number_text(a);
      found.second = number_text(b);
      found.largest = std::abs(a - b);
      const double scale = is_of_element_size(r) ? magnitude : std::max(std::abs(a), std::abs(b));
      found.tolerance = options_.round_offs * unit_round_off(DType::f32) * (std::isfinite(scale) ? scale : 0);
      const bool differs = !(*found.largest <= *found.tolerance);
      if (!differs) ++out_.within;
      note(found, differs);
    }
  }

  void compare_shapes(const TensorHistory& x, const TensorHistory& y, TensorDifference at, std::int64_t other) {
    const auto a = x.shape(at.step.global_step, at.worker), b = y.shape(other, at.worker);
    if (!a || !b) return;
    ++out_.compared;
    if (*a == *b) {
      ++out_.equal;
      return;
    }
    at.kind = DifferenceKind::shape;
    at.first = shape_text(*a);
    at.second = shape_text(*b);
    note(at, true);
  }

  /// Returns whether the reduction is at most as large as the largest element.
  static bool is_of_element_size(Reduction r) {
    const Reduction p = plain(r);
    return p == Reduction::min || p == Reduction::max || p == Reduction::mean || p == Reduction::std;
  }

  void add_to_curve(const Tensor& a, const Tensor& b, const TensorDifference& at) {
    if (a.size() != 1 || !is_real(a.dtype())) return;
    const Mode mode = at.step.mode;
    CurveDifference& curve = curves_[{at.tensor, mode}];
    if (at.step.mode_step <= curve.last_step) return;  // another worker, or a repeated step
    curve.tensor = at.tensor;
    curve.mode = mode;
    ++curve.steps;
    curve.last_step = at.step.mode_step;
    curve.first = a.number(0);
    curve.second = b.number(0);
    const bool are_nan = std::isnan(curve.first) && std::isnan(curve.second);
    const double distance = are_nan || curve.first == curve.second ? 0 : std::abs(curve.first - curve.second);
    if (!(distance <= curve.largest) && !std::isnan(curve.largest)) {
      curve.largest = distance;
      curve.largest_step = at.step.mode_step;
    }
  }

  void note(const TensorDifference& found, bool differs) {
    if (!out_.first_bits) out_.first_bits = found;
    if (differs && !out_.first) out_.first = found;
  }

  const Trial& first_;
  const Trial& second_;
  const CompareOptions& options_;
  Histories firsts_, seconds_;
  std::map<std::pair<std::string, Mode>, CurveDifference> curves_;
  RunDifferences out_;
};

}  // namespace detail

TENSORTAP_INLINE RunDifferences compare(const Trial& first, const Trial& second, const CompareOptions& options) {
  return detail::RunComparison(first, second, options).run();
}

TENSORTAP_END_NAMESPACE
