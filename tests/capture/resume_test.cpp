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

/// A run with a claim that never fails: two machines that cannot see each other's locks.
class Unclaimed final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  std::unique_ptr<tt::Claim> claim(std::string_view, std::string_view) override {
    return std::make_unique<tt::Claim>();
  }
};

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
    hook.begin_step();
    train_steps(hook, 3);
  }
  {
    tt::Hook hook(machine.run, machine.options());
    REQUIRE(hook.resumed());
    CHECK(hook.resumed()->global_step == 4);
    CHECK(hook.resumed()->step == 3);
    CHECK(hook.resumed()->eval_step == 0);
    CHECK(hook.resumed()->predict_step == -1);
    CHECK(hook.resumed()->checkpoint == "a");
    CHECK(hook.resumed()->attempt == 1);
    CHECK(hook.next_step() == 4);
    CHECK(hook.next_step(tt::Mode::eval) == 1);
    CHECK(hook.next_step(tt::Mode::predict) == 0);  // seen first after a resume: starts at 0
    CHECK(tt::Trial(machine.run).steps() == Steps{0, 1, 2, 3, 4});
    CHECK(keys(*machine.run, "superseded/000000001/index/").size() == 3);
    CHECK(keys(*machine.run, "superseded/000000001/events/").size() == 3);
    hook.begin_step();  // TRAIN, though the last commit was in EVAL
    hook.save("x", 5);
    hook.close();
  }
  const tt::Trial trial(machine.run);
  CHECK(trial.ended());
  CHECK(trial.steps() == Steps{0, 1, 2, 3, 4, 5});
  CHECK(trial.steps(tt::Mode::train) == Steps{0, 1, 2, 3, 4});
}

TEST_CASE("a run without a commit begins at step 0 again only with start_over, and says so", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 3);
  }
  CHECK_THROWS_WITH(tt::Hook(machine.run, machine.options()), contains("it holds 3 steps of an earlier attempt") &&
                                                                  contains("set start_over to begin again at step 0"));
  CHECK(keys(*machine.run, "index/").size() == 3);
  auto options = machine.options();
  options.start_over = true;
  options.on_resume = tt::OnResume::discard;
  tt::Hook hook(machine.run, options);
  CHECK_FALSE(hook.resumed());
  REQUIRE(hook.status().notes.size() == 1);
  CHECK_THAT(hook.status().notes[0], contains("the run begins again at step 0") && contains("3 steps"));
  CHECK(hook.next_step() == 0);
  CHECK(keys(*machine.run, "index/").empty());
  CHECK(keys(*machine.run, "events/").empty());
  CHECK(keys(*machine.run, "superseded/").empty());
}

TEST_CASE("a commit before the first step lets a successor begin again", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    commit(hook, *machine.checkpoints, "untrained");
    train_steps(hook, 3);
  }
  tt::Hook hook(machine.run, machine.options());
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->global_step == -1);
  CHECK(hook.resumed()->checkpoint == "untrained");
  CHECK(hook.next_step() == 0);
  CHECK(tt::Trial(machine.run).steps().empty());
}

TEST_CASE("a run refuses the commits of another run", "[capture][resume]") {
  const TemporaryDirectory directory;
  const auto options = [&](const std::string& checkpoints) {
    return tt::HookOptions{.save = tt::every(1), .checkpoint_dir = (directory / checkpoints).string()};
  };
  const auto train = [&](const std::string& run, const std::string& checkpoints) {
    tt::Hook hook((directory / run).string(), options(checkpoints));
    train_steps(hook, 3);
    hook.commit();
    return hook.global_step();
  };
  std::filesystem::create_directories(directory / "ca");
  std::filesystem::create_directories(directory / "cb");
  CHECK(train("a", "ca") == 2);
  CHECK_THROWS_WITH(train("b", "ca"), contains("holds the commits of another run") && contains("/a\")"));
  CHECK(train("b", "cb") == 2);
  CHECK_THROWS_WITH(train("b", "ca"), contains("holds the commits of another run"));  // with steps of its own, too
  CHECK(train("a", "ca") == 5);

  // A copied run, or a moved one, is the same run.
  std::filesystem::copy(directory / "a", directory / "copy", std::filesystem::copy_options::recursive);
  CHECK(train("copy", "ca") == 8);
  std::filesystem::rename(directory / "copy", directory / "moved");
  CHECK(train("moved", "ca") == 11);

  // A run whose machine took its directory along continues at the same address.
  std::filesystem::remove_all(directory / "b");
  CHECK(train("b", "cb") == 5);
  CHECK(train("b", "cb") == 8);
}

