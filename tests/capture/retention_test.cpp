// How much of a run its hook keeps: which steps go, when, and what an interruption leaves.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;

namespace {

void save_steps(tt::Hook& hook, int count) {
  for (int i = 0; i < count; ++i) {
    hook.begin_step();
    hook.save("x", std::vector<float>(100, static_cast<float>(hook.step())));
  }
}

tt::HookOptions options_with(tt::Retention retention) {
  return {.save = tt::every(1), .process_facts = false, .retention = retention};
}

std::uint64_t bytes_below(const tt::Store& store, std::string_view prefix) {
  std::uint64_t sum = 0;
  for (const auto& object : store.list(prefix)) sum += object.size;
  return sum;
}

Steps from_to(std::int64_t first, std::int64_t last) {
  Steps out;
  for (std::int64_t step = first; step <= last; ++step) out.push_back(step);
  return out;
}

}  // namespace

TEST_CASE("a budget of steps keeps the last ones", "[capture][retention]") {
  for (const bool pack : {false, true})
    for (const std::int64_t per_file : {1, 4}) {
      INFO(pack << ' ' << per_file);
      const auto store = std::make_shared<tt::MemoryStore>();
      auto options = options_with({.steps = 10});
      options.events_per_file = per_file;
      options.pack = pack;
      options.pack_bytes = 1000;
      {
        tt::Hook hook(store, options);
        for (int i = 0; i < 10; ++i) {
          save_steps(hook, 10);
          hook.flush();  // ends a segment
        }
        hook.close();
        const std::uint64_t removed = hook.status().steps_removed;
        CHECK(hook.status().steps_saved == 100);
        CHECK(hook.status().steps_lost == 0);
        CHECK(removed >= 100 - 10 - 20);  // groups go as a whole
        CHECK(removed <= 90);
      }
      const tt::Trial trial(store);
      const Steps left = trial.steps();
      REQUIRE(left.size() >= 10);
      if (per_file == 1 && !pack) CHECK(left.size() == 10);
      CHECK(left == from_to(100 - static_cast<std::int64_t>(left.size()), 99));
      CHECK(trial.verify().records == left.size());
      CHECK(trial.damage().empty());
      CHECK(trial.tensor("x").value(left.front())->number(0) == static_cast<double>(left.front()));
      if (!pack) {
        std::size_t events = 0;
        for (const auto& object : store->list("events/")) events += object.key.ends_with(".tfevents");
        CHECK(events == (per_file == 1 ? left.size() : (left.size() + 3) / 4));
      }
    }
}

TEST_CASE("a budget of bytes is kept to", "[capture][retention]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  constexpr std::uint64_t budget = 20'000;
  tt::Hook hook(store, options_with({.bytes = budget}));
  for (int i = 0; i < 10; ++i) {
    save_steps(hook, 20);
    hook.flush();
    CHECK(bytes_below(*store, "events/") + bytes_below(*store, "index/") <= budget + budget / 8);
  }
  hook.close();
  CHECK(bytes_below(*store, "events/") + bytes_below(*store, "index/") <= budget);
  CHECK(tt::Trial(store).steps().size() > 10);
  CHECK(tt::Trial(store).steps().back() == 199);
}

TEST_CASE("one step stays, however large", "[capture][retention]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, options_with({.bytes = 1}));
  save_steps(hook, 5);
  hook.close();
  CHECK(tt::Trial(store).steps() == Steps{4});
}

TEST_CASE("with checkpoints, a successor finds as many steps as the budget allows", "[capture][retention]") {
  const TemporaryDirectory directory;
  auto options = options_with({.steps = 5});
  options.checkpoint_dir = (directory / "checkpoints").string();
  const std::string run = (directory / "run").string();
  {
    tt::Hook hook(run, options);
    save_steps(hook, 20);
    hook.commit();  // step 19
    CHECK(hook.status().steps_removed == 15);
    save_steps(hook, 30);
    hook.flush();
    CHECK(tt::Trial(run).steps() == from_to(15, 49));  // nothing goes before the next commit
  }
  tt::Hook hook(run, options);
  REQUIRE(hook.resumed());
  CHECK(tt::Trial(run).steps() == from_to(15, 19));
  save_steps(hook, 3);
  hook.commit();
  CHECK(tt::Trial(run).steps() == from_to(18, 22));
  CHECK(hook.status().steps_removed == 3);
  hook.close();
  CHECK(tt::Trial(run).damage().empty());
}

