// Packed runs: many steps in one object.
#include <tensortap/tensortap.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "capture/training.hpp"
#include "catch.hpp"
#include "store/failing_changes.hpp"
#include "store/remote_store.hpp"
#include "trial/hand_writer.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;
using R = tt::Reduction;

namespace {

tt::HookOptions packing(bool pack = true) {
  tt::HookOptions options;
  options.collections = {{.name = "all"}};
  options.save = tt::every(1);
  options.run_id = "the run";
  options.pack = pack;
  options.pack_time = 1h;
  options.sleep = [](std::chrono::nanoseconds) {};
  options.wall_time = [] { return 7.0; };
  return options;
}

std::map<std::string, std::string> content(const tt::Store& store) {
  std::map<std::string, std::string> out;
  for (const auto& object : store.list("")) out[object.key] = tt::text_of(store.get(object.key).value());
  return out;
}

/// Trains with several modes, shapes, reductions and raw elements, is interrupted after a commit, and continues.
void train_in_two_attempts(const std::shared_ptr<tt::Store>& run, tt::HookOptions options) {
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  options.checkpoints = checkpoints;
  options.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                         {.name = "weights", .save = tt::every(2), .reductions = {R::statistics, R::l2}},
                         {.name = "shapes", .include_regex = "^shape", .save = tt::every(3), .save_shape = true}};
  for (int attempt = 0; attempt < 2; ++attempt) {
    tt::Hook hook(run, options);
    for (int i = 0; i < 17; ++i) {
      hook.begin_step(i % 5 == 4 ? tt::Mode::eval : tt::Mode::train);
      hook.save("loss", static_cast<double>(hook.global_step()));
      hook.save("weight", std::vector<float>(300, static_cast<float>(hook.global_step())));
      hook.save("shape/x", std::vector<float>(12));
      if (i % 7 == 6) commit(hook, *checkpoints, "step" + std::to_string(hook.global_step()));
    }
    if (attempt == 1) hook.close();
  }
}

}  // namespace

TEST_CASE("a packed run holds the steps in one object for each commit, and reads like any other", "[capture][pack]") {
  const auto packed = std::make_shared<tt::MemoryStore>(), plain = std::make_shared<tt::MemoryStore>();
  train_in_two_attempts(packed, packing());
  train_in_two_attempts(plain, packing(false));
  CHECK(keys(*packed, "events/").empty());
  CHECK(keys(*packed, "index/") ==
        std::vector<std::string>{"index/packed/worker_0/000000000_000000000000-000000000006.pack",
                                 "index/packed/worker_0/000000000_000000000007-000000000013.pack",
                                 "index/packed/worker_0/000000001_000000000014-000000000020.pack",
                                 "index/packed/worker_0/000000001_000000000021-000000000027.pack",
                                 "index/packed/worker_0/000000001_000000000028-000000000030.pack"});
  const tt::Trial trial(packed), expected(plain);
  CHECK(trial.steps() == expected.steps());
  CHECK(trial.steps(tt::Mode::eval) == expected.steps(tt::Mode::eval));
  REQUIRE(trial.tensors().size() == expected.tensors().size());
  for (const auto& tensor : expected.tensors())
    for (const auto step : tensor.steps()) {
      CHECK(trial.tensor(tensor.name()).value(step) == tensor.value(step));
      CHECK(trial.tensor(tensor.name()).saved_reductions(step) == tensor.saved_reductions(step));
    }
  CHECK(trial.verify().records == expected.verify().records);
  CHECK(trial.damage().empty());
  CHECK(trial.ended());
  CHECK(tt::outline_of(*packed).steps == tt::outline_of(*plain).steps);
}

TEST_CASE("an unpacked run is the one that was never packed, byte for byte", "[capture][pack]") {
  for (const std::int64_t events_per_file : {1, 3}) {
    CAPTURE(events_per_file);
    tt::HookOptions options = packing(), same = packing(false);
    options.events_per_file = same.events_per_file = events_per_file;
    const auto packed = std::make_shared<tt::MemoryStore>(), plain = std::make_shared<tt::MemoryStore>(),
               copy = std::make_shared<tt::MemoryStore>();
    train_in_two_attempts(packed, options);
    train_in_two_attempts(plain, same);
    const auto before = content(*packed), expected = content(*plain);
    const tt::Unpacked copied = tt::unpack(packed, copy);
    CHECK(content(*packed) == before);
    CHECK(content(*copy) == expected);
    const tt::Unpacked done = tt::unpack(packed);
    CHECK(content(*packed) == expected);
    CHECK(done.segments == 6);  // one of them was superseded
    CHECK(done.steps == copied.steps + 3);
    CHECK(done.damage.empty());
    CHECK(tt::unpack(packed).segments == 0);
  }
}