TEST_CASE("of two new runs with one checkpoint_dir, the second to commit is refused", "[capture][resume]") {
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  const tt::HookOptions options{.save = tt::every(1), .checkpoints = checkpoints};
  tt::Hook first(std::make_shared<tt::MemoryStore>(), options);
  tt::Hook second(std::make_shared<tt::MemoryStore>(), options);
  train_steps(first, 2);
  train_steps(second, 3);
  first.commit();
  CHECK_THROWS_WITH(second.commit(), contains("holds the commits of another run"));
  first.commit();
  REQUIRE(tt::read_states(*checkpoints).size() == 1);
  CHECK(tt::read_states(*checkpoints)[0].last_seen == 1);
}

TEST_CASE("workers that begin a run at the same time may commit in turn", "[capture][resume]") {
  const Machine machine;
  // Both find no attempt of the other, as if they had listed at the same moment.
  for (const std::string id : {"0", "1"})
    machine.run->put(tt::layout::attempt_key(0, "worker_" + id),
                     to_json(tt::Attempt{.worker = "worker_" + id, .run_id = "named by " + id}));
  auto options = machine.options();
  options.num_workers = 2;
  tt::Hook first(machine.run, options);
  options.worker = "worker_1";
  tt::Hook second(machine.run, options);
  train_steps(first, 1);
  train_steps(second, 1);
  first.commit();
  CHECK_NOTHROW(second.commit());
}

TEST_CASE("a commit with a changed digit is skipped", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 2);
    commit(hook, *machine.checkpoints, "a");
    train_steps(hook, 2);
    commit(hook, *machine.checkpoints, "b");
  }
  std::string text(tt::text_of(*machine.checkpoints->get("metadata.json")));
  const std::string from = GENERATE("\"TRAIN\": 3", "\"latest-global-step-seen\": 3", "\"latest-global-step-saved\": 3",
                                    "\"training-run\": 0, \"latest-global-step-saved\": 3");
  const std::size_t at = text.rfind(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), from.substr(0, from.size() - 1) + "1000000000000");
  machine.checkpoints->put("metadata.json", text);
  tt::Hook hook(machine.run, machine.options());
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->global_step == 1);
  CHECK(hook.resumed()->checkpoint == "a");
  REQUIRE(hook.status().notes.size() == 1);
  CHECK_THAT(hook.status().notes[0], contains("is skipped: its checksum does not match"));
  train_steps(hook, 1);
  hook.commit();
  CHECK(tt::read_states(*machine.checkpoints).size() == 2);  // it is not written again
}

TEST_CASE("a commit without a checksum that contradicts the index is skipped", "[capture][resume]") {
  const Machine machine;
  {
    tt::Hook hook(machine.run, machine.options());
    train_steps(hook, 4);
    hook.flush();
  }
  const auto state = [](int saved, int seen, int train) {
    return R"({"training-run": 0, "latest-global-step-saved": )" + std::to_string(saved) +
           R"(, "latest-global-step-seen": )" + std::to_string(seen) + R"(, "latest-mode-step": {"GLOBAL": )" +
           std::to_string(seen) + R"(, "TRAIN": )" + std::to_string(train) + "}}";
  };
  const std::string last = GENERATE_COPY(state(3, 3, 0), state(3, 3, 1'000'000), state(3, 5, 2), state(9, 3, 3));
  machine.checkpoints->put("metadata.json", "[" + state(1, 1, 1) + ", " + last + "]");
  const tt::Hook hook(machine.run, machine.options());
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->global_step == 1);
  REQUIRE(hook.status().notes.size() == 1);
  CHECK_THAT(hook.status().notes[0], contains("it contradicts the index of its last saved step"));
}

namespace {

/// Runs of several workers: each life makes one hook for each worker.
struct Workers {
  Machine machine;
  std::vector<std::unique_ptr<tt::Hook>> hooks;

  void begin(int count) {
    for (int rank = 0; rank < count; ++rank) {
      auto options = machine.options();
      options.worker = "worker_" + std::to_string(rank);
      options.num_workers = count;
      hooks.push_back(std::make_unique<tt::Hook>(machine.run, options));
    }
  }
  void train(int steps) {
    for (auto& hook : hooks) train_steps(*hook, steps);
    for (auto& hook : hooks) hook->flush();
  }
  void commit() { hooks[0]->commit(); }
};

}  // namespace

