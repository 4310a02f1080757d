// The files of a directory of checkpoints: detects their changes, reads each in one consistent state, and writes a file
// so that its name never refers to half of it.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
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

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/spot/internal/checkpoint_manifest.hpp>
#include <tensortap/store/file.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/settled_rename.hpp>
#include <tensortap/store/internal/temporary.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Size, time and inode of a file. They change when the content changes, except within the resolution of file times.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;

  /// Returns whether the file may change after `now` without a change of the stamp.
  /// Source: the coarsest file times in use, of FAT and HFS+, have a resolution of 2 s.
  [[nodiscard]] bool may_miss_change(std::int64_t now) const noexcept { return seconds + 2 >= now; }
};

/// A file's content at one moment.
struct FileContent {
  FileStamp stamp;
  SyncedFile file;
  std::vector<std::vector<std::byte>> parts;  // empty after describe()

  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& part : parts) out.append(text_of(part));
    return out;
  }
  [[nodiscard]] std::vector<Bytes> pieces() const { return {parts.begin(), parts.end()}; }
};

/// A new file of the directory. The destructor removes it unless it was published.
class IncomingFile {
 public:
  IncomingFile(DirectoryTree& tree, const std::string& name)
      : tree_(tree),
        name_(name),
        leaf_(name.substr(name.rfind('/') + 1)),
        directory_(tree.make(folder_of(name), name)),
        temporary_(tree, directory_, leaf_, name_) {}

  /// Writes `bytes` at `start`. Threads: any, for parts that do not overlap.
  void write(std::uint64_t start, Bytes bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = uninterrupted([&] {
        return tree_.calls().pwrite(temporary_.file.get(), bytes.data(), bytes.size(), static_cast<off_t>(start));
      });
      if (n == 0) errno = EIO;  // otherwise this could loop for ever
      if (n <= 0) throw tree_.failed("write", name_);
      start += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
  }

  /// Renames the file to its name and replaces a file there.
  void publish() {
    temporary_.close();
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

/// The directory. Threads: several threads may call any function at once.
class LocalFiles {
 public:
  using Stamps = std::map<std::string, FileStamp, std::less<>>;

  LocalFiles(const std::string& directory, const FileCalls& calls)
      : store_(directory, calls), tree_(directory, calls) {}

  [[nodiscard]] const std::string& directory() const noexcept { return tree_.root(); }
  [[nodiscard]] const Store& store() const noexcept { return store_; }

  /// Returns the stamps of all finished files outside ".tensortap/". Symbolic links are not followed. Calls `pass_over`
  /// for each directory that this user cannot list.
  [[nodiscard]] Stamps stamps(const std::function<void(const std::string& directory)>& pass_over =
                                  [](const std::string&) {}) const {
    Stamps out;
    for (ObjectInfo& object : store_.list("", "", pass_over))
      if (const auto stamp = stamp_of(object.key);
          stamp && !object.key.starts_with(std::string(sync_layout::folder) + "/"))
        out.emplace(std::move(object.key), *stamp);
    return out;
  }

  /// Returns the stamp of file `name`; nullopt if there is no such file.
  [[nodiscard]] std::optional<FileStamp> stamp_of(const std::string& name) const {
    struct stat status {};
    const std::string path = directory() + "/" + name;
    if (tree_.calls().fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (detail::is_gone(errno) || errno == ENOTDIR) return std::nullopt;
      throw tree_.failed("look at", name);
    }
    if (!S_ISREG(status.st_mode)) return std::nullopt;
    return FileStamp{static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_ino};
  }

  /// Returns whether nothing has the name `name`, not even a link or what this user cannot look at.
  [[nodiscard]] bool is_gone(const std::string& name) const {
    struct stat status {};
    const std::string path = directory() + "/" + name;
    return tree_.calls().fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 &&
           (detail::is_gone(errno) || errno == ENOTDIR);
  }

  /// Returns size and checksum of a file, which is read in parts; nullopt if it does not exist. Throws: it keeps
  /// changing; it cannot be read.
  [[nodiscard]] std::optional<FileContent> describe(const std::string& name) const {
    return read_unchanged(name, [&](FileContent& content) {
      const auto file = describe_checkpoint_file(store_, name);
      if (file) content.file = {.size = file->size, .crc32c = file->crc32c};
      return file.has_value();
    });
  }

  /// Returns a file's size, checksum and bytes; otherwise as describe().
  [[nodiscard]] std::optional<FileContent> read(const std::string& name) const {
    constexpr std::uint64_t part = std::uint64_t{8} << 20;
    constexpr std::size_t threads = 4;  // new memory and the checksum cost more than the copy from the disk's cache
    return read_unchanged(name, [&](FileContent& content) {
      content.parts.resize(std::max<std::uint64_t>(1, (content.stamp.size + part - 1) / part));
      std::vector<std::uint32_t> crcs(content.parts.size());
      std::atomic<bool> is_there = true;
      parallel_for(crcs.size(), threads, [&](std::size_t i) {
        auto bytes = store_.get(name, {i * part, part});
        if (!bytes) {
          is_there = false;
          return;
        }
        crcs[i] = crc32c(*bytes);
        content.parts[i] = std::move(*bytes);
      });
      content.file = {};
      for (std::size_t i = 0; i < crcs.size(); ++i) {
        content.file.crc32c = crc32c_of_both(content.file.crc32c, crcs[i], content.parts[i].size());
        content.file.size += content.parts[i].size();
      }
      return is_there.load();
    });
  }

  /// Begins a new file `name`.
  [[nodiscard]] IncomingFile create(const std::string& name) { return {tree_, name}; }

  /// Removes the unfinished files of dead processes whose final name `is_mine` accepts.
  void remove_unfinished(const std::function<bool(std::string_view name)>& is_mine) {
    store_.remove_unfinished(is_mine);
  }

 private:
  /// Returns what `get` reads of `name`; repeats it if the file changed meanwhile.
  template <class Get>
  [[nodiscard]] std::optional<FileContent> read_unchanged(const std::string& name, const Get& get) const {
    for (int attempt = 0; attempt < 3; ++attempt) {
      const auto before = stamp_of(name);
      if (!before) return std::nullopt;
      FileContent out{.stamp = *before, .file = {}, .parts = {}};
      if (get(out) && out.file.size == before->size && stamp_of(name) == before) return out;
    }
    throw Error::file_keeps_changing(directory() + "/" + name);
  }

  FileStore store_;
  DirectoryTree tree_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
