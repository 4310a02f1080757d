#include <tensortap/capture/internal/writer_thread.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.hpp"

namespace tt = tensortap;
using Clock = tt::detail::WriterThread::Clock;

namespace {

constexpr std::chrono::seconds plenty(60);  // never waited for, unless a test fails
constexpr std::chrono::milliseconds little(20);

Clock::time_point soon() { return Clock::now() + little; }
Clock::time_point late() { return Clock::now() + plenty; }

/// Work of a writer that a test can block and observe. Shared with the thread, which may outlive the test's writer.
class Work {
 public:
  tt::detail::WriterThread::Publish publish() {
    return [work = self()](std::span<const tt::detail::StepRecords* const> steps) {
      for (const auto* step : steps) work->write(step->step().global_step);
    };
  }
  static std::shared_ptr<Work> make() {
    auto out = std::shared_ptr<Work>(new Work);
    out->self_ = out;
    return out;
  }

  /// Lets `steps` more steps be written.
  void allow(int steps) {
    const std::lock_guard lock(mutex_);
    allowed_ += steps;
    changed_.notify_all();
  }
  /// Waits until the writer has begun with `count` steps.
  void wait_until_begun(int count) {
    std::unique_lock lock(mutex_);
    REQUIRE(changed_.wait_for(lock, plenty, [&] { return begun_ >= count; }));
  }
  int begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  std::vector<std::int64_t> written() {
    const std::lock_guard lock(mutex_);
    return written_;
  }

 private:
  Work() = default;
  std::shared_ptr<Work> self() { return self_.lock(); }

  void write(std::int64_t step) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return allowed_ > 0; });
    --allowed_;
    written_.push_back(step);
  }

  std::weak_ptr<Work> self_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int allowed_ = 0;
  int begun_ = 0;
  std::vector<std::int64_t> written_;
};

/// Waits until the writer's thread has released the work.
bool is_released(const std::weak_ptr<Work>& work) {
  for (const auto deadline = late(); Clock::now() < deadline; std::this_thread::sleep_for(std::chrono::milliseconds(1)))
    if (work.expired()) return true;
  return false;
}

const tt::detail::TrackedTensor loss{.name = "loss", .collections = {}};

/// Fills `step`: it holds at least `bytes`.
void fill(tt::detail::QueuedStep& step, std::int64_t global_step, std::size_t bytes = 8) {
  step.records.begin({tt::Mode::train, global_step, global_step});
  const std::vector<std::byte> elements(bytes, std::byte{1});
  const auto extent = static_cast<std::int64_t>(bytes);
  const tt::TensorView view(elements.data(), tt::DType::u8, tt::TensorView::Extents(&extent, 1));
  tt::detail::StepRecords::copy(view, step.records.add(loss, view, 0.0));
}

std::shared_ptr<tt::detail::QueuedStep> filled(tt::detail::WriterThread& writer, std::int64_t global_step,
                                               std::size_t bytes = 8) {
  auto step = writer.empty_step();
  fill(*step, global_step, bytes);
  return step;
}

bool push(tt::detail::WriterThread& writer, std::int64_t global_step, Clock::time_point deadline,
          std::size_t bytes = 8) {
  auto step = filled(writer, global_step, bytes);
  const bool taken = writer.push(step, deadline);
  CHECK(taken == (step == nullptr));
  return taken;
}

/// Returns the memory of one step of `fill` in the queue.
std::uint64_t memory_of(std::size_t bytes = 8) {
  tt::detail::QueuedStep step;
  fill(step, 0, bytes);
  return step.records.memory();
}

std::vector<std::int64_t> first_steps(std::int64_t count) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(i);
  return out;
}

}  // namespace

TEST_CASE("steps are written in order, and all of them before the writer stops", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(1000);
  tt::detail::WriterThread writer(memory_of() * 5, work->publish());
  for (std::int64_t step = 0; step < 1000; ++step) CHECK(push(writer, step, late()));
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(1000));
  CHECK(writer.depth().steps == 0);
  CHECK(writer.depth().bytes == 0);
  CHECK(writer.stop(Clock::now()));  // again
}

TEST_CASE("a writer without steps stops", "[capture][writer_thread]") {
  tt::detail::WriterThread writer(0, [](std::span<const tt::detail::StepRecords* const>) {});
  CHECK(writer.stop(late()));
}

