// One tensor over the steps of a run.
//
//   const auto loss = trial.tensor("loss");
//   for (const auto step : loss.steps())
//     if (const auto value = loss.value(step)) std::cout << step << ' ' << value->number(0) << '\n';
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/saved_tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What a run holds of one tensor. Steps are those of `mode()`: global steps for Mode::global, else the mode's own.
/// Without a worker, the alphabetically first that has what is asked for answers. What is damaged reads as absent and
/// is listed in `trial.damage()`; what a new attempt has set aside reads as absent. Of a run that is followed, it shows
/// what the trial knows; `steps()` looks for more.
/// Threads: any. Lifetime: of its own; the Trial may be gone.
class TensorHistory {
 public:
  TensorHistory(std::shared_ptr<detail::LiveRun> run, const detail::TensorEntry* tensor, Mode mode)
      : run_(std::move(run)), tensor_(tensor), mode_(mode) {}

  [[nodiscard]] const std::string& name() const noexcept { return tensor_->first; }
  [[nodiscard]] Mode mode() const noexcept { return mode_; }

  /// The steps in which anything was saved of it, complete or not; ascending.
  [[nodiscard]] std::vector<std::int64_t> steps() const {
    return run_->query([this](const detail::Run& run) {
      std::vector<std::int64_t> out;
      for (const std::int64_t global_step : tensor_->second.steps) {
        const Step& step = *run.numbers().find(run.numbers().first_of(global_step));
        if (mode_ == Mode::global) out.push_back(step.global_step);
        if (mode_ != Mode::global && step.mode == mode_) out.push_back(step.mode_step);
      }
      std::sort(out.begin(), out.end());
      out.erase(std::unique(out.begin(), out.end()), out.end());
      return out;
    });
  }

  /// The workers that saved anything of it in `step`.
  [[nodiscard]] std::vector<std::string> workers(std::int64_t step) const { return at(step).workers(); }

  /// The elements; nothing if they were not saved or cannot be read.
  [[nodiscard]] std::optional<Tensor> value(std::int64_t step, std::string_view worker = {}) const {
    return at(step).value(worker);
  }

  /// The shape, saved by itself or with the elements.
  [[nodiscard]] std::optional<Tensor::Shape> shape(std::int64_t step, std::string_view worker = {}) const {
    return at(step).shape(worker);
  }

  /// A reduction as it was saved; else out of saved statistics, or computed from the elements.
  [[nodiscard]] std::optional<double> reduction(std::int64_t step, Reduction r, std::string_view worker = {}) const {
    return at(step).reduction(r, worker);
  }

  /// All statistics as they were saved; else computed from the elements, if they were.
  [[nodiscard]] std::optional<Statistics> statistics(std::int64_t step, std::string_view worker = {}) const {
    return at(step).statistics(worker);
  }

  /// The saved reductions by their stored spelling ("mean", "abs_l2"), with their element types.
  [[nodiscard]] std::map<std::string, Tensor> saved_reductions(std::int64_t step, std::string_view worker = {}) const {
    return at(step).reductions(worker);
  }

  /// What its records take in the events files. Units: bytes.
  [[nodiscard]] std::uint64_t stored_bytes() const {
    std::uint64_t sum = 0;
    for (const std::int64_t step : steps()) sum += at(step).stored_bytes();
    return sum;
  }

 private:
  [[nodiscard]] detail::SavedTensor at(std::int64_t step) const {
    auto answers = run_->look([&](const detail::Run& run) { return run.answers(tensor_, mode_, step); });
    return {run_, tensor_, std::move(answers), step};
  }

  std::shared_ptr<detail::LiveRun> run_;
  const detail::TensorEntry* tensor_;  // in *run_, where it stays
  Mode mode_;
};

TENSORTAP_END_NAMESPACE
