// A step with tensors that a test chooses.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/rules/internal/tensor_catalog.hpp>
#include <tensortap/rules/judged_step.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/tensor/tensor.hpp>

/// A step of tensors by name. They are in the collections that `collections` lists, and in the built-in ones that find
/// their names.
class StepOfMap final : public tensortap::StepView {
 public:
  using Collections = std::map<std::string, std::vector<std::string>, std::less<>>;

  explicit StepOfMap(const tensortap::Step& step, std::map<std::string, tensortap::Tensor, std::less<>> tensors = {},
                     Collections collections = {})
      : step_(step), tensors_(std::move(tensors)), collections_(std::move(collections)) {}

  [[nodiscard]] tensortap::Step step() const override { return step_; }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : tensors_)
      if (collection.empty() || has(collection, name)) out.push_back(name);
    return out;
  }
  [[nodiscard]] std::optional<tensortap::Tensor> value(std::string_view tensor) const override {
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view tensor, tensortap::Reduction r) const override {
    const auto elements = value(tensor);
    if (!elements) return std::nullopt;
    return tensortap::reduce(as_view(*elements), r);
  }
  [[nodiscard]] std::optional<tensortap::Statistics> statistics(std::string_view tensor) const override {
    const auto elements = value(tensor);
    if (!elements) return std::nullopt;
    return tensortap::statistics(*elements);
  }

 private:
  [[nodiscard]] bool has(std::string_view collection, const std::string& name) const {
    if (const auto listed = collections_.find(collection); listed != collections_.end())
      return std::find(listed->second.begin(), listed->second.end(), name) != listed->second.end();
    const auto pattern = tensortap::builtin_pattern(collection);
    return pattern && tensortap::Pattern(std::string(*pattern)).finds(name);
  }

  tensortap::Step step_;
  std::map<std::string, tensortap::Tensor, std::less<>> tensors_;
  Collections collections_;
};

/// Shows single steps to a rule without the driver, which would unite the findings.
class Shown {
 public:
  explicit Shown(tensortap::Rule rule) : rule_(std::move(rule)) {}

  std::vector<tensortap::Finding> operator()(const tensortap::StepView& view) {
    const tensortap::JudgedStep step(catalog_, view);
    auto out = rule_(step);
    catalog_.end();
    return out;
  }

 private:
  tensortap::Rule rule_;
  tensortap::detail::TensorCatalog catalog_;
};

/// Returns a tensor of these numbers, as a vector or in this shape.
inline tensortap::Tensor tensor_of(const std::vector<double>& numbers, std::vector<std::int64_t> shape = {}) {
  if (shape.empty()) shape = {static_cast<std::int64_t>(numbers.size())};
  tensortap::Tensor out(tensortap::DType::f64, std::move(shape));
  std::copy(numbers.begin(), numbers.end(), out.as<double>().begin());
  return out;
}
