// The whole life of a run and its checkpoints on file systems that lack some calls, or answer them in their own way.
#include <tensortap/tensortap.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "capture/training.hpp"
#include "catch.hpp"
#include "store/temporary_directory.hpp"
#include "trial/steps.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

namespace {

/// Trains an attempt that is interrupted after a commit, its successor, and reads both; then copies the checkpoints.
void live(const tt::FileCalls& calls, bool copies_checkpoints = true) {
  const TemporaryDirectory directory;
  const auto run = [&] { return std::make_shared<tt::FileStore>(directory / "run", calls); };
  const auto checkpoints = std::make_shared<tt::FileStore>(directory / "checkpoints", calls);
  const tt::HookOptions options{.save = tt::every(1), .checkpoints = checkpoints};
  {
    tt::Hook hook(run(), options);
    train_steps(hook, 3);
    checkpoints->put("w", "3");
    hook.commit("w");
    CHECK_THROWS_WITH(tt::Hook(run(), options), contains("another process writes this run"));
    train_steps(hook, 2);
  }
  {
    tt::Hook hook(run(), options);
    REQUIRE(hook.resumed());
    CHECK(hook.resumed()->global_step == 2);
    train_steps(hook, 3);
    checkpoints->put("w2", "6");
    hook.commit("w2");
    train_steps(hook, 1);
    hook.close();
    CHECK(hook.status().steps_lost == 0);
    CHECK(hook.status().notes.empty());
  }
  const tt::Trial trial(run());
  CHECK(trial.steps() == Steps{0, 1, 2, 3, 4, 5, 6});
  CHECK(trial.ended());
  CHECK(trial.damage().empty());
  CHECK_FALSE(run()->list("superseded/").empty());
  for (const auto& entry : fs::recursive_directory_iterator(directory.path()))
    CHECK_FALSE(entry.path().string().ends_with(".tmp"));

  if (!copies_checkpoints) return;
  const auto remote = std::make_shared<tt::FileStore>(directory / "remote", calls);
  tt::CheckpointSyncOptions sync;
  sync.calls = std::make_shared<const tt::FileCalls>(calls);
  CHECK(tt::CheckpointSync((directory / "checkpoints").string(), remote, sync).upload_all().complete);
  const tt::SyncReport restored = tt::CheckpointSync((directory / "back").string(), remote, sync).restore();
  CHECK(restored.complete);
  CHECK(restored.step == 5);
}

/// NFS, as a client sees it: replies that are lost, so that a request is repeated and then fails; an open file that is
/// removed gets another name; a file that another machine has replaced cannot be read any more (ESTALE).
struct NetworkFileSystem {
  std::atomic<int> lost_replies = 0, stale_reads = 0;

  /// Lifetime: this object outlives the calls.
  tt::FileCalls calls(bool has_links = true) {
    tt::FileCalls out;
    out.openat = [this](int directory, const char* path, int flags, mode_t mode) {
      return is_lost(directory) ? (errno = ESTALE, -1) : ::openat(directory, path, flags, mode);
    };
    out.fstat = [this](int file, struct stat* status) {
      return is_lost(file) ? (errno = ESTALE, -1) : ::fstat(file, status);
    };
    out.fstatat = [this](int directory, const char* path, struct stat* status, int flags) {
      return is_lost(directory) ? (errno = ESTALE, -1) : ::fstatat(directory, path, status, flags);
    };
    out.pread = [this](int file, void* bytes, std::size_t size, off_t start) {
      return ++reads_ % 3 == 0 ? (++stale_reads, errno = ESTALE, -1) : ::pread(file, bytes, size, start);
    };
    out.renameat_new = [](int, const char*, int, const char*) { return errno = EINVAL, -1; };
    out.renameat = [this](int from_directory, const char* from, int to_directory, const char* to) {
      return repeated(::renameat(from_directory, from, to_directory, to), ENOENT);
    };
    out.linkat = [this, has_links](int from_directory, const char* from, int to_directory, const char* to, int flags) {
      if (!has_links) return errno = EPERM, -1;
      return repeated(::linkat(from_directory, from, to_directory, to, flags), EEXIST);
    };
    out.mkdirat = [this](int directory, const char* path, mode_t mode) {
      return repeated(::mkdirat(directory, path, mode), EEXIST);
    };
    out.unlinkat = [this](int directory, const char* path, int flags) {
      if (std::string_view(path) != "claim.smd") return repeated(::unlinkat(directory, path, flags), ENOENT);
      return ::renameat(directory, path, directory, ".nfs000000000012abcd00000001");  // it is open
    };
    out.fsync = [](int file) {
      struct stat status {};
      ::fstat(file, &status);
      return S_ISDIR(status.st_mode) ? (errno = EINVAL, -1) : 0;
    };
    return out;
  }

  /// Makes the open files and directories of `directory` unusable, as on a server whose handles contain paths.
  void lose_open_files_in(const fs::path& directory) {
    const auto lose = [&](const fs::path& path) {
      struct stat status {};
      ::stat(path.c_str(), &status);
      lost_.insert(status.st_ino);
    };
    lose(directory);
    for (const auto& entry : fs::recursive_directory_iterator(directory)) lose(entry.path());
  }

