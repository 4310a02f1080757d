// The bodies of stored_step.hpp.
#pragma once

#include <set>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/saved_tensor.hpp>
#include <tensortap/trial/internal/worker_step.hpp>
#include <tensortap/trial/stored_step.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE StoredStep::StoredStep(std::shared_ptr<const detail::LiveRun> run, const Step& step,
                                        std::string worker)
    : run_(std::move(run)), step_(step), worker_(std::move(worker)) {}

TENSORTAP_INLINE StoredStep::StoredStep(const StoredStep& other)
    : run_(other.run_), step_(other.step_), worker_(other.worker_) {}

TENSORTAP_INLINE std::vector<std::string> StoredStep::tensors(std::string_view collection) const {
  std::set<std::string> names;
  const auto membership = run_->visit([&](const detail::RunModel& model) {
    if (const auto* by_worker = model.worker_steps(step_.global_step))
      for (const auto& [worker, worker_step] : *by_worker)
        if (worker_.empty() || worker == worker_)
          worker_step->for_each_tensor([&](const detail::StoredTensor* tensor) { names.insert(*tensor->name); });
    return model.membership;
  });
  std::vector<std::string> out;
  for (const std::string& name : names)
    if (collection.empty() || membership->contains(collection, name, run_->damage())) out.push_back(name);
  return out;
}

TENSORTAP_INLINE void StoredStep::for_each(const Visit& visit) const {
  std::vector<const std::string*> names;
  run_->visit([&](const detail::RunModel& model) {
    const auto* by_worker = model.worker_steps(step_.global_step);
    if (by_worker == nullptr) return;
    for (const auto& [worker, worker_step] : *by_worker)
      if (worker_.empty() || worker == worker_) worker_step->append_names_as_saved(names);
  });
  for (const std::string* name : names) visit(*name);
}

TENSORTAP_INLINE std::optional<Tensor> StoredStep::value(std::string_view tensor) const {
  return find(tensor).value({});
}

TENSORTAP_INLINE std::optional<double> StoredStep::reduction(std::string_view tensor, Reduction r) const {
  return find(tensor).reduction(r, {});
}

TENSORTAP_INLINE std::optional<Statistics> StoredStep::statistics(std::string_view tensor) const {
  return find(tensor).statistics({});
}

TENSORTAP_INLINE std::optional<UnitStatistics> StoredStep::units(std::string_view tensor) const {
  return find(tensor).units({});
}

TENSORTAP_INLINE std::optional<std::vector<std::int64_t>> StoredStep::classes(std::string_view tensor) const {
  return find(tensor).classes({});
}

TENSORTAP_INLINE detail::SavedTensor StoredStep::find(std::string_view name) const {
  const detail::StoredTensor* tensor = nullptr;
  std::vector<detail::WorkerStepPtr> worker_steps;
  run_->visit([&](const detail::RunModel& model) {
    tensor = model.find(name);
    const auto* by_worker = model.worker_steps(step_.global_step);
    if (tensor == nullptr || by_worker == nullptr) return;
    for (const auto& [worker, worker_step] : *by_worker)
      if ((worker_.empty() || worker == worker_) && worker_step->has(tensor)) worker_steps.push_back(worker_step);
  });
  return {run_, tensor, std::move(worker_steps), step_.global_step};
}

TENSORTAP_END_NAMESPACE
