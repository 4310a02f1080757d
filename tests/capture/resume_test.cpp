#include <tensortap/tensortap.hpp>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;

namespace {

struct Machine {
  std::shared_ptr<tt::MemoryStore> run = std::make_shared<tt::MemoryStore>();
  std::shared_ptr<tt::MemoryStore> checkpoints = std::make_shared<tt::MemoryStore>();

  [[nodiscard]] tt::HookOptions options() const {
    return {.collections = {{.name = "all"}}, .save = tt::every(1), .checkpoints = checkpoints};
  }
};

/// Saves a checkpoint of this name and commits it.
void commit(tt::Hook& hook, tt::Store& checkpoints, const std::string& name) {
  checkpoints.put(name, "at " + std::to_string(hook.global_step()));
  hook.commit(name);
}

std::vector<std::string> keys(const tt::Store& store, const std::string& prefix) {
  std::vector<std::string> out;
  for (const auto& object : store.list(prefix)) out.push_back(object.key);
  return out;
}

}  // namespace

TEST_CASE("a successor continues after the last commit, and later steps are set aside", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    CHECK_FALSE(hook.resumed());
    train_steps(hook, 4);
    hook.begin_step(tt::Mode::eval);
    hook.save("x", 4);
    commit(hook, *machine.checkpoints, "a");
    CHECK_THROWS_WITH(hook.save("x", 1), contains("no step has begun"));
    hook.begin_step(tt::Mode::train);
    train_steps(hook, 3);
  }
  {
    tt::Hook hook(machine.run, machine.options());
    REQUIRE(hook.resumed());
    CHECK(hook.resumed()->global_step == 4);
    CHECK(hook.resumed()->mode == tt::Mode::eval);
    CHECK(hook.resumed()->step == 0);
    CHECK(hook.resumed()->checkpoint == "a");
    CHECK(hook.resumed()->attempt == 1);
    CHECK(hook.next_step(tt::Mode::train) == 4);
    CHECK(hook.next_step(tt::Mode::eval) == 1);
    CHECK(hook.next_step(tt::Mode::predict) == 0);  // seen first after a resume: starts at 0
    CHECK(tt::Trial(machine.run).steps() == Steps{0, 1, 2, 3, 4});
    CHECK(keys(*machine.run, "superseded/000000001/index/").size() == 3);
    CHECK(keys(*machine.run, "superseded/000000001/events/").size() == 3);
    hook.begin_step(tt::Mode::train);
    hook.save("x", 5);
    hook.close();
  }
  const tt::Trial trial(machine.run);
  CHECK(trial.ended());
  CHECK(trial.steps() == Steps{0, 1, 2, 3, 4, 5});
  CHECK(trial.steps(tt::Mode::train) == Steps{0, 1, 2, 3, 4});
}

TEST_CASE("without a commit a successor begins at step 0", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 3);
  }
  auto options = machine.options();
  options.on_resume = tt::OnResume::discard;
  tt::Hook hook(machine.run, options);
  CHECK_FALSE(hook.resumed());
  CHECK(hook.next_step() == 0);
  CHECK(keys(*machine.run, "index/").empty());
  CHECK(keys(*machine.run, "events/").empty());
  CHECK(keys(*machine.run, "superseded/").empty());
}

TEST_CASE("steps kept on resume are not valid, and are written again", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 2);
    commit(hook, *machine.checkpoints, "a");
    train_steps(hook, 2);
  }
  auto options = machine.options();
  options.on_resume = tt::OnResume::keep;
  tt::Hook hook(machine.run, options);
  CHECK(keys(*machine.run, "index/").size() == 4);
  CHECK(tt::Trial(machine.run).steps() == Steps{0, 1});
  train_steps(hook, 1);
  hook.flush();
  CHECK(tt::Trial(machine.run).steps() == Steps{0, 1, 2});
  CHECK(hook.status().steps_lost == 0);
}

TEST_CASE("a commit with a changed checkpoint is skipped", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 2);
    commit(hook, *machine.checkpoints, "a");
    train_steps(hook, 2);
    commit(hook, *machine.checkpoints, "b");
  }
  SECTION("changed") { machine.checkpoints->put("b", "at 9"); }
  SECTION("gone") { machine.checkpoints->remove("b"); }
  {
    tt::Hook hook(machine.run, machine.options());
    REQUIRE(hook.resumed());
    CHECK(hook.resumed()->global_step == 1);
    REQUIRE(hook.status().notes.size() == 1);
    CHECK_THAT(hook.status().notes[0], contains("the commit at step 3 is skipped"));
    train_steps(hook, 1);
    commit(hook, *machine.checkpoints, "c");
  }
  machine.checkpoints->put("b", "at 3");  // the old commit does not come back
  CHECK(tt::Hook(machine.run, machine.options()).resumed()->global_step == 2);

  machine.checkpoints->put("a", "x");
  machine.checkpoints->put("c", "x");
  CHECK_THROWS_WITH(tt::Hook(machine.run, machine.options()), contains("no committed checkpoint is intact"));
}

