// What a hook writes for TensorBoard when commits, stores and disks fail. tests/report/tensorboard_live_test.py reads
// the files as TensorBoard does.
#include <tensortap/record/internal/wire.hpp>
#include <tensortap/tensortap.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "forwarding_store.hpp"

namespace tt = tensortap;

namespace {

/// The events of files, each as "TAG STEP", "version" or "start STEP".
using BoardEvents = std::vector<std::string>;

std::string described_event(tt::Bytes event) {
  std::string what;
  std::int64_t step = 0;
  for (tt::detail::wire::Reader field(event); field.next();) {
    if (field.field() == 2) step = field.integer();
    if (field.field() == 3) what = "version";
    if (field.field() == 7) what = "start";
    if (field.field() != 5) continue;
    tt::detail::wire::Reader summary(field.bytes());
    REQUIRE(summary.next());
    for (tt::detail::wire::Reader part(summary.bytes()); part.next();)
      if (part.field() == 1) what = part.text();
  }
  return what == "version" ? what : what + " " + std::to_string(step);
}

BoardEvents events_of_file(const tt::Store& store, const std::string& key) {
  const auto bytes = store.get(key);
  REQUIRE(bytes);
  BoardEvents out;
  for (std::size_t at = 0; at < bytes->size();) {
    std::uint64_t size = 0;
    REQUIRE(at + 12 <= bytes->size());
    std::memcpy(&size, &(*bytes)[at], sizeof size);
    REQUIRE(at + 16 + size <= bytes->size());
    out.push_back(described_event(tt::Bytes(*bytes).subspan(at + 12, size)));
    at += 16 + size;
  }
  return out;
}

std::vector<std::string> board_files(const tt::Store& store, const std::string& prefix) {
  std::vector<std::string> out;
  for (const tt::ObjectInfo& object : store.list(prefix)) out.push_back(object.key);
  return out;
}

/// The events of all files of a directory, one file after the other.
BoardEvents events_of_folder(const tt::Store& store, const std::string& prefix = "tensorboard/TRAIN/") {
  BoardEvents out;
  for (const std::string& key : board_files(store, prefix))
    for (const std::string& event : events_of_file(store, key)) out.push_back(event);
  return out;
}

BoardEvents losses(std::int64_t first, std::int64_t end) {
  BoardEvents out;
  for (; first < end; ++first) out.push_back("loss " + std::to_string(first));
  return out;
}

BoardEvents joined(BoardEvents a, const BoardEvents& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// A run and its checkpoints.
struct BoardRun {
  std::shared_ptr<tt::MemoryStore> run = std::make_shared<tt::MemoryStore>();
  std::shared_ptr<tt::MemoryStore> checkpoints = std::make_shared<tt::MemoryStore>();

  [[nodiscard]] tt::HookOptions options() const {
    return {.save = tt::every(1),
            .checkpoints = checkpoints,
            .retry = {.attempts = 1},
            .tensorboard = true,
            .wall_time = [] { return 1.7e9; }};
  }
};

void save_losses(tt::Hook& hook, std::int64_t end) {
  while (hook.next_step() < end) {
    hook.begin_step();
    hook.save("loss", 0.5);
  }
}

/// Refuses writes of objects with a part of a name.
class BoardRefusal final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;
  using Store::put;

  std::atomic<const char*> refused = nullptr;  // null: nothing

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists how) override {
    const char* const part = refused;
    if (part != nullptr && key.find(part) != std::string_view::npos) throw tt::Error::io("put", key, "refused");
    return ForwardingStore::put(key, pieces, sync, how);
  }
};

struct BoardFolder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("tensorboard-" + std::to_string(::getpid()));
  BoardFolder() { std::filesystem::remove_all(path); }
  BoardFolder(const BoardFolder&) = delete;
  BoardFolder& operator=(const BoardFolder&) = delete;
  ~BoardFolder() {
    std::error_code ignored;
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, ignored);
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

