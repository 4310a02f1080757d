#include <tensortap/capture/internal/run_presence.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <tensortap/tensortap.hpp>

#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

namespace {

tt::HookOptions options_with(const fs::path& checkpoints) {
  return {.save = tt::every(1), .checkpoint_dir = checkpoints.string(), .sleep = [](std::chrono::nanoseconds) {}};
}

}  // namespace

TEST_CASE("a run that is removed while it is written is reported in status, by commit and by close",
          "[capture][run_presence]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  std::string reported;
  tt::HookOptions options = options_with(directory / "checkpoints");
  options.on_error = [&](std::string_view message) { reported = message; };
  tt::Hook hook(run, options);
  train_steps(hook, 4);
  hook.flush();
  fs::remove_all(run);
  const std::string cause = "the run was removed while it was written (4 saved steps are gone)";
  CHECK_THROWS_WITH(hook.commit(), contains(cause));
  CHECK_THAT(reported, contains(cause));
  const tt::HookStatus status = hook.status();
  CHECK(status.steps_lost == 4);
  CHECK_THAT(status.error.value_or(""), contains(cause));
  REQUIRE(status.notes.size() == 1);
  train_steps(hook, 3);
  CHECK_NOTHROW(hook.commit());  // once is enough
  CHECK_THROWS_WITH(hook.close(), contains(cause));
  const tt::Trial trial(run);
  CHECK(trial.steps() == Steps{4, 5, 6});
  CHECK(trial.losses().steps == 4);
  CHECK(trial.losses().last_step == 3);
  CHECK(trial.ended());
  CHECK(trial.damage().empty());
}

TEST_CASE("the contents of a run that are removed while it is written are noticed too", "[capture][run_presence]") {
  const TemporaryDirectory directory;
  const fs::path run = directory / "run";
  tt::Hook hook(run.string(), options_with(directory / "checkpoints"));
  train_steps(hook, 4);
  hook.flush();
  for (const auto& entry : fs::directory_iterator(run)) fs::remove_all(entry.path());
  train_steps(hook, 2);
  CHECK_THROWS_WITH(hook.commit(), contains("4 saved steps are gone"));
  CHECK(hook.status().steps_lost == 4);
  CHECK_THROWS_WITH(tt::Hook(run.string(), options_with(directory / "checkpoints")),
                    contains("another process writes this run"));  // it is claimed again
}

TEST_CASE("a run that another process begins after the removal is left to it", "[capture][run_presence]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  tt::Hook hook(run, options_with(directory / "checkpoints"));
  train_steps(hook, 4);
  hook.flush();
  fs::remove_all(run);
  tt::Hook other(run, options_with(directory / "others"));
  train_steps(other, 2);
  other.flush();
  CHECK_THROWS_WITH(hook.commit(), contains("4 saved steps are gone"));
  train_steps(hook, 3);
  CHECK_THROWS_WITH(hook.commit(), contains("another process writes this run"));
  CHECK_THROWS(hook.close());
  CHECK(hook.status().steps_lost == 7);
  CHECK_NOTHROW(other.close());
  const tt::Trial trial(run);
  CHECK(trial.steps() == Steps{0, 1});
  CHECK(trial.ended());
}

TEST_CASE("a run whose directory is renamed while it is written is whole under its new name",
          "[capture][run_presence]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  tt::Hook hook(run, options_with(directory / "checkpoints"));
  train_steps(hook, 3);
  fs::rename(run, directory / "renamed");
  train_steps(hook, 3);
  CHECK_NOTHROW(hook.commit());
  train_steps(hook, 1);
  CHECK_NOTHROW(hook.close());
  CHECK(hook.status().steps_lost == 0);
  CHECK_FALSE(fs::exists(run));
  const tt::Trial trial((directory / "renamed").string());
  CHECK(trial.steps().size() == 7);
  CHECK(trial.ended());
  CHECK_FALSE(fs::exists(directory / "renamed/claim.smd"));
}

TEST_CASE("a run that vanishes from any store is noticed", "[capture][run_presence]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, {.save = tt::every(1), .checkpoints = checkpoints});
  train_steps(hook, 4);
  hook.flush();
  for (const auto& object : store->list("")) store->remove(object.key);
  CHECK_THROWS_WITH(hook.commit(), contains("4 saved steps are gone"));
  train_steps(hook, 1);
  CHECK_THROWS_WITH(hook.close(), contains("4 saved steps are gone"));
  CHECK(tt::Trial(store).steps() == Steps{4});
}

TEST_CASE("a commit says that checkpoint_dir was renamed, and that the commits before it are elsewhere",
          "[capture][run_presence]") {
  const TemporaryDirectory directory;
  const bool inside = GENERATE(false, true);  // renamed with the run
  const std::string run = (directory / "run").string();
  const std::string checkpoints = inside ? run + "/checkpoints" : (directory / "checkpoints").string();
  const std::string renamed = (directory / "renamed").string();
  {
    tt::Hook hook(run, options_with(checkpoints));
    train_steps(hook, 3);
    CHECK_NOTHROW(hook.commit());
    fs::rename(inside ? run : checkpoints, renamed);
    if (GENERATE(false, true)) fs::create_directories(checkpoints);  // before the commit does
    train_steps(hook, 3);
    CHECK_THROWS_WITH(hook.commit(),
                      contains("the commits up to step 2 are no longer there") && contains("that of step 5 is"));
    train_steps(hook, 1);
    CHECK_NOTHROW(hook.commit());  // once is enough
    train_steps(hook, 1);
    hook.flush();
    CHECK(hook.status().steps_lost == 0);
  }
  const std::string found = inside ? renamed : run;
  CHECK(tt::Trial(found).steps() == up_to(7));
  const tt::Hook successor(found, options_with(checkpoints));
  REQUIRE(successor.resumed());
  CHECK(successor.resumed()->global_step == 6);
}

TEST_CASE("a commit says that an older copy has taken the place of checkpoint_dir", "[capture][run_presence]") {
  const TemporaryDirectory directory;
  const fs::path checkpoints = directory / "checkpoints";
  tt::Hook hook((directory / "run").string(), options_with(checkpoints));
  train_steps(hook, 2);
  hook.commit();
  fs::copy(checkpoints, directory / "copy", fs::copy_options::recursive);
  train_steps(hook, 2);
  hook.commit();
  fs::remove_all(checkpoints);
  fs::rename(directory / "copy", checkpoints);
  train_steps(hook, 2);
  CHECK_THROWS_WITH(hook.commit(), contains("the commits up to step 3 are no longer there"));
  CHECK_NOTHROW(hook.close());
}
