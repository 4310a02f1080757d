// The capture of the current step: looks up each tensor that training saves, reduces and copies the due ones.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/hook_options.hpp>
#include <tensortap/capture/internal/catalog.hpp>
#include <tensortap/capture/internal/kept_steps.hpp>
#include <tensortap/capture/internal/overhead_budget.hpp>
#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/capture/internal/tensor_table.hpp>
#include <tensortap/capture/internal/time_in_hook.hpp>
#include <tensortap/capture/internal/writer_thread.hpp>
#include <tensortap/capture/report.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/record/thinning.hpp>
#include <tensortap/reduce/classes.hpp>
#include <tensortap/reduce/reduce.hpp>
#include <tensortap/reduce/units.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step.hpp>
#include <tensortap/tensor/dtype.hpp>
#include <tensortap/tensor/view.hpp>
#include <tensortap/unit_statistics.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: `find`, `wants`, `take`, `is_due` and `report` any, between `begin_step` and `end_step`; the rest the
/// loop's.
class StepCapture {
 public:
  StepCapture(const HookOptions& options, StatusLedger& ledger)
      : options_(options), ledger_(ledger), catalog_(options.collections, options.save) {}

  [[nodiscard]] Catalog& catalog() noexcept { return catalog_; }

  /// Keeps the records of steps in `step` from now on, and shows large ones to `writer` while they are copied. Without
  /// a call, `take` only counts.
  void set_records(std::shared_ptr<QueuedStep> step, WriterThread* writer) {
    step_ = std::move(step);
    writer_ = writer;
  }

  /// Makes `kept` hold the last steps of the collections that the options name. Throws: there is no such collection.
  void set_recorder(std::shared_ptr<KeptSteps> kept) {
    for (const std::string& name : options_.recorder.collections) catalog_.keep(position_of(name));
    if (options_.recorder.collections.empty())
      for (std::size_t i = 0; i < catalog_.selection().collections().size(); ++i) catalog_.keep(i);
    kept_ = std::move(kept);
  }

  /// Keeps to `budget` from now on, but saves what `needs` ask for.
  void set_budget(std::shared_ptr<OverheadBudget> budget, const std::vector<Collection>& needs) {
    budget_ = std::move(budget);
    catalog_.spare(needs, options_.save);
  }

  /// Makes a collection due in each of the next `steps` steps. Returns false if there is no such collection.
  [[nodiscard]] bool save_more(std::string_view collection, std::int64_t steps) {
    const std::lock_guard lock(mutex_);
    const auto i = catalog_.selection().find(collection);
    if (i) catalog_.save_more(*i, steps);
    return i.has_value();
  }

  void begin_step(const Step& step) {
    const std::lock_guard lock(mutex_);
    catalog_.begin_step(step);
    const Detail detail = budget_ ? keep_to_budget(step) : Detail::all;
    if (step_) step_->records.begin(step, detail);
    if (kept_) kept_->begin(step);
    global_step_ = step.global_step;
    bytes_ = index_bytes_ = 0;
    shown_ = copies_ = 0;
    exceptions_ = std::uncaught_exceptions();
    is_in_step_ = true;
  }

  /// Ends the step. Returns its records, which the caller may take; null if there are none.
  [[nodiscard]] std::shared_ptr<QueuedStep>* end_step() {
    if (!std::exchange(is_in_step_, false)) return nullptr;
    const bool has_records = step_ && !step_->records.empty();
    if (kept_) kept_->end(has_records);
    return has_records ? &step_ : nullptr;
  }

  /// Notes that the writer does not get the step that has ended.
  void forget_step() noexcept {
    if (kept_) kept_->forget(global_step_);
  }

  /// Returns whether the writer has seen records of the last step before its end.
  [[nodiscard]] bool has_shown_records() const noexcept { return shown_ > 0; }

