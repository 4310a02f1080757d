// One step of a stored run, as a rule sees it.
//
//   if (const auto view = trial.view(1200))
//     if (const auto loss = view->value("loss")) std::cout << loss->number(0) << '\n';
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/step_view.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class LiveRun;
class SavedTensor;
}  // namespace detail

/// The saved data of one global step, of one worker or of all. If several workers have saved a tensor, functions return
/// the value of the alphabetically first worker that has it.
/// Threads: any. Lifetime: independent of the Trial.
class StoredStep final : public StepView {
 public:
  StoredStep(const StoredStep& other);

  [[nodiscard]] Step step() const override { return step_; }

  /// Returns the names of the tensors of `collection`, or of all; none if the run has no such collection.
  [[nodiscard]] TENSORTAP_INLINE std::vector<std::string> tensors(std::string_view collection = {}) const override;

  TENSORTAP_INLINE void for_each(const Visit& visit) const override;

  [[nodiscard]] TENSORTAP_INLINE std::optional<Tensor> value(std::string_view tensor) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<double> reduction(std::string_view tensor, Reduction r) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<Statistics> statistics(std::string_view tensor) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<UnitStatistics> units(std::string_view tensor) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::int64_t>> classes(
      std::string_view tensor) const override;

 private:
  friend class Trial;
  StoredStep(std::shared_ptr<const detail::LiveRun> run, const Step& step, std::string worker = {});

  [[nodiscard]] detail::SavedTensor find(std::string_view tensor) const;

  std::shared_ptr<const detail::LiveRun> run_;
  Step step_;
  std::string worker_;  // empty: all
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/stored_step_impl.hpp>
#endif
