#include <tensortap/capture/internal/checkpoint_dir.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <tensortap/tensortap.hpp>

#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

namespace {

/// Returns the message with which a hook or a sync refuses `directory`.
std::string refusal(const std::string& run, const std::string& directory) {
  try {
    const tt::Hook hook(run, {.save = tt::every(1), .checkpoint_dir = directory});
  } catch (const tt::Error& e) {
    CHECK(e.code() == tt::Errc::invalid_option);
    return e.what();
  }
  return "";
}

/// Runs `check` in a child process without rights; returns whether it returned true.
template <class Check>
bool as_another_user(const Check& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t other = 65534;
    if (::geteuid() == 0 && (::setgid(other) != 0 || ::setuid(other) != 0)) ::_exit(2);
    ::_exit(check() ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace

TEST_CASE("a hook makes its checkpoint_dir and what is missing above it", "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  const std::string folder = (directory / "a/b/checkpoints").string();
  tt::Hook hook((directory / "run").string(), {.save = tt::every(1), .checkpoint_dir = folder});
  CHECK(fs::is_directory(folder));
  train_steps(hook, 1);
  std::ofstream(folder + "/w") << 1;
  CHECK_NOTHROW(hook.commit(folder + "/w"));
  CHECK_NOTHROW(hook.commit());
}

TEST_CASE("a disabled hook and a dry run make no directory", "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  const std::string folder = (directory / "checkpoints").string();
  const tt::Hook disabled((directory / "run").string(), {.checkpoint_dir = folder, .enabled = false});
  const tt::Hook dry((directory / "run").string(), {.checkpoint_dir = folder, .dry_run = true});
  CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("a checkpoint_dir that cannot be used is refused at once, with the true cause", "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  std::ofstream(directory / "file") << "x";
  CHECK_THAT(refusal(run, (directory / "file").string()),
             contains("hook: option checkpoint_dir: \"" + (directory / "file").string() + "\": it is not a directory"));
  CHECK_THAT(refusal(run, (directory / "file/below").string()), contains("it cannot be made: Not a directory"));
  CHECK_THAT(refusal(run, "s3://bucket/checkpoints"),
             contains("\"s3://bucket/checkpoints\" is not a directory") && contains("CheckpointSync"));
  CHECK_FALSE(fs::exists(run));  // refused before anything is written
  fs::permissions(directory.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  CHECK(as_another_user([&] {
    return refusal("/nowhere", directory.path().string()).find("it cannot be written") != std::string::npos;
  }));
  CHECK(as_another_user([&] {
    return refusal("/nowhere", (directory / "new").string()).find("it cannot be made: Permission denied") !=
           std::string::npos;
  }));
}

TEST_CASE("checkpoints and run stay where they were opened when the working directory changes",
          "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  fs::create_directories(directory / "a");
  fs::create_directories(directory / "b");
  const fs::path before = fs::current_path();
  fs::current_path(directory / "a");
  {
    tt::Hook hook("run", {.save = tt::every(1), .checkpoint_dir = "checkpoints"});
    tt::Trial trial("run");
    train_steps(hook, 2);
    fs::current_path(directory / "b");
    train_steps(hook, 2);
    std::ofstream(directory / "a/checkpoints/w") << 1;
    CHECK_THROWS_WITH(hook.commit("checkpoints/w"), contains((directory / "b/checkpoints/w").string()));  // not "a"
    hook.commit((directory / "a/checkpoints/w").string());
    hook.close();
    trial.refresh();
    CHECK(trial.steps().size() == 4);
  }
  fs::current_path(before);
  CHECK(fs::is_empty(directory / "b"));
  const tt::Trial trial((directory / "a/run").string());
  CHECK(trial.steps().size() == 4);
  CHECK(trial.ended());
  CHECK(tt::read_states(*tt::open_store((directory / "a/checkpoints").string())).size() == 1);
}

TEST_CASE("a checkpoint_dir may begin with ~", "[capture][checkpoint_dir]") {
  const TemporaryDirectory home;
  const char* const before = std::getenv("HOME");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("HOME", home.path().c_str(), 1);
  {
    tt::Hook hook("~/run", {.save = tt::every(1), .checkpoint_dir = "~/checkpoints"});
    train_steps(hook, 1);
    std::ofstream(home / "checkpoints/w") << 1;
    hook.commit((home / "checkpoints/w").string());
  }
  const tt::Hook next("~/run", {.save = tt::every(1), .checkpoint_dir = "~/checkpoints"});
  CHECK(next.resumed()->checkpoint == (home / "checkpoints/w").string());
  if (before != nullptr) ::setenv("HOME", kept.c_str(), 1);
}

TEST_CASE("a checkpoint_dir that vanished is named as the cause", "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  const std::string folder = (directory / "checkpoints").string();
  tt::Hook hook((directory / "run").string(), {.save = tt::every(1), .checkpoint_dir = folder});
  train_steps(hook, 1);
  fs::rename(folder, directory / "renamed");
  CHECK_THROWS_WITH(hook.commit(folder + "/w"), contains("it was removed or renamed since the hook began"));
}

TEST_CASE("a run and checkpoints at the root of a volume work for a user who may not list lost+found",
          "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  fs::permissions(directory.path(), fs::perms::all);
  for (const char* volume : {"run", "checkpoints"}) {
    fs::create_directories(directory / volume / "lost+found");
    fs::permissions(directory / volume, fs::perms::all);
    fs::permissions(directory / volume / "lost+found", fs::perms::owner_all);
  }
  CHECK(as_another_user([&] {
    const std::string run = (directory / "run").string(), checkpoints = (directory / "checkpoints").string();
    for (const bool last : {false, true}) {
      tt::Hook hook(run, {.save = tt::every(1), .checkpoint_dir = checkpoints, .watch_checkpoints = true});
      train_steps(hook, 2);
      std::ofstream(checkpoints + "/w") << last;
      train_steps(hook, 1);  // commits
      std::ofstream(checkpoints + "/v") << last;
      hook.commit(checkpoints + "/v");
      if (!hook.status().notes.empty() || hook.resumed().has_value() != last) return false;
      if (last) hook.close();
    }
    return tt::Trial(run).steps().size() == 6 && tt::read_states(*tt::open_store(checkpoints)).size() == 4;
  }));
}

TEST_CASE("a run whose path is not UTF-8 commits, and continues at the same address", "[capture][checkpoint_dir]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "caf\xe9").string();
  const tt::HookOptions options{.save = tt::every(1), .checkpoint_dir = (directory / "checkpoints").string()};
  {
    tt::Hook hook(run, options);
    train_steps(hook, 2);
    CHECK_NOTHROW(hook.commit());
  }
  fs::remove_all(run);  // a machine that lost its disk
  const tt::Hook hook(run, options);
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->global_step == 1);
}
