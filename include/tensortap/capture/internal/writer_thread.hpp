// The thread that writes, and the bounded queue before it. Training hands over a step and goes on; what it hands over
// is bounded in bytes, what it waits is bounded in time.
//
// Not for users: the hook owns one.
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
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A step on its way to the writer and back. Steps are linked, so that queueing takes no memory.
struct QueuedStep {
  StepRecords records;
  std::uint64_t memory = 0;
  std::unique_ptr<QueuedStep> next;
};

/// How full a queue is.
struct QueueDepth {
  std::uint64_t steps = 0;
  std::uint64_t bytes = 0;
};

/// How many steps are written together.
struct Together {
  std::size_t steps = 1;    ///< the writer waits for so many, unless somebody waits for it
  std::size_t times = 1;    ///< it takes up to so many times as many at once
  std::uint64_t bytes = 0;  ///< it waits no longer once they take that much memory
};

/// Threads: one that trains calls everything; `depth` any.
class WriterThread {
 public:
  using Clock = std::chrono::steady_clock;
  using Publish = std::function<void(std::span<const StepRecords* const>)>;

  /// `publish` is called on the writer's thread with all steps, in order, and must not throw. It has to own what it
  /// needs: a writer that hangs in the store outlives this object.
  WriterThread(std::uint64_t capacity, Publish publish, Together together = {}) : desk_(std::make_shared<Desk>()) {
    desk_->capacity = capacity;
    desk_->publish = std::move(publish);
    desk_->together = {std::max<std::size_t>(together.steps, 1), std::max<std::size_t>(together.times, 1),
                       std::min(together.bytes, capacity / 4)};
    thread_ = detail::start_thread([desk = desk_] { desk->write(); });
  }

  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;
  ~WriterThread() { stop(Clock::now()); }

  /// An empty step, with the memory of one that was written if there is any.
  [[nodiscard]] std::unique_ptr<QueuedStep> empty_step() {
    const std::lock_guard lock(desk_->mutex);
    if (!desk_->spare) return std::make_unique<QueuedStep>();
    auto out = std::move(desk_->spare);
    desk_->spare = std::move(out->next);
    desk_->spare_bytes -= out->memory;
    return out;
  }

  /// Queues `step` and takes it; leaves it where it is if there is no room before `deadline`. After a wait in vain it
  /// does not wait again before half of the queue is free.
  bool push(std::unique_ptr<QueuedStep>& step, Clock::time_point deadline) {
    step->memory = step->records.memory();
    std::unique_lock lock(desk_->mutex);
    Desk& desk = *desk_;
    const auto has_room = [&] { return desk.depth.steps == 0 || desk.depth.bytes + step->memory <= desk.capacity; };
    tired_ = tired_ && desk.depth.bytes > desk.capacity / 2;
    if (!has_room()) {
      desk.in_a_hurry = true;
      desk.work.notify_one();
    }
    if (!has_room() && (tired_ || !desk.progress.wait_until(lock, deadline, has_room))) {
      tired_ = true;
      return false;
    }
    desk.depth.bytes += step->memory;
    ++desk.depth.steps;
    QueuedStep* const last = step.get();
    (desk.last != nullptr ? desk.last->next : desk.first) = std::move(step);
    desk.last = last;
    desk.work.notify_one();
    return true;
  }

  /// Runs `job` on the writer's thread after all steps so far, and rethrows what it throws. False if it has not ended
  /// by `deadline`; then it will not begin, but if it has begun, it goes on.
  bool run(std::function<void()> job, Clock::time_point deadline) {
    const auto task = std::make_shared<Task>();
    task->job = std::move(job);
    std::unique_lock lock(desk_->mutex);
    desk_->task = task;  // one that nobody waits for any more is forgotten
    desk_->work.notify_one();
    if (!desk_->progress.wait_until(lock, deadline, [&] { return task->done; })) {
      if (desk_->task == task) desk_->task.reset();
      return false;
    }
    if (task->failure) std::rethrow_exception(task->failure);
    return true;
  }

  /// Waits for all steps so far to be written and ends the thread. False if that takes longer; then the thread is left
  /// to itself and writes what it can.
  bool stop(Clock::time_point deadline) {
    if (!thread_.joinable()) return true;
    bool ended = false;
    {
      std::unique_lock lock(desk_->mutex);
      desk_->stopping = true;
      desk_->work.notify_one();
      ended = desk_->progress.wait_until(lock, deadline, [&] { return desk_->ended; });
    }
    if (ended) {
      thread_.join();
    } else {
      thread_.detach();
    }
    return ended;
  }

  [[nodiscard]] QueueDepth depth() const {
    const std::lock_guard lock(desk_->mutex);
    return desk_->depth;
  }

 private:
  struct Task {
    std::function<void()> job;
    std::exception_ptr failure;
    bool done = false;
  };

  /// What the two threads share.
  struct Desk {
    std::mutex mutex;
    std::condition_variable work;      // for the writer
    std::condition_variable progress;  // for who waits for it
    Publish publish;
    std::uint64_t capacity = 0;
    Together together;
    std::unique_ptr<QueuedStep> first;
    QueuedStep* last = nullptr;
    QueueDepth depth;         // the steps under way included
    bool in_a_hurry = false;  // somebody waits for room
    std::shared_ptr<Task> task;
    std::unique_ptr<QueuedStep> spare;
    std::uint64_t spare_bytes = 0;
    std::vector<const StepRecords*> batch;  // the writer's own
    bool stopping = false;
    bool ended = false;

    ~Desk() {  // not recursively
      for (auto* list : {&first, &spare})
        while (*list) *list = std::move((*list)->next);
    }

    void write() {
      std::unique_lock lock(mutex);
      for (;;) {
        work.wait(lock, [&] { return (first && are_enough()) || task || stopping; });
        if (first) {
          write_some(lock);
        } else if (task) {
          run_task(lock);
        } else {
          ended = true;
          progress.notify_all();
          return;
        }
        progress.notify_all();
      }
    }

    /// Whether there is no waiting for more.
    [[nodiscard]] bool is_asked() const { return task || stopping || in_a_hurry || depth.bytes >= together.bytes; }
    [[nodiscard]] bool are_enough() const { return depth.steps >= together.steps || is_asked(); }

    /// Writes as many of the first as are written together, and leaves room in the queue for those that come meanwhile.
    void write_some(std::unique_lock<std::mutex>& lock) {
      const std::size_t whole = static_cast<std::size_t>(depth.steps) / together.steps * together.steps;
      const std::size_t limit = std::min(together.steps * together.times, is_asked() ? SIZE_MAX : whole);
      std::unique_ptr<QueuedStep> steps = std::move(first);
      QueuedStep* end = steps.get();
      std::uint64_t bytes = end->memory;
      batch.assign(1, &end->records);
      for (; end->next && batch.size() < limit && bytes + end->next->memory <= capacity / 2; end = end->next.get()) {
        batch.push_back(&end->next->records);
        bytes += end->next->memory;
      }
      first = std::move(end->next);
      if (!first) last = nullptr;
      if (!first) in_a_hurry = false;
      lock.unlock();
      publish(batch);
      lock.lock();
      while (steps) give_back(std::exchange(steps, std::move(steps->next)));
    }

    void give_back(std::unique_ptr<QueuedStep> step) {
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
      std::exception_ptr failure;
      try {
        running->job();
      } catch (...) {
        failure = std::current_exception();
      }
      running->job = nullptr;
      lock.lock();
      running->failure = failure;
      running->done = true;
    }
  };

  std::shared_ptr<Desk> desk_;
  std::thread thread_;
  bool tired_ = false;  // of waiting
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