namespace {

/// The calls of a store that a run costs.
struct Costs {
  std::size_t puts = 0, other_changes = 0, checks = 0;  // of writing
  std::size_t gets_to_open = 0, pages_to_open = 0;
  std::size_t gets_to_read = 0;  // the maximum of one tensor in each step
  std::uint64_t bytes = 0;
};

/// Trains with statistics of 50 tensors at each step, and reads one of them.
Costs costs_of(bool pack, std::int64_t steps, std::int64_t interval) {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RemoteStore>(memory, 1);
  {
    tt::HookOptions options = packing(pack);
    options.collections = {{.name = "all", .include_regex = ".*", .reductions = {R::statistics}}};
    options.checkpoints = std::make_shared<tt::MemoryStore>();
    tt::Hook hook(store, options);
    std::vector<std::string> names;
    for (int i = 0; i < 50; ++i) names.push_back("layer" + std::to_string(i) + ".weight.grad");
    std::vector<float> elements(64);
    for (std::int64_t i = 0; i < steps; ++i) {
      hook.begin_step();
      elements[0] = static_cast<float>(i);
      for (const auto& name : names) hook.save(name, elements);
      if (i % interval == interval - 1) commit(hook, *options.checkpoints, "step" + std::to_string(i));
    }
    hook.close();
    CHECK(hook.status().steps_saved == static_cast<std::uint64_t>(steps));
  }
  const RemoteStore::Calls writing = store->calls();
  Costs out{.puts = writing.puts, .other_changes = writing.moves + writing.removes, .checks = writing.sizes};
  for (const auto& object : memory->list("")) out.bytes += object.size;
  const tt::Trial trial(store);
  const RemoteStore::Calls opening = store->calls();
  out.gets_to_open = opening.gets;
  out.pages_to_open = opening.pages;
  const auto tensor = trial.tensor("layer7.weight.grad");
  REQUIRE(tensor.steps().size() == static_cast<std::size_t>(steps));
  for (const auto step : tensor.steps())
    if (tensor.reduction(step, R::max) != static_cast<double>(step)) FAIL("step " << step);
  out.gets_to_read = store->calls().gets;
  CHECK(trial.damage().empty());
  return out;
}

}  // namespace

TEST_CASE("one PUT for each commit, and few GETs", "[capture][pack]") {
  const Costs packed = costs_of(true, 600, 150), plain = costs_of(false, 600, 150);
  // Besides one for each commit: the attempt, the collections without and with names, and the end marker.
  CHECK(packed.puts == 4 + 4);
  CHECK(packed.other_changes == 0);
  CHECK(plain.puts == 2 * 600 + 4 + 4);
  CHECK(packed.bytes < plain.bytes + plain.bytes / 50);
  CHECK(plain.gets_to_open == 600 + 3);
  CHECK(packed.gets_to_open <= 4 * 3 + 3);
  CHECK(plain.gets_to_read == 600);
  CHECK(packed.gets_to_read <= 4 * 10);
}

// The figures of README.md.
TEST_CASE("the calls of 10'000 steps, packed and not", "[.pack_costs]") {
  const Costs packed = costs_of(true, 10'000, 500), plain = costs_of(false, 10'000, 500);
  for (const auto& [name, costs] : {std::pair("packed", packed), std::pair("plain", plain)})
    std::cout << name << ": PUT " << costs.puts << ", HEAD " << costs.checks << ", bytes " << costs.bytes
              << "; to open: GET " << costs.gets_to_open << ", LIST " << costs.pages_to_open
              << "; to read a tensor: GET " << costs.gets_to_read << std::endl;
  CHECK(plain.puts >= 100 * packed.puts);
}

TEST_CASE("a follower sees a packed step after pack_time at most", "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = packing();
  options.pack_time = 50ms;
  tt::Hook hook(store, options);
  const tt::Trial trial(store, {.follow = true, .refresh_interval = 1ms, .poll_interval = 5ms});
  for (int i = 0; i < 3; ++i) {
    train_steps(hook, 2);
    hook.begin_step();  // ends the step before
    const std::int64_t last = hook.global_step() - 1;
    CHECK(trial.wait_for_steps({last}, tt::Mode::train, 20s) == tt::StepState::available);
  }
  CHECK(trial.damage().empty());
}

