// Reading a run while it is written: waits, the states of steps, and the cost of a refresh.
#include <tensortap/trial/trial.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "golden.hpp"
#include "store/temporary_directory.hpp"
#include "trial/hand_writer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

constexpr auto any = tt::Completeness::any;
constexpr auto train = tt::Mode::train;
constexpr auto eval = tt::Mode::eval;

/// Counts its calls, and fails for the keys that a test chooses.
class CountingStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Store::get;
  std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
    fail(key);
    ++gets;
    return ForwardingStore::get(key, range);
  }
  std::vector<tt::ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    fail(prefix);
    auto out = ForwardingStore::list(prefix, after);
    listed += out.size();
    ++lists;
    return out;
  }

  void forget() const { gets = lists = listed = 0; }

  std::string broken;  // calls for keys with this prefix fail
  mutable std::size_t gets = 0;
  mutable std::size_t lists = 0;
  mutable std::size_t listed = 0;  // objects

 private:
  void fail(std::string_view key) const {
    if (!broken.empty() && key.starts_with(broken))
      throw tt::Error::io("store: cannot read", key, "the disk is on fire");
  }
};

/// A run with collections but without steps.
struct EmptyRun {
  std::shared_ptr<tt::MemoryStore> store = std::make_shared<tt::MemoryStore>();
  HandWriter writer{store, 0};
  FakeTime time;
  EmptyRun() {
    writer.put_attempt(-1);
    writer.put_collections();
  }
};

/// Returns the writers of a run of `count` workers.
std::vector<HandWriter> workers_of(const std::shared_ptr<tt::Store>& store, int count) {
  std::vector<HandWriter> out;
  for (int i = 0; i < count; ++i) out.emplace_back(store, std::nullopt, "worker_" + std::to_string(i));
  return out;
}

/// Returns all values of a run.
std::map<std::string, tt::Tensor> values_of(const tt::Trial& trial) {
  std::map<std::string, tt::Tensor> out;
  for (const auto& tensor : trial.tensors())
    for (const std::int64_t step : tensor.steps())
      for (const std::string& worker : tensor.workers(step)) {
        const std::string place = tensor.name() + "@" + std::to_string(step) + "/" + worker;
        if (auto value = tensor.value(step, worker)) out[place] = std::move(*value);
        for (auto& [name, value] : tensor.saved_reductions(step, worker)) out[place + ":" + name] = value;
      }
  return out;
}

}  // namespace

TEST_CASE("a followed run shows new steps, a snapshot does not", "[trial][follow]") {
  EmptyRun run;
  const tt::Trial live(run.store, run.time.following());
  const tt::Trial snapshot(run.store);
  const auto loss = [&] { return live.has_tensor("loss"); };
  CHECK_FALSE(loss());
  run.writer.put(0);
  REQUIRE(loss());
  const auto history = live.tensor("loss");
  CHECK(history.steps() == Steps{0});
  run.writer.put_events(1);
  CHECK(history.steps() == Steps{0});  // a step without its index does not exist
  run.writer.put_index(1);
  CHECK(history.steps() == Steps{0, 1});
  CHECK(history.value(1)->number(0) == 1);
  CHECK(live.steps(train) == Steps{0, 1});
  CHECK(live.modes() == std::vector<tt::Mode>{train});
  run.writer.close();
  CHECK(live.ended());

  CHECK(snapshot.steps().empty());
  CHECK_FALSE(snapshot.ended());
  const tt::Changes changes = snapshot.refresh();
  CHECK(changes.steps == Steps{0, 1});
  CHECK(changes.rewinds.empty());
  CHECK(changes.ended);
  CHECK(snapshot.steps() == Steps{0, 1});
  CHECK(snapshot.ended());
  CHECK(snapshot.refresh().empty());
}

TEST_CASE("queries refresh at most once per interval, and never in a pause", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.refresh_interval = 500ms;
  const tt::Trial trial(run.store, options);
  run.writer.put(0);
  run.time.pass(499ms);
  CHECK(trial.steps().empty());
  run.time.pass(1ms);
  CHECK(trial.steps() == Steps{0});
  run.writer.put(1);
  run.time.pass(1h);
  {
    const auto pause = trial.no_refresh();
    CHECK(trial.steps() == Steps{0});
    {
      const auto again = trial.no_refresh();
      CHECK(trial.tensor("loss").steps() == Steps{0});
    }
    CHECK(trial.steps() == Steps{0});
    CHECK(trial.refresh().steps == Steps{1});  // an explicit refresh reads
    CHECK(trial.steps() == Steps{0, 1});
    run.writer.put(2);
    run.time.pass(1h);
    CHECK(trial.steps() == Steps{0, 1});
  }
  CHECK(trial.steps() == up_to(2));
}

