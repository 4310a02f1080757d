// The files of a directory of checkpoints: what they look like, read without being fooled by a writer, and written so
// that a name never stands for half a file. Not for users: CheckpointSync owns one.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/store/internal/descriptor.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/temporary.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What tells one content of a file from the next, unless they follow each other within the clock's resolution.
struct FileLooks {
  std::uint64_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileLooks&, const FileLooks&) = default;

  /// Whether it was so young at `now` that it may have changed since without looking so.
  /// Source: the coarsest times of a file system in use, those of FAT and HFS+, are 2 s.
  [[nodiscard]] bool may_deceive(std::int64_t now) const noexcept { return seconds + 2 >= now; }
};

/// A file's content, all of the same moment.
struct FileContent {
  FileLooks looks;
  SyncedFile file;
  std::vector<std::byte> bytes;  // unless only its checksum was asked for
};

/// A file on its way into the directory. One that is not published goes with this.
class ArrivingFile {
 public:
  ArrivingFile(DirectoryTree& tree, const std::string& name)
      : tree_(tree),
        name_(name),
        leaf_(name.substr(name.rfind('/') + 1)),
        directory_(tree.make(folder_of(name), name)),
        temporary_(tree, directory_, leaf_, name_) {}

  /// Threads: any, for parts that do not overlap.
  void write(std::uint64_t start, Bytes bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted([&] {
        return tree_.calls().pwrite(temporary_.file.get(), bytes.data(), bytes.size(), static_cast<off_t>(start));
      });
      if (n == 0) errno = EIO;  // else this could go on for ever
      if (n <= 0) throw tree_.failed("write", name_);
      start += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }

  /// Gives it its name, and takes that from what had it.
  void publish() {
    // An interrupted close has closed.
    if (tree_.calls().close(temporary_.file.release()) != 0 && errno != EINTR) throw tree_.failed("write", name_);
    if (!temporary_.publish(IfExists::replace)) throw tree_.failed("rename", name_);
  }

 private:
  static DirectoryTree::Parts folder_of(std::string_view name) {
    DirectoryTree::Parts parts = key_parts(name);
    parts.pop_back();
    return parts;
  }

  DirectoryTree& tree_;
  std::string name_;
  std::string leaf_;
  Descriptor directory_;
  Temporary temporary_;
};

/// Threads: every function may be called from several at once.
class LocalFiles {
 public:
  using Looks = std::map<std::string, FileLooks, std::less<>>;

  LocalFiles(const std::string& directory, const FileCalls& calls)
      : store_(directory, calls), tree_(directory, calls) {}

  [[nodiscard]] const std::string& directory() const noexcept { return tree_.root(); }
  [[nodiscard]] const Store& store() const noexcept { return store_; }

  /// All finished files but our own. Symbolic links are not followed.
  [[nodiscard]] Looks look() const {
    Looks out;
    for (ObjectInfo& object : store_.list(""))
      if (const auto looks = look(object.key); looks && !object.key.starts_with(std::string(sync_layout::folder) + "/"))
        out.emplace(std::move(object.key), *looks);
    return out;
  }

  /// The file `name`; nothing if there is no such file.
  [[nodiscard]] std::optional<FileLooks> look(const std::string& name) const {
    struct stat status {};
    const std::string path = directory() + "/" + name;
    if (tree_.calls().fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      throw tree_.failed("look at", name);
    }
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    return FileLooks{static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_ino};
  }

  /// Its size and checksum alone, read in parts; nothing if it is gone. Throws: it keeps changing; it cannot be read.
  [[nodiscard]] std::optional<FileContent> describe(const std::string& name) const {
    return unchanged(name, [&](FileContent& content) {
      const auto file = describe_checkpoint_file(store_, name);
      if (file) content.file = {.size = file->size, .crc32c = file->crc32c};
      return file.has_value();
    });
  }

  /// The same, and all its bytes.
  [[nodiscard]] std::optional<FileContent> read(const std::string& name) const {
    return unchanged(name, [&](FileContent& content) {
      auto bytes = store_.get(name, Range{});
      if (!bytes) return false;
      content.bytes = std::move(*bytes);
      content.file = {.size = content.bytes.size(), .crc32c = crc32c(content.bytes)};
      return true;
    });
  }

  [[nodiscard]] ArrivingFile arrive(const std::string& name) { return {tree_, name}; }

  /// Removes what a process that died left of files `is_mine` accepts.
  void remove_unfinished(const std::function<bool(std::string_view name)>& is_mine) {
    store_.remove_unfinished(is_mine);
  }

 private:
  /// What `get` reads of `name`, if nobody has written to it meanwhile.
  template <class Get>
  [[nodiscard]] std::optional<FileContent> unchanged(const std::string& name, const Get& get) const {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto before = look(name);
      if (!before) return std::nullopt;
      FileContent out{.looks = *before, .file = {}, .bytes = {}};
      if (get(out) && out.file.size == before->size && look(name) == before) return out;
    }
    throw Error::file_keeps_changing(directory() + "/" + name);
  }

  FileStore store_;
  DirectoryTree tree_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
