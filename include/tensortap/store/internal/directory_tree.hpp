// The directories of a FileStore: opens them, makes them, and makes their names durable.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/exclusive_rename.hpp>
#include <tensortap/store/internal/file_system_name.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The directories below a root, which is made with the first of them. Symbolic links below it are not followed.
/// Threads: several threads may call any function at once.
class DirectoryTree {
 public:
  using Parts = std::vector<std::string>;

  DirectoryTree(std::string root, FileCalls calls)
      : root_(absolute_path(std::move(root))), calls_(std::move(calls)), exclusive_rename_(calls_) {}
  DirectoryTree(const DirectoryTree&) = delete;
  DirectoryTree& operator=(const DirectoryTree&) = delete;
  ~DirectoryTree() = default;

  /// The absolute path of the root.
  [[nodiscard]] const std::string& root() const noexcept { return root_; }
  [[nodiscard]] const FileCalls& calls() const noexcept { return calls_; }

  [[nodiscard]] ExclusiveRename& exclusive_rename() const noexcept { return exclusive_rename_; }

  /// Returns the error for a failed call on `key`, from errno.
  [[nodiscard]] Error failed(std::string_view verb, std::string_view key) const {
    const int cause = errno;
    const std::string text =
        cause == ELOOP ? "a symbolic link is in its place" : std::generic_category().message(cause);
    return Error::io("store: cannot " + std::string(verb), root_ + "/" + std::string(key), text + way_out(verb, cause));
  }

