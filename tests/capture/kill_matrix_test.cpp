// Kills a training at every system call of the store and continues it. The files must equal those of a training without
// a kill. The quick test kills at some of the calls; all of them:
//   tensortap_tests "[.kill_matrix]"
#include <tensortap/tensortap.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;
using R = tt::Reduction;

namespace {

constexpr std::int64_t steps_to_train = 29;

/// Counts system calls; SIGKILL comes before the one of this number. A write is cut in half before that.
class Killer {
 public:
  explicit Killer(std::int64_t at) : at_(at) {}

  [[nodiscard]] std::int64_t calls() const { return calls_; }

  tt::FileCalls table() {
    tt::FileCalls calls;
    calls.fsync = calls.syncfs = [](int) { return 0; };  // written data outlives the process
    guard(calls.openat);
    guard(calls.mkdirat);
    guard(calls.fsync);
    guard(calls.syncfs);
    guard(calls.close);
    guard(calls.renameat);
    guard(calls.renameat_new);
    guard(calls.linkat);
    guard(calls.unlinkat);
    guard(calls.pread);
    guard(calls.fstat);
    guard(calls.fstatat);
    guard(calls.fdopendir);
    guard(calls.lock);
    calls.writev = [this, writev = calls.writev](int file, const iovec* pieces, int count) -> ssize_t {
      if (++calls_ == at_) {
        (void)!::write(file, pieces[0].iov_base, pieces[0].iov_len / 2);
        die();
      }
      return writev(file, pieces, count);
    };
    return calls;
  }

 private:
  template <class Result, class... Arguments>
  void guard(std::function<Result(Arguments...)>& call) {
    call = [this, call](Arguments... arguments) {
      if (++calls_ == at_) die();
      return call(arguments...);
    };
  }

  [[noreturn]] static void die() {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }

  std::int64_t at_;
  std::atomic<std::int64_t> calls_ = 0;
};

/// How a run is stored.
struct Layout {
  std::int64_t events_per_file = 1;
  bool pack = false;
};

/// A training whose model is one number, from its checkpoint if there is one, to its end. Returns the model.
std::uint64_t train_till_killed(const fs::path& directory, Killer& killer, Layout layout) {
  const auto run = std::make_shared<tt::FileStore>((directory / "run").string(), killer.table());
  const auto checkpoints = std::make_shared<tt::FileStore>((directory / "checkpoints").string(), killer.table());
  double now = 0;
  tt::Hook hook(run, {.collections = {{.name = "losses", .include_regex = "loss$", .save = tt::every(1)},
                                      {.name = "weights", .save = tt::every(3), .reductions = {R::min, R::l2}},
                                      {.name = "late", .include_regex = "^late", .save = tt::every(1)}},
                      .checkpoints = checkpoints,
                      .run_id = "the run",
                      .start_over = true,
                      .events_per_file = layout.events_per_file,
                      .pack = layout.pack,
                      .pack_time = std::chrono::hours(1),
                      .wall_time = [&] { return now; }});
  std::uint64_t model = 1;
  if (const auto at = hook.resumed()) {
    const auto bytes = checkpoints->get(at->checkpoint);
    if (!bytes) throw std::runtime_error("the checkpoint is not there");
    model = std::stoull(std::string(tt::text_of(*bytes)));
  }
  while (hook.next_step(tt::Mode::train) < steps_to_train) {
    hook.begin_step(tt::Mode::train);
    now = static_cast<double>(hook.global_step());
    model = model * 6364136223846793005u + 1442695040888963407u;
    hook.save("loss", model);
    hook.save("weight", std::vector<float>(50, static_cast<float>(model >> 40)));
    if (hook.step() >= 8) hook.save("late", hook.step());
    const bool commits = hook.step() % 5 == 4;
    if (commits) hook.begin_step(tt::Mode::predict);  // an empty step, which counts and leaves nothing
    if (hook.next_step(tt::Mode::train) % 4 == 0) {
      hook.begin_step(tt::Mode::eval);
      now = static_cast<double>(hook.global_step());
      hook.save("eval_loss", model / 2);
    }
    if (!commits) continue;
    const std::string name = "model-" + std::to_string(hook.global_step());
    checkpoints->put(name, std::to_string(model));
    hook.commit(name);
  }
  hook.close();
  return model;
}

/// Runs `work` in a process of its own; its exit code, or minus the signal that ended it.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 120;
    try {
      code = work();
    } catch (const std::exception& e) {
      std::cerr << e.what() << std::endl;
    }
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/// Trains in a child that is killed at its system call `at`; 0: never. The number of calls goes to `calls`.
int train_and_kill(const fs::path& directory, Layout layout, std::int64_t at, std::int64_t* calls = nullptr) {
  const fs::path count = directory / "calls";
  const int code = in_child([&] {
    Killer killer(at);
    train_till_killed(directory, killer, layout);
    std::ofstream(count) << killer.calls();
    return 0;
  });
  if (calls != nullptr) std::ifstream(count) >> *calls;
  fs::remove(count);
  return code;
}

std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// All of a run that readers look at, by its path; index files without the number of the attempt.
std::map<std::string, std::string> files_of(const fs::path& run) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    const std::string name = entry.path().lexically_relative(run).string();
    if (!entry.is_regular_file() || name.starts_with("superseded/") || name.starts_with("attempts/")) continue;
    std::string text = name == "training_job_end.ts" ? std::string() : content(entry.path());
    if (name.starts_with("index/")) text = std::regex_replace(text, std::regex(", \"run\": [0-9]+"), "");
    out[name] = std::move(text);
  }
  return out;
}