TEST_CASE("values for TensorBoard are written at commits, those after the last one never", "[capture][tensorboard]") {
  const BoardRun at;
  {
    tt::Hook hook(at.run, at.options());
    save_losses(hook, 3);
    hook.flush();
    CHECK(events_of_folder(*at.run).empty());
    hook.commit();
    CHECK(events_of_folder(*at.run) == joined({"version", "start 0"}, losses(0, 3)));
    save_losses(hook, 5);
    hook.commit();
    save_losses(hook, 9);
    CHECK(hook.status().tensorboard.values == 5);
  }
  // Objects of this store cannot grow: each commit makes one.
  CHECK(board_files(*at.run, "tensorboard/TRAIN/").size() == 2);
  const BoardEvents first = joined(joined({"version", "start 0"}, losses(0, 3)), joined({"version"}, losses(3, 5)));
  CHECK(events_of_folder(*at.run) == first);
  tt::Hook hook(at.run, at.options());
  CHECK(hook.next_step() == 5);
  save_losses(hook, 8);
  hook.close();
  CHECK(events_of_folder(*at.run) == joined(first, joined({"version", "start 5"}, losses(5, 8))));
  CHECK(board_files(*at.run, "tensorboard/").size() == 3);  // nothing for a successor
}

TEST_CASE("a commit that is made before its values are written is completed by the next attempt",
          "[capture][tensorboard]") {
  const BoardRun at;
  const auto store = std::make_shared<BoardRefusal>(at.run);
  {
    tt::Hook hook(store, at.options());
    save_losses(hook, 3);
    store->refused = "tfevents.";  // not those of events/
    hook.commit();
    CHECK_THAT(hook.status().tensorboard.error.value_or(""), contains("refused"));
    CHECK(hook.status().tensorboard.values == 0);
    CHECK(hook.status().tensorboard.lost == 0);
    save_losses(hook, 4);
  }
  CHECK(events_of_folder(*at.run).empty());
  store->refused = nullptr;
  tt::Hook hook(store, at.options());
  CHECK(hook.next_step() == 3);
  CHECK(events_of_folder(*at.run) == joined({"version", "start 0"}, losses(0, 3)));
  save_losses(hook, 5);
  hook.close();
  CHECK(events_of_folder(*at.run) ==
        joined(joined({"version", "start 0"}, losses(0, 3)), joined({"version", "start 3"}, losses(3, 5))));
}

TEST_CASE("values of a commit that was not made are forgotten", "[capture][tensorboard]") {
  const BoardRun at;
  const auto checkpoints = std::make_shared<BoardRefusal>(at.checkpoints);
  tt::HookOptions options = at.options();
  options.checkpoints = checkpoints;
  {
    tt::Hook hook(at.run, options);
    save_losses(hook, 2);
    hook.commit();
    save_losses(hook, 4);
    checkpoints->refused = "metadata.json";
    CHECK_THROWS_AS(hook.commit(), tt::Error);
  }
  CHECK(at.run->size("tensorboard/commit_worker_0.pending"));
  checkpoints->refused = nullptr;
  tt::Hook hook(at.run, options);
  CHECK(hook.next_step() == 2);
  CHECK_FALSE(at.run->size("tensorboard/commit_worker_0.pending"));
  CHECK(events_of_folder(*at.run) == joined({"version", "start 0"}, losses(0, 2)));
}

TEST_CASE("a disk that is full for a while loses no value for TensorBoard", "[capture][tensorboard]") {
  const BoardFolder folder;
  std::atomic<bool> is_full = false;
  tt::FileCalls calls;
  calls.pwrite = [&](int file, const void* bytes, std::size_t size, off_t start) -> ssize_t {
    if (!is_full) return ::pwrite(file, bytes, size, start);
    if (size > 10) return ::pwrite(file, bytes, 10, start);  // a part fits
    return errno = ENOSPC, -1;
  };
  const auto store = std::make_shared<tt::FileStore>((folder.path / "run").string(), calls);
  BoardRun at;
  std::vector<std::string> errors;
  tt::HookOptions options = at.options();
  options.on_error = [&](std::string_view message) { errors.emplace_back(message); };
  tt::Hook hook(store, options);
  save_losses(hook, 3);
  hook.commit();
  is_full = true;
  save_losses(hook, 6);
  hook.commit();
  save_losses(hook, 9);
  hook.commit();
  CHECK(hook.status().tensorboard.values == 3);
  REQUIRE(errors.size() == 1);
  CHECK(hook.status().tensorboard.error == errors[0]);
  is_full = false;
  for (int i = 0; i < 10'000 && hook.status().tensorboard.values < 9; ++i) {  // it does not try at once
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    hook.commit();
  }
  CHECK(hook.status().tensorboard.values == 9);
  hook.close();
  CHECK(hook.status().tensorboard.lost == 0);
  CHECK(events_of_folder(*store) == joined({"version", "start 0"}, losses(0, 9)));
  CHECK(board_files(*store, "tensorboard/TRAIN/").size() == 1);  // a file grows
}

