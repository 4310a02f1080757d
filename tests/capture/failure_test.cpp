// What a hook does when the store, the machine or the training fails.
#include <tensortap/tensortap.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
using namespace std::chrono_literals;

namespace {

tt::HookOptions without_pauses() {
  return {.collections = {{.name = "all"}}, .save = tt::every(1), .sleep = [](std::chrono::nanoseconds) {}};
}

/// Makes system calls fail with `error` while it is not 0.
struct Fault {
  std::atomic<int> error = 0;
  std::atomic<int> times = 0;

  bool strikes() {
    if (error == 0) return false;
    ++times;
    errno = error;
    return true;
  }
};

/// A system call of the table that the fault may strike.
template <class Result, class... Arguments>
void break_call(std::function<Result(Arguments...)>& call, Fault& fault) {
  call = [&fault, call](Arguments... arguments) -> Result {
    return fault.strikes() ? static_cast<Result>(-1) : call(arguments...);
  };
}

/// Keys that cannot be written at the moment.
class RefusingStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using ForwardingStore::put;
  std::atomic<bool> fails = false;
  std::string foreign = {};  ///< the text of an exception of another library

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (fails && !foreign.empty()) throw std::runtime_error(foreign);
    if (fails) throw tt::Error::io("store: cannot write", key, "disk full");
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
};

/// A store in which every write waits for a permission.
class SlowStore final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using ForwardingStore::put;
  std::shared_future<void> permission;

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (permission.valid()) permission.wait();
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
};

}  // namespace

TEST_CASE("a temporary failure of the file system loses nothing", "[capture][failure]") {
  const TemporaryDirectory directory;
  Fault fault;
  tt::FileCalls calls;
  const int error = GENERATE(ENOSPC, EIO, EMFILE, EROFS, EDQUOT);
  break_call(calls.writev, fault);
  break_call(calls.renameat_new, fault);
  auto options = without_pauses();
  options.sleep = [&](std::chrono::nanoseconds) {
    if (fault.times > 3) fault.error = 0;
  };
  tt::Hook hook(std::make_shared<tt::FileStore>((directory / "run").string(), calls), options);
  train_steps(hook, 3);
  hook.flush();
  fault.error = error;
  train_steps(hook, 3);
  hook.close();
  CHECK(fault.times > 3);
  CHECK(hook.status().retries > 0);
  CHECK(hook.status().steps_lost == 0);
  CHECK(hook.status().steps_saved == 6);
  CHECK(tt::Trial((directory / "run").string()).steps().size() == 6);
}

TEST_CASE("a lasting failure lets training continue, and each channel reports it once", "[capture][failure]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  const std::string checkpoints = (directory / "checkpoints").string();
  Fault fault;
  tt::FileCalls calls;
  break_call(calls.writev, fault);
  std::vector<std::string> errors;
  auto options = without_pauses();
  options.checkpoint_dir = checkpoints;
  options.retry.for_at_most = 100ms;
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  {
    tt::Hook hook(std::make_shared<tt::FileStore>(run, calls), options);
    train_steps(hook, 2);
    hook.commit();
    fault.error = ENOSPC;
    CHECK_NOTHROW(train_steps(hook, 3));
    CHECK_THROWS_WITH(hook.commit(), contains("steps since the last commit could not be saved (3)"));
    fault.error = 0;
    CHECK(hook.status().steps_lost == 3);
    REQUIRE(hook.status().losses.size() == 1);
    CHECK(hook.status().losses[0].reason == tt::LossReason::write_failed);
    CHECK(hook.status().losses[0].first_step == 2);
    CHECK(hook.status().losses[0].last_step == 4);
    REQUIRE(errors.size() == 1);
    CHECK_THAT(errors[0], contains("No space left on device"));
    CHECK(*hook.status().error == errors[0]);
    train_steps(hook, 1);
    hook.commit();  // the loss was reported once: this commit continues without the steps
    CHECK_THROWS_WITH(hook.close(), contains("No space left on device"));
  }
  CHECK(tt::Trial(run).steps() == Steps{0, 1, 5});
  CHECK(tt::Trial(run).ended());
  CHECK(tt::read_states(tt::FileStore(checkpoints)).back().last_seen == 5);
}