TEST_CASE("a commit at the same step replaces the one before, and old ones are dropped", "[capture][resume]") {
  const Machine machine;
  tt::Hook hook(machine.run, machine.options());
  for (int i = 0; i < 130; ++i) {
    train_steps(hook, 1);
    hook.commit();
    hook.commit();
  }
  const auto states = tt::read_states(*machine.checkpoints);
  CHECK(states.size() == 100);
  CHECK(states.back().last_seen == 129);
  CHECK(states.front().last_seen == 30);
}

TEST_CASE("a new run directory continues from the state alone, as with smdebug", "[capture][resume]") {
  const Machine machine;
  machine.checkpoints->put(
      "metadata.json",
      R"([{"training-run": 0, "latest-global-step-saved": 8, "latest-global-step-seen": 9, "latest-mode-step": {"GLOBAL": 9, "TRAIN": 7, "EVAL": 1}}])");
  tt::Hook hook(machine.run, machine.options());
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->attempt == 1);
  CHECK(hook.resumed()->checkpoint.empty());
  CHECK(hook.next_step(tt::Mode::global) == 10);
  CHECK(hook.next_step(tt::Mode::train) == 8);
  CHECK(hook.next_step(tt::Mode::eval) == 2);
}

TEST_CASE("an ended run is resumed only with resume_ended", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 2);
    commit(hook, *machine.checkpoints, "a");
    hook.close();
  }
  CHECK_THROWS_WITH(tt::Hook(machine.run, machine.options()), contains("this run has ended"));
  auto options = machine.options();
  options.resume_ended = true;
  tt::Hook hook(machine.run, options);
  CHECK_FALSE(tt::Trial(machine.run).ended());
  CHECK(hook.next_step() == 2);
}

TEST_CASE("a second writer is refused while the first lives", "[capture][resume]") {
  const TemporaryDirectory directory;
  const std::string run = directory / "run";
  {
    const tt::Hook hook(run);
    CHECK_THROWS_WITH(tt::Hook(run), contains("another process writes this run (process "));
    try {
      const tt::Hook second(run);
    } catch (const tt::Error& e) {
      CHECK(e.code() == tt::Errc::claimed);
    }
  }
  CHECK_FALSE(std::filesystem::exists(run + "/claim.smd"));
  CHECK_NOTHROW(tt::Hook(run));
  std::ofstream(run + "/claim.smd");  // as smdebug leaves it when it crashes
  CHECK_NOTHROW(tt::Hook(run));
}

TEST_CASE("several workers claim for themselves, and the last to close ends the run", "[capture][resume]") {
  const Machine machine;
  auto options = machine.options();
  options.num_workers = 2;
  options.checkpoints = nullptr;
  tt::Hook first(machine.run, options);
  options.worker = "worker_1";
  tt::Hook second(machine.run, options);
  train_steps(first, 2);
  train_steps(second, 2);
  first.close();
  CHECK_FALSE(tt::Trial(machine.run).ended());
  second.close();
  CHECK(tt::Trial(machine.run).ended());
}

TEST_CASE("checkpoints must lie below their directory", "[capture][resume]") {
  const TemporaryDirectory directory;
  const std::string checkpoints = directory / "checkpoints";
  std::filesystem::create_directories(checkpoints + "/epoch-1");
  std::ofstream(checkpoints + "/epoch-1/weights") << "w";
  std::ofstream(directory / "elsewhere") << "w";
  tt::Hook hook((directory / "run").string(), {.save = tt::every(1), .checkpoint_dir = checkpoints});
  train_steps(hook, 1);
  CHECK_THROWS_WITH(hook.commit((directory / "elsewhere").string()), contains("it is not below checkpoint_dir"));
  CHECK_THROWS_WITH(hook.commit(checkpoints), contains("it is not below checkpoint_dir"));
  CHECK_THROWS_WITH(hook.commit(checkpoints + "/epoch-2"), contains("no such file below checkpoint_dir"));
  hook.commit(checkpoints + "/../checkpoints/epoch-1");
  const auto states = tt::read_states(tt::FileStore(checkpoints));
  REQUIRE(states.size() == 1);
  CHECK(states[0].checkpoint == "epoch-1");
  REQUIRE(states[0].files.size() == 1);
  CHECK(states[0].files[0].name == "epoch-1/weights");

  tt::Hook without(std::make_shared<tt::MemoryStore>());
  CHECK_THROWS_WITH(without.commit(), contains("the hook has no checkpoint_dir"));
}