TEST_CASE("a step that is being written counts in the queue until it is done", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 10, work->publish());
  CHECK(push(writer, 0, late()));
  CHECK(push(writer, 1, late()));
  work->wait_until_begun(1);
  CHECK(writer.depth().steps == 2);
  CHECK(writer.depth().bytes == 2 * memory_of());
  work->allow(1);
  work->wait_until_begun(2);
  CHECK(writer.depth().steps == 1);
  CHECK(writer.depth().bytes == memory_of());
  work->allow(1);
  CHECK(writer.stop(late()));
}

TEST_CASE("a step without room stays with the caller", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 2, work->publish());
  CHECK(push(writer, 0, soon()));
  CHECK(push(writer, 1, soon()));
  auto step = filled(writer, 2);
  CHECK_FALSE(writer.push(step, soon()));
  REQUIRE(step);
  CHECK(step->records.step().global_step == 2);
  CHECK(step->records.records().size() == 1);
  CHECK(writer.depth().steps == 2);
  work->allow(2);
  CHECK(writer.run([] {}, late()));
  CHECK(writer.push(step, soon()));
  work->allow(1);
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(3));
}

TEST_CASE("a push waits until there is room", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of(), work->publish());
  CHECK(push(writer, 0, late()));
  work->wait_until_begun(1);
  std::thread helper([&] {
    std::this_thread::sleep_for(little);
    work->allow(2);
  });
  CHECK(push(writer, 1, late()));
  helper.join();
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(2));
}

TEST_CASE("a step larger than the whole queue is taken when nothing else is there", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(10, work->publish());
  CHECK(push(writer, 0, soon(), 1'000'000));
  CHECK_FALSE(push(writer, 1, soon()));
  work->allow(2);
  CHECK(writer.run([] {}, late()));
  CHECK(push(writer, 1, soon(), 1'000'000));
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(2));
}

TEST_CASE("after a failed wait steps are dropped at once until half of the queue is free", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 4, work->publish());
  for (std::int64_t step = 0; step < 4; ++step) CHECK(push(writer, step, soon()));
  CHECK_FALSE(push(writer, 4, soon()));
  for (int i = 0; i < 100; ++i) {  // with a minute each, if it waited
    const auto before = Clock::now();
    CHECK_FALSE(push(writer, 4, late()));
    CHECK(Clock::now() - before < plenty / 2);
  }
  work->allow(2);
  work->wait_until_begun(3);
  CHECK(writer.depth().steps == 2);
  std::thread helper([&] {
    std::this_thread::sleep_for(little);
    work->allow(5);
  });
  for (std::int64_t step = 4; step < 7; ++step) CHECK(push(writer, step, late()));  // it waits again
  helper.join();
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(7));
}

TEST_CASE("a task runs on the writer's thread after all steps so far", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 100, work->publish());
  for (std::int64_t step = 0; step < 50; ++step) CHECK(push(writer, step, late()));
  work->allow(50);
  std::thread::id thread;
  std::vector<std::int64_t> seen;
  CHECK(writer.run(
      [&] {
        thread = std::this_thread::get_id();
        seen = work->written();
      },
      late()));
  CHECK(seen == first_steps(50));
  CHECK(thread != std::thread::id());
  CHECK(thread != std::this_thread::get_id());
  CHECK(writer.stop(late()));
}

TEST_CASE("the exception of a task reaches the waiting thread, and the writer continues", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(2);
  tt::detail::WriterThread writer(memory_of() * 4, work->publish());
  CHECK(push(writer, 0, late()));
  for (int i = 0; i < 20; ++i) {
    const std::string text = "no room on the disk, try " + std::to_string(i);
    CHECK_THROWS_WITH(writer.run([&] { throw std::runtime_error(text); }, late()), contains(text));
  }
  CHECK_THROWS_AS(writer.run([] { throw 5; }, late()), int);
  CHECK(push(writer, 1, late()));
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(2));
}

TEST_CASE("a task whose wait has ended never begins, and releases what it owns", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 4, work->publish());
  CHECK(push(writer, 0, late()));
  work->wait_until_begun(1);
  const auto begun = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(writer.run([begun] { ++*begun; }, soon()));
  CHECK(begun.use_count() == 1);
  work->allow(1);
  CHECK(writer.run([] {}, late()));
  CHECK(writer.stop(late()));
  CHECK(*begun == 0);
}