TEST_CASE("a commit names the failure of its own steps, not one of long ago", "[capture][failure]") {
  const auto store = std::make_shared<RefusingStore>();
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  auto options = without_pauses();
  options.checkpoints = checkpoints;
  tt::Hook hook(store, options);
  for (const std::string step : {"000000000000_", "000000000002_"}) {
    const auto lost = hook.status().steps_lost;
    store->fails = true;
    train_steps(hook, 1);
    hook.begin_step();  // hands the step to the writer
    while (hook.status().steps_lost == lost) std::this_thread::yield();
    store->fails = false;
    CHECK_THROWS_WITH(hook.commit(), contains(step));
    CHECK_NOTHROW(hook.commit());
  }
}

TEST_CASE("what was lost becomes part of the run", "[capture][failure]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RefusingStore>(memory);
  const auto losses = [&] { return tt::Trial(std::static_pointer_cast<const tt::Store>(memory)).losses(); };
  auto options = without_pauses();
  options.retry.for_at_most = 0s;
  options.num_workers = GENERATE(1, 2);
  options.index_extras = GENERATE(true, false);
  {
    tt::Hook hook(store, options);
    train_steps(hook, 2);
    hook.flush();
    const tt::Trial live(std::static_pointer_cast<const tt::Store>(memory), {.follow = true, .refresh_interval = {}});
    CHECK(live.losses().empty());
    store->fails = true;
    train_steps(hook, 3);
    CHECK_THROWS_WITH(hook.flush(), contains("could not be saved (3)"));
    CHECK(losses().empty());  // the store refused them, too
    SECTION("told with the next step that can be written") {
      store->fails = false;
      train_steps(hook, 2);
      while (hook.status().steps_saved < 3) std::this_thread::sleep_for(1ms);
      CHECK(losses().steps == 3);
      CHECK(live.losses().steps == 3);
    }
    SECTION("told at the end") { store->fails = false; }
    SECTION("and more of them, of the same number of digits") {
      store->fails = false;
      hook.flush();
      CHECK(live.losses().steps == 3);
      store->fails = true;
      train_steps(hook, 2);
      CHECK_THROWS(hook.flush());
      store->fails = false;
      hook.flush();
      CHECK(live.losses().steps == 5);
      CHECK(losses().last_step == 6);
    }
    const std::uint64_t lost = hook.status().steps_lost;
    CHECK_THROWS_WITH(hook.close(), contains("disk full"));
    const tt::RunLosses after = losses();
    CHECK(after.steps == lost);
    CHECK(after.tensors == lost);
    CHECK(after.first_step == 2);
    CHECK_THAT(after.error, contains("disk full"));
    CHECK_THAT(to_string(after), contains(std::to_string(lost) + " steps and ") && contains("lost, in steps 2 to "));
    CHECK(live.losses().steps == lost);
  }
  if (options.num_workers == 1 && options.index_extras)
    CHECK_THAT(std::string(tt::text_of(*memory->get(tt::layout::end_marker))), contains("write_failed"));
}

TEST_CASE("any text of an error becomes part of the run", "[capture][failure]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RefusingStore>(memory);
  store->foreign = GENERATE(std::string("caf\xe9"), std::string(299, 'x') + "\xc3\xa9");
  auto options = without_pauses();
  options.retry.for_at_most = 0s;
  tt::Hook hook(store, options);
  store->fails = true;
  train_steps(hook, 1);
  CHECK_THROWS(hook.flush());
  store->fails = false;
  CHECK_THROWS(hook.close());
  const tt::Trial trial(std::static_pointer_cast<const tt::Store>(memory));
  CHECK(trial.ended());
  CHECK(trial.damage().empty());
  CHECK(trial.losses().steps == 1);
  CHECK(trial.losses().error == (store->foreign.size() < 10 ? "caf\\xe9" : std::string(299, 'x')));
}