TEST_CASE("a place for TensorBoard that fails slowly gets a tenth of the writer's time", "[capture][tensorboard]") {
  class Slow final : public ForwardingStore {
   public:
    using Store::put;
    std::atomic<int> tries = 0;
    std::atomic<bool> fails = true;
    bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists how) override {
      if (!fails || key.find("tfevents.") == std::string_view::npos)
        return ForwardingStore::put(key, pieces, sync, how);
      ++tries;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      throw tt::Error::io("put", key, "slow");
    }
  };
  const auto store = std::make_shared<Slow>();
  tt::HookOptions options = BoardRun().options();
  options.checkpoints = nullptr;
  const auto begin = std::chrono::steady_clock::now();
  tt::Hook hook(store, options);
  for (int i = 0; i < 200; ++i) {
    save_losses(hook, i + 1);
    hook.flush();
  }
  CHECK(store->tries >= 1);
  CHECK(store->tries <= 1 + (std::chrono::steady_clock::now() - begin) / std::chrono::seconds(1));
  store->fails = false;
  hook.close();
  CHECK(hook.status().tensorboard.values == 200);
}

TEST_CASE("training goes on without a place for TensorBoard, and what is lost is counted", "[capture][tensorboard]") {
  const BoardFolder folder;
  std::filesystem::create_directories(folder.path);
  std::ofstream(folder.path / "board") << "a file is in its place";
  tt::HookOptions options{.save = tt::every(1), .queue_bytes = 64 << 10};
  options.tensorboard_dir = (folder.path / "board").string();
  tt::Hook hook((folder.path / "run").string(), options);
  for (int i = 0; i < 1000; ++i) {
    hook.begin_step();
    hook.save("loss", 0.5);
  }
  CHECK_THROWS_AS(hook.close(), tt::Error);
  const tt::HookStatus status = hook.status();
  CHECK(status.tensorboard.lost == 1000);
  CHECK(status.tensorboard.values == 0);
  CHECK_THAT(status.tensorboard.error.value_or(""), contains("board"));
  CHECK(status.steps_saved == 1000);
  CHECK(status.steps_lost == 0);
  CHECK(tt::Trial((folder.path / "run").string()).steps().size() == 1000);
}

TEST_CASE("what TensorBoard is told of a tensor is told again if it was lost", "[capture][tensorboard]") {
  const auto store = std::make_shared<BoardRefusal>();
  tt::HookOptions options = BoardRun().options();
  options.checkpoints = nullptr;
  options.queue_bytes = 64 << 10;
  tt::Hook hook(store, options);
  const auto save_weights = [&] {
    hook.begin_step();
    hook.save("weights", std::vector<float>{1, 2, 3});
    hook.flush();
  };
  store->refused = "tfevents.";
  save_losses(hook, 1000);
  save_weights();  // nothing more has room
  CHECK(hook.status().tensorboard.lost > 0);
  store->refused = nullptr;
  for (int i = 0; i < 10'000 && hook.status().tensorboard.values == 0; ++i) {  // it does not try at once
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    save_weights();
  }
  save_weights();
  CHECK_THROWS_AS(hook.close(), tt::Error);
  std::string text;
  for (const std::string& key : board_files(*store, "tensorboard/TRAIN/")) text += tt::text_of(*store->get(key));
  const std::size_t described = text.find("histograms");  // the plugin that the first value names
  REQUIRE(described != std::string::npos);
  CHECK(text.find("weights") < described);
  CHECK(text.find("weights", text.find("weights") + 1) > described);
}