 private:
  int repeated(int result, int failure) {
    return ++requests_ % 2 == 0 && result == 0 ? (++lost_replies, errno = failure, -1) : result;
  }
  [[nodiscard]] bool is_lost(int file) const {
    struct stat status {};
    return file >= 0 && ::fstat(file, &status) == 0 && lost_.contains(status.st_ino);
  }

  std::atomic<int> requests_ = 0, reads_ = 0;
  std::set<ino_t> lost_;  // changed only while no call is running
};

}  // namespace

TEST_CASE("a run lives on a mounted bucket, without links and an exclusive rename", "[capture][file_systems]") {
  for (const auto& [no_rename, no_link] :
       {std::pair(EINVAL, EOPNOTSUPP), std::pair(ENOSYS, ENOSYS), std::pair(EOPNOTSUPP, EINVAL),
        std::pair(EPERM, EPERM), std::pair(EINVAL, EPERM), std::pair(EINVAL, EMLINK)}) {
    CAPTURE(no_rename, no_link);
    tt::FileCalls calls;
    calls.renameat_new = [e = no_rename](int, const char*, int, const char*) { return errno = e, -1; };
    calls.linkat = [e = no_link](int, const char*, int, const char*, int) { return errno = e, -1; };
    SECTION("with locks " + std::to_string(no_rename) + " " + std::to_string(no_link)) { live(calls); }
  }
}

TEST_CASE("a run lives on a network file system that loses replies and keeps open files", "[capture][file_systems]") {
  NetworkFileSystem nfs;
  SECTION("with hard links") { live(nfs.calls()); }
  SECTION("without") { live(nfs.calls(false)); }
  CHECK(nfs.lost_replies > 6);
  CHECK(nfs.stale_reads > 1);
}

TEST_CASE("a run on a network file system is whole under the new name of its directory", "[capture][file_systems]") {
  const TemporaryDirectory directory;
  NetworkFileSystem nfs;
  const std::string path = (directory / "run").string(), renamed = (directory / "renamed").string();
  const auto store = std::make_shared<tt::FileStore>(path, nfs.calls(GENERATE(true, false)));
  tt::Hook hook(store, {.save = tt::every(1), .checkpoint_dir = (directory / "checkpoints").string()});
  train_steps(hook, 3);
  hook.commit();
  fs::rename(path, renamed);
  if (GENERATE(true, false)) fs::create_directory(path);  // another directory takes the name
  train_steps(hook, 3);
  CHECK_NOTHROW(hook.commit());
  CHECK_THROWS_WITH(tt::Hook(renamed, {.save = tt::every(1)}), contains("another process writes this run"));
  train_steps(hook, 1);
  CHECK_NOTHROW(hook.close());
  CHECK(hook.status().steps_lost == 0);
  const tt::Trial trial(renamed);
  CHECK(trial.steps() == up_to(6));
  CHECK(trial.ended());
  CHECK(trial.damage().empty());
  if (fs::exists(path)) CHECK(fs::is_empty(path));
}

TEST_CASE("a network file system that loses open files with a rename makes a run report its removal",
          "[capture][file_systems]") {
  const TemporaryDirectory directory;
  NetworkFileSystem nfs;
  const std::string path = (directory / "run").string(), renamed = (directory / "renamed").string();
  const auto store = std::make_shared<tt::FileStore>(path, nfs.calls());
  tt::HookOptions options{.save = tt::every(1), .checkpoint_dir = (directory / "checkpoints").string()};
  options.sleep = [](std::chrono::nanoseconds) {};
  tt::Hook hook(store, options);
  train_steps(hook, 4);
  hook.commit();
  fs::rename(path, renamed);
  nfs.lose_open_files_in(renamed);
  SECTION("nothing has its name") {}
  SECTION("another directory takes the name") { fs::create_directory(path); }
  train_steps(hook, 3);
  CHECK_THROWS_WITH(hook.commit(), contains("4 saved steps are gone"));
  CHECK_NOTHROW(hook.commit());
  CHECK_THROWS_WITH(hook.close(), contains("4 saved steps are gone"));
  CHECK(tt::Trial(renamed).steps() == up_to(3));
  const tt::Trial trial(path);
  CHECK(trial.steps() == Steps{4, 5, 6});
  CHECK(trial.losses().steps == 4);
  CHECK(trial.ended());
}

TEST_CASE("a run lives where inode numbers change and directories cannot be synced", "[capture][file_systems]") {
  std::atomic<ino_t> next = 1'000'000;
  tt::FileCalls calls;
  calls.renameat_new = [](int, const char*, int, const char*) { return errno = EINVAL, -1; };
  calls.linkat = [](int, const char*, int, const char*, int) { return errno = EPERM, -1; };
  calls.fstat = [&](int file, struct stat* status) {
    const int result = ::fstat(file, status);
    return status->st_ino = next++, result;
  };
  calls.fstatat = [&](int directory, const char* path, struct stat* status, int flags) {
    const int result = ::fstatat(directory, path, status, flags);
    return status->st_ino = next++, result;
  };
  calls.fsync = [](int file) {
    struct stat status {};
    ::fstat(file, &status);
    return S_ISDIR(status.st_mode) ? (errno = EOPNOTSUPP, -1) : 0;
  };
  calls.syncfs = [](int) { return errno = ENOSYS, -1; };
  live(calls, false);  // a copy takes another inode for a change
}
