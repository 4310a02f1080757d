// A store in a directory. An object is written to a temporary beside it and renamed, so that a reader, or a machine
// that loses power, sees all of it or nothing. No symbolic link below the directory is ever followed, neither in
// writing nor in reading.
//
//   tensortap::FileStore store("runs/42");
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

#include <tensortap/store/internal/descriptor.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/file_claim.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/store/internal/temporary.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Objects are files. All of them lie in one file system.
class FileStore final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  /// Objects lie below `directory`, which is made when the first one is written.
  explicit FileStore(std::string directory, FileCalls calls = {}) : tree_(std::move(directory), std::move(calls)) {}

  bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync, IfExists if_exists) override {
    const auto [parts, leaf] = split(key);
    const detail::Descriptor directory = tree_.make(parts, key);
    if (if_exists == IfExists::keep && is_there(directory, leaf, key)) return false;  // spares the writing
    detail::Temporary temporary(tree_, directory, leaf, key);
    temporary.write(pieces);
    if (sync == Sync::yes) sync_file(temporary.file, key);
    // An interrupted close has closed.
    if (calls().close(temporary.file.release()) != 0 && errno != EINTR) throw tree_.failed("write", key);
    if (!temporary.publish(if_exists)) {
      if (errno == EEXIST && if_exists == IfExists::keep) return false;
      throw tree_.failed("rename", key);
    }
    forget_lost(key);
    if (sync == Sync::yes) {
      tree_.sync(directory, key);
      tree_.sync_names(parts, key);
    }
    return true;
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    const detail::Descriptor file = open_object(key, O_RDONLY);
    if (!file) return std::nullopt;
    const std::uint64_t end = size_of_object(file, key);
    const std::uint64_t start = std::min(range.start, end);
    std::vector<std::byte> out(static_cast<std::size_t>(std::min(range.length, end - start)));
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = detail::uninterrupted([&] {
        return calls().pread(file.get(), out.data() + done, std::min<std::size_t>(out.size() - done, 1u << 30),
                             static_cast<off_t>(start + done));
      });
      if (n < 0) throw tree_.failed("read", key);
      if (n == 0) break;  // it became shorter
      done += static_cast<std::size_t>(n);
    }
    out.resize(done);
    return out;
  }

  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    const detail::Descriptor file = open_object(key, O_RDONLY);
    if (!file) return std::nullopt;
    return size_of_object(file, key);
  }

  /// Costs a look at every name in the directories that hold something, and a system call for each object and directory
  /// it returns or enters.
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    std::vector<ObjectInfo> out;
    walk(prefix, after, [&](int, const char*, const std::string& key, std::uint64_t size) {
      if (!detail::is_temporary(key)) out.push_back({key, size});
    });
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return out;
  }

  bool remove(std::string_view key) override {
    const auto [parts, leaf] = split(key);
    const detail::Descriptor directory = tree_.find(parts, key);
    if (!directory) return false;
    if (calls().unlinkat(directory.get(), leaf.c_str(), 0) != 0) {
      if (errno == ENOENT) return false;
      throw tree_.failed("remove", key);
    }
    forget_lost(key);
    return true;
  }

  /// Directories that become empty stay.
  bool move(std::string_view from, std::string_view to) override {
    const auto [from_parts, from_leaf] = split(from);
    const auto [to_parts, to_leaf] = split(to);
    if (!size(from)) return false;
    const detail::Descriptor from_directory = tree_.find(from_parts, from);
    if (!from_directory) return false;
    const detail::Descriptor to_directory = tree_.make(to_parts, to);
    // Else the disk might have the object leave before it has the directory in which it arrives.
    tree_.sync_names(to_parts, to);
    if (calls().renameat(from_directory.get(), from_leaf.c_str(), to_directory.get(), to_leaf.c_str()) != 0) {
      if (errno == ENOENT && !is_there(from_directory, from_leaf, from)) return false;
      throw tree_.failed("move", from);
    }
    forget_lost(to);
    if (forget_lost(from)) remember_lost(to);
    return true;
  }

  /// Many objects are synced with all of the file system. Throws: the store failed; the kernel then forgets what it
  /// could not write and a second sync would succeed, so that one of these objects fails until it is put again.
  void sync(std::span<const std::string> keys) override {
    const bool singly = keys.size() <= synced_singly || !sync_file_system(keys);
    std::set<Parts> directories;  // the deepest there are, where an object is gone
    for (const std::string& key : keys) {
      auto [parts, leaf] = split(key);
      complain_of_lost(key);
      if (!singly) continue;
      if (const detail::Descriptor file = open_object(key, O_RDONLY)) {
        (void)size_of_object(file, key);
        try {
          sync_file(file, key);
        } catch (const Error&) {
          remember_lost(key);
          throw;
        }
      }
      if (tree_.find_deepest(parts, key)) directories.insert(std::move(parts));
    }
    for (const Parts& parts : directories) {
      if (const detail::Descriptor directory = tree_.find(parts, keys.front())) tree_.sync(directory, keys.front());
      tree_.sync_names(parts, keys.front());
    }
  }

  /// Where the file system has no locks, every claim is granted.
  [[nodiscard]] std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override {
    const auto [parts, leaf] = split(key);
    const Bytes piece = bytes_of(text);
    const detail::FileClaim::NoFork no_fork;
    for (int attempt = 0; attempt < 100; ++attempt) {
      detail::Descriptor directory = tree_.make(parts, key);
      const detail::Descriptor stale = open_object(key, O_RDWR);
      if (stale) {
        (void)size_of_object(stale, key);
        if (!lock(stale, key)) return nullptr;
        if (!detail::is_name_of(calls(), directory, leaf, stale)) continue;  // its owner has just let it go
      }
      detail::Temporary temporary(tree_, directory, leaf, key);
      temporary.write(std::span(&piece, 1));
      if (!lock(temporary.file, key)) continue;
      if (temporary.publish(stale ? IfExists::replace : IfExists::keep))
        return std::make_unique<detail::FileClaim>(calls(), std::move(directory), leaf, std::move(temporary.file),
                                                   no_fork);
      // Somebody was faster, or cleaned up.
      if (errno != EEXIST && errno != ENOENT) throw tree_.failed("claim", key);
    }
    errno = EBUSY;
    throw tree_.failed("claim", key);
  }

  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override {
    std::size_t count = 0;
    walk("", "", [&](int directory, const char* name, const std::string& key, std::uint64_t) {
      if (!detail::is_temporary(key) || !is_mine(detail::finished(key))) return;
      if (calls().unlinkat(directory, name, 0) == 0)
        ++count;
      else if (errno != ENOENT)
        throw tree_.failed("remove", key);
    });
    return count;
  }

  [[nodiscard]] std::string location() const override { return tree_.root(); }

 private:
  using Parts = detail::DirectoryTree::Parts;
  static constexpr int depth_limit = 16;
  static constexpr std::size_t synced_singly = 64;

  [[nodiscard]] const FileCalls& calls() const noexcept { return tree_.calls(); }

  /// The directory of an object and its name there.
  [[nodiscard]] static std::pair<Parts, std::string> split(std::string_view key) {
    Parts parts = key_parts(key);
    std::string leaf = std::move(parts.back());
    parts.pop_back();
    return {std::move(parts), std::move(leaf)};
  }

  void sync_file(const detail::Descriptor& file, std::string_view key) const {
    if (detail::uninterrupted([&] { return calls().fsync(file.get()); }) != 0) throw tree_.failed("sync", key);
  }

  /// False if the system cannot.
  bool sync_file_system(std::span<const std::string> keys) {
    const detail::Descriptor root = tree_.open_root();
    if (!root) return errno == ENOENT;  // there is nothing to sync
    if (detail::uninterrupted([&] { return calls().syncfs(root.get()); }) != 0) {
      if (errno == ENOSYS) return false;
      const Error error = tree_.failed("sync", keys.front());
      for (const std::string& key : keys) remember_lost(key);
      throw error;
    }
    return true;
  }

  void remember_lost(std::string_view key) {
    const std::lock_guard guard(mutex_);
    lost_.emplace(key);
  }
  bool forget_lost(std::string_view key) {
    const std::lock_guard guard(mutex_);
    const auto found = lost_.find(key);
    if (found == lost_.end()) return false;
    lost_.erase(found);
    return true;
  }
  void complain_of_lost(std::string_view key) const {
    const std::lock_guard guard(mutex_);
    if (lost_.contains(key))
      throw Error::io("store: cannot sync", tree_.root() + "/" + std::string(key),
                      "an earlier sync failed, its bytes may be lost; put it again");
  }

  /// Whether there is anything under that name.
  [[nodiscard]] bool is_there(const detail::Descriptor& directory, const std::string& leaf,
                              std::string_view key) const {
    struct stat status {};
    if (calls().fstatat(directory.get(), leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return true;
    if (errno != ENOENT) throw tree_.failed("look at", key);
    return false;
  }

  /// The object opened; none if it is not there.
  [[nodiscard]] detail::Descriptor open_object(std::string_view key, int flags) const {
    const auto [parts, leaf] = split(key);
    const detail::Descriptor directory = tree_.find(parts, key);
    if (!directory) return {};
    // Without O_NONBLOCK a named pipe in a hostile run would block for ever.
    detail::Descriptor file = tree_.open_at(directory.get(), leaf, flags | O_NONBLOCK);
    if (!file && errno != ENOENT) throw tree_.failed("open", key);
    return file;
  }

  [[nodiscard]] std::uint64_t size_of_object(const detail::Descriptor& file, std::string_view key) const {
    struct stat status {};
    if (calls().fstat(file.get(), &status) != 0) throw tree_.failed("look at", key);
    if (!S_ISREG(status.st_mode))
      throw Error::io("store: cannot read", tree_.root() + "/" + std::string(key), "it is not a regular file");
    return static_cast<std::uint64_t>(status.st_size);
  }

  /// False if another one alive has it.
  [[nodiscard]] bool lock(const detail::Descriptor& file, std::string_view key) const {
    if (detail::uninterrupted([&] { return calls().lock(file.get()); }) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    // No locks here. Refusing would end every run that once died; attempts are numbered, so that the late one yields.
    if (errno == EINVAL || errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP) return true;
    throw tree_.failed("lock", key);
  }

  /// Calls `visit(directory, name, key, size)` for every regular file whose key begins with `prefix` and is greater
  /// than `after`.
  template <class Visit>
  void walk(std::string_view prefix, std::string_view after, const Visit& visit) const {
    Parts parts;
    if (!prefix.empty()) parts = key_parts(prefix.substr(0, prefix.size() - 1));
    if (detail::Descriptor directory = tree_.find(parts, prefix))
      walk(std::move(directory), std::string(prefix), after, 0, visit);
  }

  template <class Visit>
  void walk(detail::Descriptor directory, const std::string& prefix, std::string_view after, int depth,
            const Visit& visit) const {
    struct Close {
      void operator()(DIR* d) const noexcept { ::closedir(d); }
    };
    const std::unique_ptr<DIR, Close> stream(calls().fdopendir(directory.get()));
    if (!stream) throw tree_.failed("list", prefix);
    const int at = directory.release();  // the stream closes it
    for (;;) {
      errno = 0;
      const dirent* entry = calls().readdir(stream.get());
      if (entry == nullptr && errno != 0) throw tree_.failed("list", prefix);
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
        if (errno == ENOENT) continue;  // gone since
        throw tree_.failed("look at", key);
      }
      if (S_ISREG(status.st_mode) && comes_after)
        visit(at, entry->d_name, key, static_cast<std::uint64_t>(status.st_size));
      if (S_ISDIR(status.st_mode) && enters && depth < depth_limit) {
        detail::Descriptor next = tree_.open_at(at, entry->d_name, detail::DirectoryTree::directory_flags);
        if (next)
          walk(std::move(next), below, after, depth + 1, visit);
        else if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)  // what it was a moment ago
          throw tree_.failed("list", below);
      }
    }
  }

  detail::DirectoryTree tree_;
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> lost_;  // objects a sync failed to write
};

TENSORTAP_END_NAMESPACE
