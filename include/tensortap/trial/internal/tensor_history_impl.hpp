// The bodies of tensor_history.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/saved_tensor.hpp>
#include <tensortap/trial/internal/worker_step.hpp>
#include <tensortap/trial/tensor_history.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE TensorHistory::TensorHistory(std::shared_ptr<detail::LiveRun> run, const detail::StoredTensor* tensor,
                                              Mode mode)
    : run_(std::move(run)), tensor_(tensor), mode_(mode) {}

TENSORTAP_INLINE const std::string& TensorHistory::name() const noexcept { return *tensor_->name; }

TENSORTAP_INLINE std::vector<std::int64_t> TensorHistory::steps() const {
  return run_->query([this](const detail::RunModel& model) {
    if (mode_ == Mode::global && model.numbers().groups().empty()) return tensor_->steps;
    std::vector<std::int64_t> out;
    for (const std::int64_t global_step : tensor_->steps) {
      const Step& step = *model.numbers().find(model.numbers().first_of(global_step));
      if (mode_ == Mode::global) out.push_back(step.global_step);
      if (mode_ != Mode::global && step.mode == mode_) out.push_back(step.mode_step);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  });
}

TENSORTAP_INLINE std::vector<std::int64_t> TensorHistory::prev_steps(std::int64_t step, std::size_t n) const {
  std::vector<std::int64_t> out = steps();
  out.erase(std::upper_bound(out.begin(), out.end(), step), out.end());
  if (out.size() > n) out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(n));
  return out;
}

TENSORTAP_INLINE std::vector<std::string> TensorHistory::workers(std::int64_t step) const { return at(step).workers(); }

TENSORTAP_INLINE std::optional<Tensor> TensorHistory::value(std::int64_t step, std::string_view worker) const {
  return at(step).value(worker);
}

TENSORTAP_INLINE std::map<std::string, Tensor> TensorHistory::values(std::int64_t step) const {
  std::map<std::string, Tensor> out;
  const detail::SavedTensor saved = at(step);
  for (const std::string& worker : saved.workers())
    if (auto value = saved.value(worker)) out.emplace(worker, std::move(*value));
  return out;
}

TENSORTAP_INLINE std::optional<Tensor::Shape> TensorHistory::shape(std::int64_t step, std::string_view worker) const {
  return at(step).shape(worker);
}

TENSORTAP_INLINE std::optional<double> TensorHistory::reduction(std::int64_t step, Reduction r,
                                                                std::string_view worker) const {
  return at(step).reduction(r, worker);
}

TENSORTAP_INLINE std::optional<Statistics> TensorHistory::statistics(std::int64_t step, std::string_view worker) const {
  return at(step).statistics(worker);
}

TENSORTAP_INLINE std::optional<UnitStatistics> TensorHistory::units(std::int64_t step, std::string_view worker) const {
  return at(step).units(worker);
}

TENSORTAP_INLINE std::optional<std::vector<std::int64_t>> TensorHistory::classes(std::int64_t step,
                                                                                 std::string_view worker) const {
  return at(step).classes(worker);
}

TENSORTAP_INLINE std::map<std::string, Tensor> TensorHistory::saved_reductions(std::int64_t step,
                                                                               std::string_view worker) const {
  return at(step).reductions(worker);
}

TENSORTAP_INLINE std::optional<double> TensorHistory::wall_time(std::int64_t step, std::string_view worker) const {
  return at(step).wall_time(worker);
}

TENSORTAP_INLINE std::uint64_t TensorHistory::stored_bytes() const {
  return run_->query([this](const detail::RunModel& model) {
    if (mode_ == Mode::global) return tensor_->bytes;
    std::uint64_t sum = 0;
    for (const std::int64_t global_step : tensor_->steps)
      if (model.numbers().find(global_step)->mode == mode_)
        for (const auto& [worker, step] : *model.worker_steps(global_step)) sum += step->bytes_of(tensor_);
    return sum;
  });
}

TENSORTAP_INLINE detail::SavedTensor TensorHistory::at(std::int64_t step) const {
  auto worker_steps =
      run_->visit([&](const detail::RunModel& model) { return model.worker_steps_with(tensor_, mode_, step); });
  return {run_, tensor_, std::move(worker_steps), step};
}

TENSORTAP_END_NAMESPACE
