#include <tensortap/capture/internal/status_ledger.hpp>

#include <cstdint>
#include <set>
#include <string_view>

#include "catch.hpp"

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
