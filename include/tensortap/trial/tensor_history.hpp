// One tensor over the steps of a run.
//
//   const auto loss = trial.tensor("loss");
//   for (const auto step : loss.steps())
//     if (const auto value = loss.value(step)) std::cout << step << ' ' << value->number(0) << '\n';
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/run.hpp>

namespace tensortap::inline v0 {

/// What a run holds of one tensor. Steps are those of `mode()`: global steps for Mode::global, else the mode's own.
/// Without a worker, the alphabetically first that has what is asked for answers. What is damaged reads as absent and
/// is listed in `trial.damage()`. Threads: any. Lifetime: of its own; the Trial may be gone.
class TensorHistory {
 public:
  TensorHistory(std::shared_ptr<const detail::Run> run, const std::string& name, const detail::SavedSteps& saved,
                Mode mode)
      : run_(std::move(run)), name_(&name), saved_(&saved), mode_(mode) {}

  [[nodiscard]] const std::string& name() const noexcept { return *name_; }
  [[nodiscard]] Mode mode() const noexcept { return mode_; }

  /// The steps in which anything was saved of it, complete or not; ascending.
  [[nodiscard]] std::vector<std::int64_t> steps() const {
    std::vector<std::int64_t> out;
    for (const auto& [global_step, workers] : *saved_) {
      const Step& step = run_->steps.at(global_step);
      if (mode_ == Mode::global) out.push_back(global_step);
      if (mode_ != Mode::global && step.mode == mode_) out.push_back(step.mode_step);
    }
    return out;
  }

  /// The workers that saved anything of it in `step`.
  [[nodiscard]] std::vector<std::string> workers(std::int64_t step) const {
    std::vector<std::string> out;
    if (const auto* at = find(step))
      for (const auto& [worker, saved] : *at) out.push_back(worker);
    return out;
  }

  /// The elements; nothing if they were not saved or cannot be read.
  [[nodiscard]] std::optional<Tensor> value(std::int64_t step, std::string_view worker = {}) const {
    const auto* saved = find(step, worker, [](const detail::Saved& s) { return s.raw.has_value(); });
    if (saved == nullptr) return std::nullopt;
    return read(*saved->raw, step);
  }

  /// The shape, saved by itself or with the elements.
  [[nodiscard]] std::optional<Tensor::Shape> shape(std::int64_t step, std::string_view worker = {}) const {
    if (const auto* saved = find(step, worker, [](const detail::Saved& s) { return s.shape.has_value(); }))
      return saved->shape;
    if (auto tensor = value(step, worker)) return tensor->shape();
    return std::nullopt;
  }

  /// A reduction as it was saved; else computed from the elements, if they were.
  [[nodiscard]] std::optional<double> reduction(std::int64_t step, Reduction r, std::string_view worker = {}) const {
    const auto has = [&](const detail::Saved& s) { return s.reductions.contains(to_string(r)); };
    if (const auto* saved = find(step, worker, has))
      if (const auto tensor = read(saved->reductions.find(to_string(r))->second, step);
          tensor && tensor->size() == 1 && tensor->dtype() != DType::string)
        return tensor->number(0);
    if (const auto tensor = value(step, worker); tensor && is_real(tensor->dtype())) return reduce(as_view(*tensor), r);
    return std::nullopt;
  }

  /// All statistics as they were saved; else computed from the elements, if they were.
  [[nodiscard]] std::optional<Statistics> statistics(std::int64_t step, std::string_view worker = {}) const {
    const auto has = [](const detail::Saved& s) { return s.reductions.contains(to_string(Reduction::statistics)); };
    if (const auto* saved = find(step, worker, has))
      if (const auto tensor = read(saved->reductions.find(to_string(Reduction::statistics))->second, step);
          tensor && tensor->dtype() == DType::f64)
        return Statistics::from_record(tensor->as<double>());
    if (const auto tensor = value(step, worker); tensor && is_real(tensor->dtype()))
      return tensortap::statistics(*tensor);
    return std::nullopt;
  }

  /// The saved reductions by their stored spelling ("mean", "abs_l2"), with their element types.
  [[nodiscard]] std::map<std::string, Tensor> saved_reductions(std::int64_t step, std::string_view worker = {}) const {
    std::map<std::string, Tensor> out;
    const auto* saved = find(step, worker, [](const detail::Saved& s) { return !s.reductions.empty(); });
    if (saved == nullptr) return out;
    for (const auto& [spelling, place] : saved->reductions)
      if (auto tensor = read(place, step)) out.emplace(spelling, std::move(*tensor));
    return out;
  }

  /// What its records take in the events files. Units: bytes.
  [[nodiscard]] std::uint64_t stored_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [global_step, workers] : *saved_) {
      if (mode_ != Mode::global && run_->steps.at(global_step).mode != mode_) continue;
      for (const auto& [worker, saved] : workers) {
        if (saved.raw) sum += saved.raw->location.length;
        for (const auto& [spelling, place] : saved.reductions) sum += place.location.length;
      }
    }
    return sum;
  }

 private:
  using Workers = detail::SavedSteps::mapped_type;

  [[nodiscard]] const Workers* find(std::int64_t step) const {
    std::int64_t global_step = step;
    if (mode_ != Mode::global) {
      const auto& of_mode = run_->global_steps[index_of(mode_)];
      const auto found = of_mode.find(step);
      if (found == of_mode.end()) return nullptr;
      global_step = found->second;
    }
    const auto found = saved_->find(global_step);
    return found == saved_->end() ? nullptr : &found->second;
  }

  template <class Has>
  [[nodiscard]] const detail::Saved* find(std::int64_t step, std::string_view worker, Has&& has) const {
    const auto* at = find(step);
    if (at == nullptr) return nullptr;
    for (const auto& [name, saved] : *at)
      if ((worker.empty() || worker == name) && has(saved)) return &saved;
    return nullptr;
  }

  [[nodiscard]] std::optional<Tensor> read(const detail::Place& place, std::int64_t step) const {
    try {
      return detail::read_tensor(*run_, place);
    } catch (const std::exception& e) {  // a record may claim more than there is memory
      run_->damage.add("tensor " + in_quotes(place.location.name) + ", step " + std::to_string(step), e.what());
      return std::nullopt;
    }
  }

  std::shared_ptr<const detail::Run> run_;
  const std::string* name_;  // in *run_, as is what follows
  const detail::SavedSteps* saved_;
  Mode mode_;
};

}  // namespace tensortap::inline v0