TEST_CASE("losses that a later attempt has made good do not count", "[capture][failure]") {
  const auto memory = std::make_shared<tt::MemoryStore>();
  const auto store = std::make_shared<RefusingStore>(memory);
  auto options = without_pauses();
  options.retry.for_at_most = 0s;
  options.checkpoints = std::make_shared<tt::MemoryStore>();
  const auto lose = [&](tt::Hook& hook) {
    store->fails = true;
    train_steps(hook, 2);
    CHECK_THROWS(hook.flush());
    store->fails = false;
    hook.flush();
  };
  {
    tt::Hook hook(store, options);
    lose(hook);
    train_steps(hook, 1);
    hook.commit();
    train_steps(hook, 1);
    lose(hook);
  }
  const auto losses = [&] { return tt::Trial(std::static_pointer_cast<const tt::Store>(memory)).losses(); };
  CHECK(losses().steps == 5);
  CHECK(losses().last_step == 5);
  tt::Hook hook(store, options);  // continues after step 2
  CHECK(losses().steps == 2);
  train_steps(hook, 4);
  hook.close();
  CHECK(losses().first_step == 0);
  CHECK(losses().last_step == 1);
}

TEST_CASE("no time counts as waiting for room but the wait itself", "[capture][failure]") {
  const auto store = std::make_shared<SlowStore>();
  auto options = without_pauses();
  options.queue_bytes = 64 << 10;
  tt::Hook hook(store, options);
  train_steps(hook, 5);
  hook.flush();
  CHECK(hook.status().blocked == 0ns);
  // On a busy machine the store may go on before the queue is full; then it waits longer.
  for (auto wait = 20ms; wait < 10s && hook.status().blocked == 0ns; wait *= 2) {
    hook.flush();
    std::promise<void> permission;
    store->permission = permission.get_future().share();
    std::jthread opener([&] {
      std::this_thread::sleep_for(wait);
      permission.set_value();
    });
    for (int i = 0; i < 20; ++i) {
      hook.begin_step();
      hook.save("x", std::vector<float>(4096));
    }
  }
  CHECK(hook.status().blocked > 0ns);
  CHECK(hook.status().steps_lost == 0);
}

TEST_CASE("a callback that waits for its own thread is refused", "[capture][failure]") {
  std::vector<std::string> messages;
  tt::Hook* at = nullptr;
  auto options = without_pauses();
  options.checkpoints = std::make_shared<tt::MemoryStore>();
  options.on_step = [&](const tt::StepView&) {
    for (const auto& call :
         std::vector<std::function<void()>>{[&] { at->flush(); }, [&] { at->commit(); }, [&] { at->close(); }}) {
      try {
        call();
      } catch (const tt::Error& e) {
        messages.emplace_back(e.what());
      }
    }
  };
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), options);
  at = &hook;
  train_steps(hook, 1);
  hook.flush();
  hook.close();
  REQUIRE(messages.size() == 3);
  CHECK_THAT(messages[0], contains("flush: it waits for the writer's thread"));
  CHECK_THAT(messages[2], contains("close: it waits for the writer's thread"));
}

TEST_CASE("a callback that ends the program does not wait for itself", "[capture][failure]") {
  const TemporaryDirectory directory;
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    static std::unique_ptr<tt::Hook> global;
    static std::atomic<bool> unused = false;
    auto options = without_pauses();
    options.on_step = [](const tt::StepView&) {
      unused.wait(false);
      global.reset();  // as std::exit does with a global
      ::_exit(3);
    };
    global = std::make_unique<tt::Hook>((directory / "run").string(), options);
    train_steps(*global, 1);
    global->begin_step();
    unused = true;
    unused.notify_one();
    std::this_thread::sleep_for(60s);
    ::_exit(4);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
}

TEST_CASE("training stops at a failed write with OnFailure::stop", "[capture][failure]") {
  const auto store = std::make_shared<RefusingStore>();
  auto options = without_pauses();
  options.on_failure = tt::OnFailure::stop;
  options.retry.for_at_most = 0s;
  tt::Hook hook(store, options);
  train_steps(hook, 1);
  store->fails = true;
  CHECK_THROWS_WITH(hook.flush(), contains("could not be saved"));
  CHECK_THROWS_WITH(hook.begin_step(), contains("disk full"));
}