TEST_CASE("a pause may outlive its trial", "[trial][follow]") {
  EmptyRun run;
  auto trial = std::make_optional<tt::Trial>(run.store, run.time.following());
  const auto pause = trial->no_refresh();
  trial.reset();
  CHECK(tt::Trial(run.store).steps().empty());
}

TEST_CASE("a history of a followed run outlives its trial and still refreshes", "[trial][follow]") {
  EmptyRun run;
  run.writer.put(0);
  const auto history = [&] { return tt::Trial(run.store, run.time.following()).tensor("loss"); }();
  run.writer.put(1);
  CHECK(history.steps() == Steps{0, 1});
  CHECK(history.value(1));
  CHECK(history.name() == "loss");
}

TEST_CASE("a trial can wait for its run to exist", "[trial][follow]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = time.following();
  CHECK_THROWS_WITH(tt::Trial(store, options), contains("no such run"));
  options.wait_for_run = 10s;
  options.poll_interval = 1s;
  const auto begin = time.now();
  CHECK_THROWS_WITH(tt::Trial(store, options), contains("no such run"));
  CHECK(time.now() - begin == 10s);
  int slept = 0;
  time.while_asleep = [&] {
    if (++slept == 4) HandWriter(store, 0).put_attempt(-1);
  };
  const tt::Trial trial(store, options);
  CHECK(slept == 4);
  CHECK(trial.steps().empty());
  CHECK(trial.rewinds().empty());
}

TEST_CASE("a stop ends the wait for a missing run", "[trial][follow]") {
  FakeTime time;
  auto options = time.following();
  options.wait_for_run = 24h;
  time.while_asleep = [&] { options.stop.request(tt::StopReason::user); };
  CHECK_THROWS_WITH(tt::Trial(std::make_shared<tt::MemoryStore>(), options), contains("no such run"));
}

TEST_CASE("waiting for steps ends when all are available", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.poll_interval = 1s;
  const tt::Trial trial(run.store, options);
  std::int64_t next = 0;
  run.time.while_asleep = [&] { run.writer.put(next++); };
  CHECK(trial.wait_for_steps({2, 4}, train, 1h) == tt::StepState::available);
  CHECK(next == 5);
  CHECK(trial.wait_for_steps({}, train, 0s) == tt::StepState::available);
}

TEST_CASE("waiting for steps ends when one of them is unavailable", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.poll_interval = 1s;
  const tt::Trial trial(run.store, options);
  std::int64_t next = 0;
  SECTION("because it was passed") {
    run.time.while_asleep = [&] { run.writer.put(next += 2); };
    CHECK(trial.wait_for_steps({2, 3, 100}, train, 1h) == tt::StepState::unavailable);
    CHECK(next == 4);
  }
  SECTION("because the run has ended") {
    run.time.while_asleep = [&] { run.writer.close(); };
    CHECK(trial.wait_for_steps({0}, tt::Mode::global, 1h) == tt::StepState::unavailable);
  }
}

TEST_CASE("a timeout or a stop ends a wait", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.poll_interval = 3s;
  const tt::Trial trial(run.store, options);
  const auto begin = run.time.now();
  CHECK(trial.wait_for_steps({0}, train, 10s) == tt::StepState::not_yet_available);
  CHECK(run.time.now() - begin == 10s);
  CHECK_FALSE(trial.wait_for_end(5s));
  CHECK(run.time.now() - begin == 15s);
  int slept = 0;
  run.time.while_asleep = [&] {
    if (++slept == 2) options.stop.request(tt::StopReason::user);
  };
  CHECK_FALSE(trial.wait_for_end(std::chrono::nanoseconds::max()));
  CHECK(slept == 2);
  CHECK(trial.wait_for_steps({0}, train, std::chrono::nanoseconds::max()) == tt::StepState::not_yet_available);
}