  /// Refuses further saves.
  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }

  /// Returns whether an exception thrown since the step began is unwinding the stack.
  [[nodiscard]] bool is_unwinding() const noexcept { return std::uncaught_exceptions() != exceptions_; }

  /// Returns whether `collection` is due in this step. Throws: there is no such collection; no step has begun.
  [[nodiscard]] bool is_due(std::string_view collection) const {
    const std::size_t i = position_of(collection);
    if (is_closed_) throw Error::closed_hook("due");
    if (!is_in_step_) throw Error::due_outside_step(collection);
    const auto lock =
        budget_ ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();  // tensors may be met meanwhile
    return catalog_.is_due(i) || catalog_.is_kept(i);
  }

  /// Returns the position of `collection` among the collections. Throws: there is no such collection.
  [[nodiscard]] std::size_t position_of(std::string_view collection) const {
    if (const auto i = catalog_.selection().find(collection)) return *i;
    std::vector<std::string> names;
    for (const Collection& other : catalog_.selection().collections()) names.push_back(other.name);
    throw Error::unknown_collection(collection, nearest(collection, names));
  }

  /// Returns the entry of `name`, with what is due of it; null at the first save of a name. Throws: no step has begun.
  [[nodiscard]] TrackedTensor* find(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (is_closed_) throw Error::closed_hook("save");
    if (!is_in_step_) throw Error::outside_step(name);
    ++look_ups_;
    return catalog_.find(name);
  }

  /// Returns whether anything of `name` is due or kept; false outside of a step. Throws: a name that cannot be stored.
  [[nodiscard]] bool wants(std::string_view name) {
    const TrackedTensor* entry = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (is_closed_ || !is_in_step_) return false;
      ++look_ups_;
      entry = catalog_.find(name);
    }
    if (entry == nullptr) entry = add(name);
    return entry != nullptr && (entry->due || entry->kept);
  }

  /// Saves what is due of a tensor; `entry` is the result of `find`. Counts it as lost if memory runs out.
  void take(std::string_view name, TrackedTensor* entry, const TensorView& view) {
    const TimeInHook time(ledger_, budget_.get(),
                          std::chrono::microseconds(50) + std::chrono::nanoseconds(4 * view.nbytes()));
    try {
      take_due(name, entry, view);
    } catch (const std::bad_alloc&) {
      const std::lock_guard lock(mutex_);
      ledger_.count_loss_of_memory({LossReason::out_of_memory, global_step_, global_step_, 0, 1, view.nbytes()});
    }
  }

  /// Returns whether records can be kept.
  [[nodiscard]] bool has_records() const noexcept { return step_ != nullptr; }

  [[nodiscard]] Report report() const {
    const std::lock_guard lock(mutex_);
    return catalog_.report(options_.dry_run);
  }

  /// Returns a line for each collection that has met no tensor.
  [[nodiscard]] std::vector<std::string> unmet_collections() const {
    const std::lock_guard lock(mutex_);
    return catalog_.unmet_collections();
  }

  /// Returns the text of the collections file.
  [[nodiscard]] std::string collections_text() const {
    const std::lock_guard lock(mutex_);
    return catalog_.collections_text(options_.num_workers);
  }

 private:
  /// Asks the budget how much this step may save, and returns that. The caller holds the lock.
  Detail keep_to_budget(const Step& step) {
    constexpr std::chrono::nanoseconds look_up(30);
    budget_->add(look_up * std::exchange(look_ups_, 0));
    const bool is_due = catalog_.selection().any_due();
    const std::optional<Detail> detail = budget_->plan(is_due);
    if (detail != Detail::all) {
      catalog_.thin(detail);
      if (is_due) ledger_.count_thinning(detail, step.global_step);
    }
    return detail.value_or(Detail::scalars);
  }

  /// Reduces and copies outside of the lock, so that several threads save at the same time. Throws: std::bad_alloc.
  void take_due(std::string_view name, TrackedTensor* entry, const TensorView& view) {
    if (entry == nullptr) entry = add(name);
    if (entry != nullptr && !entry->is_met && budget_) meet(*entry, view);
    if (entry == nullptr || !(entry->due || entry->kept)) return;
    const double wall_time = options_.wall_time();
    if (kept_ && entry->kept) keep(*entry, view, wall_time);
    if (!entry->due) return;
    const SaveRequest& request = entry->request;
    const bool reducible = is_real(view.dtype());
    const Parts parts = parts_of(view, request);

    StepRecords::Slot slot;
    bool is_shown = false;
    {
      const std::lock_guard lock(mutex_);
      if (!request.reductions.empty() && !reducible) ledger_.change([](HookStatus& status) { ++status.not_reducible; });
      const std::uint64_t entries = index_bytes(name, parts.records() + 1);
      if (bytes_ + view.nbytes() > options_.max_step_bytes || index_bytes_ + entries > layout::text_limit) {
        count_loss(LossReason::step_too_large, view.nbytes());
        return;
      }
      if (!step_ && !options_.dry_run) throw std::bad_alloc();  // there was none for the records of this step
      if (step_) {
        slot = add_records(step_->records, *entry, request, parts, view, wall_time, catalog_.is_recorded(*entry));
        if (request.raw) ++copies_;
        is_shown = slot.checksum != nullptr && show_records();
      }
      bytes_ += view.nbytes();
      index_bytes_ += entries;
      catalog_.count(*entry, view, parts.records());
    }
    if (slot.elements == nullptr) return;
    if (is_shown) {
      copy_shown(view, slot);
    } else {
      StepRecords::copy(view, slot);
    }
    --copies_;
  }

  /// What is saved of a tensor beside its elements.
  struct Parts {
    ReducedSet values = {};
    const UnitStatistics* units = nullptr;  // of the thread, until it saves the next tensor
    std::optional<std::vector<std::int64_t>> classes = {};

    [[nodiscard]] std::size_t records() const noexcept {
      return values.size() + (values.statistics ? 1 : 0) + (units != nullptr ? 1 : 0) + (classes ? 1 : 0);
    }
    /// Returns about how many bytes these take.
    [[nodiscard]] std::size_t bytes() const noexcept {
      return values.size() * sizeof(Reduced) + (values.statistics ? sizeof(Statistics) : 0) +
             (units != nullptr ? units->record_rows() * unit_fields.size() * sizeof(double) : 0) +
             (classes ? classes->size() * sizeof(std::int64_t) : 0);
    }
  };

  /// Returns what `request` asks for of `view`, if that has such numbers.
  static Parts parts_of(const TensorView& view, const SaveRequest& request) {
    Parts out;
    if (request.reductions.empty()) return out;
    if (is_real(view.dtype())) {
      out.values = reduce(view, request.reductions);
      static thread_local UnitStatistics units;  // keeps its memory: at most 320 KiB
      if (request.reductions.contains(Reduction::units)) find_units(view, units), out.units = &units;
    }
    if (request.reductions.contains(Reduction::classes)) out.classes = class_counts(view);
    return out;
  }

  /// Adds what is saved of a tensor to `records`; `is_repeated`: they have something of it. Returns the slot of its
  /// elements, if these are saved.
  StepRecords::Slot add_records(StepRecords& records, const TrackedTensor& entry, const SaveRequest& request,
                                const Parts& parts, const TensorView& view, double wall_time, bool is_repeated) {
    StepRecords::Slot slot;
    const std::size_t before = records.records().size();
    records.add(entry, parts.values, wall_time);
    if (parts.units != nullptr) records.add(entry, *parts.units, wall_time);
    if (parts.classes) records.add(entry, *parts.classes, wall_time);
    if (request.raw) slot = records.add(entry, view, wall_time);
    if (request.shape && !request.raw) records.add_shape(entry, view);  // smdebug ignores elements beside a shape
    // A repeated name replaces what was saved under it before. smdebug's files have both, and readers see the last.
    if (is_repeated && options_.index_extras) records.remove(entry, before);
    return slot;
  }

  /// Keeps a tensor in the flight recorder, as if the kept collections were due. Counts it if there is no memory.
  void keep(TrackedTensor& entry, const TensorView& view, double wall_time) noexcept try {
    const SaveRequest& request = entry.kept_request;
    const Parts parts = parts_of(view, request);
    StepRecords::Slot slot;
    {
      const std::lock_guard lock(mutex_);
      StepRecords* const records = kept_->current();
      if (records == nullptr || !kept_->make_room((request.raw ? view.nbytes() : 0) + parts.bytes())) return;
      slot = add_records(*records, entry, request, parts, view, wall_time, catalog_.mark_kept(entry));
    }
    if (slot.elements != nullptr) StepRecords::copy(view, slot);
  } catch (...) {
    kept_->count_lost_tensor();
  }

  /// Shows the writer the records so far, of which only the last is not yet copied. Returns false if that is not so, or
  /// not useful. The caller holds the lock.
  [[nodiscard]] bool show_records() {
    const StepRecords& records = step_->records;
    if (writer_ == nullptr || copies_ != 1 || !records.only_grows()) return false;
    if (!writer_->show(step_, std::span(records.records()).subspan(shown_))) return false;
    shown_ = records.records().size();
    return true;
  }

  /// Copies the elements of the last record that was shown, and tells the writer how far they are copied.
  void copy_shown(const TensorView& view, const StepRecords::Slot& slot) const {
    constexpr std::size_t often = std::size_t{1} << 20;
    std::size_t told = 0;
    StepRecords::copy(view, slot, [&](std::size_t copied) {
      if (copied < told + often && copied < view.nbytes()) return;
      writer_->show_copied(copied);
      told = copied;
    });
  }

  /// Returns the largest size of `records` entries in an index, whose text escapes letters beyond ASCII.
  static std::uint64_t index_bytes(std::string_view name, std::size_t records) noexcept {
    return records * (3 * name.size() + 130);
  }

  /// Adds the entry of a new name; null beyond the limit of names.
  TrackedTensor* add(std::string_view name) {
    if (name.size() > name_limit) throw Error::name_too_long("save", name, name_limit);
    if (!is_utf8(name)) throw Error::name_not_utf8("save", name);
    const auto began = OverheadBudget::Clock::now();
    const std::lock_guard lock(mutex_);
    TrackedTensor* const entry = catalog_.find_or_add(name);
    if (budget_) budget_->count_once(OverheadBudget::Clock::now() - began);
    if (entry == nullptr) count_loss(LossReason::too_many_names, 0);
    return entry;
  }

  void meet(TrackedTensor& entry, const TensorView& view) {
    const std::lock_guard lock(mutex_);
    catalog_.meet(entry, view);
  }

  void count_loss(LossReason reason, std::uint64_t bytes) {
    ledger_.count_loss({reason, global_step_, global_step_, 0, 1, bytes});
  }

  const HookOptions& options_;
  StatusLedger& ledger_;
  mutable std::mutex mutex_;  // guards what changes within a step
  Catalog catalog_;
  std::shared_ptr<QueuedStep> step_;        // the records of the step; none in a dry run
  std::shared_ptr<KeptSteps> kept_;         // the flight recorder, if there is one
  std::shared_ptr<OverheadBudget> budget_;  // if there is one
  std::int64_t look_ups_ = 0;               // in this step
  WriterThread* writer_ = nullptr;          // sees the records before the step ends
  std::size_t shown_ = 0;                   // how many of them it has seen
  std::atomic<std::size_t> copies_ = 0;     // being made; grows under the lock
  std::int64_t global_step_ = -1;
  std::uint64_t bytes_ = 0;        // of the tensors of this step
  std::uint64_t index_bytes_ = 0;  // of its index, at most
  int exceptions_ = std::uncaught_exceptions();
  bool is_in_step_ = false;
  bool is_closed_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