TEST_CASE("a segment ends at pack_bytes", "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = packing();
  options.pack_bytes = 100'000;
  {
    tt::Hook hook(store, options);
    for (int i = 0; i < 50; ++i) {
      hook.begin_step();
      hook.save("x", std::vector<double>(1000));
      if (i % 10 == 9) std::this_thread::sleep_for(5ms);
    }
    hook.close();
  }
  CHECK(keys(*store, "index/").size() > 1);
  for (const auto& object : store->list("index/")) CHECK(object.size < 500'000);
  CHECK(tt::Trial(store).steps().size() == 50);
}

TEST_CASE("rules see a packed step once it is written", "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = packing();
  std::vector<std::int64_t> seen;
  options.on_step = [&](const tt::StepView& step) { seen.push_back(step.step().global_step); };
  tt::Hook hook(store, options);
  train_steps(hook, 5);
  CHECK(seen.empty());
  hook.flush();
  CHECK(seen == Steps{0, 1, 2, 3, 4});
  hook.close();
}

TEST_CASE("packed steps after the last commit are set aside as the option says", "[capture][pack]") {
  for (const auto on_resume : {tt::OnResume::archive, tt::OnResume::discard, tt::OnResume::keep})
    for (const bool packs_again : {true, false}) {
      CAPTURE(static_cast<int>(on_resume), packs_again);
      const auto store = std::make_shared<tt::MemoryStore>(), checkpoints = std::make_shared<tt::MemoryStore>();
      tt::HookOptions options = packing();
      options.checkpoints = checkpoints;
      options.on_resume = on_resume;
      {
        tt::Hook hook(store, options);
        train_steps(hook, 5);
        commit(hook, *checkpoints, "a");
        train_steps(hook, 6);
        hook.flush();
        train_steps(hook, 2);
      }
      CHECK(tt::Trial(store).steps().size() == 13);
      options.pack = packs_again;
      {
        tt::Hook hook(store, options);
        CHECK(hook.resumed()->attempt == 1);
        CHECK(tt::Trial(store).steps() == up_to(4));
        CHECK(keys(*store, "superseded/000000001/index/packed/").size() ==
              (on_resume == tt::OnResume::archive ? 2u : 0u));
        hook.begin_step();
        hook.save("x", 50);
        hook.flush();
        CHECK(tt::Trial(store).steps() == up_to(5));
        train_steps(hook, 3);
        hook.close();
      }
      const tt::Trial trial(store);
      CHECK(trial.steps() == up_to(8));
      CHECK(trial.tensor("x").value(5)->number(0) == 50);
      CHECK(trial.damage().empty());
      const auto unpacked = std::make_shared<tt::MemoryStore>();
      CHECK(tt::unpack(store, unpacked).damage.empty());
      CHECK(tt::Trial(unpacked).steps() == up_to(8));
      CHECK(tt::Trial(unpacked).tensor("x").value(5)->number(0) == 50);
      CHECK(tt::unpack(store).damage.empty());
      CHECK(tt::Trial(store).steps() == up_to(8));
      CHECK(tt::Trial(store).tensor("x").value(5)->number(0) == 50);
    }
}

TEST_CASE("a packed run without a commit begins again only if it may", "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = packing();
  options.checkpoints = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(store, options);
    train_steps(hook, 3);
  }
  CHECK_THROWS_WITH(tt::Hook(store, options), contains("3 steps"));
  options.start_over = true;
  tt::Hook hook(store, options);
  CHECK(tt::Trial(store).steps().empty());
  train_steps(hook, 1);
  hook.close();
  CHECK(tt::Trial(store).steps() == Steps{0});
  CHECK(tt::Trial(store).attempts().size() == 2);
}

