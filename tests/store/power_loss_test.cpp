// What a FileStore has synced survives a loss of power at any moment; and the simulated disk detects each sync that is
// left out.
#include "store/power_loss.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tensortap/store/file.hpp>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "store/conformance.hpp"

namespace fs = std::filesystem;
namespace tt = tensortap;
using conformance::text;

namespace {

/// A store on a simulated disk, and the promises about its contents after each operation.
class Promises {
 public:
  Promises(power_loss::Disk& disk, const tt::FileCalls& calls, std::string directory)
      : disk_(disk), directory_(std::move(directory)), store_(disk / directory_, calls) {}

  void put(const std::string& key, const std::string& content, tt::Sync sync,
           tt::IfExists if_exists = tt::IfExists::replace) {
    happens(key, content, sync == tt::Sync::no);
    REQUIRE(store_.put(key, content, sync, if_exists));
    if (sync == tt::Sync::yes) lasts(key);
  }
  void remove(const std::string& key) {
    happens(key, std::nullopt, false);
    REQUIRE(store_.remove(key));
  }
  void move(const std::string& from, const std::string& to) {
    const Event content = history_.at(from).back();
    happens(to, content.value, content.since == never);
    happens(from, std::nullopt, false);
    if (content.since != never) moves_.push_back({from, to, disk_.operations(), never});
    REQUIRE(store_.move(from, to));
  }
  void sync(const std::vector<std::string>& keys) {
    store_.sync(keys);
    for (const std::string& key : keys) lasts(key);
  }
  tt::FileStore& store() { return store_; }

  /// Returns the promises that a state of the disk breaks.
  [[nodiscard]] std::vector<std::string> broken(const fs::path& state, std::size_t done) const {
    std::vector<std::string> out;
    const tt::FileStore store(state / directory_);
    for (const auto& [key, events] : history_)
      if (!may_be(events, text(store, key), done)) out.push_back(key + " after " + disk_.operation(done));
    for (const Move& move : moves_)
      if (move.begun <= done && done < move.until && !text(store, move.from) && !text(store, move.to))
        out.push_back(move.from + " is nowhere after " + disk_.operation(done));
    return out;
  }

 private:
  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();
  struct Event {
    std::optional<std::string> value;
    std::size_t begun;
    std::size_t since;  // the operation after which it is durable
    bool unsynced;      // its bytes are undefined until then
  };
  struct Move {
    std::string from, to;
    std::size_t begun, until;
  };

  void happens(const std::string& key, std::optional<std::string> value, bool unsynced) {
    for (Move& move : moves_)
      if (move.to == key || move.from == key) move.until = std::min(move.until, disk_.operations());
    auto& events = history_.try_emplace(key, std::vector<Event>{{std::nullopt, 0, 0, false}}).first->second;
    events.push_back({std::move(value), disk_.operations(), never, unsynced});
  }
  void lasts(const std::string& key) {
    for (Event& event : history_.at(key)) event.since = std::min(event.since, disk_.operations());
  }

  static bool may_be(const std::vector<Event>& events, const std::optional<std::string>& value, std::size_t done) {
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
      if (event->begun > done) continue;
      if (event->value == value || (event->unsynced && event->since > done && value)) return true;
      if (event->since <= done) return false;
    }
    return false;
  }

  power_loss::Disk& disk_;
  std::string directory_;
  tt::FileStore store_;
  std::map<std::string, std::vector<Event>> history_;  // by key
  std::vector<Move> moves_;
};

std::vector<std::string> range_of_keys(const std::string& prefix, int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < count; ++i) keys.push_back(prefix + std::to_string(i));
  return keys;
}

/// Uses every operation, in two stores on one disk.
void work(Promises& run, Promises& checkpoints) {
  using tt::Sync;
  run.put("events/0/a", conformance::noise(1000), Sync::yes);
  run.put("events/0/a", conformance::noise(1500), Sync::yes);
  run.put("events/0/b", "b", Sync::no);
  run.put("index/0/b", "b of the index", Sync::no);
  run.sync({"events/0/b", "index/0/b"});
  checkpoints.put("deep/er/weights", conformance::noise(500), Sync::no);
  checkpoints.sync({"deep/er/weights"});
  checkpoints.put("metadata.json", "first state", Sync::yes);
  run.put("events/0/c", "c", Sync::no);
  run.put("events/1/d", "d", Sync::yes, tt::IfExists::keep);  // beside an object that is not synced
  run.put("once", "only", Sync::yes, tt::IfExists::keep);
  checkpoints.put("metadata.json", "second state, a longer one", Sync::yes);
  run.move("index/0/b", "superseded/1/index/0/b");
  run.move("events/0/b", "superseded/1/events/0/b");
  run.move("events/0/c", "superseded/1/events/0/c");
  run.sync({"index/0/b", "superseded/1/index/0/b", "events/0/b", "superseded/1/events/0/b", "events/0/c",
            "superseded/1/events/0/c"});
  run.put("events/0/b", "b again", Sync::yes);
  run.remove("once");
  run.sync({"once"});
  run.remove("events/1/d");
  run.put("events/1/d", "d again", Sync::yes);
  const auto claim = run.store().claim("claim.smd", "me");
  REQUIRE(claim);
}

