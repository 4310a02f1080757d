#include <tensortap/capture/internal/checkpoint_watch.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;
namespace fs = std::filesystem;

namespace {

using Keys = std::vector<std::string>;

/// Writes a file and gives it a time of its own, so that no clock's resolution matters.
void write_file(const fs::path& path, const std::string& content, long second) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  const timespec times[2] = {{second, 0}, {second, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("files from before the watch are no change", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  write_file(directory / "old", "1", 1);
  tt::detail::CheckpointWatch watch(directory.path().string());
  CHECK(watch.changed().empty());
}

TEST_CASE("a new checkpoint is reported once, by its path, in subfolders too", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  tt::detail::CheckpointWatch watch(directory.path().string());
  write_file(directory / "b", "1", 1);
  write_file(directory / "a/deep/er", "1", 1);
  write_file(directory / "a/x", "", 1);
  CHECK(watch.changed() == Keys{"a/deep/er", "a/x", "b"});
  CHECK(watch.changed().empty());
  write_file(directory / "c", "1", 1);
  CHECK(watch.changed() == Keys{"c"});
}

TEST_CASE("a checkpoint with a new size or time is reported", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  write_file(directory / "last.ckpt", "12345", 1);
  write_file(directory / "other", "12345", 1);
  tt::detail::CheckpointWatch watch(directory.path().string());
  write_file(directory / "last.ckpt", "123456", 1);
  CHECK(watch.changed() == Keys{"last.ckpt"});
  write_file(directory / "last.ckpt", "abcdef", 2);  // of the same size, which smdebug misses
  CHECK(watch.changed() == Keys{"last.ckpt"});
  write_file(directory / "last.ckpt", "abcdef", 1);  // back in time
  CHECK(watch.changed() == Keys{"last.ckpt"});
  CHECK(watch.changed().empty());
}

TEST_CASE("a checkpoint replaced by a rename is reported, even with the same size and time",
          "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  write_file(directory / "last.ckpt", "12345", 1);
  tt::detail::CheckpointWatch watch(directory.path().string());
  write_file(directory / "last.ckpt.tmp", "abcde", 1);
  CHECK(watch.changed().empty());
  fs::rename(directory / "last.ckpt.tmp", directory / "last.ckpt");
  CHECK(watch.changed() == Keys{"last.ckpt"});
  CHECK(watch.changed().empty());
}

TEST_CASE("a removed checkpoint is no change, but is new when it comes back", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  write_file(directory / "a", "1", 1);
  write_file(directory / "folder/b", "1", 1);
  tt::detail::CheckpointWatch watch(directory.path().string());
  fs::remove(directory / "a");
  fs::remove_all(directory / "folder");
  CHECK(watch.changed().empty());
  write_file(directory / "folder/b", "1", 1);
  CHECK(watch.changed() == Keys{"folder/b"});
}

TEST_CASE("a checkpoint folder that is renamed is a new one", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  write_file(directory / "epoch-1/w", "1", 1);
  tt::detail::CheckpointWatch watch(directory.path().string());
  fs::rename(directory / "epoch-1", directory / "epoch-2");
  CHECK(watch.changed() == Keys{"epoch-2/w"});
}

TEST_CASE("files that are not checkpoints are ignored", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  tt::detail::CheckpointWatch watch(directory.path().string());
  for (const std::string name : {"metadata.json", "metadata.json.sagemaker-uploaded", "a.sagemaker-uploaded",
                                 "x/b.sagemaker-uploading.sagemaker-uploaded", "w.tmp", "x/w.tmp"})
    write_file(directory / name, "1", 1);
  fs::create_directories(directory / "empty");
  fs::create_symlink("metadata.json", directory / "link");
  fs::create_symlink("x", directory / "linked-folder");
  REQUIRE(::mkfifo((directory / "pipe").c_str(), 0600) == 0);
  CHECK(watch.changed().empty());
  write_file(directory / "x/metadata.json", "1", 1);  // not smdebug's, which lies at the top
  CHECK(watch.changed() == Keys{"x/metadata.json"});
}

TEST_CASE("the watched directory may be absent", "[capture][checkpoint_watch]") {
  tt::detail::CheckpointWatch nothing("");
  CHECK(nothing.changed().empty());

  const TemporaryDirectory directory;
  tt::detail::CheckpointWatch watch((directory / "later").string());
  CHECK(watch.changed().empty());
  write_file(directory / "later/a", "1", 1);
  CHECK(watch.changed() == Keys{"a"});
  fs::remove_all(directory / "later");
  CHECK(watch.changed().empty());
  write_file(directory / "later", "a file in its place", 1);
  CHECK(watch.changed().empty());
}

TEST_CASE("a slash at the end of the watched directory means nothing", "[capture][checkpoint_watch]") {
  const TemporaryDirectory directory;
  tt::detail::CheckpointWatch watch(directory.path().string() + "/");
  write_file(directory / "a/b", "1", 1);
  CHECK(watch.changed() == Keys{"a/b"});
}
