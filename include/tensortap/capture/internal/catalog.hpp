// The catalog of a hook: which collections each tensor belongs to, what is due of it in this step, and what was saved
// of each collection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/tensor_table.hpp>
#include <tensortap/capture/report.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/collections_file.hpp>
#include <tensortap/record/thinning.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/internal/save_request.hpp>
#include <tensortap/select/internal/selection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Tensor names by collection.
using TensorNames = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Threads: one at a time, except for `selection().due`.
class Catalog {
 public:
  /// Throws: invalid collections, as `Selection` does.
  Catalog(const std::vector<Collection>& collections, const SaveConfig& save)
      : selection_(collections.empty() ? std::vector<Collection>{{.name = "all"}} : collections, save),
        totals_(selection_.collections().size()) {}

  [[nodiscard]] const Selection& selection() const noexcept { return selection_; }

  /// Returns the table of names. Steps that wait to be written refer to it and may outlive the catalog.
  [[nodiscard]] const std::shared_ptr<TensorTable>& table() const noexcept { return table_; }

  /// Adds the names that earlier attempts have saved to those of their collections.
  void add_saved_names(const TensorNames& before) {
    for (std::size_t i = 0; i < totals_.size(); ++i)
      if (const auto found = before.find(selection_.collections()[i].name); found != before.end())
        totals_[i].tensor_names = found->second;
  }

  /// Makes a flight recorder keep the collection at position `i` in each step.
  void keep(std::size_t i) {
    keeps_.resize(totals_.size());
    keeps_[i] = any_kept_ = true;
  }

  /// Makes the collection at position `i` due in each of the next `steps` steps.
  void save_more(std::size_t i, std::int64_t steps) {
    raised_.resize(totals_.size());
    raised_[i] = std::max(raised_[i], steps);
  }

  /// Makes the catalog save what `collections` ask for in spite of a thinning.
  void spare(const std::vector<Collection>& collections, const SaveConfig& save) {
    if (!collections.empty()) needs_.emplace(collections, save);
  }

  /// Decides which collections are due in `step`.
  void begin_step(const Step& step) {
    thinning_.reset();
    if (needs_) needs_->begin_step(step);
    selection_.begin_step(step, [&](std::size_t i) { return !raised_.empty() && raised_[i] > 0; });
    for (std::int64_t& left : raised_) left = std::max<std::int64_t>(left - 1, 0);
    global_step_ = step.global_step;
    ++steps_;
  }

  /// Makes the current step save no more than `detail` says; nothing if that is empty.
  void thin(std::optional<Detail> detail) noexcept { thinning_ = Thinned{detail}; }

  /// Returns whether the collection at position `i` is due, for a loop that asks. A thinned one is due only if
  /// something may be saved of it.
  [[nodiscard]] bool is_due(std::size_t i) const {
    if (!selection_.due(i)) return false;
    if (!thinning_ || (needs_ && needs_->any_due())) return true;
    return thinning_->detail && (*thinning_->detail < Detail::scalars || totals_[i].has_scalars);
  }

  /// Notes what is known of a tensor once it has been seen.
  void meet(TrackedTensor& tensor, const TensorView& view) {
    tensor.is_met = true;
    tensor.is_scalar = view.size() == 1;
    tensor.is_real = tensortap::is_real(view.dtype());
    for (const std::size_t i : tensor.collections) totals_[i].has_scalars |= tensor.is_scalar;
    if (thinning_) apply_thinning(tensor);
  }

  /// Returns whether the flight recorder keeps the collection at position `i` in this step.
  [[nodiscard]] bool is_kept(std::size_t i) const { return any_kept_ && keeps_[i] && selection_.may_be_due(i); }

  /// Returns the tensor called `name`, with what is due of it in this step; null if it is unknown.
  [[nodiscard]] TrackedTensor* find(std::string_view name) {
    TrackedTensor* const found = table_->find(name);
    if (found != nullptr) decide(*found);
    return found;
  }

  /// The same, but adds an unknown name; null if there are too many names.
  [[nodiscard]] TrackedTensor* find_or_add(std::string_view name) {
    TrackedTensor* found = table_->find(name);
    if (found == nullptr) {
      found = table_->add(name, selection_.members(name));
      if (found != nullptr && needs_) found->needed_by = needs_->members(name);
    }
    if (found != nullptr) decide(*found);
    return found;
  }

  /// Returns whether `count` has been called for this tensor in this step.
  [[nodiscard]] bool is_recorded(const TrackedTensor& tensor) const noexcept { return tensor.recorded_in == steps_; }

  /// Notes that the recorder keeps `tensor` in this step. Returns whether it did so before.
  [[nodiscard]] bool mark_kept(TrackedTensor& tensor) const noexcept {
    return std::exchange(tensor.kept_in, steps_) == steps_;
  }