TEST_CASE("changed checkpoints are committed with watch_checkpoints", "[capture][resume]") {
  const TemporaryDirectory directory;
  const std::string checkpoints = directory / "checkpoints";
  std::filesystem::create_directories(checkpoints);
  {
    tt::Hook hook((directory / "run").string(),
                  {.save = tt::every(1), .checkpoint_dir = checkpoints, .watch_checkpoints = true});
    train_steps(hook, 4);
    std::ofstream(checkpoints + "/last.ckpt") << "aaa";
    train_steps(hook, 3);
    std::ofstream(checkpoints + "/last.ckpt") << "bbb";  // of the same size: smdebug does not see it
    train_steps(hook, 2);
  }
  const auto states = tt::read_states(tt::FileStore(checkpoints));
  REQUIRE(states.size() == 2);  // and no false third one
  CHECK(states[0].last_seen == 3);
  CHECK(states[1].last_seen == 6);
  const tt::Hook hook((directory / "run").string(), {.checkpoint_dir = checkpoints});
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->global_step == 6);
  CHECK(hook.resumed()->checkpoint == checkpoints + "/last.ckpt");
}

namespace {

/// Returns everything that a reader sees of a run.
std::string seen(const std::shared_ptr<const tt::Store>& store) {
  const tt::Trial trial(store);
  std::string out = trial.ended() ? "ended" : "open";
  for (const auto& tensor : trial.tensors())
    for (const auto step : tensor.steps()) {
      const auto value = tensor.value(step);
      out += " " + tensor.name() + std::to_string(step) + "=" + (value ? std::to_string(value->number(0)) : "?");
    }
  return out + " damage " + std::to_string(trial.damage().size());
}

/// A run with a claim that never fails: two machines that cannot see each other's locks.
class Unclaimed final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::unique_ptr<tt::Claim> claim(std::string_view, std::string_view) override {
    return std::make_unique<tt::Claim>();
  }
};

}  // namespace

TEST_CASE("a late writer of a superseded attempt changes nothing for readers", "[capture][resume]") {
  // The late writer sleeps after its `sleep_at`th operation; the successor trains; the late writer wakes and continues.
  const int sleep_at = GENERATE(range(1, 40));
  CAPTURE(sleep_at);
  class Sleeper final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    using ForwardingStore::put;
    std::function<void()> before = [] {};
    bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
      before();
      return ForwardingStore::put(key, pieces, sync, if_exists);
    }
    std::optional<std::uint64_t> size(std::string_view key) const override {
      before();
      return ForwardingStore::size(key);
    }
  };
  const Machine machine;
  const auto unclaimed = std::make_shared<Unclaimed>(machine.run);
  const auto sleeper = std::make_shared<Sleeper>(unclaimed);
  std::string expected;
  std::unique_ptr<tt::Hook> successor;
  int operations = 0;
  sleeper->before = [&] {
    if (++operations != sleep_at || machine.run->list("index/").empty()) return;
    successor = std::make_unique<tt::Hook>(unclaimed, machine.options());
    for (int i = 0; i < 3; ++i) {
      successor->begin_step();
      successor->save("x", successor->global_step() + 1000);
    }
    successor->flush();
    expected = seen(machine.run);
  };
  {
    tt::Hook zombie(sleeper, machine.options());
    try {
      train_steps(zombie, 3);
      commit(zombie, *machine.checkpoints, "a");
      train_steps(zombie, 4);
      zombie.close();
    } catch (const tt::Error& e) {
      CHECK_THAT(e.what(), contains("another attempt continues this run"));
    }
  }
  if (!successor) return;  // it slept before the first step, or not at all
  CHECK(seen(machine.run) == expected);
  successor->begin_step();
  successor->save("x", 5000);
  const auto at = successor->global_step();
  successor->close();
  CHECK(tt::Trial(machine.run).ended());
  CHECK(tt::Trial(machine.run).tensor("x").value(at)->number(0) == 5000);
  CHECK(static_cast<std::int64_t>(tt::Trial(machine.run).steps().size()) == at + 1);
}
