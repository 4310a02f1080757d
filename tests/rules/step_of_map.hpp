// A step with tensors that a test chooses.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/tensor/tensor.hpp>

/// A step of tensors by name, which belong to every collection.
class StepOfMap final : public tensortap::StepView {
 public:
  explicit StepOfMap(const tensortap::Step& step, std::map<std::string, tensortap::Tensor, std::less<>> tensors = {})
      : step_(step), tensors_(std::move(tensors)) {}

  [[nodiscard]] tensortap::Step step() const override { return step_; }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view) const override {
    std::vector<std::string> out;
    for (const auto& [name, tensor] : tensors_) out.push_back(name);
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
  tensortap::Step step_;
  std::map<std::string, tensortap::Tensor, std::less<>> tensors_;
};

/// Returns a tensor of these numbers.
inline tensortap::Tensor tensor_of(const std::vector<double>& numbers) {
  tensortap::Tensor out(tensortap::DType::f64, {static_cast<std::int64_t>(numbers.size())});
  std::copy(numbers.begin(), numbers.end(), out.as<double>().begin());
  return out;
}
