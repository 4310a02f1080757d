// The memory of a flight recorder: the records of the last steps. Training fills the current step; the writer's thread
// takes the steps of a snapshot by reference, so that neither waits for the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <tensortap/capture/flight_recorder.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The steps that a flight recorder holds. Steps that wait for the writer count as the future: a snapshot is asked for
/// once the rules have seen a step, and then needs the steps up to that one, however far training has come.
/// Threads: `begin`, `end` and `current` those that capture; everything else any.
class KeptSteps {
 public:
  explicit KeptSteps(const FlightRecorder& options)
      : most_steps_(static_cast<std::size_t>(options.steps)), max_bytes_(options.max_bytes) {}

  /// Begins `step`. Without memory for it the step keeps nothing.
  void begin(const Step& step) noexcept {
    const std::lock_guard lock(mutex_);
    try {
      if (!current_) current_ = std::move(spare_);
      if (!current_) current_ = std::make_shared<KeptStep>();
    } catch (const std::bad_alloc&) {
      return;
    }
    current_->records.begin(step);
    count_bytes();
  }

  /// Returns the records of the current step; null if there was no memory for them.
  [[nodiscard]] StepRecords* current() noexcept { return current_ ? &current_->records : nullptr; }

  /// Makes room for a record of so many bytes: the oldest steps go. Returns false if the current step alone takes too
  /// much.
  [[nodiscard]] bool make_room(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const StepRecords& records = current_->records;
    const std::uint64_t wanted = std::max(records.memory(), records.bytes() + bytes);
    if (held_ + spare_memory() + wanted > max_bytes_) spare_.reset();
    while (held_ + wanted > max_bytes_ && !steps_.empty()) {
      drop_oldest();
      ++status_.steps_dropped;
    }
    if (wanted <= max_bytes_) return true;
    ++status_.tensors_dropped;
    return false;
  }

  /// Counts a tensor that was left out for want of memory.
  void count_lost_tensor() noexcept {
    const std::lock_guard lock(mutex_);
    ++status_.tensors_dropped;
  }

  /// Ends the current step. `waits`: the writer is going to get it. Without memory the step is dropped.
  void end(bool waits) noexcept {
    const std::lock_guard lock(mutex_);
    if (!current_) return;
    try {
      if (waits) waiting_.push_back(current_->records.step().global_step);
      if (!current_->records.empty()) keep_current();
    } catch (const std::bad_alloc&) {
      ++status_.steps_dropped;
    }
    forget_old_steps();
    if (held_ + spare_memory() > max_bytes_) spare_.reset();
    for (; held_ > max_bytes_ && steps_.size() > 1; ++status_.steps_dropped) drop_oldest();
    count_bytes();
  }

  /// Notes that the writer has finished `step`, and all steps before it, or never gets them.
  void pass(std::int64_t step) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](std::int64_t waiting) { return waiting <= step; });
    forget_old_steps();
  }

  /// Notes that the writer does not get `step`.
  void forget(std::int64_t step) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase(waiting_, step);
    forget_old_steps();
  }

  /// Returns the last steps up to `step`. Lifetime: they are shared, and never change again.
  [[nodiscard]] std::vector<std::shared_ptr<const StepRecords>> up_to(std::int64_t step) {
    const std::lock_guard lock(mutex_);
    const auto end = std::find_if(steps_.begin(), steps_.end(), [&](const std::shared_ptr<KeptStep>& kept) {
      return kept->records.step().global_step > step;
    });
    const auto count = std::min(most_steps_, static_cast<std::size_t>(end - steps_.begin()));
    std::vector<std::shared_ptr<const StepRecords>> out;
    out.reserve(count);
    for (auto kept = end - static_cast<std::ptrdiff_t>(count); kept != end; ++kept) {
      (*kept)->is_shared = true;
      out.emplace_back(*kept, &(*kept)->records);
    }
    return out;
  }

  [[nodiscard]] RecorderStatus status() const {
    const std::lock_guard lock(mutex_);
    RecorderStatus out = status_;
    out.bytes = held_ + spare_memory();
    return out;
  }

  /// Calls `change` with the status, under the lock.
  template <class Change>
  void change(const Change& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }

 private:
  struct KeptStep {
    StepRecords records;
    std::uint64_t memory = 0;
    bool is_shared = false;  // a snapshot may still read it: its memory must not be used again
  };

  [[nodiscard]] std::uint64_t current_memory() const { return current_ ? current_->records.memory() : 0; }
  [[nodiscard]] std::uint64_t spare_memory() const { return spare_ ? spare_->memory : 0; }

  void keep_current() {
    current_->memory = current_->records.memory();
    steps_.push_back(current_);
    held_ += current_->memory;
    current_ = nullptr;
  }

  void count_bytes() noexcept {
    status_.most_bytes = std::max(status_.most_bytes, held_ + current_memory() + spare_memory());
  }

  /// Keeps the last steps up to the first that waits for the writer, and all behind it.
  void forget_old_steps() noexcept {
    const std::int64_t bound = waiting_.empty() ? std::numeric_limits<std::int64_t>::max() : waiting_.front();
    auto past = static_cast<std::size_t>(std::count_if(
        steps_.begin(), steps_.end(),
        [&](const std::shared_ptr<KeptStep>& kept) { return kept->records.step().global_step <= bound; }));
    for (; past > most_steps_; --past) {
      if (!spare_ && !steps_.front()->is_shared) spare_ = steps_.front();
      drop_oldest();
    }
  }

  void drop_oldest() noexcept {
    held_ -= steps_.front()->memory;
    steps_.erase(steps_.begin());
  }

  const std::size_t most_steps_;
  const std::uint64_t max_bytes_;
  mutable std::mutex mutex_;                      // guards the members below
  std::vector<std::shared_ptr<KeptStep>> steps_;  // complete ones, by step
  std::vector<std::int64_t> waiting_;             // steps that the writer has not finished
  std::shared_ptr<KeptStep> current_;             // its records change without the lock
  std::shared_ptr<KeptStep> spare_;
  std::uint64_t held_ = 0;  // memory of `steps_`
  RecorderStatus status_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
