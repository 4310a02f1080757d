// The state of a FileStore: its directories, the objects that a sync failed to write, and the steps of its operations.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/settled_rename.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: several threads may call any function at once.
class FileStoreState {
 public:
  using Parts = DirectoryTree::Parts;
  static constexpr int depth_limit = 16;
  static constexpr std::size_t synced_singly = 64;

  FileStoreState(std::string directory, FileCalls calls) : tree(std::move(directory), std::move(calls)) {}

  [[nodiscard]] const FileCalls& calls() const noexcept { return tree.calls(); }

  /// Splits a key into the directory of the object and its name there.
  [[nodiscard]] static std::pair<Parts, std::string> split(std::string_view key) {
    Parts parts = key_parts(key);
    std::string leaf = std::move(parts.back());
    parts.pop_back();
    return {std::move(parts), std::move(leaf)};
  }

  void sync_file(const Descriptor& file, std::string_view key) const {
    if (uninterrupted([&] { return calls().fsync(file.get()); }) != 0) throw tree.failed("sync", key);
  }

  /// Returns false if the system has no such call.
  bool sync_file_system(std::span<const std::string> keys) {
    const Descriptor root = tree.open_root();
    if (!root) return errno == ENOENT;  // there is nothing to sync
    if (uninterrupted([&] { return calls().syncfs(root.get()); }) != 0) {
      if (errno == ENOSYS) return false;
      const Error error = tree.failed("sync", keys.front());
      for (const std::string& key : keys) mark_lost(key);
      throw error;
    }
    return true;
  }

  /// Remembers that a sync of `key` failed.
  void mark_lost(std::string_view key) {
    const std::lock_guard guard(mutex_);
    lost_.emplace(key);
  }
  /// Returns whether `key` was marked.
  bool unmark_lost(std::string_view key) {
    const std::lock_guard guard(mutex_);
    const auto found = lost_.find(key);
    if (found == lost_.end()) return false;
    lost_.erase(found);
    return true;
  }
  void require_not_lost(std::string_view key) const {
    const std::lock_guard guard(mutex_);
    if (lost_.contains(key))
      throw Error::io("store: cannot sync", tree.root() + "/" + std::string(key),
                      "an earlier sync failed, its bytes may be lost; put it again");
  }

  /// Returns whether anything has that name.
  [[nodiscard]] bool exists(const Descriptor& directory, const std::string& leaf, std::string_view key) const {
    struct stat status {};
    if (calls().fstatat(directory.get(), leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno != ENOENT) throw tree.failed("look at", key);
    return false;
  }

  /// Opens an object; returns none if it does not exist.
  [[nodiscard]] Descriptor open_object(std::string_view key, int flags) const {
    const auto [parts, leaf] = split(key);
    const Descriptor directory = tree.find(parts, key);
    if (!directory) return {};
    // Without O_NONBLOCK a named pipe in a hostile run would block for ever.
    Descriptor file = tree.open_at(directory.get(), leaf, flags | O_NONBLOCK);
    if (!file && errno != ENOENT) throw tree.failed("open", key);
    return file;
  }

  /// Reads an open object. Returns nullopt, with errno set, if another machine has replaced it meanwhile.
  [[nodiscard]] std::optional<std::vector<std::byte>> read(const Descriptor& file, Range range,
                                                           std::string_view key) const {
    struct stat status {};
    if (calls().fstat(file.get(), &status) != 0) {
      if (errno == ESTALE) return std::nullopt;
      throw tree.failed("look at", key);
    }
    const std::uint64_t end = size_in(status, key);
    const std::uint64_t start = std::min(range.start, end);
    std::vector<std::byte> out(static_cast<std::size_t>(std::min(range.length, end - start)));
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = uninterrupted([&] {
        return calls().pread(file.get(), out.data() + done, std::min<std::size_t>(out.size() - done, 1u << 30),
                             static_cast<off_t>(start + done));
      });
      if (n < 0 && errno == ESTALE) return std::nullopt;
      if (n < 0) throw tree.failed("read", key);
      if (n == 0) break;  // the file became shorter
      done += static_cast<std::size_t>(n);
    }
    out.resize(done);
    return out;
  }

