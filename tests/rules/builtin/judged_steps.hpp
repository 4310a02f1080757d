// Small runs of literal steps, and what a rule finds in them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduce/units.hpp>
#include <tensortap/rules/judge.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/unit_statistics.hpp>

#include "catch.hpp"

/// What was saved of the tensors of a step.
enum class Saved { elements, statistics, units_and_statistics, few_reductions };

/// A step of tensors in their order. The built-in collections have their patterns; the collection "all" has all of
/// them.
class StepOfList final : public tensortap::StepView {
 public:
  using Tensors = std::vector<std::pair<std::string, tensortap::Tensor>>;

  StepOfList(const tensortap::Step& step, Tensors tensors, Saved saved = Saved::elements)
      : step_(step), tensors_(std::move(tensors)), saved_(saved) {}
  StepOfList(const StepOfList& other) : step_(other.step_), tensors_(other.tensors_), saved_(other.saved_) {}

  [[nodiscard]] tensortap::Step step() const override { return step_; }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    std::vector<std::string> out;
    std::optional<tensortap::Pattern> pattern;
    if (const auto text = tensortap::builtin_pattern(collection)) pattern.emplace(*text);
    for (const auto& [name, tensor] : tensors_)
      if (collection.empty() || (pattern && pattern->finds(name))) out.push_back(name);
    std::sort(out.begin(), out.end());
    return out;
  }
  void for_each(const Visit& visit) const override {
    for (const auto& [name, tensor] : tensors_) visit(name);
  }
  [[nodiscard]] std::optional<tensortap::Tensor> value(std::string_view name) const override {
    return saved_ == Saved::elements ? find(name) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view name, tensortap::Reduction r) const override {
    using R = tensortap::Reduction;
    const auto tensor = find(name);
    const bool is_known = saved_ != Saved::few_reductions || r == R::min || r == R::max || r == R::mean ||
                          r == R::std || r == R::l2 || r == R::abs_mean;
    if (!tensor || !is_known || tensor->dtype() == tensortap::DType::string) return std::nullopt;
    return tensortap::reduce(as_view(*tensor), r);
  }
  [[nodiscard]] std::optional<tensortap::Statistics> statistics(std::string_view name) const override {
    const auto tensor = find(name);
    if (!tensor || saved_ == Saved::few_reductions || tensor->dtype() == tensortap::DType::string) return std::nullopt;
    return tensortap::statistics(*tensor);
  }

  [[nodiscard]] std::optional<tensortap::UnitStatistics> units(std::string_view name) const override {
    const auto tensor = find(name);
    const bool is_known = saved_ == Saved::elements || saved_ == Saved::units_and_statistics;
    if (!tensor || !is_known || tensor->dtype() == tensortap::DType::string) return std::nullopt;
    return tensortap::unit_statistics(*tensor);
  }

 private:
  [[nodiscard]] std::optional<tensortap::Tensor> find(std::string_view name) const {
    for (const auto& [one, tensor] : tensors_)
      if (one == name) return tensor;
    return std::nullopt;
  }

  tensortap::Step step_;
  Tensors tensors_;
  Saved saved_;
};

/// Returns a tensor of these numbers; without a shape, a vector.
inline tensortap::Tensor numbers(const std::vector<double>& list, std::vector<std::int64_t> shape = {}) {
  if (shape.empty()) shape = {static_cast<std::int64_t>(list.size())};
  tensortap::Tensor out(tensortap::DType::f64, std::move(shape));
  std::copy(list.begin(), list.end(), out.as<double>().begin());
  return out;
}

/// Returns a tensor of this shape; `element` gives each number.
inline tensortap::Tensor filled(std::vector<std::int64_t> shape, const std::function<double(std::size_t)>& element) {
  tensortap::Tensor out(tensortap::DType::f64, std::move(shape));
  const auto elements = out.as<double>();
  for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = element(i);
  return out;
}

/// Returns a number in [-1, 1) that depends on `seed` and looks random.
inline double noise(std::uint64_t seed) {
  seed = (seed + 1) * 0x9e3779b97f4a7c15;
  seed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
  seed = (seed ^ (seed >> 27)) * 0x94d049bb133111eb;
  seed ^= seed >> 31;
  return static_cast<double>(seed >> 11) * 0x1p-52 - 1;
}

/// Steps of a run.
using Steps = std::vector<StepOfList>;

/// Returns training steps 0 to `count` - 1, each `interval` apart.
inline Steps train_steps(std::int64_t count, const std::function<StepOfList::Tensors(std::int64_t)>& tensors,
                         Saved saved = Saved::elements, std::int64_t interval = 1,
                         tensortap::Mode mode = tensortap::Mode::train) {
  Steps out;
  for (std::int64_t i = 0; i < count; ++i)
    out.emplace_back(tensortap::Step{mode, i * interval, i * interval}, tensors(i * interval), saved);
  return out;
}

/// Returns what the rule finds. Checks that a rule whose state is saved and restored in the midst finds the same.
inline std::vector<tensortap::Finding> judged(const tensortap::Rule& rule, const Steps& steps) {
  const tensortap::Judge whole({rule});
  for (const StepOfList& step : steps) whole(step);
  for (const std::size_t cut : {steps.size() / 3, steps.size() / 2}) {
    const tensortap::Judge first({rule});
    for (std::size_t i = 0; i < cut; ++i) first(steps[i]);
    const tensortap::Judge second({rule});
    REQUIRE(second.restore(first.state()));
    for (std::size_t i = cut; i < steps.size(); ++i) second(steps[i]);
    CHECK(second.verdict() == whole.verdict());
    CHECK(second.state() == whole.state());
  }
  return whole.verdict().findings;
}

/// Returns the names of the tensors of the findings of this severity.
inline std::vector<std::string> tensors_of(const std::vector<tensortap::Finding>& findings,
                                           tensortap::Severity severity = tensortap::Severity::error) {
  std::vector<std::string> out;
  for (const tensortap::Finding& finding : findings)
    if (finding.severity == severity) out.push_back(finding.tensor);
  return out;
}

using Names = std::vector<std::string>;
inline constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
inline constexpr double infinite = std::numeric_limits<double>::infinity();
