#include <tensortap/capture/internal/status_ledger.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/record/attempt.hpp>
#include <tensortap/record/hook_cost.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/memory.hpp>
#include <tensortap/trial/trial.hpp>
#include "capture/training.hpp"
#include "catch.hpp"
#include "store/conformance.hpp"

namespace tt = tensortap;
using Why = tt::LossReason;

namespace {

tt::Loss loss_of(Why reason, std::int64_t step) { return {reason, step, step, 1, 10, 100}; }

}  // namespace

TEST_CASE("every reason of a loss has a text of its own", "[capture][status]") {
  std::set<std::string_view> texts;
  for (const Why reason : {Why::queue_full, Why::write_failed, Why::out_of_time, Why::fenced, Why::step_too_large,
                           Why::too_many_names, Why::out_of_memory}) {
    CHECK_FALSE(to_string(reason).empty());
    texts.insert(to_string(reason));
  }
  CHECK(texts.size() == 7);
  CHECK(to_string(Why::queue_full) == "the queue was full");
  CHECK(to_string(Why::too_many_names) == "too many names");
}

TEST_CASE("consecutive losses for one reason are one entry of the ledger", "[capture][status]") {
  tt::HookStatus status;
  for (const std::int64_t step : {3, 5, 9}) tt::detail::add_loss(status, loss_of(Why::queue_full, step));
  tt::detail::add_loss(status, {Why::step_too_large, 9, 9, 0, 1, 7});
  tt::detail::add_loss(status, loss_of(Why::queue_full, 12));
  REQUIRE(status.losses.size() == 3);
  const auto& [reason, first, last, steps, tensors, bytes] = status.losses[0];
  CHECK(reason == Why::queue_full);
  CHECK(first == 3);
  CHECK(last == 9);
  CHECK(steps == 3);
  CHECK(tensors == 30);
  CHECK(bytes == 300);
  CHECK(status.losses[1].reason == Why::step_too_large);
  CHECK(status.losses[1].steps == 0);
  CHECK(status.losses[2].first_step == 12);
  CHECK(status.steps_lost == 4);
  CHECK(status.tensors_lost == 41);
}

TEST_CASE("the ledger stays short, and its sums stay exact", "[capture][status]") {
  tt::HookStatus status;
  constexpr std::int64_t count = 5000;
  for (std::int64_t step = 0; step < count; ++step)
    tt::detail::add_loss(status, loss_of(step % 2 == 0 ? Why::queue_full : Why::write_failed, step));
  CHECK(status.losses.size() == 1000);
  CHECK(status.losses.back().last_step == count - 1);
  CHECK(status.steps_lost == count);
  CHECK(status.tensors_lost == 10 * count);
  std::uint64_t steps = 0;
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
  for (const tt::Loss& loss : status.losses) {
    steps += loss.steps;
    tensors += loss.tensors;
    bytes += loss.bytes;
  }
  CHECK(steps == count);
  CHECK(tensors == 10 * count);
  CHECK(bytes == 100 * count);
}

TEST_CASE("a hook tells what it costs, in its status and in the run", "[capture][status]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const std::string key = tt::layout::attempt_key(0, "worker_0");
  const auto cost_in_run = [&] { return tt::parse_attempt(conformance::text(*store, key).value(), key).cost; };
  tt::HookOptions options{.collections = {{.name = "all"}}, .save = tt::every(1)};
  options.cost_interval = std::chrono::nanoseconds(0);
  const std::vector<double> tensor(100'000);
  tt::Hook hook(store, options);
  CHECK(cost_in_run() == tt::HookCost());
  tt::HookCost before = hook.status().cost;
  CHECK(before.in_training.count() == 0);
  for (int step = 0; step < 3; ++step) {
    hook.begin_step();
    hook.save("x", tensor);
    hook.flush();
    const tt::HookCost cost = hook.status().cost;
    CHECK(cost.in_training > before.in_training);
    CHECK(cost.writing > before.writing);
    CHECK(cost.elapsed - before.elapsed >= cost.in_training - before.in_training);
    CHECK(cost_in_run().writing == cost.writing);
    CHECK(tt::Trial(store).hook_cost() == cost_in_run());
    before = cost;
  }
  // The time between calls of the hook is not its own.
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  while (std::chrono::steady_clock::now() < end) {
  }
  const tt::HookCost idle = hook.status().cost;
  CHECK(idle.in_training == before.in_training);
  CHECK(idle.elapsed - before.elapsed >= std::chrono::milliseconds(20));
  hook.close();
  CHECK(cost_in_run().elapsed >= idle.elapsed);
  CHECK(tt::Trial(store).ended());
}

TEST_CASE("a short run is not told what its hook costs", "[capture][status]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.collections = {{.name = "all"}}, .save = tt::every(1)});
  train_steps(hook, 5);
  hook.close();
  CHECK(hook.status().cost.in_training.count() > 0);
  CHECK(tt::Trial(store).hook_cost() == tt::HookCost());
}
