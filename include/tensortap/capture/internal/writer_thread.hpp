// The thread that writes, and the queue before it. Training queues a step and continues. The queue is bounded in bytes,
// the wait for room in it is bounded in time.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/task.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A step in the queue. Steps are linked, so that queueing allocates nothing.
struct QueuedStep {
  StepRecords records;
  std::uint64_t memory = 0;
  std::chrono::steady_clock::time_point queued;
  std::shared_ptr<QueuedStep> next;
};

/// What the writer may read of a step that is still being captured.
struct ShownRecords {
  const StepRecords* step = nullptr;    ///< only its number may be read
  std::vector<CapturedRecord> records;  ///< these follow the records shown before, which are complete
  std::uint64_t copied = 0;             ///< bytes of the last record; all others are complete
};

/// How full a queue is.
struct QueueDepth {
  std::uint64_t steps = 0;
  std::uint64_t bytes = 0;
};

/// The sizes of the batches of steps that are written together.
struct BatchPolicy {
  std::size_t steps = 1;    ///< steps in a batch; the writer waits for that many unless a caller waits for the writer
  std::size_t times = 1;    ///< how many batches the writer takes at once at most
  std::uint64_t bytes = 0;  ///< the writer stops waiting once the queued steps take that much memory
  std::chrono::nanoseconds time = std::chrono::nanoseconds::max();  ///< or once the first of them waits for so long
};

/// Threads: the loop's; `depth` any.
class WriterThread {
 public:
  using Clock = std::chrono::steady_clock;
  using Publish = std::function<void(std::span<const StepRecords* const>)>;
  using WriteShown = std::function<bool(const ShownRecords&)>;

  /// Starts the thread, which calls `publish` with all steps, in order. Before that, it calls `write_shown` with large
  /// records of a step, until that returns false. Neither must throw, and both must own what they need: a writer that
  /// hangs in the store outlives this object.
  WriterThread(std::uint64_t capacity, Publish publish, BatchPolicy policy = {}, WriteShown write_shown = {})
      : shared_(std::make_shared<SharedState>()) {
    shared_->capacity = capacity;
    shared_->publish = std::move(publish);
    shared_->write_shown = std::move(write_shown);
    shared_->accepts_shown = static_cast<bool>(shared_->write_shown);
    shared_->batch.reserve(1);
    shared_->policy = {std::max<std::size_t>(policy.steps, 1), std::max<std::size_t>(policy.times, 1),
                       std::min(policy.bytes, capacity / 4), policy.time};
    thread_ = detail::start_thread([shared = shared_] { shared->write(); });
  }

  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;
  ~WriterThread() { stop(Clock::now()); }

