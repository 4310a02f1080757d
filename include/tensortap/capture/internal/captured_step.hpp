// A written step as a StepView, for rules in the training process. A hook passes it to `on_step`.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/capture/internal/record_index.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/tensor_table.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/reduce/classes.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/statistics.hpp>
#include <tensortap/reduce/units.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/statistics_record.hpp>
#include <tensortap/step_view.hpp>
#include <tensortap/tensor/tensor.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the statistics of such a record.
inline std::optional<Statistics> statistics_of(const CapturedRecord& record) {
  std::array<double, statistics_fields.size()> fields{};
  std::memcpy(fields.data(), record.view.data(), sizeof fields);  // as StepRecords wrote it
  return Statistics::from_record(fields);
}

/// Lifetime: that of the records and of the index, which it may share with the steps before.
class CapturedStep final : public StepView {
 public:
  CapturedStep(const StepRecords& records, std::span<const Collection> collections)
      : records_(&records), collections_(collections), index_(&own_index_) {}
  /// Uses the memory of `index`.
  CapturedStep(const StepRecords& records, std::span<const Collection> collections, RecordIndex& index)
      : records_(&records), collections_(collections), index_(&index) {}

  [[nodiscard]] Step step() const override { return records_->step(); }

  [[nodiscard]] std::vector<std::string> tensors(std::string_view collection = {}) const override {
    std::vector<std::string> out;
    for (const CapturedRecord& record : records_->records())
      if (collection.empty() || is_in(*record.tensor, collection)) out.push_back(record.tensor->name);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  void for_each(const Visit& visit) const override {
    for (const CapturedRecord& record : records_->records()) visit(record.tensor->name);
  }

  [[nodiscard]] std::optional<Tensor> value(std::string_view tensor) const override {
    const auto* record = find(tensor, CapturedRecord::Kind::raw);
    if (record == nullptr) return std::nullopt;
    return Tensor(record->view);
  }

  [[nodiscard]] std::optional<double> reduction(std::string_view tensor, Reduction r) const override {
    if (is_record(r)) return std::nullopt;
    if (const Reduced* saved = find_reduction(tensor, r)) return saved->value();
    if (const auto* record = find(tensor, CapturedRecord::Kind::raw)) return reduce(record->view, r);
    if (const auto saved = statistics(tensor)) return reduction_of(*saved, r);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Statistics> statistics(std::string_view tensor) const override {
    if (const auto* record = find(tensor, CapturedRecord::Kind::statistics)) return statistics_of(*record);
    if (const auto* record = find(tensor, CapturedRecord::Kind::raw);
        record != nullptr && is_real(record->view.dtype()))
      return tensortap::statistics(record->view);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<UnitStatistics> units(std::string_view tensor) const override {
    if (const auto* record = find(tensor, CapturedRecord::Kind::units))
      return UnitStatistics::from_record(Tensor(record->view).as<double>(), unit_fields.size());
    if (const auto* record = find(tensor, CapturedRecord::Kind::raw);
        record != nullptr && is_real(record->view.dtype()))
      return unit_statistics(record->view);
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::vector<std::int64_t>> classes(std::string_view tensor) const override {
    if (const auto* record = find(tensor, CapturedRecord::Kind::classes)) {
      const Tensor counts(record->view);
      return std::vector<std::int64_t>(counts.as<std::int64_t>().begin(), counts.as<std::int64_t>().end());
    }
    if (const auto* record = find(tensor, CapturedRecord::Kind::raw)) return class_counts(record->view);
    return std::nullopt;
  }

 private:
  [[nodiscard]] bool is_in(const TrackedTensor& tensor, std::string_view collection) const {
    return std::any_of(tensor.collections.begin(), tensor.collections.end(),
                       [&](std::size_t i) { return i < collections_.size() && collections_[i].name == collection; });
  }

  /// Returns the last record of this kind, as readers of the file do; null if there is none.
  [[nodiscard]] const CapturedRecord* find(std::string_view tensor, CapturedRecord::Kind kind) const {
    return find_last(tensor, [&](const CapturedRecord& record) { return record.kind == kind; });
  }

  [[nodiscard]] const Reduced* find_reduction(std::string_view tensor, Reduction r) const {
    const Reduced* out = nullptr;
    find_last(tensor, [&](const CapturedRecord& record) {
      for (const Reduced& value : record.reductions)
        if (out == nullptr && value.reduction == r) out = &value;
      return out != nullptr;
    });
    return out;
  }

  /// Builds the index when it is first asked.
  template <class IsWanted>
  const CapturedRecord* find_last(std::string_view tensor, const IsWanted& is_wanted) const {
    if (!is_built_) index_->build(records_->records());
    is_built_ = true;
    return index_->find_last(records_->records(), tensor, is_wanted);
  }

  const StepRecords* records_;
  std::span<const Collection> collections_;
  RecordIndex* index_;
  mutable bool is_built_ = false;
  RecordIndex own_index_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