TEST_CASE("a hook can write for TensorBoard alone", "[capture][tensorboard]") {
  const BoardFolder folder;
  const std::string board = (folder.path / "board").string();
  const BoardRun at;
  tt::HookOptions options = at.options();
  options.run_files = false;
  {
    tt::Hook hook(board, options);
    CHECK_THROWS_AS(tt::Hook(board, options), tt::Error);  // two of one place
    save_losses(hook, 3);
    hook.commit();
    save_losses(hook, 5);
  }
  tt::Hook hook(board, options);
  CHECK(hook.next_step() == 3);
  save_losses(hook, 7);
  hook.close();
  const tt::FileStore store(board);
  CHECK(events_of_folder(store, "TRAIN/") ==
        joined(joined({"version", "start 0"}, losses(0, 3)), joined({"version", "start 3"}, losses(3, 7))));
  CHECK(store.list("").size() == 2);

  options.tensorboard = false;
  CHECK_THROWS_WITH(tt::Hook(board, options), contains("run_files"));
}

TEST_CASE("a file for TensorBoard that was removed is begun again", "[capture][tensorboard]") {
  const BoardFolder folder;
  const std::string run = (folder.path / "run").string();
  const BoardRun at;
  tt::Hook hook(run, at.options());
  save_losses(hook, 3);
  hook.commit();
  std::filesystem::remove_all(folder.path / "run" / "tensorboard");
  save_losses(hook, 5);
  hook.commit();
  save_losses(hook, 6);
  hook.commit();
  hook.close();
  CHECK(events_of_folder(tt::FileStore(run)) == joined({"version"}, losses(3, 6)));
}

TEST_CASE("values for TensorBoard that fill the memory are written before the commit", "[capture][tensorboard]") {
  const BoardRun at;
  tt::HookOptions options = at.options();
  options.queue_bytes = 64 << 10;
  tt::Hook hook(at.run, options);
  save_losses(hook, 1000);
  hook.flush();
  const std::uint64_t early = hook.status().tensorboard.values;
  CHECK(early > 100);
  CHECK(early < 1000);
  hook.commit();
  hook.close();
  CHECK(hook.status().tensorboard.values == 1000);
  BoardEvents events = events_of_folder(*at.run);
  std::erase(events, "version");
  CHECK(events == joined({"start 0"}, losses(0, 1000)));
}

TEST_CASE("workers that do not commit write for TensorBoard what another one has committed", "[capture][tensorboard]") {
  const BoardRun at;
  const auto options_of = [&](const std::string& worker) {
    tt::HookOptions options = at.options();
    options.worker = worker;
    options.num_workers = 2;
    return options;
  };
  const std::string folder = "tensorboard/worker_1/TRAIN/";
  {
    tt::Hook chief(at.run, options_of("worker_0")), other(at.run, options_of("worker_1"));
    save_losses(chief, 3);
    save_losses(other, 3);
    other.flush();
    CHECK(events_of_folder(*at.run, folder).empty());
    chief.commit();
    save_losses(other, 5);
    other.flush();
    CHECK(events_of_folder(*at.run, folder) == joined({"version", "start 0"}, losses(0, 3)));
    save_losses(chief, 5);
    chief.commit();
    save_losses(other, 6);
  }
  tt::Hook chief(at.run, options_of("worker_0")), other(at.run, options_of("worker_1"));
  CHECK(other.next_step() == 5);
  CHECK(events_of_folder(*at.run, folder) ==
        joined(joined({"version", "start 0"}, losses(0, 3)), joined({"version"}, losses(3, 5))));
  save_losses(other, 7);
  save_losses(chief, 7);
  other.close();
  chief.close();
  const BoardEvents all = events_of_folder(*at.run, folder);
  CHECK(BoardEvents(all.end() - 4, all.end()) == joined({"version", "start 5"}, losses(5, 7)));
}