  /// Returns an empty step; reuses the memory of a written one if possible.
  [[nodiscard]] std::shared_ptr<QueuedStep> empty_step() {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->spare) return std::make_shared<QueuedStep>();
    auto out = std::move(shared_->spare);
    shared_->spare = std::move(out->next);
    shared_->spare_bytes -= out->memory;
    return out;
  }

  /// Returns whether this is the thread that writes.
  [[nodiscard]] bool is_own_thread() const noexcept { return thread_.get_id() == std::this_thread::get_id(); }

  /// Shows the writer more records of `step`, which is not yet in the queue; the last of them is not yet copied. The
  /// writer keeps the memory of the step while it reads. Returns false if it does not write records before their step.
  /// Threads: any, one at a time.
  [[nodiscard]] bool show(const std::shared_ptr<QueuedStep>& step, std::span<const CapturedRecord> records) {
    if (fork_guard_.is_child()) return false;
    const std::lock_guard lock(shared_->mutex);
    SharedState& shared = *shared_;
    if (!shared.accepts_shown) return false;
    if (shared.shown_step != step) shared.hide();
    try {
      shared.shown.records.reserve(shared.shown.records.size() + records.size());
    } catch (const std::bad_alloc&) {
      return false;
    }
    shared.shown.records.insert(shared.shown.records.end(), records.begin(), records.end());
    shared.shown.step = &step->records;
    shared.shown.copied = 0;
    shared.shown_step = step;
    return true;
  }

  /// Tells how many bytes of the last record that was shown are copied. Threads: that of `show`.
  void show_copied(std::uint64_t bytes) {
    if (fork_guard_.is_child()) return;
    const std::lock_guard lock(shared_->mutex);
    shared_->shown.copied = bytes;
    shared_->has_news = true;
    shared_->work.notify_one();
  }

  /// Moves `step` into the queue. Returns false and leaves `step` unchanged if there is no room before `deadline`.
  /// After such a wait it does not wait again until half of the queue is free. Adds the time of the wait to `waited`.
  bool push(std::shared_ptr<QueuedStep>& step, Clock::time_point deadline, Clock::duration* waited = nullptr) {
    step->memory = step->records.memory();
    std::unique_lock lock(shared_->mutex);
    SharedState& shared = *shared_;
    if (shared.shown_step == step) shared.hide();
    const auto has_room = [&] {
      return shared.depth.steps == 0 || shared.depth.bytes + step->memory <= shared.capacity;
    };
    drops_at_once_ = drops_at_once_ && shared.depth.bytes > shared.capacity / 2;
    if (!has_room()) {
      shared.is_full = true;
      shared.work.notify_one();
    }
    if (!has_room()) {
      const auto before = Clock::now();
      const bool finds_room = !drops_at_once_ && shared.progress.wait_until(lock, deadline, has_room);
      if (waited != nullptr && !drops_at_once_) *waited += Clock::now() - before;
      drops_at_once_ = !finds_room;
      if (!finds_room) return false;
    }
    shared.depth.bytes += step->memory;
    ++shared.depth.steps;
    QueuedStep* const last = step.get();
    last->queued = Clock::now();
    (shared.last != nullptr ? shared.last->next : shared.first) = std::move(step);
    shared.last = last;
    shared.work.notify_one();
    return true;
  }

  /// Runs `job` on the writer's thread after all queued steps and rethrows its exception. Returns false if it has not
  /// ended by `deadline`: a job that has not begun is dropped, a job that has begun continues.
  bool run(std::function<void()> job, Clock::time_point deadline) {
    const auto task = std::make_shared<Task>(std::move(job));
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->task = task;
      shared_->work.notify_one();
    }
    if (!task->wait_until(deadline)) {
      const std::lock_guard lock(shared_->mutex);
      if (shared_->task == task) shared_->task.reset();
      return false;
    }
    if (const auto failure = task->failure()) std::rethrow_exception(failure);
    return true;
  }

  /// Waits until all queued steps are written, and ends the thread. Returns false at `deadline`, and at once on the
  /// thread itself: the thread is detached and writes what it can.
  bool stop(Clock::time_point deadline) {
    if (!thread_.joinable()) return true;
    bool ended = false;
    {
      std::unique_lock lock(shared_->mutex);
      shared_->stopping = true;
      shared_->work.notify_one();
      if (!is_own_thread()) ended = shared_->progress.wait_until(lock, deadline, [&] { return shared_->ended; });
    }
    if (ended) {
      thread_.join();
    } else {
      thread_.detach();
    }
    return ended;
  }

  [[nodiscard]] QueueDepth depth() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->depth;
  }

 private:
  /// The state that both threads use.
  struct SharedState {
    static constexpr std::chrono::hours longest_wait{24};  // a later time may not exist

    std::mutex mutex;
    std::condition_variable work;      // for the writer
    std::condition_variable progress;  // for threads that wait for the writer
    Publish publish;
    WriteShown write_shown;
    bool accepts_shown = false;
    std::uint64_t capacity = 0;
    BatchPolicy policy;
    std::shared_ptr<QueuedStep> first;
    QueuedStep* last = nullptr;
    QueueDepth depth;      // includes the steps that are being written
    bool is_full = false;  // training waits for room
    std::shared_ptr<Task> task;
    std::shared_ptr<QueuedStep> spare;
    std::uint64_t spare_bytes = 0;
    std::vector<const StepRecords*> batch;  // the writer's own
    std::shared_ptr<QueuedStep> shown_step;
    ShownRecords shown;     // what the writer has not taken yet
    ShownRecords taken;     // the writer's own
    bool has_news = false;  // more of `shown_step` may be written
    bool stopping = false;
    bool ended = false;

    ~SharedState() {  // not recursively: the list may be long
      for (auto* list : {&first, &spare})
        while (*list) *list = std::move((*list)->next);
    }

    void write() {
      std::unique_lock lock(mutex);
      for (;;) {
        wait_for_work(lock);
        if (first) {
          write_batch(lock);
        } else if (task) {
          run_task(lock);
        } else if (!stopping) {
          write_news(lock);
        } else {
          ended = true;
          progress.notify_all();
          return;
        }
        progress.notify_all();
      }
    }

    /// Waits until there is something to do.
    void wait_for_work(std::unique_lock<std::mutex>& lock) {
      const auto has_work = [&] { return (first && is_batch_ready()) || task || stopping || has_news; };
      while (!has_work()) {
        if (first && policy.time != policy.time.max()) {
          work.wait_until(lock, first->queued + std::min<std::chrono::nanoseconds>(policy.time, longest_wait));
        } else {
          work.wait(lock);
        }
      }
    }

    /// True if a batch must not wait for more steps.
    [[nodiscard]] bool is_urgent() const {
      return task || stopping || is_full || depth.bytes >= policy.bytes ||
             (first && policy.time != policy.time.max() && Clock::now() - first->queued >= policy.time);
    }
    [[nodiscard]] bool is_batch_ready() const { return depth.steps >= policy.steps || is_urgent(); }

    /// Writes the first steps of the queue, at most half of its capacity, so that training has room meanwhile.
    void write_batch(std::unique_lock<std::mutex>& lock) {
      const std::size_t whole = depth.steps / policy.steps * policy.steps;
      const std::size_t limit = std::min(policy.steps * policy.times, is_urgent() ? SIZE_MAX : whole);
      std::shared_ptr<QueuedStep> steps = std::move(first);
      QueuedStep* end = steps.get();
      std::uint64_t bytes = end->memory;
      batch.assign(1, &end->records);
      try {
        for (; end->next && batch.size() < limit && bytes + end->next->memory <= capacity / 2; end = end->next.get()) {
          batch.push_back(&end->next->records);
          bytes += end->next->memory;
        }
      } catch (const std::bad_alloc&) {  // a smaller batch does, too
      }
      first = std::move(end->next);
      if (!first) last = nullptr;
      if (!first) is_full = false;
      lock.unlock();
      publish(batch);
      lock.lock();
      while (steps) recycle(std::exchange(steps, std::move(steps->next)));
    }

    /// Writes what may be written of the step that is still being captured.
    void write_news(std::unique_lock<std::mutex>& lock) {
      const std::shared_ptr<QueuedStep> step = shown_step;  // keeps its elements if training drops it
      taken.step = shown.step;
      taken.copied = shown.copied;
      std::swap(taken.records, shown.records);
      has_news = false;
      lock.unlock();
      const bool goes_on = write_shown(taken);
      taken.records.clear();
      lock.lock();
      accepts_shown = accepts_shown && goes_on;
    }

    /// Shows no step.
    void hide() {
      shown_step.reset();
      shown.records.clear();
      has_news = false;
    }

    void recycle(std::shared_ptr<QueuedStep> step) {
      --depth.steps;
      depth.bytes -= step->memory;
      if (spare && spare_bytes + step->memory > capacity / 4) return;  // one is always kept
      spare_bytes += step->memory;
      step->next = std::move(spare);
      spare = std::move(step);
    }

    void run_task(std::unique_lock<std::mutex>& lock) {
      const auto running = std::exchange(task, nullptr);
      lock.unlock();
      running->run();
      lock.lock();
    }
  };

  std::shared_ptr<SharedState> shared_;
  std::thread thread_;
  ForkGuard fork_guard_;
  bool drops_at_once_ = false;  // after a wait without success
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