TEST_CASE("an interruption is not the end of a run", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.poll_interval = 1s;
  const tt::Trial trial(run.store, options);
  int slept = 0;
  run.time.while_asleep = [&] {
    ++slept;
    if (slept < 3) run.writer.put(slept);
    if (slept == 500) HandWriter(run.store, 1).put_attempt(1);
    if (slept == 501) HandWriter(run.store, 1).put(2);
    if (slept == 502) HandWriter(run.store, 1).close();
  };
  CHECK(trial.wait_for_end(1h));
  CHECK(slept == 502);
  CHECK(trial.steps() == Steps{1, 2});
  CHECK(trial.rewinds().size() == 1);
}

TEST_CASE("a snapshot can wait, too", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.follow = false;
  const tt::Trial trial(run.store, options);
  run.time.while_asleep = [&] { run.writer.put(0); };
  CHECK(trial.wait_for_steps({0}, train, 1h) == tt::StepState::available);
}

TEST_CASE("steps are available, unavailable or not yet available", "[trial][follow]") {
  EmptyRun run;
  const tt::Trial trial(run.store, run.time.following());
  using S = tt::StepState;
  CHECK(trial.has_passed_step(0) == S::not_yet_available);
  run.writer.put({train, 10, 100}, {});
  run.writer.put({eval, 0, 101}, {});
  run.writer.put({train, 20, 110}, {});
  CHECK(trial.has_passed_step(100) == S::available);
  CHECK(trial.has_passed_step(0) == S::unavailable);
  CHECK(trial.has_passed_step(105) == S::unavailable);
  CHECK(trial.has_passed_step(111) == S::not_yet_available);
  CHECK(trial.has_passed_step(10, train) == S::available);
  CHECK(trial.has_passed_step(9, train) == S::unavailable);
  CHECK(trial.has_passed_step(15, train) == S::unavailable);
  CHECK(trial.has_passed_step(21, train) == S::not_yet_available);
  CHECK(trial.has_passed_step(0, eval) == S::available);
  CHECK(trial.has_passed_step(1, eval) == S::not_yet_available);
  CHECK(trial.has_passed_step(0, tt::Mode::predict) == S::not_yet_available);
  run.writer.close();
  CHECK(trial.has_passed_step(110) == S::available);
  CHECK(trial.has_passed_step(111) == S::unavailable);
  CHECK(trial.has_passed_step(21, train) == S::unavailable);
  CHECK(trial.has_passed_step(0, tt::Mode::predict) == S::unavailable);
}

TEST_CASE("a step that some workers have not written is not yet available", "[trial][follow]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto workers = workers_of(store, 2);
  for (const auto& worker : workers) worker.put_collections(2);
  const tt::Trial trial(store, time.following());
  using S = tt::StepState;
  const auto put = [&](std::size_t worker, std::int64_t step) { workers[worker].put({train, step / 10, step}, {}); };
  put(0, 10);
  put(0, 20);
  CHECK(trial.has_passed_step(10) == S::not_yet_available);
  CHECK(trial.has_passed_step(1, train) == S::not_yet_available);
  CHECK(trial.has_passed_step(15) ==
        S::not_yet_available);  // step 20 may be incomplete because step 15 is being written
  CHECK(trial.has_passed_step(25) == S::not_yet_available);
  CHECK(trial.steps().empty());
  CHECK(trial.steps(tt::Mode::global, any) == Steps{10, 20});
  put(1, 20);
  CHECK(trial.has_passed_step(10) == S::available);  // an earlier hole does not matter
  CHECK(trial.has_passed_step(15) == S::unavailable);
  CHECK(trial.steps() == Steps{10, 20});
  put(0, 30);
  CHECK(trial.has_passed_step(3, train) == S::not_yet_available);
  for (const auto& worker : workers) worker.close();
  time.pass(1h);
  CHECK_FALSE(trial.ended());  // the missing worker has a second
  CHECK(trial.has_passed_step(3, train) == S::not_yet_available);
  time.pass(1s);
  CHECK(trial.ended());
  CHECK(trial.has_passed_step(3, train) == S::available);  // smdebug raises KeyError here
  CHECK(trial.steps() == Steps{10, 20, 30});
}

TEST_CASE("a run without missing steps ends at once", "[trial][follow]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto workers = workers_of(store, 2);
  for (const auto& worker : workers) worker.put_collections(2);
  const tt::Trial trial(store, time.following());
  for (const auto& worker : workers) worker.put(0);
  workers[0].put(1);
  workers[0].close();
  CHECK_FALSE(trial.ended());
  workers[1].put(1);
  CHECK(trial.ended());
  CHECK(trial.steps() == Steps{0, 1});
}

