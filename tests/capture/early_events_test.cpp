// Events that are written while their step is still being captured.
#include <tensortap/tensortap.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "capture/forwarding_store.hpp"
#include "catch.hpp"
#include "store/conformance.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using R = tt::Reduction;

namespace {

constexpr std::size_t large = (std::size_t{3} << 20) / sizeof(float) + 5;  // elements; copied in several pieces

std::vector<float> numbers(std::size_t count, int first) {
  std::vector<float> out(count);
  std::iota(out.begin(), out.end(), static_cast<float>(first));
  return out;
}

/// A directory that counts which objects were begun, and how.
class Directory final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using ForwardingStore::put;

  std::atomic<int> begun = 0, finished = 0, events_put = 0;

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    if (key.starts_with("events/")) ++events_put;
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
  std::unique_ptr<tt::ObjectWriter> begin_object(std::string_view key) override {
    ++begun;
    return std::make_unique<Writer>(to_->begin_object(key), finished);
  }

 private:
  class Writer final : public tt::ObjectWriter {
   public:
    Writer(std::unique_ptr<tt::ObjectWriter> to, std::atomic<int>& finished)
        : to_(std::move(to)), finished_(finished) {}
    void append(std::span<const tt::Bytes> pieces) override { to_->append(pieces); }
    bool finish(tt::Sync sync, tt::IfExists if_exists) override {
      const bool is_new = to_->finish(sync, if_exists);
      ++finished_;
      return is_new;
    }

   private:
    std::unique_ptr<tt::ObjectWriter> to_;
    std::atomic<int>& finished_;
  };
};

tt::HookOptions same_each_time() {
  return {.save = tt::every(1),
          .run_id = "same",
          .wall_time = [] { return 1.5; },
          .sleep = [](std::chrono::nanoseconds) {}};
}

/// Returns what readers see of the steps.
std::map<std::string, std::string> steps_in(const tt::Store& store) {
  std::map<std::string, std::string> out;
  for (const char* prefix : {"events/", "index/"})
    for (const auto& object : store.list(prefix)) out[object.key] = conformance::text(store, object.key).value();
  return out;
}

/// Returns the size of all temporaries below `directory`; -1: there is none.
std::int64_t unfinished_in(const fs::path& directory) {
  std::int64_t size = -1;
  for (const auto& entry : fs::recursive_directory_iterator(directory))
    if (entry.path().extension() == ".tmp")
      size = std::max<std::int64_t>(size, 0) + static_cast<std::int64_t>(entry.file_size());
  return size;
}

/// Waits until `condition` holds.
bool eventually(const std::function<bool()>& condition) {
  for (const auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end;
       std::this_thread::sleep_for(1ms))
    if (condition()) return true;
  return false;
}

/// Saves large and small tensors in `steps` steps.
void train(tt::Hook& hook, int steps) {
  const std::vector<std::string> texts{"a", "bc"};
  for (int i = 0; i < steps; ++i) {
    const int at = static_cast<int>(hook.next_step(tt::Mode::train));
    hook.begin_step();
    hook.save("small", at);
    hook.save("large", numbers(large, at));
    hook.save("text", texts);
    hook.save("reduced", numbers(1000, at));
    hook.save("larger", numbers(2 * large, at));
    hook.save("last", at);
  }
}

tt::HookOptions of_all_kinds() {
  tt::HookOptions options = same_each_time();
  options.collections = {{.name = "reduced", .include_regex = "reduced", .reductions = {R::min, R::l2, R::statistics}},
                         {.name = "all"}};
  return options;
}

}  // namespace

TEST_CASE("events that are written early are the same bytes", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto early = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  const auto whole = std::make_shared<tt::MemoryStore>();
  tt::HookOptions options = of_all_kinds();
  options.index_extras = GENERATE(true, false);
  for (const auto& store : std::vector<std::shared_ptr<tt::Store>>{early, whole}) {
    tt::Hook hook(store, options);
    train(hook, 4);
    hook.close();
    CHECK(hook.status().steps_saved == 4);
    CHECK(hook.status().retries == 0);
  }
  CHECK(steps_in(*early) == steps_in(*whole));
  CHECK(tt::Trial(early).damage().empty());
  CHECK(early->begun + early->events_put == early->finished + early->events_put);
  CHECK(unfinished_in(directory / "run") == -1);
}

