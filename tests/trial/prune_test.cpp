#include <tensortap/tensortap.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;

namespace {

std::shared_ptr<tt::MemoryStore> run_of_20_steps(bool pack = false, std::int64_t workers = 1) {
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<std::unique_ptr<tt::Hook>> hooks;
  for (std::int64_t rank = 0; rank < workers; ++rank)
    hooks.push_back(std::make_unique<tt::Hook>(
        store,
        tt::HookOptions{
            .save = tt::every(1), .worker = "worker_" + std::to_string(rank), .num_workers = workers, .pack = pack}));
  for (const auto& hook : hooks) {
    for (int i = 0; i < 20; ++i) {
      hook->begin_step();
      hook->save("x", std::vector<float>(50, static_cast<float>(i)));
      if (i % 4 == 3) hook->flush();  // ends a segment
    }
    hook->close();
  }
  return store;
}

}  // namespace

TEST_CASE("pruning removes the oldest steps", "[trial][prune]") {
  const auto store = run_of_20_steps();
  const tt::Pruned planned = tt::prune(*store, {.keep = {.steps = 5}, .dry_run = true});
  CHECK(planned.steps == 15);
  CHECK(planned.objects == 30);
  CHECK(planned.steps_left == 5);
  CHECK(tt::Trial(store).steps() == up_to(19));
  const tt::Pruned done = tt::prune(*store, {.keep = {.steps = 5}});
  CHECK(done.steps == 15);
  CHECK(done.bytes == planned.bytes);
  const tt::Trial trial(store);
  CHECK(trial.steps() == Steps{15, 16, 17, 18, 19});
  CHECK(trial.ended());
  CHECK(trial.verify().records == 5);
  CHECK(trial.damage().empty());
  CHECK(tt::prune(*store, {.keep = {.steps = 5}}).steps == 0);
  CHECK(tt::prune(*store, {}).steps_left == 5);
}

TEST_CASE("pruning keeps to a budget of bytes, of each worker", "[trial][prune]") {
  const auto store = run_of_20_steps(false, 2);
  const tt::Pruned whole = tt::prune(*store, {.dry_run = true});
  CHECK(whole.steps_left == 40);
  const tt::Pruned done = tt::prune(*store, {.keep = {.bytes = whole.bytes_left / 4}});
  CHECK(done.bytes_left <= whole.bytes_left / 2);
  CHECK(done.steps_left == 18);  // the indexes of the last ten steps are a little larger
  CHECK(tt::Trial(store).steps() == Steps{11, 12, 13, 14, 15, 16, 17, 18, 19});
}

TEST_CASE("segments go as a whole", "[trial][prune]") {
  const auto store = run_of_20_steps(true);
  const tt::Pruned done = tt::prune(*store, {.keep = {.steps = 5}});
  CHECK(done.steps > 0);
  CHECK(done.steps_left >= 5);
  CHECK(done.steps + done.steps_left == 20);
  const tt::Trial trial(store);
  CHECK(trial.steps().size() == done.steps_left);
  CHECK(trial.steps().back() == 19);
  CHECK(trial.verify().records == done.steps_left);
  CHECK(trial.damage().empty());
}

TEST_CASE("pruning removes what attempts have set aside, and snapshots, if it is asked to", "[trial][prune]") {
  const auto store = run_of_20_steps();
  store->put("superseded/000000001/events/a", "abc");
  store->put("snapshots/000000000003_x_worker_0/a", "de");
  CHECK(tt::prune(*store, {}).objects == 0);
  const tt::Pruned done = tt::prune(*store, {.superseded = true});
  CHECK(done.objects == 1);
  CHECK(done.bytes == 3);
  CHECK(tt::prune(*store, {.snapshots = true}).bytes == 2);
  CHECK(store->list("superseded/").empty());
  CHECK(store->list("snapshots/").empty());
}

TEST_CASE("a run that is being written is not pruned, and nothing is no budget", "[trial][prune]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  tt::Hook hook(run, {.save = tt::every(1)});
  hook.begin_step();
  hook.save("x", 1);
  hook.flush();
  const auto store = tt::open_store(run);
  CHECK_THROWS_WITH(tt::prune(*store, {.keep = {.steps = 1}}), contains("another process"));
  CHECK(tt::prune(*store, {.keep = {.steps = 1}, .dry_run = true}).steps_left == 1);
  CHECK_THROWS_WITH(tt::prune(*store, {.keep = {.steps = 0}}), contains("keeps nothing"));
  hook.close();
}

TEST_CASE("events without an index, which a killed pruning leaves, go too", "[trial][prune]") {
  const auto store = run_of_20_steps();
  for (std::int64_t step = 0; step < 3; ++step) store->remove(tt::layout::index_key(step, "worker_0"));
  const tt::Pruned done = tt::prune(*store, {.keep = {.steps = 10}});
  CHECK(done.steps == 7);
  CHECK(done.objects == 3 + 2 * 7);
  CHECK(done.steps_left == 10);
  std::size_t events = 0;
  for (const auto& object : store->list("events/")) events += object.key.ends_with(".tfevents") ? 1 : 0;
  CHECK(events == 10);
}

TEST_CASE("steps that not all workers have reached stay and do not count", "[trial][prune]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  std::vector<std::unique_ptr<tt::Hook>> hooks;
  for (const std::string rank : {"0", "1"})
    hooks.push_back(std::make_unique<tt::Hook>(
        store, tt::HookOptions{.save = tt::every(1), .worker = "worker_" + rank, .num_workers = 2}));
  for (std::size_t rank = 0; rank < 2; ++rank) {
    for (int i = 0; i < (rank == 0 ? 20 : 10); ++i) {
      hooks[rank]->begin_step();
      hooks[rank]->save("x", i);
    }
    hooks[rank]->flush();
  }
  hooks.clear();  // without an end, as after an interruption
  const tt::Pruned done = tt::prune(*store, {.keep = {.steps = 3}});
  CHECK(done.steps == 7 + 7);
  const tt::Trial trial(store);
  CHECK(trial.steps() == Steps{7, 8, 9});
  CHECK(trial.steps(tt::Mode::global, tt::Completeness::any).back() == 19);
}

TEST_CASE("steps after the last commit of a run that will be continued stay and do not count", "[trial][prune]") {
  const auto store = run_of_20_steps();
  const tt::Pruned done = tt::prune(*store, {.keep = {.steps = 5}, .last_commit = 9});
  CHECK(done.steps == 5);
  CHECK(tt::Trial(store).steps().front() == 5);
}