TEST_CASE("with fewer workers, what the others saved after the commit no longer counts", "[capture][resume]") {
  Workers workers;
  const int before = GENERATE(2, 3, 4);
  const int after = GENERATE(1, 2);
  if (after >= before) return;
  CAPTURE(before, after);
  workers.begin(before);
  workers.train(4);
  workers.commit();
  workers.train(2);
  workers.hooks.clear();
  const tt::Trial live(std::static_pointer_cast<const tt::Store>(workers.machine.run),
                       {.follow = true, .refresh_interval = {}});
  CHECK(live.steps().size() == 6);
  workers.begin(after);
  CHECK(live.num_workers() == after);
  CHECK(live.steps() == Steps{0, 1, 2, 3});
  workers.train(50);
  CHECK(live.steps().size() == 54);
  CHECK(live.has_passed_step(20) == tt::StepState::available);
  CHECK(live.tensor("x").workers(3).size() == static_cast<std::size_t>(before));
  CHECK(live.tensor("x").workers(5).size() == static_cast<std::size_t>(after));
  for (auto& hook : workers.hooks) {
    CHECK_FALSE(live.ended());
    hook->close();
  }
  CHECK(live.ended());
  const tt::Trial trial(std::static_pointer_cast<const tt::Store>(workers.machine.run));
  CHECK(trial.num_workers() == after);
  CHECK(trial.steps().size() == 54);
  CHECK(trial.damage().empty());
  CHECK(keys(*workers.machine.run, "index/").size() == static_cast<std::size_t>(4 * before + 50 * after));
}

TEST_CASE("a lost worker that wakes up is fenced, and may come back later", "[capture][resume]") {
  Workers workers;
  const auto unclaimed = std::make_shared<Unclaimed>(workers.machine.run);
  workers.begin(1);
  auto options = workers.machine.options();
  workers.hooks.clear();
  options.num_workers = 2;
  options.worker = "worker_1";
  workers.begin(2);
  workers.hooks.pop_back();
  tt::Hook sleeper(unclaimed, options);
  train_steps(*workers.hooks[0], 2);
  workers.commit();
  workers.hooks.clear();
  workers.begin(1);
  train_steps(sleeper, 3);
  CHECK_THROWS_WITH(sleeper.flush(), contains("another attempt continues this run"));
  workers.train(1);
  workers.commit();
  workers.hooks.clear();
  workers.begin(2);
  workers.train(1);
  const tt::Trial trial(std::static_pointer_cast<const tt::Store>(workers.machine.run));
  CHECK(trial.num_workers() == 2);
  CHECK(trial.tensor("x").workers(3) == std::vector<std::string>{"worker_0", "worker_1"});
}

TEST_CASE("a worker whose name is spelled in another way in keys is not taken for another one", "[capture][resume]") {
  const Machine machine;
  auto options = machine.options();
  options.worker = GENERATE("a:b", "/job:worker/task:1", "a/b");
  for (int life = 0; life < 3; ++life) {
    tt::Hook hook(machine.run, options);
    CHECK(hook.next_step() == 2 * life);
    train_steps(hook, 2);
    hook.commit();
    train_steps(hook, 1);
  }
  CHECK(machine.run->size(tt::layout::collections_key(options.worker)));
  CHECK(tt::Trial(machine.run).steps().size() == 7);
  CHECK(keys(*machine.run, "attempts/").size() == 3);
}

TEST_CASE("a run does not continue without a worker that lives", "[capture][resume]") {
  Workers workers;
  workers.begin(2);
  workers.train(2);
  workers.commit();
  workers.hooks.erase(workers.hooks.begin());
  CHECK_THROWS_WITH(tt::Hook(workers.machine.run, workers.machine.options()), contains("another process writes"));
  workers.hooks.clear();
  auto both = workers.machine.options();
  both.num_workers = 2;
  const tt::Hook first(workers.machine.run, both);
  CHECK_THROWS_WITH(tt::Hook(workers.machine.run, workers.machine.options()), contains("another process writes"));
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
  auto options = machine.options();
  options.start_over = true;  // it may sleep before the first commit
  std::string expected;
  std::unique_ptr<tt::Hook> successor;
  int operations = 0;
  sleeper->before = [&] {
    if (++operations != sleep_at || machine.run->list("index/").empty()) return;
    successor = std::make_unique<tt::Hook>(unclaimed, options);
    for (int i = 0; i < 3; ++i) {
      successor->begin_step();
      successor->save("x", successor->global_step() + 1000);
    }
    successor->flush();
    expected = seen(machine.run);
  };
  {
    tt::Hook zombie(sleeper, options);
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