TEST_CASE("a run does not wait forever for a worker that stops writing", "[trial][follow]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto workers = workers_of(store, 2);
  for (const auto& worker : workers) worker.put_collections(2);
  for (const auto& worker : workers) worker.put(0);
  const tt::Trial live(store, time.following());
  for (std::int64_t step = 1; step <= 1000; ++step) workers[0].put({train, step, step}, {});
  CHECK(live.steps() == Steps{0});
  CHECK(tt::Trial(store).steps() == Steps{0});
  workers[0].put({train, 1001, 1001}, {});
  CHECK(live.steps() == up_to(500));
  CHECK(tt::Trial(store).steps() == up_to(500));
  for (std::int64_t step = 1002; step <= 2600; ++step) workers[0].put({train, step, step}, {});
  CHECK(live.steps() == up_to(2000));
  CHECK(tt::Trial(store).steps() == up_to(2000));
  workers[1].put({train, 1700, 1700}, {});  // late: the reader finds it at the end
  workers[1].put({train, 2500, 2500}, {});
  CHECK(live.steps() == up_to(2500));
  workers[0].close();
  CHECK_FALSE(live.ended());
  time.pass(1s);
  CHECK(live.ended());
  CHECK(live.steps() == up_to(2600));
}

TEST_CASE("no step is complete before the number of workers is known", "[trial][follow]") {
  FakeTime time;
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto workers = workers_of(store, 2);
  workers[0].put(0);
  const tt::Trial trial(store, time.following());
  CHECK(trial.steps().empty());
  CHECK(trial.steps(tt::Mode::global, any) == Steps{0});
  CHECK(tt::Trial(store).steps() == Steps{0});  // a snapshot assumes one worker
  workers[0].put_collections(2);
  CHECK(trial.num_workers() == 2);
  CHECK(trial.steps().empty());
  workers[1].put(0);
  CHECK(trial.steps() == Steps{0});
}

TEST_CASE("collections are read again when they change", "[trial][follow]") {
  EmptyRun run;
  const tt::Trial trial(run.store, run.time.following());
  run.writer.put(0);
  CHECK(trial.collections().empty());
  CHECK_THROWS_AS(trial.tensors({.collection = "losses"}), tt::Error);
  run.writer.put_collections(1, {{.name = "losses", .tensor_names = {"loss"}}});
  CHECK(trial.tensors({.collection = "losses"}).size() == 1);
  run.writer.put_collections(1, {{.name = "losses", .include_regex = "t", .tensor_names = {"loss"}}});
  CHECK(trial.tensors({.collection = "losses"}).size() == 2);
  run.store->put(tt::layout::collections_key("worker_0"), "{");
  CHECK(trial.tensors({.collection = "losses"}).size() == 2);  // the last sound file still counts
  CHECK(trial.damage().size() == 1);
  run.writer.put_collections(1, {{.name = "losses", .tensor_names = {"loss"}}});
  CHECK(trial.tensors({.collection = "losses"}).size() == 1);
  CHECK(trial.damage().empty());
}

TEST_CASE("a followed run tries damaged objects again", "[trial][follow]") {
  EmptyRun run;
  const auto store = std::make_shared<CountingStore>(run.store);
  const tt::Trial trial(store, run.time.following());
  run.writer.put(0);
  SECTION("an index file") {
    run.store->put(run.writer.index_key(1), "{\"meta\": ");
    run.writer.put(2);
    CHECK(trial.steps() == Steps{0, 2});
    CHECK(trial.damage().size() == 1);
    CHECK(trial.steps() == Steps{0, 2});
    CHECK(trial.damage().size() == 1);
    run.writer.put(1);
    CHECK(trial.steps() == up_to(2));
    CHECK(trial.damage().empty());
    CHECK(trial.tensor("loss").value(1)->number(0) == 1);
  }
  SECTION("an events file") {
    run.writer.put_index(1);
    CHECK_FALSE(trial.tensor("loss").value(1));
    CHECK(trial.damage().size() == 1);
    run.writer.put_events(1);
    CHECK(trial.tensor("loss").value(1));
    CHECK(trial.damage().empty());
  }
  SECTION("anything at all") {
    for (const std::string prefix : {"index/", "attempts/", "collections/", "training_job_end.ts"}) {
      CAPTURE(prefix);
      const auto before = trial.steps();
      const auto next = static_cast<std::int64_t>(before.size());
      store->broken = prefix;
      run.writer.put(next);
      CHECK(trial.steps().size() <= before.size() + 1);
      CHECK(trial.damage().size() == 1);
      CHECK_THAT(trial.damage()[0].cause, contains("the disk is on fire"));
      store->broken.clear();
      CHECK(trial.steps() == up_to(next));
      CHECK(trial.damage().empty());
    }
  }
}

