// Several steps in one events object, and several events objects at once.
#include <tensortap/capture/hook.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/trial/trial.hpp>

#include "catch.hpp"
#include "store/remote_store.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

/// Saves `count` steps.
void save_steps(tt::Hook& hook, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    hook.begin_step();
    hook.save("loss", static_cast<double>(hook.step()));
    hook.save("weight", std::vector<float>(200, static_cast<float>(hook.step())));
  }
}

tt::HookOptions together(std::int64_t steps) {
  tt::HookOptions options;
  options.save = tt::every(1);
  options.events_per_file = steps;
  options.sleep = [](std::chrono::nanoseconds) {};
  options.wall_time = [] { return 0.0; };
  return options;
}

/// Returns the steps that share each events file, by the index.
std::map<std::string, Steps> files_of(const tt::Store& store) {
  std::map<std::string, Steps> out;
  for (const auto& object : store.list(tt::layout::index_prefix)) {
    const auto bytes = store.get(object.key);
    const auto index = tt::parse_index(tt::text_of(*bytes), object.key);
    out[index.event_file].push_back(tt::layout::parse_index_key(object.key)->global_step);
  }
  return out;
}

std::string file(std::int64_t step) { return tt::layout::event_key(step, "worker_0"); }

/// Checks that the run has exactly `steps`.
void check_steps(const std::shared_ptr<const tt::Store>& store, const Steps& steps) {
  const tt::Trial trial(store);
  CHECK(trial.steps() == steps);
  for (const std::int64_t step : steps) {
    CHECK(trial.tensor("loss").value(step)->number(0) == static_cast<double>(step));
    CHECK(trial.tensor("weight").value(step)->number(199) == static_cast<double>(step));
  }
  CHECK(trial.damage().empty());
}

}  // namespace

TEST_CASE("several steps share an events file, and each has an index of its own", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 1);
  tt::Hook hook(store, together(4));
  (void)store->calls();
  save_steps(hook, 10);
  hook.close();
  const auto calls = store->calls();
  CHECK(calls.puts == 3 + 10 + 2);  // the collections and the end marker
  CHECK(files_of(*memory) ==
        std::map<std::string, Steps>{{file(0), {0, 1, 2, 3}}, {file(4), {4, 5, 6, 7}}, {file(8), {8, 9}}});
  CHECK(memory->list(tt::layout::events_prefix).size() == 3);
  check_steps(memory, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  const auto status = hook.status();
  CHECK(status.steps_saved == 10);
  CHECK(status.records_saved == 20);
  CHECK(status.steps_lost == 0);
  std::uint64_t bytes = 0;
  for (const auto& object : memory->list(tt::layout::events_prefix)) bytes += object.size;
  CHECK(status.bytes_saved == bytes);
}

TEST_CASE("steps with only shapes share no events file", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  auto options = together(3);
  options.collections = {{.name = "shapes", .include_regex = "^x$", .save_raw_tensor = false, .save_shape = true},
                         {.name = "late", .include_regex = "^y$", .save = tt::every(1) & tt::from(2)}};
  {
    tt::Hook hook(memory, options);
    for (int i = 0; i < 6; ++i) {
      hook.begin_step();
      if (i < 5) hook.save("x", 1.0);
      hook.save("y", static_cast<double>(i));
    }
    hook.close();
  }
  CHECK(files_of(*memory) == std::map<std::string, Steps>{{"", {0, 1}}, {file(2), {2}}, {file(3), {3, 4, 5}}});
  const tt::Trial trial(memory);
  CHECK(trial.tensor("y").value(5)->number(0) == 5);
  CHECK(trial.tensor("x").steps() == Steps{0, 1, 2, 3, 4});
  CHECK(trial.damage().empty());
}

TEST_CASE("steps that share a file become visible when it is full, or at a flush", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(memory, together(4));
  save_steps(hook, 3);
  CHECK(hook.status().steps_queued == 2);  // the third has not ended
  CHECK(memory->list(tt::layout::index_prefix).empty());
  hook.flush();
  check_steps(memory, {0, 1, 2});
  save_steps(hook, 1);
  hook.flush();
  CHECK(files_of(*memory) == std::map<std::string, Steps>{{file(0), {0, 1, 2}}, {file(3), {3}}});
}

