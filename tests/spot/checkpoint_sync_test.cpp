#include <tensortap/spot/checkpoint_sync.hpp>
#include <tensortap/tensortap.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/store/file_calls.hpp>

#include "catch.hpp"
#include "spot/checkpoint_places.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;
using Names = std::vector<std::string>;

struct Died : std::runtime_error {
  Died() : std::runtime_error("the process has died") {}
};

void set_time(const fs::path& path, long second) {
  const timespec times[2] = {{second, 0}, {second, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

std::string failures_of(const tt::SyncReport& report) {
  std::string out;
  for (const std::string& failure : report.failures) out += failure + "\n";
  return out;
}

tt::SyncReport upload_all(const fs::path& directory, const std::shared_ptr<tt::Store>& store) {
  return tt::CheckpointSync(directory.string(), store, at_once()).upload_all();
}

tt::SyncReport restore(const fs::path& directory, const std::shared_ptr<tt::Store>& store) {
  return tt::CheckpointSync(directory.string(), store, at_once()).restore();
}

}  // namespace

TEST_CASE("a directory is copied to a store and back: nested, empty, large and oddly named files",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const fs::path here = directory / "here", there = directory / "there";
  std::string large(100'001, 'x');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 7919 >> 3);
  const Contents files = {{"a/b/c/model.bin", large},
                          {"empty", ""},
                          {"a b", "1"},
                          {"ä+%20&?#='\"", "2"},
                          {"new\nline", "3"},
                          {".hidden", "4"},
                          {"-rf", "5"},
                          {"a/b.txt", "6"},
                          {".tensortap-is-fine", "7"},
                          {"exact", large.substr(0, 1000)}};
  for (const auto& [name, content] : files) write_file(here / name, content);
  const auto store = GENERATE(as<std::string>{}, "memory", "files");
  std::shared_ptr<tt::Store> to = std::make_shared<tt::MemoryStore>();
  if (store == "files") to = std::make_shared<tt::FileStore>((directory / "remote").string());
  const auto remote = std::make_shared<WatchedStore>(to);
  remote->at_once = GENERATE(as<std::size_t>{}, 1, 8);

  const tt::SyncReport up = upload_all(here, remote);
  CHECK(failures_of(up) == "");
  CHECK(up.complete);
  CHECK(up.files == files.size());
  CHECK(up.missing.empty());
  CHECK(contents_of(*remote) == files);  // under their plain names

  auto options = at_once();
  options.part_size = 1000;
  std::vector<std::uint64_t> bytes;
  std::uint64_t all = 0;
  options.progress = [&](const tt::SyncProgress& at) { bytes.push_back(at.bytes), all = at.all_bytes; };
  const tt::SyncReport down = tt::CheckpointSync(there.string(), remote, options).restore();
  CHECK(failures_of(down) == "");
  CHECK(down.complete);
  CHECK(down.files == files.size());
  CHECK(contents_of(there) == files);
  CHECK(std::is_sorted(bytes.begin(), bytes.end()));
  CHECK(bytes.size() == files.size());
  CHECK(bytes.back() == all);
  CHECK(all == up.bytes);
}

TEST_CASE("unchanged files cost no call; only changed files are sent", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  for (const char* name : {"a", "b", "folder/c"}) write_file(directory / name, name);
  tt::CheckpointSync sync(directory.path().string(), remote, at_once());
  REQUIRE(sync.upload_all().complete);
  remote->forget_calls();
  const tt::SyncReport again = sync.upload_all();
  CHECK(again.complete);
  CHECK(again.unchanged == 3);
  CHECK(again.files == 0);
  CHECK(remote->calls() == Names{});

  write_file(directory / "b", "changed");
  CHECK(sync.upload_all().files == 1);
  CHECK(remote->calls("put").size() == 2);  // and the manifest
  CHECK(contents_of(*remote) == contents_of(directory.path()));
}

TEST_CASE("a change that keeps size and time is detected in a young file; an old file is not read",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  std::atomic<int> reads = 0;
  auto options = at_once();
  std::int64_t now = 1000;
  options.wall_time = [&] { return now; };
  const auto calls = std::make_shared<tt::FileCalls>();
  options.calls = calls;
  calls->pread = [&](int file, void* bytes, std::size_t size, off_t start) {
    ++reads;
    return ::pread(file, bytes, size, start);
  };
  tt::CheckpointSync sync(directory.path().string(), remote, options);
  write_file(directory / "a", "123");
  set_time(directory / "a", 999);
  REQUIRE(sync.upload_all().complete);
  write_file(directory / "a", "abc");
  set_time(directory / "a", 999);
  now = 2000;
  CHECK(sync.upload_all().files == 1);
  CHECK(contents_of(*remote) == Contents{{"a", "abc"}});
  reads = 0;
  CHECK(sync.upload_all().unchanged == 1);
  CHECK(reads == 0);
}

TEST_CASE("files with the right content are not fetched again; others of the same name are replaced",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  for (const char* name : {"a", "b", "c"}) write_file(directory / "here" / name, name);
  REQUIRE(upload_all(directory / "here", remote).complete);
  write_file(directory / "there/a", "a");
  write_file(directory / "there/b", "B");
  write_file(directory / "there/own", "own");
  remote->forget_calls();
  const tt::SyncReport report = restore(directory / "there", remote);
  CHECK(report.files == 2);
  CHECK(report.unchanged == 1);
  const auto calls = remote->calls("get");
  CHECK(std::count(calls.begin(), calls.end(), "get a") == 0);
  CHECK(contents_of(directory / "there") == Contents{{"a", "a"}, {"b", "b"}, {"c", "c"}, {"own", "own"}});
}

TEST_CASE("after a restore only new files are sent", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  for (const char* name : {"a", "b", "c"}) write_file(directory / "here" / name, name);
  REQUIRE(upload_all(directory / "here", remote).complete);
  const bool listed = GENERATE(false, true);
  if (listed) remote->remove(tt::detail::sync_layout::manifest_key);
  tt::CheckpointSync sync((directory / "there").string(), remote, at_once());
  sync.restore();
  remote->forget_calls();
  CHECK(sync.upload_all().complete);
  if (!listed) {
    CHECK(remote->calls() == Names{});
    write_file(directory / "there/d", "d");
    CHECK(sync.upload_all().complete);
    CHECK(remote->calls("put") == Names{"put d", "put .tensortap/manifest.json"});
  }
  CHECK(contents_of(*remote) == contents_of(directory / "there"));
}

// The process dies before or right after one of its calls to the store, for every call in turn.
TEST_CASE("a whole checkpoint is restored, the new or the previous one, whichever call an upload is cut off at",
          "[spot][checkpoint_sync]") {
  const bool first = GENERATE(true, false);
  const bool done = GENERATE(true, false);  // the call it dies of
  CAPTURE(first, done);
  const auto write_generation = [](const fs::path& here, int n) {
    const std::string step = std::to_string(n);
    write_file(here / "last.ckpt", "weights of " + step);  // overwritten each time
    write_file(here / ("model-" + step), std::string(100, static_cast<char>('a' + n)));
    write_file(here / "sub/optimizer", "momenta " + step);
    if (n > 1) fs::remove(here / ("model-" + std::to_string(n - 1)));
    commit_at(here, n, {"last.ckpt", "model-" + step, "sub/optimizer"});
  };
  int points = 0;
  for (int at = 1;; ++at) {
    CAPTURE(at);
    const TemporaryDirectory directory;
    const fs::path here = directory / "here";
    const auto kept = std::make_shared<tt::MemoryStore>();
    write_generation(here, 1);
    if (!first) {
      REQUIRE(upload_all(here, kept).complete);
      write_generation(here, 2);
    }
    const auto dying = std::make_shared<WatchedStore>(kept);
    std::atomic<int> calls = 0;
    dying->before = [&](auto, auto) {
      if (++calls > at || (calls == at && !done)) throw Died();
    };
    std::set<std::string> sent;
    dying->after = [&](std::string_view verb, std::string_view key) {
      if (verb == "put") sent.emplace(key);
      if (calls >= at) throw Died();
    };
    const tt::SyncReport report = upload_all(here, dying);
    const bool complete = calls < at;
    if (complete) {
      CHECK(report.complete);
    } else {
      CHECK_FALSE(report.failures.empty());
    }
    ++points;

    const fs::path there = directory / "there";
    restore(there, kept);
    const std::int64_t step = whole_step(there);
    CAPTURE(step);
    const int last = first ? 1 : 2;
    CHECK((step == last || (first ? step == -1 : step == 1)));
    if (report.complete || complete) CHECK(step == last);
    if (step >= 0) {
      const std::string n = std::to_string(step);
      CHECK(content_of(there / "last.ckpt") == "weights of " + n);
      CHECK(content_of(there / "sub/optimizer") == "momenta " + n);
      CHECK(fs::exists(there / ("model-" + n)));
    }

    // A successor in the directory of the dead process sends all of it.
    const auto watched = std::make_shared<WatchedStore>(kept);
    CHECK(upload_all(here, watched).complete);
    Contents expected = contents_of(here), found = contents_of(*kept);
    if (!first) found.erase("model-1");  // the successor does not know that it was deleted
    CHECK(found == expected);
    for (const auto& object : kept->list("")) CHECK_FALSE(object.key.starts_with(".tensortap/staged"));
    // The key depends on the content, so that no content is sent twice.
    for (const std::string& put : watched->calls("put .tensortap/staged")) CHECK_FALSE(sent.contains(put.substr(4)));
    fs::remove_all(there);
    restore(there, kept);
    CHECK(whole_step(there) == last);
    if (complete) break;
    REQUIRE(at < 100);
  }
  CHECK(points >= (first ? 6 : 12));
}

TEST_CASE("large files that were sent before a crash are not sent again", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto kept = std::make_shared<tt::MemoryStore>();
  const auto dying = std::make_shared<WatchedStore>(kept);
  for (const char* name : {"a", "b", "c"}) write_file(directory / name, std::string(std::size_t{33} << 20, name[0]));
  dying->before = [](std::string_view verb, std::string_view key) {
    if (verb == "put" && key == "c") throw Died();
  };
  const tt::SyncReport cut = upload_all(directory.path(), dying);
  CHECK(cut.missing == Names{"c"});
  // There is no state, so that the manifest names all objects that were sent.
  const auto watched = std::make_shared<WatchedStore>(kept);
  dying->before = [](std::string_view verb, std::string_view key) {
    if (verb == "put" && key == tt::detail::sync_layout::manifest_key) throw Died();
  };
  write_file(directory / "d", std::string(std::size_t{33} << 20, 'd'));
  CHECK_FALSE(upload_all(directory.path(), dying).complete);  // c and d were sent, but are not named
  const tt::SyncReport rest = upload_all(directory.path(), watched);
  CHECK(rest.complete);
  CHECK(watched->calls("put") == Names{"put .tensortap/manifest.json"});
  CHECK_FALSE(kept->size(tt::detail::sync_layout::sent_key));
}

TEST_CASE("restore skips a commit with a damaged object, or reports that no commit is whole",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  write_file(directory / "here/model-1", "first");
  commit_at(directory / "here", 1, {"model-1"});
  write_file(directory / "here/model-2", "second");
  commit_at(directory / "here", 2, {"model-2"});
  REQUIRE(upload_all(directory / "here", remote).step == 2);
  const std::string damage = GENERATE("sEcond", "short", "", "much longer than it was");
  CAPTURE(damage);
  if (damage.empty())
    remote->remove("model-2");
  else
    remote->put("model-2", damage);
  write_file(directory / "there/model-2", "what was here");
  const tt::SyncReport report = restore(directory / "there", remote);
  CHECK(report.step == 1);
  CHECK_FALSE(report.complete);
  CHECK(report.missing == Names{"model-2"});
  CHECK_THAT(failures_of(report), contains("it differs from the file that was sent"));
  CHECK(whole_step(directory / "there") == 1);
  CHECK(content_of(directory / "there/model-2") == "what was here");

  remote->put("model-1", "First");
  CHECK_THROWS_WITH(restore(directory / "third", remote), contains("no complete checkpoint is there (2 files"));
  remote->put(tt::state_key, "[]");
  CHECK_THROWS_WITH(restore(directory / "elsewhere", remote), contains("\"metadata.json\""));
  CHECK_FALSE(fs::exists(directory / "elsewhere/metadata.json"));
}

TEST_CASE("bytes that are damaged in transfer are fetched once more", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto kept = std::make_shared<tt::MemoryStore>();
  write_file(directory / "here/model", "the model");
  REQUIRE(upload_all(directory / "here", kept).complete);
  struct Flipping : ForwardingStore {
    using ForwardingStore::ForwardingStore;
    std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
      auto out = to_->get(key, range);
      if (key == "model" && ++times == 1) out->front() ^= std::byte{1};
      return out;
    }
    mutable int times = 0;
  };
  const auto remote = std::make_shared<Flipping>(kept);
  CHECK(restore(directory / "there", remote).complete);
  CHECK(remote->times == 2);
  CHECK(contents_of(directory / "there") == Contents{{"model", "the model"}});
}

TEST_CASE("a list of commits that is damaged but still readable is not believed", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto kept = std::make_shared<tt::MemoryStore>();
  write_file(directory / "here/model", "the model");
  commit_at(directory / "here", 1, {"model"});
  REQUIRE(upload_all(directory / "here", kept).complete);
  struct Changing : ForwardingStore {
    using ForwardingStore::ForwardingStore;
    std::optional<std::vector<std::byte>> get(std::string_view key, tt::Range range) const override {
      auto out = to_->get(key, range);
      if (key != tt::state_key || ++times > wrong) return out;
      std::string text(tt::text_of(*out));
      text[text.find("\"latest-global-step-seen\": 1") + 27] = '9';
      std::memcpy(out->data(), text.data(), text.size());
      return out;
    }
    mutable int times = 0;
    int wrong = 1;
  };
  const auto remote = std::make_shared<Changing>(kept);
  CHECK(restore(directory / "there", remote).step == 1);
  CHECK(remote->times == 2);
  remote->wrong = 1000;
  CHECK_THROWS_WITH(restore(directory / "elsewhere", remote), contains("metadata.json"));
  CHECK_FALSE(fs::exists(directory / "elsewhere/metadata.json"));
}

TEST_CASE("a hostile manifest is refused and writes nothing outside the directory", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  const std::string entry = R"(, "size": 1, "crc32c": 1})";
  const auto manifest = [](const std::string& files) {
    return R"({"version": 1, "generation": 1, "files": [)" + files + "]}";
  };
  const auto refuse = [&](const std::string& text, const std::string& cause) {
    CAPTURE(text.substr(0, 200));
    remote->put(tt::detail::sync_layout::manifest_key, text);
    CHECK_THROWS_WITH(restore(directory / "in", remote), contains(cause));
    CHECK(contents_of(directory.path()).empty());
    const tt::SyncReport report = upload_all(directory / "in", remote);  // does not throw
    CHECK_FALSE(report.complete);
    CHECK_THAT(failures_of(report), contains(cause));
  };
  for (const char* name : {"../out", "a/../../out", "/etc/out", "a//b", "a/./b", "", ".", "..", "a/"})
    refuse(manifest(R"({"name": ")" + std::string(name) + "\"" + entry), "not a relative path of plain names");
  refuse(manifest(R"({"name": "a\u0000b")" + entry), "not a relative path");
  refuse(manifest(R"({"name": ".tensortap/manifest.json")" + entry), "reserved");
  refuse(manifest(R"({"name": "a.tmp")" + entry), "unfinished");
  refuse(manifest(R"({"name": ")" + std::string(961, 'a') + "\"" + entry), "too long");
  std::string deep = "a";
  for (int i = 0; i < 16; ++i) deep += "/a";
  refuse(manifest(R"({"name": ")" + deep + "\"" + entry), "too deep");
  refuse(manifest(R"({"name": "a")" + entry + R"(, {"name": "a")" + entry), "named twice");
  refuse(manifest(R"({"name": "a", "size": -1, "crc32c": 1})"), "negative");
  refuse(manifest(R"({"name": "a", "size": 1152921504606846976, "crc32c": 1})"), "out of range");
  refuse(manifest(R"({"name": "a", "size": 1e30, "crc32c": 1})"), "not an integer");
  refuse(manifest(R"({"name": "a", "size": 1, "crc32c": 4294967296})"), "out of range");
  refuse(manifest(R"({"name": 7, "size": 1, "crc32c": 1})"), "not a string");
  refuse(manifest("7"), "not an object");
  refuse(R"({"version": 2, "generation": 1, "files": []})", "it is unknown");
  refuse(std::string(100'000, '['), "nested too deeply");
  refuse("", "not JSON");
  std::string many;
  for (int i = 0; i < 1'000'000; ++i) many += (i > 0 ? ",{}" : "{}");
  refuse(manifest(many), "there are too many");
  refuse(std::string(std::size_t{33} << 20, ' '), "too large");
}

TEST_CASE("an object of an impossible size is skipped", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  remote->put("a", "small");
  remote->put(tt::detail::sync_layout::manifest_key,
              R"({"version": 1, "generation": 1, "files": [{"name": "a", "size": 70368744177664, "crc32c": 1}]})");
  CHECK_THROWS_WITH(restore(directory / "in", remote), contains("no complete checkpoint"));
  CHECK(contents_of(directory.path()).empty());
}

TEST_CASE("symbolic links in the directory are not followed", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  write_file(directory / "here/folder/file", "new");
  write_file(directory / "here/link", "new");
  REQUIRE(upload_all(directory / "here", remote).complete);
  write_file(directory / "outside/file", "mine");
  fs::create_directories(directory / "there");
  fs::create_symlink(directory / "outside/file", directory / "there/link");
  REQUIRE(restore(directory / "elsewhere", remote).complete);
  fs::create_directory_symlink(directory / "outside", directory / "there/folder");
  CHECK_THROWS_WITH(restore(directory / "there", remote), contains("symbolic links"));
  CHECK(contents_of(directory / "outside") == Contents{{"file", "mine"}});
  CHECK(content_of(directory / "there/link") == "new");  // the link itself was replaced
  CHECK_FALSE(fs::is_symlink(directory / "there/link"));

  fs::create_symlink(directory / "outside/file", directory / "here/secret");
  fs::create_directory_symlink(directory / "outside", directory / "here/secrets");
  CHECK(upload_all(directory / "here", remote).complete);
  CHECK(contents_of(*remote) == Contents{{"folder/file", "new"}, {"link", "new"}});
}

TEST_CASE("a prefix without a manifest is restored by listing", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  struct Bucket : ForwardingStore {
    std::vector<tt::ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
      auto out = to_->list(prefix, after);
      for (const char* key : {"", "folder/", "/absolute", "../out", "a//b"}) out.push_back({key, 0});
      return out;
    }
  };
  const auto remote = std::make_shared<Bucket>();
  remote->put("folder/model", "weights");
  remote->put("notes", "");
  tt::CheckpointSync sync((directory / "in").string(), remote, at_once());
  const tt::SyncReport report = sync.restore();
  CHECK(report.complete);
  CHECK(report.files == 2);
  CHECK_THAT(failures_of(report), contains("\"../out\""));
  CHECK(contents_of(directory.path()) == Contents{{"in/folder/model", "weights"}, {"in/notes", ""}});
  CHECK(sync.upload_all().files == 2);  // sent once, so that its checksum is known
  fs::remove(directory / "in/notes");
  CHECK(sync.upload_all().removed == 1);
  CHECK(contents_of(directory.path()) == Contents{{"in/folder/model", "weights"}});
}

TEST_CASE("deleting a local file deletes its remote copy, but no object of others", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  remote->put("foreign", "keep");
  write_file(directory / "here/a", "a");
  write_file(directory / "here/b/c", "c");
  write_file(directory / "here/d", "d");
  auto options = at_once();
  options.keep_deleted = GENERATE(false, true);
  tt::CheckpointSync sync((directory / "here").string(), remote, options);
  REQUIRE(sync.upload_all().complete);
  fs::remove(directory / "here/a");
  fs::remove_all(directory / "here/b");
  const tt::SyncReport report = sync.upload_all();
  CHECK(report.complete);
  if (options.keep_deleted) {
    CHECK(report.removed == 0);
    CHECK(contents_of(*remote) == Contents{{"foreign", "keep"}, {"a", "a"}, {"b/c", "c"}, {"d", "d"}});
    return;
  }
  CHECK(report.removed == 2);
  CHECK(contents_of(*remote) == Contents{{"foreign", "keep"}, {"d", "d"}});
  CHECK(restore(directory / "there", remote).files == 1);

  fs::remove_all(directory / "here");  // an unmounted disk
  CHECK_THAT(failures_of(sync.upload_all()), contains("the directory is empty"));
  CHECK(upload_all(directory / "never", remote).removed == 0);
  CHECK(contents_of(*remote) == Contents{{"foreign", "keep"}, {"d", "d"}});
}

TEST_CASE("calls to a failing store are repeated and finally reported; nothing is thrown", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  write_file(directory / "a", "a");
  write_file(directory / "b", "b");
  int failing = 2;
  remote->before = [&](std::string_view verb, std::string_view key) {
    if (verb == "put" && key == "a" && failing-- > 0) throw tt::Error::io("store: cannot write", "a", "no luck");
  };
  std::vector<std::chrono::nanoseconds> pauses;
  auto options = at_once();
  options.sleep = [&](std::chrono::nanoseconds t) { pauses.push_back(t); };
  tt::CheckpointSync sync(directory.path().string(), remote, options);
  const tt::SyncReport report = sync.upload_all();
  CHECK(report.complete);
  CHECK(report.retries == 2);
  CHECK(pauses == std::vector<std::chrono::nanoseconds>{100ms, 200ms});

  failing = 100;
  write_file(directory / "a", "other");
  write_file(directory / "b", "other");
  remote->before = [&](std::string_view verb, std::string_view key) {
    if (verb == "put" && key.ends_with("/a")) throw tt::Error::io("store: cannot write", "a", "no luck");
  };
  const tt::SyncReport failed = sync.upload_all();
  CHECK_FALSE(failed.complete);
  CHECK(failed.missing == Names{"a"});
  CHECK_THAT(failures_of(failed), contains("no luck"));
  CHECK(failed.retries == 3);
  CHECK(contents_of(*remote) == Contents{{"a", "a"}, {"b", "other"}});  // the other file was sent
  remote->before = [](std::string_view, std::string_view) { throw std::bad_alloc(); };
  CHECK_FALSE(sync.upload_all().complete);
  remote->before = [](std::string_view, std::string_view) {};
  CHECK(sync.upload_all().complete);
  CHECK(contents_of(*remote) == contents_of(directory.path()));
}

TEST_CASE("a lost reply is not taken for another process", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  write_file(directory / "a", "1");
  tt::CheckpointSync sync(directory.path().string(), remote, at_once());
  int lost = GENERATE(1, 4);  // replies, of 4 attempts
  remote->after = [&](std::string_view verb, std::string_view key) {
    if (verb == "put" && key == tt::detail::sync_layout::manifest_key && lost-- > 0)
      throw tt::Error::io("store: cannot write", "manifest", "no reply");
  };
  (void)sync.upload_all();
  write_file(directory / "a", "12");
  const tt::SyncReport report = sync.upload_all();
  CHECK(failures_of(report) == "");
  CHECK(report.complete);
}

TEST_CASE("an upload stops if another process has sent since", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  write_file(directory / "here/a", "1");
  tt::CheckpointSync sync((directory / "here").string(), remote, at_once());
  REQUIRE(sync.upload_all().complete);
  write_file(directory / "there/a", "successor's");
  REQUIRE(upload_all(directory / "there", remote).complete);
  write_file(directory / "here/a", "late");
  const tt::SyncReport report = sync.upload_all();
  CHECK_FALSE(report.complete);
  CHECK(report.missing == Names{"a"});
  CHECK_THAT(failures_of(report), contains("another process"));
  CHECK(contents_of(*remote) == Contents{{"a", "successor's"}});
}

TEST_CASE("an upload returns by its deadline, even from a store that hangs, and reports the missing files",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool reached = false, open = false;
  };
  const auto gate = std::make_shared<Gate>();
  const auto remote = std::make_shared<WatchedStore>();
  write_file(directory / "a-old", "1");
  write_file(directory / "model-7", "2");
  write_file(directory / "z-other", "3");
  commit_at(directory.path(), 7, {"model-7"});
  remote->before = [gate](std::string_view verb, std::string_view key) {
    if (verb != "put" || key != "a-old") return;
    std::unique_lock lock(gate->mutex);
    gate->reached = true;
    gate->changed.notify_all();
    gate->changed.wait_for(lock, 60s, [&] { return gate->open; });
  };
  auto options = at_once();
  std::atomic<int> told = 0;
  options.progress = [&](const tt::SyncProgress&) { ++told; };
  tt::CheckpointSync sync(directory.path().string(), remote, options);
  const bool noticed = GENERATE(false, true);  // while the upload runs
  const auto begin = Clock::now();
  std::thread notice([&] {
    std::unique_lock lock(gate->mutex);
    gate->changed.wait_for(lock, 20s, [&] { return gate->reached; });
    if (noticed) options.stop.request(tt::StopReason::notice, Clock::now() + 60ms);
  });
  const tt::SyncReport report = sync.upload_all(noticed ? Clock::time_point::max() : begin + 1s);
  notice.join();
  CHECK(Clock::now() - begin < 20s);
  CHECK_FALSE(report.complete);
  CHECK(remote->calls("put") == Names{"put model-7", "put a-old"});  // the last commit's first
  CHECK(report.files == 1);
  CHECK(report.missing == Names{"a-old", "metadata.json", "z-other"});
  CHECK_THAT(failures_of(report), contains("no time is left"));
  CHECK(told == 1);

  const auto before = Clock::now();
  CHECK_FALSE(sync.upload_all(before + 50ms).complete);  // the first upload is still running
  CHECK(Clock::now() - before < 20s);
  {
    const std::lock_guard lock(gate->mutex);
    gate->open = true;
    gate->changed.notify_all();
  }
  if (!noticed) {
    CHECK(sync.upload_all(Clock::now() + 20s).complete);
    CHECK(contents_of(*remote) == contents_of(directory.path()));
  }
}

