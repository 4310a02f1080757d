// A step of a run as a rule sees it.
//
//   if (const auto view = trial.view(1200))
//     if (const auto loss = view->value("loss")) std::cout << loss->number(0) << '\n';
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/saved_tensor.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What the workers saved in one global step; of a tensor that several saved, the alphabetically first answers.
/// Threads: any. Lifetime: of its own; the Trial may be gone.
class StoredStep final : public StepView {
 public:
  StoredStep(std::shared_ptr<const detail::LiveRun> run, const Step& step) : run_(std::move(run)), step_(step) {}

  [[nodiscard]] Step step() const override { return step_; }

  /// Those of a collection the run does not know: none.
  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection = {}) const override {
    std::set<std::string> names;
    const auto membership = run_->look([&](const detail::Run& run) {
      if (const auto* parts = run.parts(step_.global_step))
        for (const auto& [worker, part] : *parts)
          part->for_each_tensor([&](const detail::TensorEntry* tensor) { names.insert(tensor->first); });
      return run.membership;
    });
    std::vector<std::string> out;
    for (const std::string& name : names)
      if (collection.empty() || membership->contains(collection, name, run_->damage())) out.push_back(name);
    return out;
  }

  [[nodiscard]] std::optional<Tensor> value(std::string_view tensor) const override { return at(tensor).value({}); }
  [[nodiscard]] std::optional<double> reduction(std::string_view tensor, Reduction r) const override {
    return at(tensor).reduction(r, {});
  }
  [[nodiscard]] std::optional<Statistics> statistics(std::string_view tensor) const override {
    return at(tensor).statistics({});
  }

 private:
  [[nodiscard]] detail::SavedTensor at(std::string_view name) const {
    const detail::TensorEntry* tensor = nullptr;
    std::vector<detail::Run::Answer> answers;
    run_->look([&](const detail::Run& run) {
      tensor = run.find(name);
      const auto* parts = run.parts(step_.global_step);
      if (tensor == nullptr || parts == nullptr) return;
      for (const auto& [worker, part] : *parts)
        if (part->has(tensor)) answers.push_back({worker, part});
    });
    return {run_, tensor, std::move(answers), step_.global_step};
  }

  std::shared_ptr<const detail::LiveRun> run_;
  Step step_;
};

TENSORTAP_END_NAMESPACE