TEST_CASE("a segment of a worker that was ahead of the commit is split", "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>(), checkpoints = std::make_shared<tt::MemoryStore>();
  const auto options_of = [&](int worker) {
    tt::HookOptions options = packing();
    options.worker = "worker_" + std::to_string(worker);
    options.num_workers = 2;
    options.checkpoints = checkpoints;
    return options;
  };
  {
    tt::Hook chief(store, options_of(0)), other(store, options_of(1));
    train_steps(chief, 4);
    train_steps(other, 7);
    other.flush();
    commit(chief, *checkpoints, "a");
  }
  {
    tt::Hook chief(store, options_of(0)), other(store, options_of(1));
    CHECK(other.next_step() == 4);
    CHECK(keys(*store, "index/packed/worker_1/") ==
          std::vector<std::string>{"index/packed/worker_1/000000000_000000000000-000000000003.pack"});
    CHECK(keys(*store, "superseded/000000001/index/packed/worker_1/") ==
          std::vector<std::string>{
              "superseded/000000001/index/packed/worker_1/000000000_000000000004-000000000006.pack"});
    train_steps(chief, 2);
    train_steps(other, 2);
    chief.close();
    other.close();
  }
  const tt::Trial trial(store);
  CHECK(trial.steps() == up_to(5));
  CHECK(trial.verify().records == 12);
  CHECK(trial.damage().empty());
  CHECK(trial.ended());
  const auto copy = std::make_shared<tt::MemoryStore>();
  CHECK(tt::unpack(store, copy).damage.empty());
  CHECK(tt::Trial(copy).verify().records == 12);
  CHECK(keys(*copy, "superseded/000000001/index/000000000/").size() == 3);
}

TEST_CASE("the segments of a worker that is gone are set aside after the commit", "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>(), checkpoints = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = packing();
  options.num_workers = 2;
  options.checkpoints = checkpoints;
  {
    tt::Hook chief(store, options);
    options.worker = "worker_1";
    tt::Hook other(store, options);
    train_steps(chief, 3);
    train_steps(other, 3);
    other.flush();
    commit(chief, *checkpoints, "a");
    train_steps(other, 2);
  }
  options.worker = "worker_0";
  options.num_workers = 1;
  tt::Hook hook(store, options);
  CHECK(keys(*store, "index/packed/worker_1/").size() == 1);
  CHECK(keys(*store, "superseded/").size() == 2);  // with its collections
  train_steps(hook, 2);
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.steps() == up_to(4));
  CHECK(trial.verify().records == 3 + 3 + 2);
  CHECK(trial.damage().empty());
  CHECK(trial.ended());
}

TEST_CASE("a packed run that is removed while it is written is begun again, and its lost steps are counted",
          "[capture][pack]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, packing());
  train_steps(hook, 4);
  hook.flush();
  for (const auto& key : keys(*store, "")) store->remove(key);
  train_steps(hook, 3);
  CHECK_THROWS_WITH(hook.flush(), contains("4 saved steps are gone"));
  CHECK(hook.status().steps_lost == 4);
  train_steps(hook, 2);
  CHECK_THROWS_WITH(hook.close(), contains("4 saved steps are gone"));
  CHECK(tt::Trial(store).steps() == Steps{4, 5, 6, 7, 8});
  CHECK(tt::Trial(store).damage().empty());
}

namespace {

/// Refuses segments while it is told to.
class Refusing final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Store::put;
  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (refuses && key.starts_with("index/packed/")) throw tt::Error::io("write", key, "no space left");
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
  std::atomic<bool> refuses = false;
};

/// Grants every claim: two machines that cannot see each other's locks.
class SharedStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Store::put;
  std::unique_ptr<tt::Claim> claim(std::string_view, std::string_view) override {
    return std::make_unique<tt::Claim>();
  }
  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (const auto call = before_put) call(key);
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
  std::function<void(std::string_view key)> before_put;
};

}  // namespace

TEST_CASE("a segment that cannot be written loses its steps, which are counted", "[capture][pack]") {
  const auto store = std::make_shared<Refusing>();
  tt::HookOptions options = packing();
  options.retry = {.attempts = 2};
  tt::Hook hook(store, options);
  train_steps(hook, 2);
  hook.flush();
  store->refuses = true;
  train_steps(hook, 3);
  CHECK_THROWS_WITH(hook.flush(), contains("(3)") && contains("no space left"));
  CHECK(hook.status().steps_lost == 3);
  CHECK(hook.status().retries == 1);
  store->refuses = false;
  train_steps(hook, 1);
  CHECK_THROWS_WITH(hook.close(), contains("no space left"));
  const tt::Trial trial(store);
  CHECK(trial.steps() == Steps{0, 1, 5});
  CHECK(trial.losses().steps == 3);
  CHECK(trial.losses().first_step == 2);
}