TEST_CASE("a task that has begun continues after the wait for it has ended", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 4, work->publish());
  const auto gate = Work::make();
  const auto ended = std::make_shared<std::atomic<bool>>(false);
  const auto job = [publish = gate->publish(), ended] {
    const tt::detail::StepRecords step;
    const tt::detail::StepRecords* const steps[] = {&step};
    publish(steps);
    *ended = true;
    throw std::runtime_error("not reported");
  };
  std::chrono::milliseconds patience(10);
  do CHECK_FALSE(writer.run(job, Clock::now() + (patience *= 2)));
  while (gate->begun() == 0);  // a busy machine may not have begun in time; then it never does
  CHECK_FALSE(*ended);
  gate->allow(1);
  bool seen = false;
  CHECK(writer.run([&] { seen = *ended; }, late()));
  CHECK(seen);
  CHECK(gate->begun() == 1);
  CHECK(writer.stop(late()));
}

TEST_CASE("the writer reads records before their step is queued", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(10);
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::pair<std::size_t, std::uint64_t>> seen;  // how many more records, and how much of the last
  std::int64_t step_seen = -1;
  tt::detail::WriterThread writer(memory_of() * 10, work->publish(), {}, [&](const tt::detail::ShownRecords& shown) {
    const std::lock_guard lock(mutex);
    step_seen = shown.step->step().global_step;
    seen.emplace_back(shown.records.size(), shown.copied);
    changed.notify_all();
    return true;
  });
  const auto wait_for = [&](std::vector<std::pair<std::size_t, std::uint64_t>> expected) {
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, plenty, [&] { return seen.size() >= expected.size(); }));
    CHECK(seen == expected);
  };
  auto step = filled(writer, 7);
  CHECK(writer.show(step, step->records.records()));
  writer.show_copied(5);
  wait_for({{1, 5}});
  writer.show_copied(8);
  wait_for({{1, 5}, {0, 8}});
  CHECK(step_seen == 7);
  CHECK(writer.show(step, step->records.records()));
  CHECK(writer.push(step, late()));
  CHECK(writer.run([] {}, late()));
  CHECK(work->written() == std::vector<std::int64_t>{7});
  auto next = filled(writer, 8);
  CHECK(writer.show(next, next->records.records()));
  writer.show_copied(1);
  wait_for({{1, 5}, {0, 8}, {1, 1}});
  CHECK(step_seen == 8);
  CHECK(writer.stop(late()));
}

TEST_CASE("a writer that reads no records before their step is shown none", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(10);
  SECTION("from the beginning") {
    tt::detail::WriterThread writer(memory_of() * 10, work->publish());
    const auto step = filled(writer, 0);
    CHECK_FALSE(writer.show(step, step->records.records()));
    CHECK(writer.stop(late()));
  }
  SECTION("after the first try") {
    std::atomic<int> tries = 0;
    tt::detail::WriterThread writer(memory_of() * 10, work->publish(), {}, [&](const tt::detail::ShownRecords&) {
      ++tries;
      return false;
    });
    const auto step = filled(writer, 0);
    CHECK(writer.show(step, step->records.records()));
    writer.show_copied(1);
    CHECK(writer.run([] {}, late()));
    for (const auto end = late(); tries == 0 && Clock::now() < end;) std::this_thread::yield();
    CHECK(writer.run([] {}, late()));
    CHECK_FALSE(writer.show(step, step->records.records()));
    CHECK(tries == 1);
    CHECK(writer.stop(late()));
  }
}

TEST_CASE("a step that the writer reads lives until then, even if training drops it", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(10);
  std::promise<void> permission;
  std::atomic<bool> reads = false;
  std::atomic<int> sum = 0;
  tt::detail::WriterThread writer(memory_of() * 10, work->publish(), {}, [&](const tt::detail::ShownRecords& shown) {
    reads = true;
    permission.get_future().wait();
    for (const std::byte element : shown.records.at(0).view.bytes()) sum += static_cast<int>(element);
    return true;
  });
  auto step = filled(writer, 0, 1000);
  const std::weak_ptr<tt::detail::QueuedStep> alive = step;
  CHECK(writer.show(step, step->records.records()));
  writer.show_copied(1000);
  for (const auto end = late(); !reads && Clock::now() < end;) std::this_thread::yield();
  step.reset();
  auto next = filled(writer, 1);
  CHECK(writer.show(next, next->records.records()));  // takes the place of the step
  CHECK_FALSE(alive.expired());
  permission.set_value();
  CHECK(writer.push(next, late()));
  CHECK(writer.run([] {}, late()));
  CHECK(sum == 1000);
  CHECK(alive.expired());
  CHECK(writer.stop(late()));
}

