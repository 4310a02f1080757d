// One step as a rule sees it: what was saved in it, whether it is read back from a run or still in the training
// process.
//
//   tensortap::HookOptions options;
//   options.on_step = [](const tensortap::StepView& step) { std::cout << step.tensors("gradients").size() << '\n'; };
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What one step holds. Threads: those of whoever hands it out; one at a time. Lifetime: the call that gets it.
class StepView {
 public:
  StepView() = default;
  StepView(const StepView&) = delete;
  StepView& operator=(const StepView&) = delete;
  virtual ~StepView() = default;

  [[nodiscard]] virtual Step step() const = 0;

  /// The tensors of which anything was saved in this step, sorted; those of one collection if it is named.
  [[nodiscard]] virtual std::vector<std::string> tensors(std::string_view collection = {}) const = 0;

  /// The elements; nothing if they were not saved.
  [[nodiscard]] virtual std::optional<Tensor> value(std::string_view tensor) const = 0;

  /// A reduction as it was saved; else out of saved statistics or elements.
  [[nodiscard]] virtual std::optional<double> reduction(std::string_view tensor, Reduction r) const = 0;

  /// All statistics, as saved or from the elements.
  [[nodiscard]] virtual std::optional<Statistics> statistics(std::string_view tensor) const = 0;
};

TENSORTAP_END_NAMESPACE