TEST_CASE("the segment of a process that was believed dead does not count", "[capture][pack]") {
  for (const bool has_extras : {true, false}) {
    const auto store = std::make_shared<SharedStore>();
    tt::HookOptions options = packing();
    options.checkpoints = std::make_shared<tt::MemoryStore>();
    options.index_extras = has_extras;
    options.on_error = [](std::string_view) {};
    tt::Hook late(store, options);
    train_steps(late, 3);
    commit(late, *options.checkpoints, "a");
    // It looks for a successor; that begins, writes and ends; then the put goes on.
    store->before_put = [&](std::string_view key) {
      if (!key.ends_with("000000000003-000000000004.pack")) return;
      store->before_put = nullptr;
      tt::Hook successor(store, options);
      CHECK(successor.next_step() == 3);
      for (int i = 0; i < 4; ++i) {
        successor.begin_step();
        successor.save("x", 100 + i);
      }
      successor.close();
    };
    train_steps(late, 2);
    CHECK_THROWS_WITH(late.flush(), contains("another attempt continues this run"));
    CHECK(keys(*store, "index/packed/").size() == 3);
    const tt::Trial trial(store);
    CHECK(trial.steps() == up_to(6));
    CHECK(trial.tensor("x").value(3)->number(0) == 100);
    CHECK(trial.damage().empty());
    train_steps(late, 1);
    CHECK_THROWS_WITH(late.close(), contains("another attempt continues this run"));
    CHECK(tt::Trial(store).steps() == up_to(6));
  }
}

TEST_CASE("a rewind of segments that ends early is completed by the next one", "[capture][pack]") {
  // The second worker is ahead: one segment spans the commit, two lie behind it.
  const auto options_of = [](int worker, const std::shared_ptr<tt::Store>& checkpoints, tt::OnResume on_resume) {
    tt::HookOptions options = packing();
    options.worker = "worker_" + std::to_string(worker);
    options.num_workers = 2;
    options.checkpoints = checkpoints;
    options.on_resume = on_resume;
    return options;
  };
  for (const auto on_resume : {tt::OnResume::archive, tt::OnResume::discard}) {
    bool fails = true;
    for (int at = 0; fails; ++at) {
      CAPTURE(static_cast<int>(on_resume), at);
      const auto store = std::make_shared<FailingChanges>();
      const auto checkpoints = std::make_shared<tt::MemoryStore>();
      {
        tt::Hook chief(store, options_of(0, checkpoints, on_resume)),
            other(store, options_of(1, checkpoints, on_resume));
        train_steps(chief, 4);
        for (const int steps : {6, 2, 2}) {
          train_steps(other, steps);
          other.flush();
        }
        commit(chief, *checkpoints, "a");
      }
      store->left = at;
      try {
        tt::Hook other(store, options_of(1, checkpoints, on_resume));
        fails = false;
      } catch (const tt::Error& e) {
        CHECK(e.code() == tt::Errc::io);
      }
      store->left = FailingChanges::never;
      CHECK(tt::Trial(store).damage().empty());
      CHECK(tt::Trial(store).steps() == up_to(3));
      {
        tt::Hook other(store, options_of(1, checkpoints, on_resume));
        CHECK(other.next_step() == 4);
        CHECK(keys(*store, "index/packed/worker_1/").size() == 1);
        for (int i = 0; i < 3; ++i) {
          other.begin_step();
          other.save("x", 100 + i);
        }
        other.close();
      }
      const tt::Trial trial(store);
      CHECK(trial.steps(tt::Mode::global, tt::Completeness::any) == up_to(6));
      CHECK(trial.tensor("x").value(4, "worker_1")->number(0) == 100);
      CHECK(trial.verify().records == 4 + 7);
      CHECK(trial.damage().empty());
      CHECK(tt::unpack(store).damage.empty());
      CHECK(keys(*store, "index/").size() == 4 + 7);
      CHECK(tt::Trial(store).verify().records == 4 + 7);
    }
  }
}

TEST_CASE("options of packing that make no sense are refused", "[capture][pack]") {
  tt::HookOptions options = packing();
  options.pack_time = 0s;
  CHECK_THROWS_WITH(tt::Hook(std::make_shared<tt::MemoryStore>(), options), contains("option pack"));
  options = packing();
  options.pack_bytes = 0;
  CHECK_THROWS_WITH(tt::Hook(std::make_shared<tt::MemoryStore>(), options), contains("option pack"));
  options.pack = false;
  CHECK_NOTHROW(tt::Hook(std::make_shared<tt::MemoryStore>(), options));
}