TEST_CASE("memory of written steps is reused", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(100);
  tt::detail::WriterThread writer(memory_of() * 100, work->publish());
  CHECK(push(writer, 0, late()));
  CHECK(writer.run([] {}, late()));
  auto step = writer.empty_step();
  const tt::detail::QueuedStep* const first = step.get();
  const std::uint64_t memory = step->records.memory();
  CHECK(memory == memory_of());
  CHECK_FALSE(step->next);
  for (std::int64_t i = 1; i < 50; ++i) {
    fill(*step, i);
    CHECK(step->records.memory() == memory);
    CHECK(writer.push(step, late()));
    CHECK(writer.run([] {}, late()));
    step = writer.empty_step();
    CHECK(step.get() == first);
  }
  CHECK(writer.stop(late()));
}

TEST_CASE("no more than a quarter of the queue is kept as memory of written steps, but one step always is",
          "[capture][writer_thread]") {
  const auto spare_after = [](std::uint64_t capacity) {
    const auto work = Work::make();
    tt::detail::WriterThread writer(capacity, work->publish());
    for (std::int64_t step = 0; step < 16; ++step) CHECK(push(writer, step, late()));
    work->allow(16);
    CHECK(writer.run([] {}, late()));
    int spare = 0;
    std::vector<std::shared_ptr<tt::detail::QueuedStep>> steps;
    do steps.push_back(writer.empty_step());
    while (steps.back()->records.memory() > 0 && ++spare < 100);
    CHECK(writer.stop(late()));
    return spare;
  };
  CHECK(spare_after(memory_of() * 16) == 4);
  CHECK(spare_after(memory_of() * 24) == 6);
}

TEST_CASE("any thread may read the depth of the queue", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(500);
  tt::detail::WriterThread writer(memory_of() * 3, work->publish());
  std::atomic<bool> done = false;
  std::uint64_t deepest = 0;
  std::thread observer([&] {
    while (!done) deepest = std::max(deepest, writer.depth().bytes);
  });
  for (std::int64_t step = 0; step < 500; ++step) CHECK(push(writer, step, late()));
  done = true;
  observer.join();
  CHECK(deepest <= memory_of() * 3);
  CHECK(writer.stop(late()));
}

TEST_CASE("a writer that hangs is detached at the deadline, and releases everything when it ends",
          "[capture][writer_thread]") {
  auto work = Work::make();
  const std::weak_ptr<Work> watched = work;
  {
    tt::detail::WriterThread writer(memory_of() * 10, work->publish());
    for (std::int64_t step = 0; step < 5; ++step) CHECK(push(writer, step, late()));
    work->wait_until_begun(1);
    const auto before = Clock::now();
    CHECK_FALSE(writer.stop(soon()));
    CHECK(Clock::now() - before >= little);
    CHECK(Clock::now() - before < plenty);
  }
  work->allow(5);
  work->wait_until_begun(5);
  work.reset();
  CHECK(is_released(watched));
}

TEST_CASE("the destructor of a writer does not wait for a hanging thread, which writes what it has",
          "[capture][writer_thread]") {
  auto work = Work::make();
  const std::weak_ptr<Work> watched = work;
  {
    tt::detail::WriterThread writer(memory_of() * 10, work->publish());
    for (std::int64_t step = 0; step < 3; ++step) CHECK(push(writer, step, late()));
    work->wait_until_begun(1);
  }
  work->allow(3);
  work->wait_until_begun(3);
  for (const auto deadline = late(); work->written().size() < 3 && Clock::now() < deadline;)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(work->written() == first_steps(3));
  work.reset();
  CHECK(is_released(watched));
}