/// The same of a packed run, as files.
std::map<std::string, std::string> files_of_packed(const fs::path& run) {
  const TemporaryDirectory directory;
  const fs::path copy = directory / "copy";
  const auto done = tt::unpack(tt::open_store(run.string()), tt::open_store(copy.string()));
  CHECK(done.damage.empty());
  return files_of(copy);
}

/// Every reader sees a prefix of the whole, sound.
void check_prefix(const fs::path& run, const fs::path& whole) {
  if (!fs::exists(run / "collections/000000000/worker_0_collections.json")) return;  // the first thing there is to read
  const tt::Trial trial(run.string()), reference(whole.string());
  CHECK(trial.damage().empty());
  const auto steps = trial.steps(), all = reference.steps();
  REQUIRE(steps.size() <= all.size());
  CHECK(std::equal(steps.begin(), steps.end(), all.begin()));
  for (const auto& tensor : trial.tensors())
    for (const auto step : tensor.steps()) {
      const auto expected = reference.tensor(tensor.name());
      CHECK(tensor.value(step) == expected.value(step));
      CHECK(tensor.saved_reductions(step) == expected.saved_reductions(step));
    }
  CHECK(trial.damage().empty());
}

/// Keeps a run for readers in other languages, if there is a directory for it.
void leave_for_others(const fs::path& run, const std::string& name) {
  const char* directory = std::getenv("TENSORTAP_WRITTEN_RUNS");
  if (directory == nullptr || !fs::exists(run / "collections/000000000/worker_0_collections.json")) return;
  const fs::path to = fs::path(directory) / "killed" / name;
  fs::remove_all(to);
  fs::create_directories(to.parent_path());
  fs::copy(run, to, fs::copy_options::recursive);
}

/// Kills at every `stride`th call of a first attempt, and of a second one that rewinds; then trains to the end.
/// Returns the number of points.
std::int64_t kill_everywhere(std::int64_t stride, Layout layout) {
  const auto train_and_kill = [&](const fs::path& directory_of_it, std::int64_t n, std::int64_t* count = nullptr) {
    return ::train_and_kill(directory_of_it, layout, n, count);
  };

  const TemporaryDirectory directory;
  const fs::path whole = directory / "whole";
  std::int64_t calls = 0;
  REQUIRE(::train_and_kill(whole, {.events_per_file = layout.events_per_file}, 0, &calls) == 0);
  const auto expected = files_of(whole / "run");
  REQUIRE(expected.size() > 50);
  REQUIRE(calls > 500);
  if (layout.pack) {  // the files are those of the run that was never packed
    fs::remove_all(whole);
    REQUIRE(train_and_kill(whole, 0, &calls) == 0);
    CHECK(files_of_packed(whole / "run") == expected);
  }

  const fs::path at = directory / "killed";
  std::int64_t points = 0;
  const auto finish = [&](const std::string& name) {
    CAPTURE(name);
    ++points;
    check_prefix(at / "run", whole / "run");
    if (!layout.pack) leave_for_others(at / "run", (layout.events_per_file == 1 ? "" : "together_") + name);
    if (fs::exists(at / "run/training_job_end.ts")) {
      fs::remove(at / "run/claim.smd");  // killed before the removal of its claim, the last operation
    } else {
      REQUIRE(train_and_kill(at, 0) == 0);
    }
    CHECK((layout.pack ? files_of_packed(at / "run") : files_of(at / "run")) == expected);
    check_prefix(at / "run", whole / "run");
    fs::remove_all(at);
  };
  for (std::int64_t n = 1; n <= calls; n += stride) {
    REQUIRE(train_and_kill(at, n) == -SIGKILL);
    finish("first_" + std::to_string(n));
  }
  // The second attempt finds steps beyond the last commit: it is killed in the rewind and behind it.
  const std::int64_t first = calls * 3 / 4;
  std::int64_t rest = 0;
  REQUIRE(train_and_kill(at, first) == -SIGKILL);
  REQUIRE(train_and_kill(at, 0, &rest) == 0);
  fs::remove_all(at);
  for (std::int64_t n = 1; n <= rest; n += stride) {
    REQUIRE(train_and_kill(at, first) == -SIGKILL);
    if (train_and_kill(at, n) == -SIGKILL) finish("second_" + std::to_string(n));
    fs::remove_all(at);
  }
  return points;
}