TEST_CASE("an upload ends when it is cancelled", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  write_file(directory / "a", "1");
  const auto remote = std::make_shared<WatchedStore>();
  auto options = at_once();
  options.cancel.request(tt::StopReason::user);
  tt::CheckpointSync sync(directory.path().string(), remote, options);
  CHECK_FALSE(sync.upload_all().complete);
  CHECK(remote->calls().empty());
  CHECK_THROWS_WITH(sync.restore(), contains("no time is left"));
}

TEST_CASE("a file that changes while it is read is read again, or reported", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  write_file(directory / "busy", std::string(1000, 'a'));
  write_file(directory / "quiet", "q");
  std::atomic<int> changes = GENERATE(1, 1000);
  const bool settles = changes == 1;
  auto options = at_once();
  long second = 100;
  const auto calls = std::make_shared<tt::FileCalls>();
  options.calls = calls;
  calls->pread = [&](int file, void* bytes, std::size_t size, off_t start) -> ssize_t {
    const ssize_t n = ::pread(file, bytes, size, start);
    if (n == 1000 && changes-- > 0) {  // right after it was read
      write_file(directory / "busy", std::string(1000, static_cast<char>('b' + second % 20)));
      set_time(directory / "busy", ++second);
    }
    return n;
  };
  tt::CheckpointSync sync(directory.path().string(), remote, options);
  const tt::SyncReport report = sync.upload_all();
  CHECK(report.complete == settles);
  if (settles) {
    CHECK(contents_of(*remote) == contents_of(directory.path()));
  } else {
    CHECK(report.missing == Names{"busy"});
    CHECK_THAT(failures_of(report), contains("it changes while it is read"));
    CHECK(contents_of(*remote) == Contents{{"quiet", "q"}});
  }
  CHECK(restore(directory / "there", remote).complete);  // the checksums are of the sent bytes
}

