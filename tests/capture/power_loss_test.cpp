// Committed steps survive a loss of power at any moment, whatever part of the other data reached the disk.
#include "store/power_loss.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>

#include "catch.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;

namespace {

/// After `operations`, a successor continues after this step or a later one.
struct Promise {
  std::size_t operations = 0;
  std::int64_t step = -1;
};

/// Trains up to global step `end`, commits every third step and adds the promise of each commit.
void train_and_commit(power_loss::Disk& disk, tt::Durability durability, bool pack, std::int64_t end,
                      std::vector<Promise>& promises) {
  const auto checkpoints = std::make_shared<tt::FileStore>((disk / "checkpoints").string(), disk.calls());
  tt::Hook hook(std::make_shared<tt::FileStore>((disk / "run").string(), disk.calls()),
                {.collections = {{.name = "all"}},
                 .save = tt::every(1),
                 .checkpoints = checkpoints,
                 .durability = durability,
                 .pack = pack,
                 .pack_time = std::chrono::hours(1),
                 .wall_time = [] { return 0.0; }});
  while (hook.global_step() < end) {
    hook.begin_step();
    hook.save("x", hook.global_step());
    if (hook.global_step() % 3 != 2) continue;
    const std::string name = "model-" + std::to_string(hook.global_step());
    checkpoints->put(name, name);
    hook.commit(name);
    promises.push_back({disk.operations(), hook.global_step()});
  }
}

/// Returns what is wrong with the run in this state of the disk; empty if every promise is kept.
std::string broken(const fs::path& state, std::int64_t promised) {
  const auto run = std::make_shared<tt::FileStore>((state / "run").string());
  std::int64_t resumed = -1;
  try {
    const tt::Hook successor(run, {.checkpoints = std::make_shared<tt::FileStore>((state / "checkpoints").string()),
                                   .start_over = true,
                                   .durability = tt::Durability::none});  // which spares the test much waiting
    if (successor.resumed()) resumed = successor.resumed()->global_step;
  } catch (const tt::Error& e) {
    return e.what();
  }
  if (resumed < promised)
    return "continues after " + std::to_string(resumed) + " instead of " + std::to_string(promised);
  const tt::Trial trial(std::static_pointer_cast<const tt::Store>(run));
  if (!trial.damage().empty()) return trial.damage()[0].where + ": " + trial.damage()[0].cause;
  const auto steps = trial.steps();
  if (static_cast<std::int64_t>(steps.size()) != resumed + 1) return std::to_string(steps.size()) + " steps";
  for (const auto step : steps) {
    const auto value = trial.tensor("x").value(step);
    if (!value || value->number(0) != static_cast<double>(step))
      return "step " + std::to_string(step) + " is not as saved";
  }
  return {};
}

}  // namespace

TEST_CASE("committed steps survive any loss of power", "[capture][power_loss]") {
  const auto durability = GENERATE(tt::Durability::commit, tt::Durability::step);
  const bool pack = GENERATE(false, true);
  CAPTURE(pack);
  power_loss::Disk disk;
  std::vector<Promise> promises = {{0, -1}};
  train_and_commit(disk, durability, pack, 4, promises);
  train_and_commit(disk, durability, pack, 7, promises);  // the second attempt sets step 3 aside, and 4
  const std::size_t states = disk.for_each_state(
      [&](const fs::path& state, std::size_t done) {
        const auto later = std::find_if(promises.begin(), promises.end(),
                                        [&](const Promise& promise) { return promise.operations > done; });
        const std::string wrong = broken(state, std::prev(later)->step);
        if (!wrong.empty()) FAIL("after " << done << " operations (" << disk.operation(done) << "): " << wrong);
      },
      {.exhaustive = 2, .samples = 1});
  CHECK(states > (pack ? 100 : 300));
}
