// The number and the concurrency of the calls that reading a run from a slow store takes. Prints a table of them with
// the tag [.calls].
#include <tensortap/trial/trial.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iostream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "store/remote_store.hpp"
#include "trial/hand_writer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;
using Calls = RemoteStore::Calls;

namespace {

/// A run of one worker, written to memory and read through a store whose calls are counted and slow.
struct RemoteRun {
  std::shared_ptr<tt::MemoryStore> memory = std::make_shared<tt::MemoryStore>();
  std::shared_ptr<RemoteStore> store;
  HandWriter writer{memory, 0};
  FakeTime time;

  explicit RemoteRun(std::int64_t steps, std::chrono::nanoseconds delay = {}, std::size_t concurrency = 32)
      : store(std::make_shared<RemoteStore>(memory, concurrency, delay)) {
    writer.put_attempt(-1);
    writer.put_collections();
    put(0, steps);
  }
  void put(std::int64_t begin, std::int64_t end) const {
    for (std::int64_t step = begin; step < end; ++step) writer.put(step);
  }
};

/// A refresh without news reads the end marker and lists the collections, the index after the last complete step, and
/// the attempts.
constexpr Calls no_news = {.gets = 1, .lists = 3, .pages = 3};

}  // namespace

TEST_CASE("opening a run costs one call for each index object, two listings of the index, and a few more calls",
          "[trial][calls]") {
  RemoteRun run(3000);
  run.writer.close();
  const tt::Trial trial(run.store);
  CHECK(trial.steps().size() == 3000);
  CHECK(trial.ended());
  // Besides the index: the end marker, the collections, the attempt. Attempts are listed before and after the index.
  CHECK(run.store->calls() == Calls{.gets = 3000 + 3, .lists = 5, .pages = 1 + 1 + 3 + 3 + 1});
  CHECK(run.store->most_at_once() <= 32);
}

TEST_CASE("steps that an attempt has archived and written again are read once", "[trial][calls]") {
  RemoteRun run(1000);
  const HandWriter second(run.memory, 1);
  for (const auto& operation : second.resuming(499, 999, tt::OnResume::archive)) operation();
  for (std::int64_t step = 500; step < 1000; ++step) second.put(step);
  const tt::Trial trial(run.store, run.time.following());
  CHECK(trial.tensor("attempt_1").steps().size() == 500);
  CHECK(trial.steps().size() == 1000);
  (void)run.store->calls();
  const tt::Trial again(run.store);
  CHECK(run.store->calls() == Calls{.gets = 1000 + 4, .lists = 5, .pages = 5});
}

TEST_CASE("the objects of many workers are read concurrently", "[trial][calls]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 32, 5ms);
  for (int i = 0; i < 64; ++i) {
    const HandWriter worker(memory, 0, "worker_" + std::to_string(i));
    worker.put_attempt(-1);
    worker.put_collections(64);
    worker.put(0);
  }
  const tt::Trial trial(store);
  CHECK(trial.steps() == Steps{0});
  CHECK(trial.workers().size() == 64);
  CHECK(store->calls() == Calls{.gets = 3 * 64 + 1, .lists = 5, .pages = 5});
  CHECK(store->most_at_once() > 4);
}

TEST_CASE("index objects are read with the concurrency of the store, and no more", "[trial][calls]") {
  for (const std::size_t concurrency : {1u, 2u, 32u}) {
    RemoteRun run(concurrency == 1 ? 20 : 1000, 5ms, concurrency);
    const auto begin = std::chrono::steady_clock::now();
    const tt::Trial trial(run.store);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    CAPTURE(concurrency, took.count());
    CHECK(trial.steps().size() == (concurrency == 1 ? 20u : 1000u));
    CHECK(trial.damage().empty());
    const std::size_t most = run.store->most_at_once();
    CHECK(most <= concurrency);
    CHECK(most > concurrency / 4);
  }
}

TEST_CASE("a value, a saved reduction and saved statistics cost one call each", "[trial][calls]") {
  RemoteRun run(10);
  const std::vector<double> elements = {1, 2, 3};
  const auto record = tt::statistics(elements).to_record();
  tt::Tensor loss(tt::DType::f64, {1}), statistics(tt::DType::f64, {static_cast<std::int64_t>(record.size())});
  std::copy(record.begin(), record.end(), statistics.as<double>().begin());
  run.writer.put({tt::Mode::train, 10, 10},
                 {{"loss", loss},
                  {tt::layout::reduction_record(tt::Reduction::l2, "x"), loss},
                  {tt::layout::reduction_record(tt::Reduction::statistics, "y"), statistics}});
  const tt::Trial trial(run.store, run.time.following());
  const auto tensor = trial.tensor("loss"), x = trial.tensor("x"), y = trial.tensor("y");
  (void)run.store->calls();
  constexpr Calls one = {.gets = 1};
  CHECK(tensor.value(7)->number(0) == 7);
  CHECK(run.store->calls() == one);
  CHECK(tensor.reduction(7, tt::Reduction::mean) == 7);
  CHECK(run.store->calls() == one);
  CHECK(tensor.shape(7));
  CHECK(run.store->calls() == one);
  CHECK(x.reduction(10, tt::Reduction::l2) == 0);
  CHECK(run.store->calls() == one);
  CHECK(y.reduction(10, tt::Reduction::mean) == 2);
  CHECK(run.store->calls() == one);
  CHECK(y.statistics(10)->count == 3);
  CHECK(run.store->calls() == one);
  CHECK(x.saved_reductions(10).size() == 1);
  CHECK(run.store->calls() == one);
  CHECK_FALSE(tensor.value(11));
  CHECK_FALSE(x.value(10));
  CHECK_FALSE(x.reduction(10, tt::Reduction::prod));
  CHECK(run.store->calls() == Calls{});
  const auto view = trial.view(3);
  (void)run.store->calls();
  CHECK(view->value("loss")->number(0) == 3);
  CHECK(run.store->calls() == one);
}