TEST_CASE("a file that is truncated while it is sent arrives as the bytes that were read", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  write_file(directory / "here/model", std::string(5000, 'a'));
  remote->before = [&](std::string_view verb, std::string_view key) {
    if (verb == "put" && key == "model") write_file(directory / "here/model", "x");
  };
  tt::CheckpointSync sync((directory / "here").string(), remote, at_once());
  CHECK(sync.upload_all().complete);
  CHECK(contents_of(*remote) == Contents{{"model", std::string(5000, 'a')}});
  CHECK(restore(directory / "there", remote).complete);
  CHECK(sync.upload_all().files == 1);
  CHECK(contents_of(*remote) == Contents{{"model", "x"}});
}

TEST_CASE("overwritten files of a commit do not replace the sent ones", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  tt::CheckpointSync sync((directory / "here").string(), remote, at_once());
  write_file(directory / "here/last", "one");
  commit_at(directory / "here", 1, {"last"});
  REQUIRE(sync.upload_all().step == 1);
  write_file(directory / "here/last", "two");  // and not yet committed
  const tt::SyncReport report = sync.upload_all();
  CHECK_FALSE(report.complete);
  CHECK(report.missing == Names{"last"});
  CHECK_THAT(failures_of(report), contains("no commit is intact"));
  REQUIRE(restore(directory / "there", remote).complete);
  CHECK(whole_step(directory / "there") == 1);
  commit_at(directory / "here", 2, {"last"});
  CHECK(sync.upload_all().step == 2);
  CHECK(contents_of(*remote) == contents_of(directory / "here"));
}