TEST_CASE("damaged index files are read again without delaying the others", "[trial][follow]") {
  EmptyRun run;
  const auto store = std::make_shared<CountingStore>(run.store);
  for (std::int64_t step = 0; step < 500; ++step) run.store->put(run.writer.index_key(step), "damaged");
  const tt::Trial trial(store, run.time.following());
  CHECK(trial.damage().size() == 500);
  run.writer.put(500);
  store->forget();
  CHECK(trial.steps() == Steps{500});
  CHECK(store->gets < 100);
  run.writer.put(17);
  run.writer.put(333);
  for (int i = 0; i < 20; ++i) trial.refresh();
  CHECK(trial.steps() == Steps{17, 333, 500});
  CHECK(trial.damage().size() == 498);
}

TEST_CASE("the cost of a refresh does not grow with the run", "[trial][follow]") {
  EmptyRun run;
  const auto store = std::make_shared<CountingStore>(run.store);
  constexpr std::int64_t count = 5000;
  for (std::int64_t step = 0; step < count; ++step) run.writer.put({train, step, step}, {});
  const tt::Trial trial(store, run.time.following());
  CHECK(trial.steps().size() == count);
  store->forget();
  CHECK(trial.refresh().empty());
  CHECK(store->gets <= 1);  // of the end marker
  CHECK(store->lists <= 3);
  CHECK(store->listed <= 2);  // the attempt, the collections
  for (std::int64_t step = count; step < count + 100; ++step) {
    run.writer.put({train, step, step}, {});
    store->forget();
    CHECK(trial.refresh().steps == Steps{step});
    CHECK(store->gets <= 2);
    CHECK(store->lists <= 4);
    CHECK(store->listed <= 4);
  }
  CHECK(trial.steps().size() == count + 100);
}

TEST_CASE("the cost of a refresh does not grow with the run of several workers", "[trial][follow]") {
  FakeTime time;
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<CountingStore>(memory);
  const auto workers = workers_of(memory, 4);
  for (const auto& worker : workers) worker.put_collections(4);
  for (std::int64_t step = 0; step < 1000; ++step)
    for (const auto& worker : workers) worker.put({train, step, step}, {});
  for (std::int64_t step = 1000; step < 1010; ++step) workers[2].put({train, step, step}, {});
  const tt::Trial trial(store, time.following());
  store->forget();
  CHECK(trial.refresh().empty());
  CHECK(store->gets <= 1);
  CHECK(store->listed <= 4 + 10);
}

TEST_CASE("only the range of steps is read", "[trial][follow]") {
  EmptyRun run;
  const auto store = std::make_shared<CountingStore>(run.store);
  for (std::int64_t step = 0; step < 30; ++step) run.writer.put(step);
  run.store->put(run.writer.index_key(5), "damaged");
  run.store->put(run.writer.index_key(25), "damaged");
  auto options = run.time.following();
  options.range_steps = {10, 20};
  store->forget();
  const tt::Trial trial(store, options);
  Steps expected;
  for (std::int64_t step = 10; step < 20; ++step) expected.push_back(step);
  CHECK(trial.steps() == expected);
  CHECK(trial.tensor("loss").steps() == expected);
  CHECK(trial.damage().empty());
  CHECK(trial.has_passed_step(9) == tt::StepState::unavailable);
  CHECK(trial.has_passed_step(10) == tt::StepState::available);
  CHECK(trial.has_passed_step(20) == tt::StepState::unavailable);
  CHECK(trial.finished());
  CHECK_FALSE(trial.ended());
  store->forget();
  CHECK(trial.refresh().empty());
  CHECK(store->listed <= 2);  // once all workers have passed the range, the index is not listed

  options.range_steps = {20, {}};
  const tt::Trial rest(store, options);
  CHECK(rest.steps().size() == 9);  // one of them is damaged
  CHECK_FALSE(rest.finished());
  run.writer.put(30);
  CHECK(rest.steps().size() == 10);
}