TEST_CASE("the writer begins before the step ends, and nothing is visible before", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  tt::Hook hook(store, same_each_time());
  hook.begin_step();
  hook.save("a", numbers(large, 0));
  CHECK(
      eventually([&] { return unfinished_in(directory / "run") >= static_cast<std::int64_t>(large * sizeof(float)); }));
  hook.save("b", numbers(large, 1));
  CHECK(eventually(
      [&] { return unfinished_in(directory / "run") >= 2 * static_cast<std::int64_t>(large * sizeof(float)); }));
  CHECK(steps_in(*store).empty());
  CHECK(tt::Trial(store).steps().empty());
  hook.flush();
  CHECK(store->events_put == 0);
  CHECK(store->finished == 1);
  CHECK(unfinished_in(directory / "run") == -1);
  CHECK(tt::Trial(store).tensor("b").value(0) == tt::Tensor(tt::as_view(numbers(large, 1))));
}

TEST_CASE("a repeated name leaves only the last tensor in the events", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  const auto whole = std::make_shared<tt::MemoryStore>();
  for (const auto& to : std::vector<std::shared_ptr<tt::Store>>{store, whole}) {
    tt::Hook hook(to, same_each_time());
    hook.begin_step();
    hook.save("a", numbers(large, 0));
    if (to == store) CHECK(eventually([&] { return unfinished_in(directory / "run") > 0; }));
    hook.save("a", numbers(large, 1));
    hook.save("b", numbers(large, 2));
    hook.close();
  }
  CHECK(store->events_put == 1);
  CHECK(steps_in(*store) == steps_in(*whole));
  CHECK(unfinished_in(directory / "run") == -1);
}

TEST_CASE("a step that an exception drops leaves nothing of its early events", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  try {
    tt::Hook hook(store, same_each_time());
    hook.begin_step();
    hook.save("a", numbers(large, 0));
    CHECK(eventually([&] { return unfinished_in(directory / "run") > 0; }));
    throw std::runtime_error("the loss is not a number");
  } catch (const std::runtime_error&) {
  }
  CHECK(store->begun == 1);
  CHECK(steps_in(*store).empty());
  CHECK(unfinished_in(directory / "run") == -1);
}

TEST_CASE("a write that fails early is repeated as a whole when the step has ended", "[capture][early_events]") {
  const TemporaryDirectory directory;
  std::atomic<int> writes_to_fail = 0;
  tt::FileCalls calls;
  calls.writev = [&](int file, const iovec* pieces, int count) -> ssize_t {
    if (writes_to_fail > 0 && writes_to_fail-- > 0) return errno = ENOSPC, -1;
    return ::writev(file, pieces, count);
  };
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string(), calls));
  const int failures = GENERATE(1, 3);
  tt::Hook hook(store, same_each_time());
  hook.begin_step();
  writes_to_fail = failures;
  hook.save("a", numbers(large, 0));
  CHECK(eventually([&] { return writes_to_fail < failures; }));
  CHECK(eventually([&] { return unfinished_in(directory / "run") == -1; }));
  hook.save("b", numbers(large, 1));
  hook.close();
  CHECK(store->finished == 0);
  CHECK(hook.status().steps_saved == 1);
  CHECK(hook.status().retries == static_cast<std::uint64_t>(failures - 1));
  CHECK(unfinished_in(directory / "run") == -1);
  CHECK(tt::Trial(store).tensor("b").value(0) == tt::Tensor(tt::as_view(numbers(large, 1))));
}

TEST_CASE("events that are written early replace those of an interrupted attempt", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  tt::Hook hook(store, same_each_time());
  hook.begin_step();
  hook.save("a", numbers(large, 0));
  CHECK(eventually([&] { return unfinished_in(directory / "run") > 0; }));
  store->put(tt::layout::event_key(0, "worker_0"), "left by an attempt without an index");
  hook.close();
  CHECK(hook.status().steps_saved == 1);
  CHECK(tt::Trial(store).tensor("a").value(0) == tt::Tensor(tt::as_view(numbers(large, 0))));
  CHECK(unfinished_in(directory / "run") == -1);
}

TEST_CASE("several threads save large tensors at the same time", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  tt::Hook hook(store, same_each_time());
  for (int step = 0; step < 3; ++step) {
    hook.begin_step();
    CHECK(conformance::in_threads(4, [&](int thread) {
            for (int i = 0; i < 3; ++i) {
              const std::string name = std::to_string(thread) + "_" + std::to_string(i);
              hook.save("small_" + name, thread);
              hook.save("large_" + name, numbers(large, thread + i));
            }
          }) == 0);
  }
  hook.close();
  tt::Trial trial(store);
  CHECK(trial.steps().size() == 3);
  CHECK(trial.tensors().size() == 24);
  (void)trial.verify();
  CHECK(trial.damage().empty());
}

