// What a run holds of one tensor in one step: the elements, reductions of them, or a shape.
//
// Not for users: TensorHistory and StoredStep answer with it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/trial/internal/live_run.hpp>
#include <tensortap/trial/internal/part.hpp>
#include <tensortap/trial/internal/run.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Without a worker, the alphabetically first that has what is asked for answers.
/// Threads: any.
class SavedTensor {
 public:
  /// `answers` are those of `tensor`, by worker; `step` is for messages.
  SavedTensor(std::shared_ptr<const LiveRun> run, const TensorEntry* tensor, std::vector<Run::Answer> answers,
              std::int64_t step)
      : run_(std::move(run)), tensor_(tensor), answers_(std::move(answers)), step_(std::to_string(step)) {}

  [[nodiscard]] std::vector<std::string> workers() const {
    std::vector<std::string> out;
    for (const Run::Answer& answer : answers_)
      if (out.empty() || out.back() != answer.worker) out.push_back(answer.worker);
    return out;
  }

  [[nodiscard]] std::optional<Tensor> value(std::string_view worker) const { return record(std::nullopt, worker); }

  [[nodiscard]] std::optional<Tensor::Shape> shape(std::string_view worker) const {
    for (const Run::Answer& answer : answers_)
      if (const auto* shape = answer.part->shape_of(tensor_); shape != nullptr && is_asked(answer, worker))
        return *shape;
    if (auto tensor = value(worker)) return tensor->shape();
    return std::nullopt;
  }

  [[nodiscard]] std::optional<double> reduction(Reduction r, std::string_view worker) const {
    if (const auto saved = record(to_string(r), worker);
        saved && saved->size() == 1 && saved->dtype() != DType::string && r != Reduction::statistics)
      return saved->number(0);
    if (const auto saved = saved_statistics(worker); saved && plain(r) != Reduction::prod && r != Reduction::statistics)
      return float_value(r, *saved);
    if (const auto tensor = value(worker); tensor && is_real(tensor->dtype())) return reduce(as_view(*tensor), r);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Statistics> statistics(std::string_view worker) const {
    if (auto saved = saved_statistics(worker)) return saved;
    if (const auto tensor = value(worker); tensor && is_real(tensor->dtype())) return tensortap::statistics(*tensor);
    return std::nullopt;
  }

  /// By their stored spelling.
  [[nodiscard]] std::map<std::string, Tensor> reductions(std::string_view worker) const {
    std::map<std::string, Tensor> out;
    std::set<std::string_view> seen;     // of several the last counts
    const std::string* first = nullptr;  // the worker that answers
    for (const Run::Answer& answer : answers_) {
      if (!is_asked(answer, worker) || (first != nullptr && *first != answer.worker)) continue;
      const auto [begin, end] = answer.part->records_of(tensor_);
      for (auto record = end; record != begin;) {
        --record;
        if (!record->reduction()) continue;
        first = &answer.worker;
        if (!seen.insert(*record->reduction()).second) continue;
        if (auto tensor = run_->read(answer, *record, step_)) out.emplace(*record->reduction(), std::move(*tensor));
      }
    }
    return out;
  }

  /// What the records take. Units: bytes.
  [[nodiscard]] std::uint64_t stored_bytes() const {
    std::uint64_t sum = 0;
    for (const Run::Answer& answer : answers_) {
      const auto [begin, end] = answer.part->records_of(tensor_);
      for (auto record = begin; record != end; ++record) sum += record->length;
    }
    return sum;
  }

 private:
  [[nodiscard]] static bool is_asked(const Run::Answer& answer, std::string_view worker) {
    return worker.empty() || worker == answer.worker;
  }

  [[nodiscard]] std::optional<Tensor> record(std::optional<std::string_view> reduction, std::string_view worker) const {
    for (const Run::Answer& answer : answers_)
      if (const Record* record = answer.part->find(tensor_, reduction); record != nullptr && is_asked(answer, worker))
        return run_->read(answer, *record, step_);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Statistics> saved_statistics(std::string_view worker) const {
    const auto saved = record(to_string(Reduction::statistics), worker);
    if (!saved || saved->dtype() != DType::f64) return std::nullopt;
    return Statistics::from_record(saved->as<double>());
  }

  std::shared_ptr<const LiveRun> run_;
  const TensorEntry* tensor_;
  std::vector<Run::Answer> answers_;  // by worker; of several of one the last comes first
  std::string step_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