TEST_CASE("a very long queue is destroyed without a deep recursion", "[capture][writer_thread]") {
  auto work = Work::make();
  const std::weak_ptr<Work> watched = work;
  constexpr int count = 50'000;
  {
    tt::detail::WriterThread writer(UINT64_MAX / 2, work->publish());
    for (int step = 0; step < count; ++step) {
      auto empty = std::make_shared<tt::detail::QueuedStep>();
      CHECK(writer.push(empty, late()));
    }
    work->allow(count);
    CHECK(writer.stop(late()));
  }
  work.reset();
  CHECK(is_released(watched));
}

TEST_CASE("the writer waits for a whole batch of steps", "[capture][writer_thread]") {
  const auto work = Work::make();
  std::vector<std::size_t> batches;  // by the writer, until it has stopped
  tt::detail::WriterThread writer(
      memory_of() * 100,
      [publish = work->publish(), &batches](std::span<const tt::detail::StepRecords* const> steps) {
        publish(steps);
        batches.push_back(steps.size());
      },
      {.steps = 3, .times = 2, .bytes = UINT64_MAX});
  work->allow(100);
  CHECK(push(writer, 0, late()));
  CHECK(push(writer, 1, late()));
  std::this_thread::sleep_for(little);
  CHECK(work->begun() == 0);
  CHECK(writer.depth().steps == 2);
  CHECK(push(writer, 2, late()));
  work->wait_until_begun(3);
  CHECK(push(writer, 3, late()));
  CHECK(writer.run([] {}, late()));  // it asks for what is there
  CHECK(work->written() == std::vector<std::int64_t>{0, 1, 2, 3});
  CHECK(push(writer, 4, late()));
  CHECK(writer.stop(late()));  // and so does this
  CHECK(work->written().back() == 4);
  CHECK(batches == std::vector<std::size_t>{3, 1, 1});
}

TEST_CASE("the writer takes several batches of waiting steps at once, and leaves the rest",
          "[capture][writer_thread]") {
  const auto work = Work::make();
  std::vector<std::size_t> batches;
  tt::detail::WriterThread writer(
      memory_of() * 100,
      [publish = work->publish(), &batches](std::span<const tt::detail::StepRecords* const> steps) {
        batches.push_back(steps.size());
        publish(steps);
      },
      {.steps = 3, .times = 2, .bytes = UINT64_MAX});
  for (int step = 0; step < 3; ++step) CHECK(push(writer, step, late()));
  work->wait_until_begun(1);
  for (int step = 3; step < 14; ++step) CHECK(push(writer, step, late()));
  work->allow(100);
  work->wait_until_begun(12);
  CHECK(writer.stop(late()));
  CHECK(batches == std::vector<std::size_t>{3, 6, 3, 2});
}

TEST_CASE("a wait for room does not wait for more steps", "[capture][writer_thread]") {
  const auto work = Work::make();
  tt::detail::WriterThread writer(memory_of() * 2, work->publish(), {.steps = 10, .times = 1, .bytes = UINT64_MAX});
  work->allow(100);
  for (int step = 0; step < 8; ++step) CHECK(push(writer, step, late()));
  CHECK(writer.stop(late()));
  CHECK(work->written().size() == 8);
}

TEST_CASE("the first step of a batch waits for others no longer than the policy says", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(100);
  const auto time = std::chrono::milliseconds(200);
  tt::detail::WriterThread writer(memory_of() * 100, work->publish(),
                                  {.steps = 1000, .times = 1, .bytes = UINT64_MAX, .time = time});
  for (int first = 0; first < 4; first += 2) {
    const auto begin = Clock::now();
    CHECK(push(writer, first, late()));
    std::this_thread::sleep_for(little);
    CHECK(push(writer, first + 1, late()));
    work->wait_until_begun(first + 2);
    CHECK(Clock::now() - begin >= time);
  }
  CHECK(writer.stop(late()));
  CHECK(work->written() == first_steps(4));
}

TEST_CASE("the longest time of a policy is no limit", "[capture][writer_thread]") {
  const auto work = Work::make();
  work->allow(100);
  const auto time = GENERATE(std::chrono::nanoseconds::max(), std::chrono::nanoseconds::max() - std::chrono::hours(1));
  tt::detail::WriterThread writer(memory_of() * 100, work->publish(),
                                  {.steps = 1000, .times = 1, .bytes = UINT64_MAX, .time = time});
  CHECK(push(writer, 0, late()));
  std::this_thread::sleep_for(little);
  CHECK(work->begun() == 0);
  CHECK(writer.run([] {}, late()));
  CHECK(work->written() == first_steps(1));
}