TEST_CASE("all values of a tensor cost one call each", "[trial][calls]") {
  RemoteRun run(500);
  const tt::Trial trial(run.store);
  const auto loss = trial.tensor("loss");
  (void)run.store->calls();
  double sum = 0;
  for (const std::int64_t step : loss.steps()) sum += loss.value(step)->number(0);
  CHECK(sum == 500 * 499 / 2);
  CHECK(run.store->calls() == Calls{.gets = 500});
}

TEST_CASE("the cost of a refresh depends on the news, not on the length of the run", "[trial][calls]") {
  RemoteRun run(2500);
  const tt::Trial trial(run.store, run.time.following());
  (void)run.store->calls();
  CHECK(trial.refresh().empty());
  CHECK(run.store->calls() == no_news);
  run.put(2500, 2501);
  CHECK(trial.refresh().steps == Steps{2500});
  // One more get, of its index object, and one more listing of the index.
  CHECK(run.store->calls() == Calls{.gets = 1 + 1, .lists = 4, .pages = 4});
  CHECK(trial.refresh().empty());
  CHECK(run.store->calls() == no_news);
  run.writer.put_collections(1, {{.name = "losses"}});
  CHECK(trial.refresh().empty());
  CHECK(run.store->calls() == Calls{.gets = 2, .lists = 3, .pages = 3});
  run.writer.close();
  CHECK(trial.refresh().ended);  // lists the whole index
  CHECK(run.store->calls() == Calls{.gets = 1, .lists = 3, .pages = 2 + 3});
  CHECK(trial.refresh().empty());
  CHECK(run.store->calls() == no_news);
}

TEST_CASE("a refresh of a resumed run costs the same", "[trial][calls]") {
  RemoteRun run(20);
  const HandWriter second(run.memory, 1);
  for (const auto& operation : second.resuming(9, 19, tt::OnResume::archive)) operation();
  second.put(10);
  const tt::Trial trial(run.store, run.time.following());
  CHECK(trial.refresh().empty());  // reads the collections again, because an attempt has begun
  CHECK(trial.steps().size() == 11);
  (void)run.store->calls();
  CHECK(trial.refresh().empty());
  CHECK(run.store->calls() == no_news);
}

TEST_CASE("steps without an attempt are read again if they were read out of order during a rewind", "[trial][calls]") {
  FakeTime time;
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 3);
  const HandWriter first(memory), second(memory, 1);
  HandWriter(memory, 0).put_attempt(-1);
  first.put_collections();
  second.put_attempt(2);
  for (const std::int64_t step : {0, 1, 2}) first.put(step);
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps() == Steps{0, 1, 2});

  // Step 3 is requested first and answered last. Meanwhile all three steps are moved, and step 3 is written again.
  for (const std::int64_t step : {3, 4, 5}) first.put(step);
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> seen;
  bool waited_in_vain = false;
  store->before_get = [&](std::string_view key) {
    std::unique_lock lock(mutex);
    if (key == first.index_key(3)) {
      waited_in_vain = !changed.wait_for(lock, 20s, [&] { return seen.size() == 2; });
      for (const std::int64_t step : {5, 4, 3})
        memory->move(first.index_key(step), tt::layout::superseded_key(1, first.index_key(step)));
      first.put(3);
    }
  };
  store->after_get = [&](std::string_view key) {
    const std::lock_guard lock(mutex);
    if (key != first.index_key(4) && key != first.index_key(5)) return;
    seen.insert(std::string(key));
    changed.notify_all();
  };
  trial.refresh();
  CHECK_FALSE(waited_in_vain);
  store->before_get = store->after_get = {};
  const Steps steps = trial.steps();
  CHECK(steps == Steps{0, 1, 2, 3});
  for (const std::int64_t step : steps) CHECK(trial.tensor("loss").value(step));
  CHECK(trial.damage().empty());
}

TEST_CASE("the calls to read a run of 10,000 steps", "[trial][calls][.calls]") {
  RemoteRun run(10'000);
  const auto print_calls = [&](std::string_view what) { std::cout << what << ": " << run.store->calls() << '\n'; };
  const tt::Trial trial(run.store, run.time.following());
  print_calls("open 10,000 steps");
  std::cout << "at once: " << run.store->most_at_once() << '\n';
  const auto loss = trial.tensor("loss");
  print_calls("find a tensor, refreshing");
  CHECK(loss.value(5000));
  print_calls("one value");
  {
    const auto pause = trial.no_refresh();
    for (const std::int64_t step : loss.steps()) CHECK(loss.value(step));
  }
  print_calls("all values of a tensor");
  trial.refresh();
  print_calls("refresh without news");
  run.put(10'000, 10'001);
  trial.refresh();
  print_calls("refresh with one new step");
  for (const std::size_t concurrency : {1u, 32u}) {
    const auto slow = std::make_shared<RemoteStore>(run.memory, concurrency, 5ms);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(tt::Trial(slow, {.range_steps = {0, 1000}}).steps().size() == 1000);
    std::cout << "open 1,000 steps, 5 ms a call, " << concurrency
              << " at once: " << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
              << " s\n";
  }
}
