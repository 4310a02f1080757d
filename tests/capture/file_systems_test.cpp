// The whole life of a run and its checkpoints on file systems that lack some calls, or answer them in their own way.
#include <tensortap/tensortap.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
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
  tt::FileCalls calls;
  std::atomic<int> renames = 0, links = 0;
  calls.renameat_new = [](int, const char*, int, const char*) { return errno = EINVAL, -1; };
  calls.renameat = [&](int from_directory, const char* from, int to_directory, const char* to) {
    const int result = ::renameat(from_directory, from, to_directory, to);
    return ++renames % 3 == 0 && result == 0 ? (errno = ENOENT, -1) : result;  // asked again after the reply was lost
  };
  calls.linkat = [&](int from_directory, const char* from, int to_directory, const char* to, int flags) {
    const int result = ::linkat(from_directory, from, to_directory, to, flags);
    return ++links % 2 == 0 && result == 0 ? (errno = EEXIST, -1) : result;
  };
  calls.fsync = [](int file) {
    struct stat status {};
    ::fstat(file, &status);
    return S_ISDIR(status.st_mode) ? (errno = EINVAL, -1) : 0;
  };
  live(calls);
  CHECK(renames > 3);
  CHECK(links > 3);
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