TEST_CASE("committed steps survive a commit that fails at any operation", "[capture][failure]") {
  const TemporaryDirectory directory;
  const std::string checkpoints = (directory / "checkpoints").string();
  const std::string run = (directory / "run").string();
  for (int place = 0;; ++place) {
    CAPTURE(place);
    std::filesystem::remove_all(directory / "run");
    std::filesystem::remove_all(directory / "checkpoints");
    std::atomic<int> left = 1 << 30;
    Fault fault;
    tt::FileCalls calls;
    const auto count_down = [&](auto& call) {
      break_call(call, fault);
      call = [&, call](auto... arguments) {
        if (--left == 0) fault.error = EIO;
        return call(arguments...);
      };
    };
    count_down(calls.writev);
    count_down(calls.fsync);
    count_down(calls.renameat);
    count_down(calls.renameat_new);
    count_down(calls.close);
    auto options = without_pauses();
    options.retry.for_at_most = 0s;
    options.checkpoints = std::make_shared<tt::FileStore>(checkpoints, calls);
    bool failed = false;
    {
      tt::Hook hook(std::make_shared<tt::FileStore>(run, calls), options);
      train_steps(hook, 2);
      hook.commit();
      train_steps(hook, 2);
      left = place + 1;
      try {
        hook.commit();
      } catch (const tt::Error&) {
        failed = true;
      }
      left = 1 << 30;
      fault.error = 0;
    }
    const auto states = tt::read_states(tt::FileStore(checkpoints));
    REQUIRE_FALSE(states.empty());
    if (!failed) CHECK(states.back().last_seen == 3);
    options.checkpoints = std::make_shared<tt::FileStore>(checkpoints);
    const tt::Hook next(run, options);
    CHECK(next.resumed()->global_step == states.back().last_seen);
    const auto steps = tt::Trial(run).steps();
    CHECK(static_cast<std::int64_t>(steps.size()) == states.back().last_seen + 1);
    if (!failed) {
      CHECK(place > 10);
      break;
    }
  }
}

TEST_CASE("a removed directory is made again", "[capture][failure]") {
  const TemporaryDirectory directory;
  tt::Hook hook((directory / "run").string(), without_pauses());
  train_steps(hook, 2);
  hook.flush();
  std::filesystem::remove_all(directory / "run");
  train_steps(hook, 2);
  CHECK_THROWS_WITH(hook.close(), contains("the run was removed while it was written (2 saved steps are gone)"));
  CHECK(tt::Trial((directory / "run").string()).steps() == Steps{2, 3});
}

TEST_CASE("a clock that jumps back is harmless", "[capture][failure]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  auto options = without_pauses();
  double now = 1e9;
  options.wall_time = [&] { return now -= 3600; };
  tt::Hook hook(store, options);
  train_steps(hook, 5);
  hook.close();
  CHECK(tt::Trial(store).steps().size() == 5);
  CHECK(tt::Trial(store).damage().empty());
}

TEST_CASE("a full queue blocks until block_timeout, then drops and counts", "[capture][failure]") {
  std::promise<void> permission;
  const auto store = std::make_shared<SlowStore>();
  auto options = without_pauses();
  options.queue_bytes = 64 << 10;
  options.when_full = GENERATE(tt::WhenFull::block, tt::WhenFull::drop);
  options.block_timeout = 1ms;
  tt::Hook hook(store, options);
  store->permission = permission.get_future().share();
  for (int i = 0; i < 20; ++i) {
    hook.begin_step();
    hook.save("x", std::vector<float>(4096, static_cast<float>(i)));
  }
  CHECK(hook.status().bytes_queued <= options.queue_bytes);
  CHECK(hook.status().steps_queued < 10);
  permission.set_value();
  hook.close();
  const tt::HookStatus status = hook.status();
  CHECK(status.steps_lost > 8);
  CHECK(status.steps_saved + status.steps_lost == 20);
  REQUIRE_FALSE(status.losses.empty());
  CHECK(status.losses[0].reason == tt::LossReason::queue_full);
  const tt::Trial trial(std::static_pointer_cast<const tt::Store>(store));
  CHECK(trial.steps().size() == status.steps_saved);
  for (const auto step : trial.steps()) CHECK(trial.tensor("x").value(step)->number(7) == static_cast<double>(step));
}

