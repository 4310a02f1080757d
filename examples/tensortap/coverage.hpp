// What a rule could judge: the tensors that it asked for, and whether the run had an answer. A rule that gets no answer
// finds nothing, which must not look like a healthy run.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>

namespace tensortap_command {

/// How often a rule got an answer. Threads: one at a time.
class Coverage {
 public:
  enum class Answer { judged, absent, not_finite };

  /// Numbers of steps, for one tensor.
  struct Counts {
    std::size_t judged = 0, absent = 0, not_finite = 0;
  };

  /// Begins `step`. Forgets all of it if the rule starts over, because an attempt has replaced steps.
  void begin_step(std::int64_t step) {
    if (step <= step_ || starts_over_) {
      tensors_.clear();
      steps_ = 0;
      last_judged_ = -1;
      starts_over_ = false;
    }
    step_ = step;
  }

  /// Notes that the steps from `first` are shown again.
  void rewind(std::int64_t first) { starts_over_ = starts_over_ || first <= step_; }

  void note(std::string_view tensor, Answer answer) {
    Counts& counts = tensors_[std::string(tensor)];
    if (answer == Answer::absent) ++counts.absent;
    if (answer == Answer::not_finite) ++counts.not_finite;
    if (answer != Answer::judged) return;
    ++counts.judged;
    if (std::exchange(last_judged_, step_) != step_) ++steps_;
  }

  /// Returns the tensors that the rule has asked for, by name.
  [[nodiscard]] const std::map<std::string, Counts>& tensors() const noexcept { return tensors_; }
  /// Returns the number of steps in which it could judge one.
  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }
  [[nodiscard]] std::size_t judged() const {
    std::size_t out = 0;
    for (const auto& [name, counts] : tensors_) out += counts.judged > 0 ? 1 : 0;
    return out;
  }

 private:
  std::map<std::string, Counts> tensors_;
  std::size_t steps_ = 0;
  std::int64_t step_ = -1, last_judged_ = -1;
  bool starts_over_ = false;
};

/// A step that notes what a rule asks of it. Lifetime: borrows both.
class WatchedStep final : public tensortap::StepView {
 public:
  WatchedStep(const tensortap::StepView& step, Coverage& coverage) : step_(step), coverage_(coverage) {}

  [[nodiscard]] tensortap::Step step() const override { return step_.step(); }
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection) const override {
    return step_.tensors(collection);
  }
  [[nodiscard]] std::optional<tensortap::Tensor> value(std::string_view tensor) const override {
    auto out = step_.value(tensor);
    coverage_.note(tensor, out ? Coverage::Answer::judged : Coverage::Answer::absent);
    return out;
  }
  [[nodiscard]] std::optional<double> reduction(std::string_view tensor, tensortap::Reduction r) const override {
    const auto out = step_.reduction(tensor, r);
    coverage_.note(tensor, !out                  ? Coverage::Answer::absent
                           : std::isfinite(*out) ? Coverage::Answer::judged
                                                 : Coverage::Answer::not_finite);
    return out;
  }
  [[nodiscard]] std::optional<tensortap::Statistics> statistics(std::string_view tensor) const override {
    auto out = step_.statistics(tensor);
    coverage_.note(tensor, out ? Coverage::Answer::judged : Coverage::Answer::absent);
    return out;
  }

 private:
  const tensortap::StepView& step_;
  Coverage& coverage_;
};

}  // namespace tensortap_command
