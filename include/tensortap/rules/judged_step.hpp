// One step as the built-in rules see it: a StepView that knows the role of each tensor, and computes nothing twice,
// however many rules ask. A rule of your own may take it instead of a StepView.
//
//   tensortap::Rule rule("tiny", [](const tensortap::JudgedStep& step) {
//     std::vector<tensortap::Finding> out;
//     for (const tensortap::KnownTensor* gradient : step.with_role(tensortap::Role::gradient))
//       if (const auto* s = step.statistics(*gradient); s && s->abs_max < 1e-9) out.push_back({.tensor =
//       gradient->name});
//     return out;
//   });
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/step.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Tensor;
struct Statistics;
struct TensorChange;
struct TrainingFacts;

namespace detail {
class TensorCatalog;
}

/// A step that several rules look at. Lifetime: the call that receives it. Threads: one at a time.
class JudgedStep final : public StepView {
 public:
  /// Shows `step`, which `worker` has saved and which outlives it, as `worker` does, with the names of `catalog`.
  JudgedStep(detail::TensorCatalog& catalog, const StepView& step, std::string_view worker = {});

  [[nodiscard]] Step step() const override { return step_->step(); }

  /// Returns the name of the process that has saved the step.
  [[nodiscard]] std::string_view worker() const noexcept { return worker_; }

  /// Returns the tensors of the step in the order in which they were saved, each once.
  [[nodiscard]] std::span<const KnownTensor* const> saved() const;

  /// Returns those with this role, from the first layer to the last: in the order of their weights, if weights were
  /// saved, else in the order of their names, with numbers in names as numbers.
  [[nodiscard]] std::span<const KnownTensor* const> with_role(Role role) const;

  /// Returns the tensor of this name, also if this step lacks it; null if no step has had it.
  [[nodiscard]] const KnownTensor* find(std::string_view name) const;

  /// Returns the statistics, saved or computed from saved elements; null if neither was saved.
  [[nodiscard]] const Statistics* statistics(const KnownTensor& tensor) const;

  /// Returns the statistics of the units, saved or computed from saved elements; null if neither was saved.
  [[nodiscard]] const UnitStatistics* units(const KnownTensor& tensor) const;

  /// Returns the elements; null if they were not saved.
  [[nodiscard]] const Tensor* value(const KnownTensor& tensor) const;

  /// Returns the reduction, saved or computed from saved statistics or elements; nullopt if nothing serves.
  [[nodiscard]] std::optional<double> reduction(const KnownTensor& tensor, Reduction r) const;

  /// Returns how the tensor, a parameter of the network, has changed since the last training step that had it; null if
  /// this is no training step, or no such step is known. GLOBAL steps count if none is of TRAIN. A rule that asks does
  /// so in each step.
  [[nodiscard]] const TensorChange* change(const KnownTensor& tensor) const;

  /// Returns the gradients of weights that are finite, from the first layer to the last, with their sizes; those of
  /// biases are left out.
  [[nodiscard]] std::span<const LayerGradient> layer_gradients() const;

  /// Returns what the losses, labels and predictions of all steps so far tell.
  [[nodiscard]] const TrainingFacts& facts() const;

  // A StepView, by name.
  [[nodiscard]] TENSORTAP_INLINE std::vector<std::string> tensors(std::string_view collection = {}) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<Tensor> value(std::string_view tensor) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<double> reduction(std::string_view tensor, Reduction r) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<Statistics> statistics(std::string_view tensor) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<UnitStatistics> units(std::string_view tensor) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::int64_t>> classes(
      std::string_view tensor) const override;
  TENSORTAP_INLINE void for_each(const Visit& visit) const override;

 private:
  template <class T>
  [[nodiscard]] std::optional<T> noted(std::string_view tensor, std::optional<T> answer) const;

  detail::TensorCatalog* catalog_;
  const StepView* step_;
  std::string_view worker_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/judged_step_impl.hpp>
#endif
