// Steps of losses, labels and predictions, and what rules find in them.
#pragma once

#include <tensortap/rules/judge.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/pattern.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/reduce/classes.hpp>
#include "rules/step_of_map.hpp"

namespace loss_steps {

namespace tt = tensortap;

using Tensors = std::map<std::string, tt::Tensor, std::less<>>;

/// A step of tensors by name, in the collections that their names tell.
class NamedStep final : public tt::StepView {
 public:
  /// `only_counts`: of labels and predictions, only the classes were counted.
  NamedStep(const tt::Step& step, Tensors tensors, bool only_counts = false)
      : map_(step, tensors), only_counts_(only_counts) {
    for (const auto& [name, tensor] : tensors) names_.push_back(name);
  }
  [[nodiscard]] tt::Step step() const override { return map_.step(); }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    if (collection.empty()) return names_;
    std::vector<std::string> out;
    const auto pattern = tt::builtin_pattern(collection);
    for (const std::string& name : names_)
      if (pattern && tt::Pattern(std::string(*pattern)).finds(name)) out.push_back(name);
    return out;
  }
  [[nodiscard]] std::optional<tt::Tensor> value(std::string_view name) const override {
    return is_counted(name) ? std::nullopt : map_.value(name);
  }
  [[nodiscard]] std::optional<std::vector<std::int64_t>> classes(std::string_view name) const override {
    const auto elements = map_.value(name);
    return elements ? tt::class_counts(tt::as_view(*elements)) : std::nullopt;
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view name, tt::Reduction r) const override {
    return is_counted(name) ? std::nullopt : map_.reduction(name, r);
  }
  [[nodiscard]] std::optional<tt::Statistics> statistics(std::string_view name) const override {
    return is_counted(name) ? std::nullopt : map_.statistics(name);
  }

 private:
  [[nodiscard]] bool is_counted(std::string_view name) const {
    return only_counts_ && (name == "labels" || name == "predictions");
  }

  StepOfMap map_;
  bool only_counts_;
  std::vector<std::string> names_;
};

/// A run: steps of any mode, each with its numbers.
class Run {
 public:
  explicit Run(std::string loss = "CrossEntropyLoss_output_0") : loss_(std::move(loss)) {}

  /// Adds a step of TRAIN, after `interval - 1` that were not saved.
  Run& train(double loss, Tensors more = {}) { return add(tt::Mode::train, loss, std::move(more)); }
  Run& eval(double loss, Tensors more = {}) { return add(tt::Mode::eval, loss, std::move(more)); }
  /// Adds a step without a loss.
  Run& only(tt::Mode mode, Tensors tensors) {
    auto& number = numbers_[index_of(mode)];
    steps_.push_back(
        std::make_shared<const NamedStep>(tt::Step{mode, number, global_}, std::move(tensors), only_counts));
    number += interval;
    global_ += interval;
    return *this;
  }

  [[nodiscard]] const std::vector<std::shared_ptr<const NamedStep>>& steps() const { return steps_; }

  std::int64_t interval = 1;
  bool only_counts = false;  ///< of labels and predictions, in steps to come

 private:
  Run& add(tt::Mode mode, double loss, Tensors more) {
    more[loss_] = tensor_of({loss});
    return only(mode, std::move(more));
  }

  std::string loss_;
  std::vector<std::shared_ptr<const NamedStep>> steps_;
  std::vector<std::int64_t> numbers_ = std::vector<std::int64_t>(4);
  std::int64_t global_ = 0;
};

/// Returns what a rule finds in a run. It checks, too, that a judge that is interrupted anywhere finds the same.
inline std::vector<tt::Finding> judge(const tt::Rule& rule, const Run& run) {
  const tt::Judge whole({rule});
  for (const auto& step : run.steps()) whole(*step);
  std::string state = tt::Judge({rule}).state();
  const std::size_t piece = run.steps().size() / 3 + 1;
  for (std::size_t begin = 0; begin < run.steps().size(); begin += piece) {
    const tt::Judge part({rule});
    if (!part.restore(state)) throw std::runtime_error("a state could not be read");
    for (std::size_t i = begin; i < std::min(begin + piece, run.steps().size()); ++i) part(*run.steps()[i]);
    state = part.state();
  }
  const tt::Judge last({rule});
  if (!last.restore(state) || !(last.verdict() == whole.verdict()))
    throw std::runtime_error("an interrupted judge finds something else");
  return whole.verdict().findings;
}

/// Noise of a fixed sequence, around 1.
class Noise {
 public:
  explicit Noise(double deviation, unsigned seed = 1) : random_(seed), deviation_(deviation) {}
  double operator()() {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(random_()) / 4294967296.0;
    return 1 + deviation_ * (sum - 6);
  }
  /// Returns a number below `n`.
  std::size_t below(std::size_t n) { return random_() % n; }

 private:
  std::mt19937 random_;
  double deviation_;
};

/// Returns a tensor of whole numbers.
inline tt::Tensor classes_of(const std::vector<std::int64_t>& numbers) {
  tt::Tensor out(tt::DType::i64, {static_cast<std::int64_t>(numbers.size())});
  std::copy(numbers.begin(), numbers.end(), out.as<std::int64_t>().begin());
  return out;
}

/// Returns a table of numbers, `width` in a row.
inline tt::Tensor table_of(const std::vector<double>& numbers, std::int64_t width) {
  tt::Tensor out(tt::DType::f64, {static_cast<std::int64_t>(numbers.size()) / width, width});
  std::copy(numbers.begin(), numbers.end(), out.as<double>().begin());
  return out;
}

/// Returns labels of `classes` classes and predictions that are right with the probability `right`, else of any class.
inline Tensors answers(Noise& noise, std::size_t examples, std::size_t classes, double right) {
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> predictions;
  for (std::size_t i = 0; i < examples; ++i) {
    labels.push_back(static_cast<std::int64_t>(noise.below(classes)));
    const bool is_right = static_cast<double>(noise.below(1000)) < 1000 * right;
    predictions.push_back(is_right ? labels.back() : static_cast<std::int64_t>(noise.below(classes)));
  }
  return {{"labels", classes_of(labels)}, {"predictions", classes_of(predictions)}};
}

}  // namespace loss_steps