TEST_CASE("no call waits beyond its timeout for a store that hangs", "[capture][failure]") {
  auto permission = std::make_shared<std::promise<void>>();
  const auto store = std::make_shared<SlowStore>();
  auto options = without_pauses();
  options.checkpoints = std::make_shared<tt::MemoryStore>();
  options.destroy_timeout = 10ms;
  {
    tt::Hook hook(store, options);
    store->permission = permission->get_future().share();
    train_steps(hook, 2);
    CHECK_THROWS_WITH(hook.commit("", 10ms), contains("commit: \"memory\": it did not finish in time"));
    train_steps(hook, 1);
    CHECK_THROWS_WITH(hook.flush(10ms), contains("it did not finish in time"));
  }
  permission->set_value();  // the detached thread ends
  while (store.use_count() > 1) std::this_thread::sleep_for(1ms);
  CHECK(options.checkpoints->size("metadata.json") == std::nullopt);
}

TEST_CASE("the deadline of a notice bounds all waits", "[capture][failure]") {
  std::promise<void> permission;
  const auto store = std::make_shared<SlowStore>();
  auto options = without_pauses();
  options.checkpoints = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(store, options);
  CHECK_FALSE(hook.interrupted());
  CHECK_FALSE(hook.time_left());
  store->permission = permission.get_future().share();
  train_steps(hook, 1);
  options.stop.request(tt::StopReason::notice, tt::StopSignal::Clock::now() + 20ms);
  CHECK(hook.interrupted());
  REQUIRE(hook.time_left());
  CHECK_THROWS_WITH(hook.commit(), contains("it did not finish in time"));
  permission.set_value();
  CHECK(hook.time_left() == 0ns);
}

TEST_CASE("a passing exception loses only the half step", "[capture][failure]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  auto options = without_pauses();
  options.checkpoints = checkpoints;
  CHECK_THROWS_AS(
      [&] {
        tt::Hook hook(store, options);
        train_steps(hook, 3);
        throw std::runtime_error("training failed");
      }(),
      std::runtime_error);
  CHECK(tt::Trial(store).steps() == Steps{0, 1});
  CHECK_FALSE(tt::Trial(store).ended());
}

TEST_CASE("a forked child that dies does not change the run", "[capture][failure]") {
  const TemporaryDirectory directory;
  const std::string run = (directory / "run").string();
  tt::Hook hook(run, without_pauses());
  train_steps(hook, 2);
  const pid_t child = ::fork();
  if (child == 0) {
    hook.begin_step();
    hook.flush();
    hook.close();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  train_steps(hook, 2);
  CHECK_THROWS_WITH(tt::Hook(run), contains("another process writes this run"));  // the claim is still ours
  hook.close();
  CHECK(tt::Trial(run).steps() == Steps{0, 1, 2, 3});
}

TEST_CASE("a step with more records than readers accept loses the last ones", "[capture][failure]") {
  using R = tt::Reduction;
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(
      store, {.collections = {{.name = "mine",
                               .include_regex = "^x",
                               .save = tt::every(1),
                               .reductions = {R::min, R::max, R::mean, R::std, R::variance, R::sum, R::prod, R::l1,
                                              R::l2, R::abs_min, R::abs_max, R::abs_mean, R::abs_std, R::abs_variance,
                                              R::abs_sum, R::abs_prod, R::abs_l1, R::abs_l2}}}});
  hook.begin_step();
  const std::string long_name(1000, 'x');
  for (int i = 0; i < 1200; ++i) hook.save(long_name + std::to_string(i), 1.0F);
  hook.close();
  const std::uint64_t lost = hook.status().tensors_lost;
  CHECK(lost > 0);
  CHECK(hook.status().losses.at(0).reason == tt::LossReason::step_too_large);
  CHECK(*store->size(tt::layout::index_key(0, "worker_0")) < tt::layout::text_limit);
  const tt::Trial trial(store);
  CHECK(trial.damage().empty());
  CHECK(trial.tensors().size() == 1200 - lost);
}

TEST_CASE("a dry run writes nothing and reports what would be written", "[capture][failure]") {
  const TemporaryDirectory directory;
  using R = tt::Reduction;
  tt::Hook hook((directory / "run").string(),
                {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                                 {.name = "weights",
                                  .include_regex = {"weight$", "kernel$"},
                                  .save = tt::every(2),
                                  .reductions = {R::min, R::max}}},
                 .dry_run = true});
  for (int i = 0; i < 4; ++i) {
    hook.begin_step();
    hook.save("loss", 1.0F);
    hook.save("weight", std::vector<float>(10));
  }
  hook.commit();
  hook.close();
  CHECK_FALSE(std::filesystem::exists(directory / "run"));
  const tt::Report report = hook.report();
  REQUIRE(report.collections.size() == 2);
  CHECK(report.dry_run);
  CHECK(report.collections[0].records == 4);
  CHECK(report.collections[0].bytes == 16);
  CHECK(report.collections[0].unmatched.empty());
  CHECK(report.collections[1].tensors == 1);
  CHECK(report.collections[1].steps == 2);
  CHECK(report.collections[1].records == 4);
  CHECK(report.collections[1].unmatched == std::vector<std::string>{"kernel$"});
}