  /// Opens `name` in `directory`; returns none and sets errno if that fails, to ELOOP for a symbolic link.
  [[nodiscard]] Descriptor open_at(int directory, const std::string& name, int flags) const {
    Descriptor opened = open(directory, name, flags | O_NOFOLLOW);
    if (!opened && errno == ENOTDIR) {  // of a link, too
      struct stat status {};
      const int looked = calls_.fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW);
      errno = looked == 0 && S_ISLNK(status.st_mode) ? ELOOP : ENOTDIR;
    }
    return opened;
  }

  /// Throws: `leaf` in `directory` is a device, a pipe or a socket, which no object may replace.
  void require_replaceable(int directory, const std::string& leaf, std::string_view key) const {
    struct stat status {};
    if (calls_.fstatat(directory, leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
      throw Error::io("store: cannot replace", root_ + "/" + std::string(key),
                      "it is not a regular file; choose another name");
  }

  /// Keeps the root open until as many calls of let_go_root(), so that it is found again after a rename.
  void hold_root() {
    Descriptor root = open_root();
    const std::lock_guard lock(mutex_);
    if (++holders_ == 1 || root) held_ = std::move(root);
  }
  void let_go_root() {
    const std::lock_guard lock(mutex_);
    if (--holders_ == 0) held_ = Descriptor();
  }

  /// Opens the directory `parts`; returns none if it does not exist.
  [[nodiscard]] Descriptor find(const Parts& parts, std::string_view key) const {
    Parts found = parts;
    Descriptor at = find_deepest(found, key);
    if (found.size() < parts.size()) return {};
    return at;
  }

  /// Opens the deepest existing directory on the path `parts` and shortens `parts` to it; returns none if the root does
  /// not exist.
  [[nodiscard]] Descriptor find_deepest(Parts& parts, std::string_view key) const {
    Descriptor at = open_root();
    if (!at && errno != ENOENT) throw failed_at_root("open", key);
    for (std::size_t i = 0; at && i < parts.size(); ++i) {
      Descriptor below = open_at(at.get(), parts[i], directory_flags);
      if (!below && errno != ENOENT) throw failed("open", key);
      if (!below)
        parts.resize(i);
      else
        at = std::move(below);
    }
    return at;
  }

  /// Opens the directory `parts`; makes what is missing.
  [[nodiscard]] Descriptor make(const Parts& parts, std::string_view key) {
    Descriptor at = open_root();
    if (!at && errno == ENOENT) at = make_root();
    if (!at) throw failed_at_root("make the directory of", key);
    std::string path;
    for (const std::string& part : parts) {
      path += "/" + part;
      Descriptor below = open_at(at.get(), part, directory_flags);
      if (!below && errno == ENOENT) {
        if (calls_.mkdirat(at.get(), part.c_str(), 0777) == 0)
          mark_new(path);
        else if (errno != EEXIST)
          throw failed("make the directory of", key);
        below = open_at(at.get(), part, directory_flags);
      }
      if (!below) throw failed("open the directory of", key);
      at = std::move(below);
    }
    return at;
  }

  void sync(const Descriptor& directory, std::string_view key) const {
    if (uninterrupted([&] { return calls_.fsync(directory.get()); }) == 0) return;
    const bool cannot = errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;  // sync a directory
    if (!cannot) throw failed("sync the directory of", key);
  }

  /// Makes the names of the directory `parts`, of the root and of the directories made above the root durable, also if
  /// another process made them. Syncs each name once and remembers that it is durable.
  void sync_names(const Parts& parts, std::string_view key) {
    std::string path;
    for (const std::string& part : parts) path += "/" + part;
    if (is_durable(path)) return;
    sync_root_name(key);
    Descriptor at = open_root();
    path.clear();
    for (const std::string& part : parts) {
      if (!at) throw failed("open the directory of", key);
      path += "/" + part;
      if (!is_durable(path)) {
        sync(at, key);
        mark_durable(path);
      }
      at = open_at(at.get(), part, directory_flags);
    }
  }

  /// Makes the names of the root and of the directories made above it durable.
  void sync_root_name(std::string_view key) {
    if (is_durable("")) return;
    std::set<std::string> made;
    {
      const std::lock_guard lock(mutex_);
      made = made_above_;
    }
    for (const std::string& directory : made)
      if (directory != root_) sync(open_parent(directory, key), key);
    const Descriptor root = open_root();
    if (!root) throw failed("open the directory of", key);
    const Descriptor above = open(root.get(), "..", directory_flags);
    // A directory without read permission cannot be synced. It held the root before this store was used.
    if (!above && !(errno == EACCES && made.empty())) throw failed("open the directory above", key);
    if (above) sync(above, key);
    mark_durable("");
  }

  /// Opens the root: the held one unless it was removed, else the directory that has its path.
  [[nodiscard]] Descriptor open_root() const {
    {
      const std::lock_guard lock(mutex_);
      if (Descriptor root = held_ ? open(held_.get(), ".", directory_flags) : Descriptor()) {
        struct stat status {};
        if (calls_.fstat(root.get(), &status) == 0 && status.st_nlink > 0) return root;
      }
    }
    return open(AT_FDCWD, root_, directory_flags);
  }

  static constexpr int directory_flags = O_RDONLY | O_DIRECTORY;

 private:
  /// Returns the error for a root that cannot be opened, from errno. Symbolic links on its path are followed.
  [[nodiscard]] Error failed_at_root(std::string_view verb, std::string_view key) const {
    const int cause = errno;
    struct stat status {};
    const bool is_link = calls_.fstatat(AT_FDCWD, root_.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                         S_ISLNK(status.st_mode) && (cause == ENOENT || cause == ELOOP);
    errno = cause;
    if (!is_link) return failed(verb, key);
    return Error::io("store: cannot open", root_,
                     cause == ELOOP ? "it is a symbolic link that leads back to itself; choose another directory"
                                    : "it is a symbolic link that leads nowhere; make the directory that it names");
  }

  [[nodiscard]] std::string way_out(std::string_view verb, int cause) const {
    const bool reads = verb == "open" || verb == "read" || verb == "list" || verb == "look at";
    switch (cause) {
      case ELOOP: return "; symbolic links inside a run are not followed";
      case ENOTDIR: return "; a file has the name of a directory: remove it, or choose another directory";
      case ENOSPC:
      case EDQUOT: return "; make room for it";
      case EMFILE:
      case ENFILE: return "; raise the limit on open files";
      case EROFS: return "; choose a directory that may be written";
      case EACCES:
      case EPERM: return reads ? "; allow this user to read it" : "; choose a directory that may be written";
      case ENOSYS:
      case EOPNOTSUPP: {
        const std::string name = file_system_name(root_);
        return "; its file system" + (name.empty() ? "" : " (" + name + ")") +
               " cannot do that: choose a directory of another one, or s3://BUCKET/PREFIX for a bucket";
      }
      case ENOENT: return "; do not remove a run's directories while it is written";
      case ESTALE: return "; another machine has removed or replaced it: do not do that while a run is written";
      case EIO: return "; check the disk";
      default: return "";
    }
  }

  [[nodiscard]] Descriptor open(int directory, const std::string& path, int flags) const {
    return above_standard_streams(
        Descriptor(uninterrupted([&] { return calls_.openat(directory, path.c_str(), flags | O_CLOEXEC, 0666); })));
  }

  /// Makes the root and what is missing above it; returns none and sets errno if that fails.
  [[nodiscard]] Descriptor make_root() {
    int cause = 0;
    for (std::size_t slash = root_.find('/', 1);; slash = root_.find('/', slash + 1)) {
      const std::string directory = root_.substr(0, slash);
      if (calls_.mkdirat(AT_FDCWD, directory.c_str(), 0777) == 0) {
        mark_new("");
        const std::lock_guard lock(mutex_);
        made_above_.insert(directory);
      } else if (errno != EEXIST && cause == 0) {
        cause = errno;  // used only if the root cannot be opened; the directory may exist
      }
      if (slash >= root_.size()) break;
    }
    Descriptor root = open_root();
    if (!root && cause != 0) errno = cause;
    return root;
  }

  [[nodiscard]] Descriptor open_parent(const std::string& directory, std::string_view key) const {
    const std::size_t slash = directory.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : directory.substr(0, slash == 0 ? 1 : slash);
    Descriptor opened = open(AT_FDCWD, parent, directory_flags);
    if (!opened) throw failed("open the directory above", key);
    return opened;
  }

  [[nodiscard]] bool is_durable(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return durable_.contains(path);
  }
  void mark_durable(const std::string& path) {
    const std::lock_guard lock(mutex_);
    durable_.insert(path);
  }
  /// Marks `path` and everything below it as new: their names are not yet durable.
  void mark_new(const std::string& path) {
    const std::lock_guard lock(mutex_);
    std::erase_if(durable_, [&](const std::string& known) {
      return known.starts_with(path) && (known.size() == path.size() || known[path.size()] == '/');
    });
  }

  const std::string root_;
  const FileCalls calls_;
  mutable ExclusiveRename exclusive_rename_;
  mutable std::mutex mutex_;  // guards the members below
  Descriptor held_;           // the root, while there are holders
  int holders_ = 0;
  std::set<std::string> durable_;     // directories whose name is on the disk, as "/a/b"; the root is ""
  std::set<std::string> made_above_;  // the root and directories above it that this object made
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