TEST_CASE("no events file spans a commit, so a rewind moves whole files", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  auto options = together(4);
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  options.checkpoints = checkpoints;
  for (const std::int64_t committed : {1, 3, 4, 5, 9}) {  // steps until the commit; five more follow
    const std::int64_t before = [&] {
      tt::Hook hook(memory, options);
      const std::int64_t begin = hook.next_step();
      save_steps(hook, committed);
      hook.commit();
      save_steps(hook, 5);
      return begin;
    }();
    const std::int64_t last = before + committed - 1;
    for (const auto& [key, steps] : files_of(*memory)) {
      CAPTURE(key, last);
      CHECK(steps.size() <= 4);
      CHECK(key == file(steps.front()));
      CHECK((steps.front() > last) == (steps.back() > last));
    }
    Steps all;
    for (std::int64_t step = 0; step <= last; ++step) all.push_back(step);
    tt::Hook hook(memory, options);  // sets aside the five
    CHECK(hook.resumed()->global_step == last);
    check_steps(memory, all);
    for (const auto& object : memory->list(tt::layout::events_prefix))
      CHECK(tt::layout::parse_event_key(object.key)->global_step <= last);
    const std::string aside = tt::layout::superseded_key(hook.resumed()->attempt, "");
    CHECK(memory->list(aside + "index/").size() == 5);
    CHECK(memory->list(aside + "events/").size() == 2);
  }
}

TEST_CASE("steps that share a file are set aside together after an interrupted rewind", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  auto options = together(4);
  options.checkpoints = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(memory, options);
    save_steps(hook, 1);
    hook.commit();
    save_steps(hook, 5);
  }
  const auto store = std::make_shared<RemoteStore>(memory, 1);
  int moves = 0;
  store->before_move = [&](std::string_view key) {
    if (++moves > 2) throw tt::Error::io("store: cannot move", key, "the disk is on fire");
  };
  CHECK_THROWS_WITH(tt::Hook(store, options), contains("the disk is on fire"));
  const auto aside = [&](std::int64_t run) { return memory->list(tt::layout::superseded_key(run, "")); };
  CHECK(aside(1).size() == 2);  // the indexes of steps 5, and 4, which shares a file with 1
  const tt::Hook hook(memory, options);
  check_steps(memory, {0});
  CHECK(aside(1).size() == 2);
  CHECK(aside(2).size() == 5);
  for (const std::int64_t run : {1, 2})
    for (const auto& object : memory->list(tt::layout::superseded_key(run, tt::layout::index_prefix))) {
      const auto bytes = memory->get(object.key);
      const std::string events = tt::parse_index(tt::text_of(*bytes), object.key).event_file;
      CAPTURE(object.key);
      CHECK(memory->size(tt::layout::superseded_key(run, events)));
    }
}

TEST_CASE("a shared file that cannot be written loses each step in it, and no other", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, GENERATE(1u, 32u));
  auto options = together(4);
  options.retry.for_at_most = 50ms;
  int errors = 0;
  options.on_error = [&](std::string_view) { ++errors; };
  store->before_put = [](std::string_view key) {
    if (key == file(4)) throw tt::Error::io("store: cannot write", key, "the disk is on fire");
  };
  tt::Hook hook(store, options);
  save_steps(hook, 12);
  CHECK_THROWS_WITH(hook.close(), contains("the disk is on fire"));
  check_steps(memory, {0, 1, 2, 3, 8, 9, 10, 11});
  const auto status = hook.status();
  CHECK(status.steps_saved == 8);
  CHECK(status.steps_lost == 4);
  CHECK(status.tensors_lost == 8);
  REQUIRE(status.losses.size() == 1);
  CHECK(status.losses[0].first_step == 4);
  CHECK(status.losses[0].last_step == 7);
  CHECK(status.losses[0].reason == tt::LossReason::write_failed);
  CHECK(status.retries > 0);
  CHECK(errors == 1);
}