TEST_CASE("a store that hangs within early events does not stop the training", "[capture][early_events]") {
  const TemporaryDirectory directory;
  std::promise<void> permission;
  const auto permitted = permission.get_future().share();
  const auto waits = std::make_shared<std::atomic<bool>>(false);
  const auto hanging = std::make_shared<std::atomic<bool>>(false);
  tt::FileCalls calls;
  calls.writev = [permitted, waits, hanging](int file, const iovec* pieces, int count) {
    if (*waits) {
      *hanging = true;
      permitted.wait();
    }
    return ::writev(file, pieces, count);
  };
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string(), calls));
  const std::weak_ptr<Directory> alive = store;
  {
    tt::HookOptions options = same_each_time();
    options.destroy_timeout = 20ms;
    options.block_timeout = 1ms;
    options.queue_bytes = 1;
    tt::Hook hook(store, options);
    *waits = true;
    for (int step = 0; step < 4; ++step) {
      hook.begin_step();
      hook.save("a", numbers(large, step));
      if (step == 0) CHECK(eventually([&] { return hanging->load(); }));
      hook.save("b", numbers(large, step));
    }
    CHECK(hook.status().steps_lost > 0);
  }
  permission.set_value();
  CHECK(eventually([&] { return alive.use_count() == 1; }));
  CHECK(unfinished_in(directory / "run") == -1);
}

TEST_CASE("a forked child neither writes early events nor removes those of its parent", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<Directory>(std::make_shared<tt::FileStore>((directory / "run").string()));
  {
    auto hook = std::make_unique<tt::Hook>(store, same_each_time());
    hook->begin_step();
    hook->save("a", numbers(large, 0));
    CHECK(eventually([&] { return unfinished_in(directory / "run") > 0; }));
    const pid_t child = ::fork();
    if (child == 0) {
      hook->save("b", numbers(large, 1));
      hook.reset();
      ::_exit(0);
    }
    int status = 1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    hook->save("c", numbers(large, 2));
    hook->close();
    CHECK(hook->status().steps_saved == 1);
  }
  CHECK(store->finished == 1);
  const tt::Trial trial(store);
  (void)trial.verify();
  CHECK(trial.damage().empty());
  CHECK(trial.tensors().size() == 2);
}

TEST_CASE("killed within early events, a run is whole in the end", "[capture][early_events]") {
  const TemporaryDirectory directory;
  const auto expected = std::make_shared<tt::MemoryStore>();
  {
    tt::Hook hook(expected, of_all_kinds());
    train(hook, 3);
    hook.close();
  }
  const auto attempt = [&](int writes) {  // killed in the middle of that write
    const pid_t child = ::fork();
    if (child != 0) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      return WIFSIGNALED(status);
    }
    std::atomic<int> left = writes;
    tt::FileCalls calls;
    calls.writev = [&](int file, const iovec* pieces, int count) -> ssize_t {
      if (--left == 0) {
        (void)!::write(file, pieces[0].iov_base, pieces[0].iov_len / 2);
        ::kill(::getpid(), SIGKILL);
        for (;;) ::pause();
      }
      return ::writev(file, pieces, count);
    };
    tt::HookOptions options = of_all_kinds();
    options.checkpoint_dir = (directory / "checkpoints").string();
    options.start_over = true;
    tt::Hook hook(std::make_shared<tt::FileStore>((directory / "run").string(), calls), options);
    train(hook, 3 - static_cast<int>(hook.next_step(tt::Mode::train)));
    hook.close();
    ::_exit(0);
  };
  const tt::FileStore run((directory / "run").string());
  int kills = 0;
  for (int writes = 1; writes < 60; writes += 2) {
    fs::remove_all(directory / "run");
    fs::remove_all(directory / "checkpoints");
    if (!attempt(writes)) break;
    ++kills;
    for (const auto& [key, bytes] : steps_in(run))
      if (key.starts_with("events/")) CHECK(steps_in(*expected).at(key) == bytes);
    CHECK_FALSE(attempt(0));
    CHECK(unfinished_in(directory / "run") == -1);
    const tt::Trial trial(std::make_shared<tt::FileStore>((directory / "run").string()));
    CHECK(trial.steps().size() == 3);
    for (const auto& object : expected->list("events/"))
      CHECK(conformance::text(run, object.key) == conformance::text(*expected, object.key));
  }
  CHECK(kills > 5);
}