  /// Counts what is saved of a tensor in each of its collections, once per step.
  void count(TrackedTensor& tensor, const TensorView& view, std::size_t reductions) {
    if (is_recorded(tensor)) return;
    const bool first = !tensor.saved;
    for (const std::size_t i : tensor.collections) {
      auto& [report, tensor_names, last_step, has_scalars] = totals_[i];
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
    tensor.saved = true;
    tensor.recorded_in = steps_;
  }

  [[nodiscard]] Report report(bool dry_run) const {
    Report out{{}, dry_run};
    for (std::size_t i = 0; i < totals_.size(); ++i) {
      out.collections.push_back(totals_[i].report);
      out.collections.back().name = selection_.collections()[i].name;
      out.collections.back().unmatched = selection_.unmatched(i);
    }
    return out;
  }

  /// Returns a line for each collection to which no tensor belongs, neither now nor in earlier attempts.
  [[nodiscard]] std::vector<std::string> unmet_collections() const {
    std::vector<std::string> out;
    for (std::size_t i = 0; table_->size() > 0 && i < totals_.size(); ++i)
      if (!selection_.has_members(i) && totals_[i].tensor_names.empty())
        out.push_back("collection " + in_quotes(selection_.collections()[i].name) + ": it has met no tensor (" +
                      std::to_string(table_->size()) +
                      " others were shown); give it include_regex or tensor_names that find the names in use");
    return out;
  }

  /// Returns the text of the collections file.
  [[nodiscard]] std::string collections_text(std::int64_t num_workers) const {
    CollectionsFile file{selection_.collections(), num_workers};
    for (std::size_t i = 0; i < totals_.size(); ++i) {
      auto& names = file.collections[i].tensor_names;
      names.insert(names.end(), totals_[i].tensor_names.begin(), totals_[i].tensor_names.end());
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
    }
    return to_json(file);
  }

 private:
  /// What was saved of one collection.
  struct Totals {
    CollectionReport report;
    std::vector<std::string> tensor_names;  // with at least one saved record
    std::int64_t last_step = -1;
    bool has_scalars = false;  // whether a tensor of one element belongs to it
  };

  /// How much a thinned step saves; nothing if empty.
  struct Thinned {
    std::optional<Detail> detail;
  };

  /// Unites what the due collections of a tensor save, once per step.
  void decide(TrackedTensor& tensor) {
    if (std::exchange(tensor.decided_in, steps_) == steps_) return;
    tensor.due = tensor.kept = false;
    if (any_kept_) decide_kept(tensor);
    if (selection_.any_withheld())
      for (const std::size_t i : tensor.collections)
        if (selection_.withheld(i)) ++totals_[i].report.withheld;
    for (const std::size_t i : tensor.collections) {
      if (!selection_.any_due()) break;
      if (!selection_.due(i)) continue;
      if (!std::exchange(tensor.due, true)) tensor.request = {};
      tensor.request.add(selection_.collections()[i]);
    }
    if (thinning_ && tensor.is_met) apply_thinning(tensor);
  }

  /// Leaves of what is due of a tensor what the detail of this step and the rules allow.
  void apply_thinning(TrackedTensor& tensor) const {
    SaveRequest needed;
    for (const std::size_t i : tensor.needed_by)
      if (needs_->due(i)) needed.add(needs_->collections()[i]);
    if (tensor.due) tensor.due = thin(tensor, tensor.request, needed);
    if (tensor.kept) tensor.kept = thin(tensor, tensor.kept_request, {});
  }

  /// Thins one request. Returns whether something of it is left.
  [[nodiscard]] bool thin(const TrackedTensor& tensor, SaveRequest& request, const SaveRequest& needed) const {
    const std::optional<Detail> detail = thinning_->detail;
    if (detail && tensor.is_scalar) return true;
    SaveRequest left = common_parts(request, needed);
    if (detail == Detail::statistics) {
      for (const Reduction r : request.reductions) left.reductions.insert(r);
      if (request.raw && tensor.is_real) left.reductions.insert(Reduction::statistics);
      left.shape = request.shape;
    }
    request = left;
    return !left.empty();
  }

  /// Unites what the kept collections of a tensor save.
  void decide_kept(TrackedTensor& tensor) const {
    for (const std::size_t i : tensor.collections) {
      if (!is_kept(i)) continue;
      if (!std::exchange(tensor.kept, true)) tensor.kept_request = {};
      tensor.kept_request.add(selection_.collections()[i]);
    }
  }

  Selection selection_;
  std::optional<Selection> needs_;   // what rules need of a thinned step
  std::optional<Thinned> thinning_;  // of this step
  std::shared_ptr<TensorTable> table_ = std::make_shared<TensorTable>();
  std::vector<Totals> totals_;        // by collection
  std::vector<bool> keeps_;           // by collection: whether a flight recorder keeps it; empty: none
  std::vector<std::int64_t> raised_;  // by collection: in how many steps it is due in any case; empty: none
  bool any_kept_ = false;
  std::int64_t global_step_ = -1;
  std::uint64_t steps_ = 0;  // begun so far
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