/// Returns the first few promises that a power loss at any moment breaks.
std::vector<std::string> broken_promises(power_loss::Disk& disk, const tt::FileCalls& calls,
                                         const power_loss::Options& options = {.only_reads = true}) {
  Promises run(disk, calls, "runs/42");
  Promises checkpoints(disk, calls, "checkpoints");
  work(run, checkpoints);
  std::vector<std::string> out;
  const auto states = disk.for_each_state(
      [&](const fs::path& state, std::size_t done) {
        for (const Promises* promises : {&run, &checkpoints})
          for (const std::string& broken : promises->broken(state, done))
            if (out.size() < 10) out.push_back(broken);
      },
      options);
  CHECK(states > disk.operations());
  return out;
}

bool is_directory(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

TEST_CASE("synced objects survive a power loss at any moment", "[store][power_loss]") {
  power_loss::Disk disk;
  CHECK(broken_promises(disk, disk.calls(), {.exhaustive = 500, .samples = 100, .only_reads = true}) ==
        std::vector<std::string>{});
}

TEST_CASE("a file system without an exclusive rename loses no more", "[store][power_loss]") {
  power_loss::Disk disk;
  auto calls = disk.calls();
  calls.renameat_new = [](int, const char*, int, const char*) { return errno = EINVAL, -1; };
  CHECK(broken_promises(disk, calls) == std::vector<std::string>{});
}

TEST_CASE("a file system without hard links loses no more either", "[store][power_loss]") {
  power_loss::Disk disk;
  tt::FileCalls calls = disk.calls();
  calls.renameat_new = [](int, const char*, int, const char*) { return errno = EINVAL, -1; };
  calls.linkat = [](int, const char*, int, const char*, int) { return errno = EPERM, -1; };
  CHECK(broken_promises(disk, calls) == std::vector<std::string>{});
}

TEST_CASE("the simulated power loss detects every missing sync", "[store][power_loss]") {
  power_loss::Disk disk;
  auto calls = disk.calls();
  const auto real = disk.calls();
  SECTION("of files") {
    calls.fsync = [real](int file) { return is_directory(file) ? real.fsync(file) : 0; };
  }
  SECTION("of directories") {
    calls.fsync = [real](int file) { return is_directory(file) ? 0 : real.fsync(file); };
  }
  SECTION("of directories that hold directories") {
    calls.fsync = [real](int file) {
      struct stat status {};
      ::fstat(file, &status);
      return S_ISDIR(status.st_mode) && status.st_nlink > 2 ? 0 : real.fsync(file);
    };
  }
  CHECK_FALSE(broken_promises(disk, calls).empty());
}

TEST_CASE("a claim that a power loss left in any state is taken over", "[store][power_loss]") {
  power_loss::Disk disk;
  tt::FileStore store(disk / "run", disk.calls());
  store.put("a", "x", tt::Sync::yes);
  (void)store.claim("claim.smd", "me");
  const auto claim = store.claim("claim.smd", "me again");
  REQUIRE(claim);
  std::size_t temporaries = 0;
  const auto mine = [](std::string_view key) { return key == "claim.smd" || key == "a"; };
  disk.for_each_state([&](const fs::path& state, std::size_t) {
    tt::FileStore after(state / "run");
    const auto taken = after.claim("claim.smd", "you");
    REQUIRE(taken);
    CHECK(text(after, "claim.smd") == "you");
    temporaries += after.remove_unfinished(mine);
    CHECK(after.remove_unfinished(mine) == 0);
  });
  CHECK(temporaries > 0);
}

TEST_CASE("many objects synced by one call survive too", "[store][power_loss]") {
  power_loss::Disk disk;
  auto calls = disk.calls();
  const auto real = disk.calls();
  int file_systems = 0;
  bool works = true;
  calls.syncfs = [&](int file) { return ++file_systems, works ? real.syncfs(file) : 0; };
  SECTION("as they should") {}
  SECTION("which is noticed where the call does nothing") { works = false; }
  Promises run(disk, calls, "run");
  const auto keys = range_of_keys("events/", 65);
  for (const std::string& key : keys) run.put(key, "content of " + key, tt::Sync::no);
  const std::size_t put = disk.operations();
  run.sync(keys);
  CHECK(file_systems == 1);
  bool holds = true;
  disk.for_each_state(
      [&](const fs::path& state, std::size_t done) { holds = holds && run.broken(state, done).empty(); },
      {.samples = 100, .first = put, .only_reads = true});
  CHECK(holds == works);
}

TEST_CASE("directories that another process made are made durable too", "[store][power_loss]") {
  power_loss::Disk disk;
  tt::FileStore(disk / "run", disk.calls()).put("events/0/a", "a");  // and is killed
  Promises run(disk, disk.calls(), "run");
  SECTION("by a put") { run.put("events/0/b", "b", tt::Sync::yes); }
  SECTION("by a sync") {
    run.put("events/0/b", "b", tt::Sync::no);
    run.sync({"events/0/b"});
  }
  std::vector<std::string> broken;
  disk.for_each_state([&](const fs::path& state, std::size_t done) {
    for (auto& promise : run.broken(state, done)) broken.push_back(promise);
  });
  CHECK(broken == std::vector<std::string>{});
}

TEST_CASE("a directory that was removed and made again is made durable again", "[store][power_loss]") {
  power_loss::Disk disk;
  Promises run(disk, disk.calls(), "run");
  run.put("events/0/a", "a", tt::Sync::yes);
  auto calls = disk.calls();  // another process
  const int at = ::open(disk.path().c_str(), O_RDONLY | O_DIRECTORY);
  REQUIRE(calls.unlinkat(at, "run/events/0/a", 0) == 0);
  REQUIRE(calls.unlinkat(at, "run/events/0", AT_REMOVEDIR) == 0);
  SECTION("as a directory of the run") {}
  SECTION("as the whole run") {
    REQUIRE(calls.unlinkat(at, "run/events", AT_REMOVEDIR) == 0);
    REQUIRE(calls.unlinkat(at, "run", AT_REMOVEDIR) == 0);
  }
  ::close(at);
  run.put("events/0/b", "b", tt::Sync::yes);
  const std::size_t durable = disk.operations();
  std::size_t lost = 0;
  const auto states = disk.for_each_state(
      [&](const fs::path& state, std::size_t) { lost += !text(tt::FileStore(state / "run"), "events/0/b"); },
      {.first = durable, .only_reads = true});
  CHECK(states > 0);
  CHECK(lost == 0);
}

TEST_CASE("the simulated disk may lose any change that was not synced", "[store][power_loss]") {
  power_loss::Disk disk;
  tt::FileStore store(disk / "run", disk.calls());
  store.put("a/b", "content");
  std::map<std::string, int> seen;
  disk.for_each_state([&](const fs::path& state, std::size_t done) {
    if (done != disk.operations()) return;
    const bool run = fs::exists(state / "run");
    ++seen[!run                           ? "no run"
           : !fs::exists(state / "run/a") ? "no directory"
                                          : text(tt::FileStore(state / "run"), "a/b").value_or("no file")];
  });
  for (const std::string what : {"no run", "no directory", "no file", "content", "", "con"}) {
    CAPTURE(what);
    CHECK(seen[what] > 0);
  }
  CHECK(seen[std::string(7, '\0')] > 0);
  CHECK(seen.size() == 7);
  CHECK(disk.operation(0) == "nothing");
  CHECK(disk.operation(1) == "create run");
  CHECK(disk.operation(4).starts_with("write 7 bytes to run/a/b."));
  CHECK(disk.operation(disk.operations()).ends_with(" to run/a/b"));
}

TEST_CASE("the simulated disk refuses calls that bypass it", "[store][power_loss]") {
  power_loss::Disk disk;
  const auto nothing = [](const fs::path&, std::size_t) {};
  SECTION("a directory") {
    fs::create_directory(disk / "run");
    tt::FileStore(disk / "run", disk.calls()).put("a", "x");
  }
  SECTION("a file that is synced") {
    fs::create_directory(disk / "run");
    tt::FileStore(disk / "run").put("a", "x");
    tt::FileStore(disk / "run", disk.calls()).sync(std::vector<std::string>{"a"});
  }
  SECTION("a store elsewhere") {
    const TemporaryDirectory elsewhere;
    tt::FileStore(elsewhere / "run", disk.calls()).put("a", "x");
  }
  CHECK_THROWS_AS(disk.for_each_state(nothing), std::logic_error);
}