TEST_CASE("an index that cannot be written loses only its step, and failing writes are repeated",
          "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, GENERATE(1u, 32u));
  auto options = together(4);
  options.retry.for_at_most = 50ms;
  std::mutex mutex;
  std::map<std::string, int> tried;
  store->before_put = [&](std::string_view key) {
    const std::lock_guard lock(mutex);
    const int times = ++tried[std::string(key)];
    if (key == tt::layout::index_key(2, "worker_0") || (key == file(0) && times == 1))
      throw tt::Error::io("store: cannot write", key, "the disk is on fire");
  };
  tt::Hook hook(store, options);
  save_steps(hook, 8);
  CHECK_THROWS_WITH(hook.close(), contains("the disk is on fire"));
  check_steps(memory, {0, 1, 3, 4, 5, 6, 7});
  CHECK(hook.status().steps_lost == 1);
  CHECK(tried[file(0)] == 2);
  CHECK(tried[file(4)] == 1);
}

TEST_CASE("a shared file ends at its size limit", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(memory, together(100));
  const std::vector<float> large(std::size_t{3} << 18);  // 3 MiB
  for (int i = 0; i < 12; ++i) {
    hook.begin_step();
    hook.save("x", large);
  }
  hook.close();
  for (const auto& [key, steps] : files_of(*memory)) CHECK(steps.size() <= 3);
  CHECK(tt::Trial(memory).steps().size() == 12);
}

TEST_CASE("events of waiting steps are put at the same time, their indexes afterwards and in order",
          "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 16, 5ms);
  std::mutex mutex;
  std::condition_variable changed;
  bool may_go_on = false;
  Steps indexes;
  int early = 0;
  store->before_put = [&](std::string_view key) {
    std::unique_lock lock(mutex);
    if (key == file(0)) (void)changed.wait_for(lock, 20s, [&] { return may_go_on; });
    const auto name = tt::layout::parse_index_key(key);
    if (!name) return;
    indexes.push_back(name->global_step);
    if (!memory->size(file(name->global_step))) ++early;
  };
  tt::Hook hook(store, together(1));
  (void)store->most_at_once();
  save_steps(hook, 50);
  {
    const std::lock_guard lock(mutex);
    may_go_on = true;
    changed.notify_all();
  }
  hook.close();
  Steps all;
  for (std::int64_t step = 0; step < 50; ++step) all.push_back(step);
  CHECK(indexes == all);
  CHECK(early == 0);
  CHECK(store->most_at_once() > 2);
  check_steps(memory, all);
}

TEST_CASE("a step is visible while the events of later steps are being put", "[capture][events_per_file]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 4);
  std::mutex mutex;
  std::condition_variable changed;
  bool is_queued = false, is_seen = false;
  store->before_put = [&](std::string_view key) {
    std::unique_lock lock(mutex);
    if (key == file(0)) (void)changed.wait_for(lock, 20s, [&] { return is_queued; });
    if (key == tt::layout::index_key(1, "worker_0")) is_seen = true;
    if (key == file(3) && is_queued) (void)changed.wait_for(lock, 20s, [&] { return is_seen; });
    changed.notify_all();
  };
  tt::Hook hook(store, together(1));
  save_steps(hook, 8);
  {
    const std::lock_guard lock(mutex);
    is_queued = true;
    changed.notify_all();
  }
  const auto begin = std::chrono::steady_clock::now();
  hook.close();
  CHECK(std::chrono::steady_clock::now() - begin < 15s);
  CHECK(is_seen);
  check_steps(memory, {0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("a store that throws a foreign exception at a replacement loses only that step",
          "[capture][events_per_file]") {
  class Stubborn final : public RemoteStore {
   public:
    using RemoteStore::put;
    using RemoteStore::RemoteStore;
    bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
      if (key == file(1) && if_exists == tt::IfExists::replace) throw std::runtime_error("I keep what I have");
      return RemoteStore::put(key, pieces, sync, if_exists);
    }
  };
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<Stubborn>(memory, GENERATE(1u, 8u));
  tt::Hook hook(store, together(1));
  memory->put(file(1), "left by another writer");
  save_steps(hook, 3);
  CHECK_THROWS_WITH(hook.close(), contains("I keep what I have"));
  check_steps(memory, {0, 2});
  CHECK(hook.status().steps_lost == 1);
}

TEST_CASE("a file holds at least one step", "[capture][events_per_file]") {
  CHECK_THROWS_WITH(tt::Hook(std::make_shared<tt::MemoryStore>(), together(0)), contains("events_per_file"));
}