TEST_CASE("a commit made while the previous one is sent is sent with it", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  write_file(directory / "here/last", "one");
  commit_at(directory / "here", 1, {"last"});
  int times = 0;
  auto options = at_once();
  const auto calls = std::make_shared<tt::FileCalls>();
  options.calls = calls;
  calls->openat = [&](int at, const char* path, int flags, mode_t mode) {
    if (std::string_view(path) == "last" && ++times == 1) {
      write_file(directory / "here/last", "two!");
      commit_at(directory / "here", 2, {"last"});
    }
    return ::openat(at, path, flags, mode);
  };
  tt::CheckpointSync sync((directory / "here").string(), remote, options);
  const tt::SyncReport report = sync.upload_all();
  CHECK(report.complete);
  CHECK(report.step == 2);
  REQUIRE(restore(directory / "there", remote).complete);
  CHECK(whole_step(directory / "there") == 2);
}

TEST_CASE("a full disk fails the restore, which continues once there is room", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  for (const char* name : {"a", "b", "c"}) write_file(directory / "here" / name, std::string(5000, name[0]));
  REQUIRE(upload_all(directory / "here", remote).complete);
  auto options = at_once();
  options.part_size = GENERATE(as<std::uint64_t>{}, 1000, 100'000);
  std::atomic<std::int64_t> room = 7000;
  const auto calls = std::make_shared<tt::FileCalls>();
  options.calls = calls;
  calls->pwrite = [&](int file, const void* bytes, std::size_t size, off_t start) -> ssize_t {
    if ((room -= static_cast<std::int64_t>(size)) < 0) return errno = ENOSPC, -1;
    return ::pwrite(file, bytes, size, start);
  };
  tt::CheckpointSync sync((directory / "there").string(), remote, options);
  CHECK_THROWS_WITH(sync.restore(), contains("(2 are missing)") && contains("make room for it"));
  CHECK(contents_of(directory / "there") == Contents{{"a", std::string(5000, 'a')}});  // and nothing unfinished
  room = 1'000'000;
  write_file(directory / "there/b.4711-3.tmp", "left by a dead process");
  remote->forget_calls();
  const tt::SyncReport report = sync.restore();
  CHECK(report.complete);
  CHECK(report.unchanged == 1);
  CHECK(remote->calls("get a").empty());
  CHECK(contents_of(directory / "there") == contents_of(directory / "here"));
}

TEST_CASE("a directory with a newer commit is not changed", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  write_file(directory / "here/last", "one");
  commit_at(directory / "here", 1, {"last"});
  REQUIRE(upload_all(directory / "here", remote).complete);
  write_file(directory / "here/last", "two");
  commit_at(directory / "here", 2, {"last"});
  const tt::SyncReport report = restore(directory / "here", remote);
  CHECK(report.local_is_newer);
  CHECK(content_of(directory / "here/last") == "two");
  write_file(directory / "here/last", "half of th");  // not a whole commit, so that the remote one is restored
  CHECK_FALSE(restore(directory / "here", remote).local_is_newer);
  CHECK(content_of(directory / "here/last") == "one");
  CHECK(whole_step(directory / "here") == 1);
}

TEST_CASE("files that are still changing are not sent", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  auto options = at_once();
  Clock::time_point now{};
  options.clock = [&] { return now; };
  tt::CheckpointSync sync(directory.path().string(), remote, options);
  write_file(directory / "done", "done");
  write_file(directory / "growing", "1");
  CHECK(sync.upload_settled().files == 0);
  CHECK(remote->calls().empty());
  now += 3s;
  write_file(directory / "growing", "12");
  CHECK(sync.upload_settled().files == 0);
  now += 3s;
  CHECK(sync.upload_settled().files == 1);
  CHECK(contents_of(*remote) == Contents{{"done", "done"}});
  now += 3s;
  CHECK(sync.upload_settled().files == 1);
  CHECK(contents_of(*remote) == contents_of(directory.path()));
}

TEST_CASE("names that cannot be sent are reported, the others are sent", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  write_file(directory / "fine", "1");
  write_file(directory / "\xff\xfe", "2");
  write_file(directory / "unfinished.tmp", "3");
  const tt::SyncReport report = upload_all(directory.path(), remote);
  CHECK_FALSE(report.complete);
  CHECK(report.missing == Names{"\xff\xfe"});
  CHECK_THAT(failures_of(report), contains("not UTF-8"));
  CHECK(contents_of(*remote) == Contents{{"fine", "1"}});
}

TEST_CASE("many files are sent and fetched in parallel, within the memory limit", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<WatchedStore>();
  remote->at_once = 16;
  for (int i = 0; i < 200; ++i) write_file(directory / "here" / std::to_string(i), std::string(1000, 'x'));
  auto options = at_once();
  options.max_memory = 3500;
  std::atomic<int> busy = 0, most = 0;
  remote->before = [&](std::string_view verb, std::string_view) {
    if (verb != "put") return;
    const int at = ++busy;
    for (int seen = most; seen < at && !most.compare_exchange_weak(seen, at);) continue;
    std::this_thread::sleep_for(200us);
    --busy;
  };
  tt::CheckpointSync sync((directory / "here").string(), remote, options);
  CHECK(sync.upload_all().files == 200);
  CHECK(most >= 2);
  CHECK(most <= 3);
  CHECK(restore(directory / "there", remote).files == 200);
  CHECK(contents_of(directory / "there") == contents_of(directory / "here"));
}

TEST_CASE("a hook's commit returns once the checkpoint is remote, and a new machine resumes from it",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto run = std::make_shared<tt::MemoryStore>();
  const auto remote = std::make_shared<WatchedStore>();
  {
    const fs::path checkpoints = directory / "first";
    tt::CheckpointSync sync(checkpoints.string(), remote, at_once());
    CHECK(sync.restore().complete);  // nothing to restore
    std::int64_t told = -1;
    tt::Hook hook(run, sync.attach({.on_commit = [&](const tt::State& state) { told = state.last_seen; }}));
    CHECK_FALSE(hook.resumed());
    for (int i = 0; i < 10; ++i) {
      hook.begin_step();
      if (i % 5 != 4) continue;
      write_file(checkpoints / "last.ckpt", "weights of " + std::to_string(i));
      write_file(checkpoints / "scratch", "not part of it");
      hook.commit((checkpoints / "last.ckpt").string());
      CHECK(told == i);
      CHECK(content_of(checkpoints / "last.ckpt") == contents_of(*remote)["last.ckpt"]);
      CHECK(contents_of(*remote).count("scratch") == 0);
    }
    hook.begin_step();
    write_file(checkpoints / "last.ckpt", "weights of 10");
    remote->before = [](std::string_view verb, std::string_view) {
      if (verb == "put") throw tt::Error::io("store: cannot write", "there", "the network is gone");
    };
    CHECK_THROWS_WITH(hook.commit((checkpoints / "last.ckpt").string()),
                      contains("the checkpoint is not complete there") && contains("the network is gone"));
    CHECK(told == 9);
    remote->before = [](std::string_view, std::string_view) {};
  }  // the machine is taken away
  const fs::path checkpoints = directory / "second";
  tt::CheckpointSync sync(checkpoints.string(), remote, at_once());
  CHECK(sync.restore().step == 9);
  tt::Hook hook(run, sync.attach());
  REQUIRE(hook.resumed());
  CHECK(hook.resumed()->step == 9);
  CHECK(content_of(hook.resumed()->checkpoint) == "weights of 9");
  hook.begin_step();
  write_file(checkpoints / "last.ckpt", "weights of 10 again");
  hook.commit("second.ckpt" == hook.resumed()->checkpoint ? "" : (checkpoints / "last.ckpt").string());
  CHECK(contents_of(*remote)["last.ckpt"] == "weights of 10 again");
  hook.close();
}

TEST_CASE("a commit that names no checkpoint sends all files", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  tt::CheckpointSync sync(directory.path().string(), remote, at_once());
  tt::Hook hook(std::make_shared<tt::MemoryStore>(), sync.attach());
  hook.begin_step();
  write_file(directory / "a", "1");
  write_file(directory / "b/c", "2");
  hook.commit();
  CHECK(contents_of(*remote) == contents_of(directory.path()));
}

TEST_CASE("an exception of on_commit does not undo the commit", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto checkpoints = std::make_shared<tt::MemoryStore>();
  tt::Hook hook(std::make_shared<tt::MemoryStore>(),
                {.checkpoints = checkpoints, .on_commit = [](const tt::State& state) {
                   if (state.last_seen == 0) throw std::runtime_error("not this one");
                 }});
  hook.begin_step();
  CHECK_THROWS_WITH(hook.commit(), "not this one");
  CHECK(tt::read_states(*checkpoints).size() == 1);
  hook.begin_step();
  hook.commit();
  CHECK(tt::read_states(*checkpoints).size() == 2);
}

TEST_CASE("CheckpointSync refuses invalid options", "[spot][checkpoint_sync]") {
  const auto remote = std::make_shared<tt::MemoryStore>();
  CHECK_THROWS_WITH(tt::CheckpointSync("", remote), contains("directory"));
  CHECK_THROWS_WITH(tt::CheckpointSync("x", nullptr), contains("remote"));
  CHECK_THROWS_WITH(tt::CheckpointSync("x", remote, {.retry = {.attempts = 0}}), contains("attempts"));
  CHECK_THROWS_WITH(tt::CheckpointSync("x", remote, {.part_size = 0}), contains("part_size"));
  CHECK_THROWS_WITH(tt::CheckpointSync("x", remote, {.sleep = nullptr}), contains("sleep"));
  const TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  const tt::CheckpointSync sync("x", remote);
  CHECK_THROWS_WITH(sync.attach({.checkpoint_dir = "y"}), contains("checkpoint_dir"));
  CHECK(sync.attach({.checkpoint_dir = "./x/"}).checkpoint_dir == (directory / "x").string());
  fs::current_path(before);
}

TEST_CASE("CheckpointSync makes its directory, or says why it cannot", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<tt::MemoryStore>();
  const tt::CheckpointSync sync((directory / "a/b").string(), store, at_once());
  CHECK(fs::is_directory(directory / "a/b"));
  std::ofstream(directory / "file") << "x";
  CHECK_THROWS_WITH(tt::CheckpointSync((directory / "file").string(), store),
                    contains("checkpoint sync: option checkpoint_dir: \"" + (directory / "file").string() +
                             "\": it is not a directory"));
  CHECK_THROWS_WITH(tt::CheckpointSync("s3://bucket/x", store), contains("give the directory here"));
}

TEST_CASE("a sync stays where it was made when the working directory changes", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<tt::MemoryStore>();
  fs::create_directories(directory / "a");
  fs::create_directories(directory / "b");
  const fs::path before = fs::current_path();
  fs::current_path(directory / "a");
  tt::CheckpointSync sync("checkpoints", store, at_once());
  std::ofstream("checkpoints/w") << "1";
  fs::current_path(directory / "b");
  CHECK(sync.upload_all().files == 1);
  fs::current_path(before);
  CHECK(store->size("w") == 1);
  CHECK(fs::is_empty(directory / "b"));
}

TEST_CASE("a directory that this user cannot list is passed over, and nothing below it is removed",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<tt::MemoryStore>();
  fs::create_directories(directory / "c/lost+found");
  fs::create_directories(directory / "c/theirs");
  std::ofstream(directory / "c/theirs/w") << "1";
  std::ofstream(directory / "c/mine") << "1";
  bool closed = false;
  tt::FileCalls calls;
  calls.openat = [&](int at, const char* path, int flags, mode_t mode) {
    const std::string name = path;
    const bool denied = name == "lost+found" || (closed && name == "theirs");
    return denied ? (errno = EACCES, -1) : ::openat(at, path, flags, mode);
  };
  calls.fstatat = [&](int at, const char* path, struct stat* status, int flags) {
    const bool denied = closed && std::string(path).ends_with("theirs/w");
    return denied ? (errno = EACCES, -1) : ::fstatat(at, path, status, flags);
  };
  auto options = at_once();
  options.calls = std::make_shared<const tt::FileCalls>(calls);
  tt::CheckpointSync sync((directory / "c").string(), store, options);
  tt::SyncReport report = sync.upload_all();
  CHECK(report.complete);
  CHECK(report.failures.empty());
  CHECK(report.passed_over == Names{"lost+found/"});
  closed = true;
  fs::remove(directory / "c/mine");
  std::ofstream(directory / "c/new") << "1";
  report = sync.upload_all();
  CHECK(report.complete);
  CHECK(report.passed_over == Names{"lost+found/", "theirs/"});
  CHECK(report.removed == 1);
  CHECK(store->size("theirs/w") == 1);
  CHECK_FALSE(store->size("mine"));
}

TEST_CASE("a file that another machine has removed from a network file system is passed over",
          "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto remote = std::make_shared<tt::MemoryStore>();
  tt::FileCalls calls;
  int listed = 0;
  calls.fstatat = [&](int at, const char* path, struct stat* status, int flags) {
    const bool is_stale = std::string_view(path).ends_with("gone") && ++listed > 1;  // after the listing has named it
    return is_stale ? (errno = ESTALE, -1) : ::fstatat(at, path, status, flags);
  };
  tt::CheckpointSyncOptions options;
  options.calls = std::make_shared<const tt::FileCalls>(calls);
  std::ofstream(directory / "gone") << 1;
  std::ofstream(directory / "stays") << 2;
  const tt::SyncReport report = tt::CheckpointSync(directory.path().string(), remote, options).upload_all();
  CHECK(listed > 1);
  CHECK(report.complete);
  CHECK(report.failures.empty());
  CHECK(remote->get("stays"));
  CHECK_FALSE(remote->get("gone"));
}

TEST_CASE("a file that becomes a link keeps its remote copy", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<tt::MemoryStore>();
  tt::CheckpointSync sync((directory / "c").string(), store, at_once());
  for (const char* name : {"w", "gone", "v"}) std::ofstream(directory / "c" / name) << "1";
  CHECK(sync.upload_all().complete);
  fs::remove(directory / "c/gone");
  fs::remove(directory / "c/w");
  fs::create_symlink("v", directory / "c/w");
  CHECK(sync.upload_all().removed == 1);
  CHECK(store->size("w") == 1);
  CHECK_FALSE(store->size("gone"));
}

TEST_CASE("a restore replaces no pipe", "[spot][checkpoint_sync]") {
  const TemporaryDirectory directory;
  const auto store = std::make_shared<tt::MemoryStore>();
  store->put("w", "1");
  store->put("v", "1");
  tt::CheckpointSync sync((directory / "c").string(), store, at_once());
  REQUIRE(::mkfifo((directory / "c/w").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(sync.restore(), contains("it is not a regular file"));
  CHECK(fs::is_fifo(directory / "c/w"));
  CHECK(fs::is_regular_file(directory / "c/v"));
}