TEST_CASE("a disabled hook counts steps and does nothing else", "[capture][failure]") {
  auto options = without_pauses();
  options.enabled = false;
  tt::Hook hook("/nonexistent/run", options);
  train_steps(hook, 3);
  CHECK(hook.step() == 2);
  CHECK_FALSE(hook.due("all"));
  hook.commit();
  hook.flush();
  hook.close();
  CHECK(hook.status().steps_saved == 0);
}

TEST_CASE("written steps are shown to on_step, whose exceptions are counted", "[capture][failure]") {
  std::vector<std::int64_t> seen;
  auto options = without_pauses();
  options.on_step = [&](const tt::StepView& view) {
    seen.push_back(view.step().global_step);
    CHECK(view.tensors() == std::vector<std::string>{"x"});
    CHECK(view.reduction("x", tt::Reduction::max) == static_cast<double>(view.step().global_step));
    if (view.step().global_step == 1) throw std::runtime_error("a rule failed");
  };
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), options);
  train_steps(hook, 3);
  hook.close();
  CHECK(seen == Steps{0, 1, 2});
  CHECK(hook.status().callback_errors == 1);
}

TEST_CASE("eight threads save, reduce and call due at the same time", "[capture][failure]") {
  const auto store = std::make_shared<tt::MemoryStore>();
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options{.collections = {{.name = "raw", .include_regex = "raw", .save = tt::every(1)},
                                          {.name = "numbers",
                                           .include_regex = ".",
                                           .save = tt::every(2),
                                           .reductions = {tt::Reduction::l2, tt::Reduction::statistics}}},
                          .checkpoints = checkpoints};
  tt::Hook hook(store, options);
  constexpr int threads = 8;
  for (int step = 0; step < 30; ++step) {
    hook.begin_step();
    std::vector<std::jthread> pool;
    for (int t = 0; t < threads; ++t)
      pool.emplace_back([&hook, t, step] {
        for (int i = 0; i < 5; ++i) {
          const std::string name = "t" + std::to_string(t) + (i % 2 == 0 ? "/raw" : "/") + std::to_string(i);
          hook.save(name, std::vector<float>(100, static_cast<float>(step * 100 + t * 10 + i)));
          (void)hook.due("raw");
          (void)hook.status();
        }
      });
    pool.clear();
    if (step % 10 == 9) hook.commit();
  }
  hook.close();
  const tt::Trial trial(store);
  CHECK(trial.tensors().size() == threads * 5);
  CHECK(trial.tensor("t7/raw4").value(29)->number(99) == 2974);
  CHECK(trial.tensor("t3/1").statistics(28)->max == 2831);
  CHECK(trial.damage().empty());
}
