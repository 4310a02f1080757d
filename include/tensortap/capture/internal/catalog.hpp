// What a hook knows of its tensors: which collections each belongs to, what is due of it now, and what was saved of it.
//
// Not for users: the hook owns one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/names.hpp>
#include <tensortap/capture/internal/resume.hpp>
#include <tensortap/capture/report.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/internal/save_request.hpp>
#include <tensortap/select/internal/selection.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one at a time, but for `due`, `is_due` and `request` of tensors that are known.
class Catalog {
 public:
  /// Throws: collections that cannot mean anything.
  Catalog(const std::vector<Collection>& collections, const SaveConfig& save)
      : selection_(collections.empty() ? std::vector<Collection>{{.name = "all"}} : collections, save),
        entries_(selection_.collections().size()) {}

  [[nodiscard]] const Selection& selection() const noexcept { return selection_; }
  /// The names, which outlive the catalog where steps on their way refer to them.
  [[nodiscard]] const std::shared_ptr<Names>& names() const noexcept { return names_; }

  /// Takes over what attempts before have saved.
  void go_on_from(const TensorNames& before) {
    for (std::size_t i = 0; i < entries_.size(); ++i)
      if (const auto found = before.find(selection_.collections()[i].name); found != before.end())
        entries_[i].tensor_names = found->second;
  }

  void begin_step(const Step& step) {
    selection_.begin_step(step);
    global_step_ = step.global_step;
  }

  /// The tensor called `name`, made at its first sight; null if there are too many.
  [[nodiscard]] KnownTensor* meet(std::string_view name) {
    if (KnownTensor* const known = names_->find(name)) return known;
    return names_->add(name, selection_.members(name));
  }

  [[nodiscard]] bool is_due(const KnownTensor& tensor) const {
    return selection_.any_due() && std::any_of(tensor.collections.begin(), tensor.collections.end(),
                                               [&](std::size_t i) { return selection_.due(i); });
  }

  /// Returns the union of the requests of the due collections.
  [[nodiscard]] SaveRequest request(const KnownTensor& tensor) const {
    SaveRequest out;
    for (const std::size_t i : tensor.collections)
      if (selection_.due(i)) out.add(selection_.collections()[i]);
    return out;
  }

  /// Counts what is saved of a tensor in each of its collections.
  void count(KnownTensor& tensor, const TensorView& view, std::size_t reductions) {
    const bool first = !std::exchange(tensor.saved, true);
    for (const std::size_t i : tensor.collections) {
      auto& [report, tensor_names, last_step] = entries_[i];
      if (first) tensor_names.push_back(tensor.name);
      if (!selection_.due(i)) continue;
      const Collection& collection = selection_.collections()[i];
      if (std::exchange(last_step, global_step_) != global_step_) ++report.steps;
      if (!collection.reductions.empty()) {
        report.records += reductions;
        report.bytes += reductions * sizeof(double);
      }
      if (collection.saves_raw()) report.bytes += view.nbytes();
      if (collection.saves_raw() || collection.save_shape) ++report.records;
      if (first) ++report.tensors;
    }
  }

  [[nodiscard]] Report report(bool dry_run) const {
    Report out{{}, dry_run};
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      out.collections.push_back(entries_[i].report);
      out.collections.back().name = selection_.collections()[i].name;
      out.collections.back().unmatched = selection_.unmatched(i);
    }
    return out;
  }

  /// The text of the collections file.
  [[nodiscard]] std::string collections_text(std::int64_t num_workers) const {
    CollectionsFile file{selection_.collections(), num_workers};
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      auto& names = file.collections[i].tensor_names;
      names.insert(names.end(), entries_[i].tensor_names.begin(), entries_[i].tensor_names.end());
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
    }
    return to_json(file);
  }

 private:
  /// A collection's part.
  struct Entry {
    CollectionReport report;
    std::vector<std::string> tensor_names;  // of which anything was saved
    std::int64_t last_step = -1;
  };

  Selection selection_;
  std::shared_ptr<Names> names_ = std::make_shared<Names>();
  std::vector<Entry> entries_;  // by collection
  std::int64_t global_step_ = -1;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