/// Kills an unpacking in place at every `stride`th call, and unpacks again. Returns the number of points.
std::int64_t unpack_everywhere(std::int64_t stride) {
  const TemporaryDirectory directory;
  const fs::path plain = directory / "plain", packed = directory / "packed", at = directory / "killed";
  REQUIRE(train_and_kill(plain, {}, 0) == 0);
  // Killed behind a commit and continued, so that the run has two attempts.
  std::int64_t calls = 0;
  REQUIRE(train_and_kill(packed, {.pack = true}, 0, &calls) == 0);
  fs::remove_all(packed);
  REQUIRE(train_and_kill(packed, {.pack = true}, calls * 3 / 4) == -SIGKILL);
  REQUIRE(train_and_kill(packed, {.pack = true}, 0) == 0);
  const auto expected = files_of(plain / "run");
  const auto unpack_and_kill = [&](std::int64_t n) {
    return in_child([&] {
      Killer killer(n);
      const auto done = tt::unpack(std::make_shared<tt::FileStore>((at / "run").string(), killer.table()));
      std::ofstream(at / "calls") << killer.calls();
      return done.damage.empty() ? 0 : 1;
    });
  };
  fs::copy(packed, at, fs::copy_options::recursive);
  REQUIRE(unpack_and_kill(0) == 0);
  std::int64_t all = 0;
  std::ifstream(at / "calls") >> all;
  CHECK(files_of(at / "run") == expected);
  std::int64_t points = 0;
  for (std::int64_t n = 1; n <= all; n += stride, ++points) {
    CAPTURE(n);
    fs::remove_all(at);
    fs::copy(packed, at, fs::copy_options::recursive);
    REQUIRE(unpack_and_kill(n) == -SIGKILL);
    const tt::Trial trial((at / "run").string());
    CHECK(trial.steps() == tt::Trial((plain / "run").string()).steps());
    check_prefix(at / "run", plain / "run");
    REQUIRE(unpack_and_kill(0) == 0);
    for (const char* claim : {"run/claim.smd", "run/claim_worker_0.smd"}) fs::remove(at / claim);  // of the killed one
    CHECK(files_of(at / "run") == expected);
  }
  return points;
}

}  // namespace

TEST_CASE("killed at some system calls, a run is whole in the end", "[capture][kill_matrix][written]") {
  CHECK(kill_everywhere(29, {}) > 60);
}

TEST_CASE("killed at some system calls, a run with shared files is whole in the end",
          "[capture][kill_matrix][written]") {
  CHECK(kill_everywhere(43, {.events_per_file = 3}) > 20);
}

TEST_CASE("killed at some system calls, a packed run is whole in the end", "[capture][kill_matrix]") {
  CHECK(kill_everywhere(23, {.pack = true}) > 40);
}

TEST_CASE("killed at some system calls, an unpacking is completed by the next one", "[capture][kill_matrix]") {
  CHECK(unpack_everywhere(31) > 20);
}

TEST_CASE("killed at every system call, a run is whole in the end", "[capture][kill_matrix][.kill_matrix]") {
  const std::int64_t points = kill_everywhere(1, {}) + kill_everywhere(1, {.events_per_file = 3});
  std::cout << points << " points\n";
  CHECK(points >= 2000);
}

TEST_CASE("killed at every system call, a packed run is whole in the end", "[capture][kill_matrix][.kill_matrix]") {
  const std::int64_t points = kill_everywhere(1, {.pack = true}) + unpack_everywhere(3);
  std::cout << points << " points\n";
  CHECK(points >= 1000);
}
