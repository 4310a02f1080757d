// One tensor over the steps of a run.
//
//   const auto loss = trial.tensor("loss");
//   for (const auto step : loss.steps())
//     if (const auto value = loss.value(step)) std::cout << step << ' ' << value->number(0) << '\n';
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class LiveRun;
class SavedTensor;
struct StoredTensor;
}  // namespace detail

/// The saved data of one tensor. Steps are those of `mode()`: global steps for Mode::global, else the mode's own.
/// Without a worker, functions return the value of the alphabetically first worker that has it. Data that is damaged or
/// superseded counts as not saved; `trial.damage()` lists the damage. In a followed run, only `steps()` refreshes the
/// trial; the other functions use what it has already read.
/// Threads: any. Lifetime: independent of the Trial.
class TensorHistory {
 public:
  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] Mode mode() const noexcept { return mode_; }

  /// Returns the steps, complete or not, in which a worker has saved the tensor, a reduction or a shape; ascending.
  [[nodiscard]] std::vector<std::int64_t> steps() const;

  /// Returns the last `n` steps of `steps()` up to `step`, which is among them if it was saved; ascending.
  [[nodiscard]] std::vector<std::int64_t> prev_steps(std::int64_t step, std::size_t n) const;

  /// Returns the workers that have saved the tensor in `step`, sorted.
  [[nodiscard]] std::vector<std::string> workers(std::int64_t step) const;

  /// Returns the elements; nullopt if they were not saved or cannot be read. Lifetime: a loop over
  /// `value(0)->as<float>()` reads a destroyed tensor; keep the value in a variable.
  [[nodiscard]] std::optional<Tensor> value(std::int64_t step, std::string_view worker = {}) const;

  /// Returns the elements that each worker has saved, by its name.
  [[nodiscard]] std::map<std::string, Tensor> values(std::int64_t step) const;

  /// Returns the shape, which is saved by itself or with the elements. Lifetime: keep it in a variable before a loop.
  [[nodiscard]] std::optional<Tensor::Shape> shape(std::int64_t step, std::string_view worker = {}) const;

  /// Returns the saved reduction; else computes it from saved statistics, else from the elements.
  [[nodiscard]] std::optional<double> reduction(std::int64_t step, Reduction r, std::string_view worker = {}) const;

  /// Returns the saved statistics; else computes them from the elements.
  [[nodiscard]] std::optional<Statistics> statistics(std::int64_t step, std::string_view worker = {}) const;

  /// Returns the saved statistics of the units; else computes them from the elements.
  [[nodiscard]] std::optional<UnitStatistics> units(std::int64_t step, std::string_view worker = {}) const;

  /// Returns the saved counts of classes; else counts those of the elements.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> classes(std::int64_t step, std::string_view worker = {}) const;

  /// Returns the saved reductions by their stored spelling ("mean", "abs_l2"), with their element types. What
  /// Reduction::statistics has saved is not among them: see `statistics`.
  [[nodiscard]] std::map<std::string, Tensor> saved_reductions(std::int64_t step, std::string_view worker = {}) const;

  /// Returns when it was saved; nullopt if but a shape was saved, or nothing can be read. Units: seconds since 1970.
  [[nodiscard]] std::optional<double> wall_time(std::int64_t step, std::string_view worker = {}) const;

  /// Returns the size of its records in the events files. Units: bytes.
  [[nodiscard]] std::uint64_t stored_bytes() const;

 private:
  friend class Trial;
  TensorHistory(std::shared_ptr<detail::LiveRun> run, const detail::StoredTensor* tensor, Mode mode);

  [[nodiscard]] detail::SavedTensor at(std::int64_t step) const;

  std::shared_ptr<detail::LiveRun> run_;
  const detail::StoredTensor* tensor_;  // owned by *run_, which never moves it
  Mode mode_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/tensor_history_impl.hpp>
#endif
