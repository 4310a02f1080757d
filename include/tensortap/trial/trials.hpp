// Several runs side by side: the tensors and steps that they share, and the curve of a tensor in each of them.
//
//   const tensortap::Trials trials({"runs/41", "runs/42"});
//   for (const auto& row : trials.curve("loss", tensortap::Mode::eval))
//     std::cout << row.step << ' ' << row.values[0].value_or(0) << ' ' << row.values[1].value_or(0) << '\n';
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trial/trial.hpp>
#include <tensortap/trial/trial_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Several runs. Threads: any.
class Trials {
 public:
  /// One step of a curve: a number for each run, in their order; nullopt for a run that has none.
  struct Row {
    std::int64_t step = 0;
    std::vector<std::optional<double>> values;

    friend bool operator==(const Row&, const Row&) = default;
  };

  /// Opens the runs, with the same options. Throws: as Trial does, for the first run that cannot be opened.
  explicit Trials(const std::vector<std::string>& addresses, const TrialOptions& options = {});
  /// Puts runs that are open side by side.
  [[nodiscard]] static Trials of(std::vector<Trial> trials);

  [[nodiscard]] std::size_t size() const noexcept { return trials_.size(); }
  /// Returns run `i`. Lifetime: that of this object.
  [[nodiscard]] const Trial& operator[](std::size_t i) const { return trials_.at(i); }
  [[nodiscard]] auto begin() const noexcept { return trials_.begin(); }
  [[nodiscard]] auto end() const noexcept { return trials_.end(); }

  /// Returns the names of the tensors of `query` that all runs have, sorted. A run without its collection has none.
  /// Throws: a refused pattern in `query`.
  [[nodiscard]] std::vector<std::string> common_tensors(const TensorQuery& query = {}) const;

  /// Returns the complete steps of `mode` that all runs have, ascending.
  [[nodiscard]] std::vector<std::int64_t> common_steps(Mode mode = Mode::global) const;

  /// Returns a row for each step of `mode` in which a run has `tensor`, ascending: the reduction `r`, or without one
  /// the only element. None if no run has the tensor.
  [[nodiscard]] std::vector<Row> curve(std::string_view tensor, Mode mode = Mode::global,
                                       std::optional<Reduction> r = {}) const;

  /// Reads the new objects of all runs.
  void refresh() const;

  /// Waits until all runs have ended; returns false after `timeout`.
  [[nodiscard]] bool wait_for_end(std::chrono::nanoseconds timeout) const;

 private:
  Trials() = default;

  std::vector<Trial> trials_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/trials_impl.hpp>
#endif