TEST_CASE("a range of steps finishes, and is rewound", "[trial][follow]") {
  EmptyRun run;
  auto options = run.time.following();
  options.range_steps = {2, 5};
  const tt::Trial trial(run.store, options);
  for (const std::int64_t step : {0, 1, 2, 4}) run.writer.put(step);
  CHECK(trial.steps() == Steps{2, 4});
  CHECK(trial.finished());  // its last step exists
  HandWriter second(run.store, 1);
  second.put_attempt(2);
  CHECK(trial.steps() == Steps{2});
  CHECK_FALSE(trial.finished());
  run.writer.put(7);  // a late write of the first attempt, which says nothing about the second
  CHECK_FALSE(trial.finished());
  CHECK(trial.has_passed_step(3) == tt::StepState::not_yet_available);
  second.put(3);
  CHECK(trial.steps() == Steps{2, 3});
  second.put(4);
  CHECK(trial.steps() == Steps{2, 3, 4});
  CHECK(trial.finished());
}

TEST_CASE("steps of more than twelve digits are followed", "[trial][follow]") {
  EmptyRun run;
  const tt::Trial trial(run.store, run.time.following());
  Steps expected;
  for (const std::int64_t step : {99'999'999'999, 100'000'000'000, 999'999'999'999, 1'000'000'000'000,
                                  1'000'000'000'001, 10'000'000'000'000, INT64_MAX}) {
    run.writer.put({train, step, step}, {});
    expected.push_back(step);
    CHECK(trial.steps() == expected);
  }
}

TEST_CASE("global steps with the same mode step may appear in any order", "[trial][follow]") {
  std::vector<tt::Step> steps = {{train, 3, 5}, {train, 3, 7}, {train, 3, 9}, {train, 4, 11}};
  do {
    FakeTime time;
    const auto store = std::make_shared<tt::MemoryStore>();
    const HandWriter writer(store);
    writer.put_collections(2);  // so that no step is complete and earlier ones may follow
    const tt::Trial trial(store, time.following());
    for (const tt::Step& step : steps) {
      tt::Tensor value(tt::DType::i64, {1});
      value.as<std::int64_t>()[0] = step.global_step;
      writer.put(step, {{"x", value}});
      CHECK_FALSE(trial.steps(tt::Mode::global, any).empty());
    }
    CHECK(trial.steps(tt::Mode::global, any) == Steps{5, 7, 9, 11});
    CHECK(trial.steps(train, any) == Steps{3, 4});
    CHECK(trial.global_step(train, 3) == 5);
    CHECK(trial.tensor("x").steps() == Steps{5, 11});
    CHECK(trial.tensor("x", train).steps() == Steps{3, 4});
    CHECK(trial.tensor("x", train).value(3)->number(0) == 9);
    CHECK(trial.tensor("x").value(5)->number(0) == 9);
    CHECK_FALSE(trial.tensor("x").value(9));
    CHECK(trial.repeated_steps() == std::vector<tt::RepeatedStep>{{train, 3, {5, 7, 9}}});
    CHECK(trial.view(9)->value("x")->number(0) == 9);  // a view shows each global step by itself
    CHECK(trial.view(5)->value("x")->number(0) == 5);
  } while (std::next_permutation(steps.begin(), steps.end(),
                                 [](const auto& a, const auto& b) { return a.global_step < b.global_step; }));
}

TEST_CASE("a golden run that is fed object by object reads like the whole run", "[trial][follow]") {
  for (const std::string& name : golden::runs()) {
    CAPTURE(name);
    const auto files = golden::files_of(name);
    const tt::Trial whole(golden::store_of(files));
    FakeTime time;
    const auto store = std::make_shared<tt::MemoryStore>();
    std::optional<tt::Trial> live;
    std::vector<std::string> index;  // the keys in the order of steps
    for (const auto& [key, content] : files)
      if (key.starts_with(tt::layout::index_prefix))
        index.push_back(key);
      else if (key != tt::layout::end_marker)
        store->put(key, content);
    for (const std::string& key : index) {
      store->put(key, files.at(key));
      if (!live) live.emplace(store, time.following());
      live->refresh();
    }
    if (whole.ended()) store->put(tt::layout::end_marker, "");
    live->refresh();
    time.pass(1s);
    CHECK(live->ended() == whole.ended());
    CHECK(live->workers() == whole.workers());
    CHECK(live->collections() == whole.collections());
    for (const tt::Mode mode : tt::all_modes) {
      CHECK(live->steps(mode) == whole.steps(mode));
      CHECK(live->steps(mode, any) == whole.steps(mode, any));
    }
    CHECK(values_of(*live) == values_of(whole));
    CHECK(live->damage().size() == whole.damage().size());
    CHECK_FALSE(live->tensors().empty());
  }
}