  /// Writes `pieces` from byte `start` of an open object on.
  void write(const Descriptor& file, std::uint64_t start, std::span<const Bytes> pieces, std::string_view key) const {
    for (Bytes piece : pieces)
      while (!piece.empty()) {
        const ssize_t n = uninterrupted([&] {
          return calls().pwrite(file.get(), piece.data(), std::min<std::size_t>(piece.size(), 1u << 30),
                                static_cast<off_t>(start));
        });
        if (n == 0) errno = EIO;  // otherwise this could loop for ever
        if (n <= 0) throw tree.failed("write", key);
        start += static_cast<std::uint64_t>(n);
        piece = piece.subspan(static_cast<std::size_t>(n));
      }
  }

  /// Returns the size of an open object. Throws: it is not a regular file.
  [[nodiscard]] std::uint64_t size_of_object(const Descriptor& file, std::string_view key) const {
    struct stat status {};
    if (calls().fstat(file.get(), &status) != 0) throw tree.failed("look at", key);
    return size_in(status, key);
  }
  [[nodiscard]] std::uint64_t size_in(const struct stat& status, std::string_view key) const {
    if (!S_ISREG(status.st_mode))
      throw Error::io("store: cannot read", tree.root() + "/" + std::string(key), "it is not a regular file");
    return static_cast<std::uint64_t>(status.st_size);
  }

  /// Returns false if another living owner holds the lock.
  [[nodiscard]] bool lock(const Descriptor& file, std::string_view key) const {
    if (uninterrupted([&] { return calls().lock(file.get()); }) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    // This file system has no locks: grants the claim. A refusal would block every run that was killed once, and the
    // numbers of the attempts stop an older writer.
    if (errno == EINVAL || errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP) return true;
    throw tree.failed("lock", key);
  }

  /// Calls `visit(directory, name, key, size)` for every regular file whose key begins with `prefix` and is greater
  /// than `after`. Calls `pass_over(key)` for each directory below that this user cannot list, with errno set.
  template <class Visit, class PassOver>
  void walk(std::string_view prefix, std::string_view after, const Visit& visit, const PassOver& pass_over) const {
    Parts parts;
    if (!prefix.empty()) parts = key_parts(prefix.substr(0, prefix.size() - 1));
    if (Descriptor directory = tree.find(parts, prefix))
      walk(std::move(directory), std::string(prefix), after, 0, visit, pass_over);
  }

  static bool is_denied(int error) noexcept { return error == EACCES || error == EPERM; }

  DirectoryTree tree;

 private:
  template <class Visit, class PassOver>
  void walk(Descriptor directory, const std::string& prefix, std::string_view after, int depth, const Visit& visit,
            const PassOver& pass_over) const {
    struct Close {
      void operator()(DIR* d) const noexcept { ::closedir(d); }
    };
    const std::unique_ptr<DIR, Close> stream(calls().fdopendir(directory.get()));
    if (!stream && is_gone(errno)) return;
    if (!stream) throw tree.failed("list", prefix);
    const int at = directory.release();  // the stream closes it
    for (;;) {
      errno = 0;
      const dirent* entry = calls().readdir(stream.get());
      if (entry == nullptr && errno != 0 && !is_gone(errno)) throw tree.failed("list", prefix);
      if (entry == nullptr) return;
      const std::string_view name = entry->d_name;
      if (name == "." || name == "..") continue;
      const std::string key = prefix + std::string(name);
      const std::string below = key + "/";
      const bool comes_after = key.compare(after) > 0;
      const bool enters = below.compare(after) > 0 || after.starts_with(below);
      if (!comes_after && !enters) continue;
      struct stat status {};
      if (calls().fstatat(at, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (is_gone(errno)) continue;
        if (!is_denied(errno) || depth == 0) throw tree.failed("look at", key);
        return pass_over(prefix);
      }
      if (S_ISREG(status.st_mode) && comes_after)
        visit(at, entry->d_name, key, static_cast<std::uint64_t>(status.st_size));
      if (S_ISDIR(status.st_mode) && enters && depth < depth_limit) {
        Descriptor next = tree.open_at(at, entry->d_name, DirectoryTree::directory_flags);
        if (next)
          walk(std::move(next), below, after, depth + 1, visit, pass_over);
        else if (is_denied(errno))
          pass_over(below);
        else if (!is_gone(errno) && errno != ELOOP && errno != ENOTDIR)  // it was replaced in the meantime
          throw tree.failed("list", below);
      }
    }
  }

  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> lost_;  // objects that a sync failed to write
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