TEST_CASE("what earlier attempts saved counts too", "[capture][retention]") {
  const TemporaryDirectory directory;
  auto options = options_with({});
  options.checkpoint_dir = (directory / "checkpoints").string();
  const std::string run = (directory / "run").string();
  for (const std::int64_t per_file : {1, 3}) {
    options.events_per_file = per_file;
    tt::Hook hook(run, options);
    save_steps(hook, 10);
    hook.commit();
  }
  options.retention.steps = 4;
  tt::Hook hook(run, options);
  save_steps(hook, 1);
  hook.commit();
  hook.close();
  const Steps left = tt::Trial(run).steps();
  CHECK(left.back() == 20);
  CHECK(left.size() >= 4);
  CHECK(left.size() <= 6);
  CHECK(tt::Trial(run).verify().records == left.size());
  CHECK(tt::Trial(run).damage().empty());
}

TEST_CASE("a store that refuses to remove keeps its steps, and the next try removes them", "[capture][retention]") {
  class Stubborn : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    void remove_all(std::span<const std::string> keys) override {
      if (refuses) throw std::runtime_error("no removals today");
      ForwardingStore::remove_all(keys);
    }
    bool refuses = true;
  };
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<Stubborn>(memory);
  tt::Hook hook(store, options_with({.steps = 2}));
  save_steps(hook, 10);
  hook.flush();
  CHECK(hook.status().steps_removed == 0);
  CHECK(hook.status().steps_lost == 0);
  CHECK(tt::Trial(memory).steps() == up_to(9));
  store->refuses = false;
  hook.close();
  CHECK(tt::Trial(memory).steps() == Steps{8, 9});
  CHECK(tt::Trial(memory).damage().empty());
}

TEST_CASE("each worker keeps to its own budget", "[capture][retention]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto options_of = [](std::int64_t rank) {
    auto options = options_with({.steps = 3 + rank});
    options.worker = "worker_" + std::to_string(rank);
    options.num_workers = 2;
    return options;
  };
  tt::Hook first(store, options_of(0)), second(store, options_of(1));
  for (tt::Hook* const hook : {&first, &second}) {
    save_steps(*hook, 10);
    hook->close();
  }
  const tt::Trial trial(store);
  CHECK(trial.tensor("x").workers(7).size() == 2);
  CHECK(trial.tensor("x").workers(6) == std::vector<std::string>{"worker_1"});
  CHECK(trial.steps(tt::Mode::global, tt::Completeness::any).front() == 6);
}

TEST_CASE("a worker that does not commit keeps to its budget up to the commit of another", "[capture][retention]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  const auto options_of = [&](std::int64_t rank) {
    auto options = options_with({.steps = 3});
    options.worker = "worker_" + std::to_string(rank);
    options.num_workers = 2;
    options.checkpoint_dir = (directory / "checkpoints").string();
    return options;
  };
  tt::Hook chief(run, options_of(0)), other(run, options_of(1));
  for (tt::Hook* const hook : {&other, &chief}) save_steps(*hook, 10);
  other.flush();
  CHECK(other.status().steps_removed == 0);  // there is no commit yet
  chief.commit();
  other.flush();
  CHECK(other.status().steps_removed == 7);
  CHECK(tt::Trial(run).steps() == from_to(7, 9));
}

TEST_CASE("the directories of removed steps go, too", "[capture][retention]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  tt::Hook hook(run, options_with({.steps = 3}));
  save_steps(hook, 50);
  hook.close();
  std::size_t directories = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "run" / "events"))
    directories += entry.is_directory() ? 1 : 0;
  CHECK(directories == 3);
}

TEST_CASE("a follower of a run that is pruned sees no damage", "[capture][retention]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, options_with({.steps = 2}));
  save_steps(hook, 3);
  hook.flush();
  const tt::Trial trial(store, {.follow = true, .refresh_interval = {}});
  const Steps before = trial.steps();
  save_steps(hook, 20);
  hook.flush();
  CHECK_FALSE(trial.tensor("x").value(before.front()));
  CHECK(trial.tensor("x").value(trial.steps().back()));
  CHECK(trial.damage().empty());
  hook.close();
}

TEST_CASE("a retention that keeps nothing is refused", "[capture][retention]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  CHECK_THROWS_WITH(tt::Hook(store, options_with({.steps = 0})), contains("retention"));
  CHECK_THROWS_WITH(tt::Hook(store, options_with({.bytes = 0})), contains("retention"));
}