TEST_CASE("a followed directory shows new steps", "[trial][follow]") {
  const TemporaryDirectory directory;
  FakeTime time;
  auto options = time.following();
  options.wait_for_run = 1h;
  const auto store = std::make_shared<tt::FileStore>((directory / "run").string());
  const HandWriter writer(store, 0);
  time.while_asleep = [&] { writer.put_collections(); };
  const tt::Trial trial((directory / "run").string(), options);
  for (std::int64_t step = 990; step < 1010; ++step) {  // across the end of an index folder
    writer.put(step);
    CHECK(trial.steps().back() == step);
    CHECK(trial.steps().size() == static_cast<std::size_t>(step - 989));
  }
  writer.close();
  CHECK(trial.wait_for_end(0s));
}

TEST_CASE("a view shows one step as rules see it", "[trial][follow]") {
  const tt::Trial trial((golden::directory() / "basic").string());
  CHECK_FALSE(trial.view(1));
  const auto view = trial.view(3);
  REQUIRE(view);
  CHECK(view->step() == *trial.step(3));
  CHECK(view->tensors().size() == 7);
  CHECK(view->tensors("gradients").size() == 4);
  CHECK(view->tensors("nothing").empty());
  const auto name = view->tensors("gradients")[0];
  CHECK(view->value(name) == trial.tensor(name).value(3));
  CHECK(view->reduction(name, tt::Reduction::abs_mean) == trial.tensor(name).reduction(3, tt::Reduction::abs_mean));
  CHECK(view->statistics(name)->count == view->value(name)->size());
  CHECK_FALSE(view->value("nothing"));
  CHECK_FALSE(view->reduction("nothing", tt::Reduction::min));
  CHECK_FALSE(view->statistics("nothing"));
  CHECK(trial.damage().empty());
}

TEST_CASE("a copy of a view shows the same step", "[trial][follow]") {
  EmptyRun run;
  run.writer.put(0);
  const auto view = tt::Trial(run.store).view(0);
  REQUIRE(view);
  const tt::StoredStep copy = *view;
  CHECK(copy.step() == view->step());
  CHECK(copy.tensors() == view->tensors());
  CHECK(copy.value("loss")->number(0) == 0);
}

TEST_CASE("an empty clock and sleep are replaced by those of the system", "[trial][follow]") {
  EmptyRun run;
  const tt::Trial trial(run.store);
  REQUIRE(trial.options().clock);
  REQUIRE(trial.options().sleep);
  const auto before = tt::TrialOptions::Clock::now();
  trial.options().sleep(1ms);
  CHECK(trial.options().clock() - before >= 1ms);
}

TEST_CASE("reductions are computed from saved statistics if the elements are missing", "[trial][follow]") {
  EmptyRun run;
  const std::vector<double> elements = {-3, 1, 0.5, 8};
  const auto record = tt::statistics(elements).to_record();
  tt::Tensor statistics(tt::DType::f64, {static_cast<std::int64_t>(record.size())});
  std::copy(record.begin(), record.end(), statistics.as<double>().begin());
  run.writer.put({train, 0, 0}, {{tt::layout::reduction_record(tt::Reduction::statistics, "x"), statistics}});
  const auto x = tt::Trial(run.store).tensor("x");
  for (const tt::Reduction r :
       {tt::Reduction::min, tt::Reduction::abs_mean, tt::Reduction::l2, tt::Reduction::variance})
    CHECK(x.reduction(0, r) == tt::reduce(tt::as_view(elements), r));
  CHECK_FALSE(x.reduction(0, tt::Reduction::prod));  // statistics have no product
  CHECK_FALSE(x.reduction(0, tt::Reduction::abs_prod));
  CHECK_FALSE(x.reduction(0, tt::Reduction::statistics));
  CHECK(x.statistics(0)->max == 8);
}
