// Runs that are removed, renamed or replaced while they are read.
#include <tensortap/capture/hook.hpp>
#include <tensortap/trial/trial.hpp>

#include <chrono>
#include <filesystem>
#include <string>

#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

TEST_CASE("a wait ends when the run is removed or renamed, and damage says so", "[trial][follow]") {
  const TemporaryDirectory directory;
  const std::string path = (directory / "run").string();
  tt::Hook hook(path, {.save = tt::every(1)});
  train_steps(hook, 3);
  hook.flush();
  tt::TrialOptions options{.follow = true, .refresh_interval = std::chrono::seconds(0)};
  options.sleep = [](std::chrono::nanoseconds) {};
  const tt::Trial trial(path, options);
  const tt::Trial once(path);
  CHECK(trial.steps() == up_to(2));
  fs::rename(path, directory / "renamed");
  CHECK(trial.steps() == up_to(2));
  REQUIRE(trial.damage().size() == 1);
  CHECK_THAT(trial.damage()[0].cause, contains("the run was removed or renamed while it was read"));
  CHECK_THROWS_WITH(trial.wait_for_end(std::chrono::hours(1)), contains("by its new name"));
  CHECK_THROWS_WITH(trial.wait_for_steps({5}, tt::Mode::train, std::chrono::hours(1)), contains("removed or renamed"));
  CHECK(trial.wait_for_steps({2}, tt::Mode::train, std::chrono::hours(1)) == tt::StepState::available);
  CHECK_FALSE(once.tensor("x").value(1));
  CHECK(once.damage().size() == 1);

  fs::rename(directory / "renamed", path);
  CHECK(trial.steps() == up_to(2));
  CHECK(trial.damage().empty());
  train_steps(hook, 2);
  hook.close();
  CHECK(trial.wait_for_end(std::chrono::hours(1)));
  CHECK(trial.steps() == up_to(4));
}

TEST_CASE("a run that another one has replaced is not mixed with it", "[trial][follow]") {
  const TemporaryDirectory directory;
  const std::string path = (directory / "run").string();
  tt::TrialOptions options{.follow = true, .refresh_interval = std::chrono::seconds(0)};
  options.sleep = [](std::chrono::nanoseconds) {};
  auto now = tt::TrialOptions::Clock::now();
  options.clock = [&] { return now; };
  {
    tt::Hook hook(path, {.save = tt::every(1)});
    train_steps(hook, 6);
  }
  const tt::Trial trial(path, options);
  CHECK(trial.steps() == up_to(5));
  fs::remove_all(path);
  tt::Hook hook(path, {.save = tt::every(1)});
  train_steps(hook, 9);
  hook.flush();
  now += std::chrono::seconds(10);
  CHECK(trial.steps() == up_to(5));
  REQUIRE(trial.damage().size() == 1);
  CHECK_THAT(trial.damage()[0].cause, contains("another one has its place"));
  hook.close();
  CHECK_THROWS_WITH(trial.wait_for_end(std::chrono::hours(1)), contains("open it again"));
  CHECK(trial.steps() == up_to(5));
  CHECK(tt::Trial(path).steps() == up_to(8));
}
