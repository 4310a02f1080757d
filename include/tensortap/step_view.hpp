// One step as a rule sees it: the tensors, reductions and statistics saved in it. The step is read back from a run, or
// still in the training process. Include tensor/tensor.hpp and statistics_record.hpp to use what it returns.
//
//   tensortap::HookOptions options;
//   options.on_step = [](const tensortap::StepView& step) { std::cout << step.tensors("gradients").size() << '\n'; };
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Tensor;
struct Statistics;

/// A text about a step, for TensorBoard: what a rule has found in it.
struct StepText {
  std::string tag;   ///< where it is shown, such as "findings/LossDiverging"
  std::string text;  ///< Markdown
};

/// The contents of one step. Threads: one at a time. Lifetime: valid during the call that receives it.
class StepView {
 public:
  StepView() = default;
  StepView(const StepView&) = delete;
  StepView& operator=(const StepView&) = delete;
  virtual ~StepView() = default;

  [[nodiscard]] virtual Step step() const = 0;

  /// Returns the sorted names of the tensors that were saved in this step in any form; only those of `collection` if it
  /// is not empty.
  [[nodiscard]] virtual std::vector<std::string> tensors(std::string_view collection = {}) const = 0;

  /// Receives the name of a tensor.
  using Visit = std::function<void(std::string_view)>;

  /// Calls `visit` with each name of `tensors()`, in the order in which the tensors were saved if it is known. A name
  /// may come several times.
  virtual void for_each(const Visit& visit) const {
    for (const std::string& name : tensors()) visit(name);
  }

  /// Returns the elements; nullopt if they were not saved.
  [[nodiscard]] virtual std::optional<Tensor> value(std::string_view tensor) const = 0;

  /// Returns the saved reduction, or computes it from saved statistics or elements; nullopt if neither was saved.
  [[nodiscard]] virtual std::optional<double> reduction(std::string_view tensor, Reduction r) const = 0;

  /// Returns the saved statistics, or computes them from saved elements; nullopt if neither was saved.
  [[nodiscard]] virtual std::optional<Statistics> statistics(std::string_view tensor) const = 0;

  /// Returns the saved statistics of the units, or computes them from saved elements; nullopt if neither was saved.
  [[nodiscard]] virtual std::optional<UnitStatistics> units(std::string_view /*tensor*/) const { return std::nullopt; }

  /// Returns the saved counts of classes, or counts those of saved elements; nullopt if neither was saved, or the
  /// elements are no classes.
  [[nodiscard]] virtual std::optional<std::vector<std::int64_t>> classes(std::string_view /*tensor*/) const {
    return std::nullopt;
  }
};

TENSORTAP_END_NAMESPACE
