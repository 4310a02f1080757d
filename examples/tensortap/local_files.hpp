// The local side of a copy: the files of a directory, a file to send, a file to receive. Symbolic links are followed in
// reading, as awscli does, but never in writing.
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/net.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/settled_rename.hpp>
#include <tensortap/store/internal/temporary.hpp>
#include <utility>
#include <vector>

#include "commands.hpp"

namespace tensortap_command {

namespace tt = tensortap;

/// The time of the last modification.
using FileTime = std::chrono::sys_time<std::chrono::nanoseconds>;

struct LocalFile {
  std::uint64_t size = 0;
  FileTime modified = {};
  bool through_link = false;  // it, or a directory above it, is a symbolic link
};

inline FileTime modified_at(const struct stat& status) {
  return FileTime(std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec));
}

/// Throws the text of errno: "cp: NAME: No such file or directory".
[[noreturn]] inline void fail_by_errno(const std::string& what, const std::string& path) {
  const int cause = errno;
  throw std::runtime_error(what + ": " + tt::in_quotes(path) + ": " + std::generic_category().message(cause));
}

/// Returns whether `name` is the temporary file of a killed download.
inline bool is_left_over(std::string_view name) {
  return tt::detail::is_temporary(name) &&
         tt::detail::final_key(name).size() + tt::detail::temporary_suffix.size() < name.size();
}

/// The files of a directory, by their relative paths.
class LocalTree {
 public:
  /// Lists `directory`. What vanishes in the meantime is left out; what cannot be copied is passed over.
  LocalTree(const std::string& directory, Links links) : directory_(directory), links_(links) {
    struct stat status {};
    if (::stat(directory.c_str(), &status) == 0)
      enter("", status, false);
    else
      pass_over("");
  }

  [[nodiscard]] const std::map<std::string, LocalFile>& files() const noexcept { return files_; }
  /// What is passed over, and why. A name that ends in '/' is a directory, and stands for all below it.
  [[nodiscard]] const std::map<std::string, std::string>& passed_over() const noexcept { return passed_over_; }

  /// Returns whether `name` is passed over, or lies below a name that is: nothing is known of it.
  [[nodiscard]] bool is_unknown(const std::string& name) const {
    if (passed_over_.contains("") || passed_over_.contains(name) || passed_over_.contains(name + "/")) return true;
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      if (passed_over_.contains(name.substr(0, slash)) || passed_over_.contains(name.substr(0, slash + 1))) return true;
    return false;
  }

 private:
  using Identity = std::pair<dev_t, ino_t>;

  /// Lists the directory `name`, which is empty for the first one or ends in '/'.
  void enter(const std::string& name, const struct stat& status, bool through_link) {
    const Identity here(status.st_dev, status.st_ino);
    if (std::find(above_.begin(), above_.end(), here) != above_.end()) {
      passed_over_[name] = "it is a symbolic link to a directory that contains it";
      return;
    }
    struct Close {
      void operator()(DIR* d) const noexcept { ::closedir(d); }
    };
    const std::string path = directory_ + "/" + name;
    const std::unique_ptr<DIR, Close> stream(::opendir(path.c_str()));
    if (!stream) return pass_over(name);
    above_.push_back(here);
    for (;;) {
      errno = 0;
      const dirent* const entry = ::readdir(stream.get());
      if (entry == nullptr && errno != 0) pass_over(name);
      if (entry == nullptr) break;
      const std::string leaf = entry->d_name;
      if (leaf != "." && leaf != "..") look_at(name + leaf, through_link);
    }
    above_.pop_back();
  }

  void look_at(const std::string& name, bool through_link) {
    const std::string path = directory_ + "/" + name;
    struct stat status {};
    if (is_left_over(name) || tt::detail::is_removed_while_open(name)) return;
    if (::lstat(path.c_str(), &status) != 0) return pass_over(name);
    if (S_ISLNK(status.st_mode)) {
      through_link = true;
      if (links_ == Links::pass_over) {
        passed_over_[name] = "it is a symbolic link";
        return;
      }
      if (::stat(path.c_str(), &status) != 0) {
        const bool nowhere = errno == ENOENT || errno == ENOTDIR;
        passed_over_[name] =
            "it is a symbolic link" + (nowhere ? " that leads nowhere" : ": " + std::generic_category().message(errno));
        return;
      }
    }
    if (S_ISDIR(status.st_mode))
      enter(name + "/", status, through_link);
    else if (!S_ISREG(status.st_mode))
      passed_over_[name] = "it is not a regular file";
    else if (!tt::is_utf8(name))
      passed_over_[name] = "its name is not UTF-8; keys are";
    else
      files_[name] = {static_cast<std::uint64_t>(status.st_size), modified_at(status), through_link};
  }

  /// Passes over `name` by errno, unless it has vanished.
  void pass_over(const std::string& name) {
    if (!tt::detail::is_gone(errno) && errno != ENOTDIR) passed_over_[name] = std::generic_category().message(errno);
  }

  const std::string directory_;
  const Links links_;
  std::map<std::string, LocalFile> files_;
  std::map<std::string, std::string> passed_over_;
  std::vector<Identity> above_;  // the directories that are being listed
};

/// A file mapped into memory.
class MappedFile {
 public:
  /// `path` appears in messages. Throws: it is not a regular file.
  MappedFile(tt::detail::Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {
    look(status_);
    if (!S_ISREG(status_.st_mode))
      throw std::runtime_error("cp: " + tt::in_quotes(path_) + ": it is not a regular file");
    if (status_.st_size == 0) return;
    void* const at = ::mmap(nullptr, static_cast<std::size_t>(status_.st_size), PROT_READ, MAP_SHARED, file_.get(), 0);
    if (at == MAP_FAILED) fail_by_errno("cp", path_);
    bytes_ = {static_cast<const std::byte*>(at), static_cast<std::size_t>(status_.st_size)};
    (void)::madvise(at, bytes_.size(), MADV_SEQUENTIAL);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }

  [[nodiscard]] tt::Bytes bytes() const noexcept { return bytes_; }

  /// Releases the memory of these bytes. The next access reads them again.
  void let_go(tt::Bytes part) const noexcept {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(part.data() + part.size());
    (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
  }

  /// Throws: the file changed during the upload, so that the object may mix two versions.
  void require_unchanged() const {
    struct stat now {};
    look(now);
    if (now.st_size != status_.st_size || modified_at(now) != modified_at(status_))
      throw std::runtime_error("cp: " + tt::in_quotes(path_) + ": it changed while it was sent; send it again");
  }

 private:
  void look(struct stat& status) const {
    if (::fstat(file_.get(), &status) != 0) fail_by_errno("cp", path_);
  }

  tt::detail::Descriptor file_;
  std::string path_;
  struct stat status_ {};
  tt::Bytes bytes_;
};

/// Writes the pieces of an object into a file, in the order of their arrival.
class ArrivingBytes {
 public:
  using Told = std::function<void(std::uint64_t bytes)>;

  /// Calls `begun` with the size, and `moved` with the size of each piece. `path` appears in messages. Lifetime: `file`
  /// stays open.
  ArrivingBytes(int file, std::string path, Told begun, Told moved)
      : file_(file), path_(std::move(path)), begun_(std::move(begun)), moved_(std::move(moved)) {}

  [[nodiscard]] tt::S3Store::DownloadTarget target() {
    return {.begin =
                [this](std::uint64_t size) {
                  if (::ftruncate(file_, 0) != 0 || ::ftruncate(file_, static_cast<off_t>(size)) != 0)
                    fail_by_errno("cp", path_);
                  begun_(size);
                },
            .write = [this](std::uint64_t start, tt::Bytes bytes) { write(start, bytes); }};
  }

  /// Reads the file from its beginning and passes each piece to `take`.
  void read(const std::function<void(tt::Bytes)>& take) const {
    std::vector<std::byte> buffer(std::size_t{1} << 20);
    for (off_t at = 0;;) {
      const ssize_t n = tt::detail::uninterrupted([&] { return ::pread(file_, buffer.data(), buffer.size(), at); });
      if (n < 0) fail_by_errno("cp", path_);
      if (n == 0) return;
      take(tt::Bytes(buffer).first(static_cast<std::size_t>(n)));
      at += n;
    }
  }

 private:
  void write(std::uint64_t start, tt::Bytes bytes) const {
    const std::size_t size = bytes.size();
    while (!bytes.empty()) {
      const ssize_t n = tt::detail::uninterrupted(
          [&] { return ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(start)); });
      if (n == 0) errno = EIO;  // else this loop might not end
      if (n <= 0) fail_by_errno("cp", path_);
      start += static_cast<std::uint64_t>(n);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    moved_(size);
  }

  int file_;
  std::string path_;
  Told begun_, moved_;
};

/// A file to receive. It gets its name when it is complete; the destructor removes a file that is not published.
class ArrivingFile {
 public:
  ArrivingFile(tt::detail::DirectoryTree& tree, const std::string& name)
      : tree_(tree), name_(name), parts_(tt::key_parts(name)), leaf_(parts_.back()) {
    parts_.pop_back();
    directory_ = tree_.make(parts_, name_);
    require_free_or_regular();
    temporary_.emplace(tree_, directory_, leaf_, name_);
  }

  [[nodiscard]] int descriptor() const { return temporary_->file.get(); }

  /// Gives the file its name and, if there is one, the time `modified`.
  void publish(std::optional<std::chrono::sys_seconds> modified) {
    if (modified) {
      const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                                 {.tv_sec = modified->time_since_epoch().count(), .tv_nsec = 0}};
      (void)::futimens(descriptor(), times);  // without it, the next sync fetches the file again
    }
    // On Linux, close() has closed the file even if a signal interrupts it.
    if (::close(temporary_->file.release()) != 0 && errno != EINTR) throw tree_.failed("write", name_);
    if (!temporary_->publish(tt::IfExists::replace)) throw tree_.failed("rename", name_);
  }

 private:
  void require_free_or_regular() const {
    struct stat status {};
    if (::fstatat(directory_.get(), leaf_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || S_ISREG(status.st_mode))
      return;
    throw std::runtime_error("cp: " + tt::in_quotes(tree_.root() + "/" + name_) + ": it is " +
                             (S_ISLNK(status.st_mode) ? "a symbolic link, which a download neither follows nor replaces"
                              : S_ISDIR(status.st_mode) ? "a directory"
                                                        : "not a regular file") +
                             "; remove it, or choose another place");
  }

  tt::detail::DirectoryTree& tree_;
  std::string name_;
  std::vector<std::string> parts_;
  std::string leaf_;
  tt::detail::Descriptor directory_;
  std::optional<tt::detail::Temporary> temporary_;
};

/// Writes `bytes` to an open file or pipe. `path` appears in messages.
inline void write_all(int file, tt::Bytes bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = tt::detail::uninterrupted([&] { return ::write(file, bytes.data(), bytes.size()); });
    if (n <= 0) fail_by_errno("cp", path);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

/// Returns a temporary file without a name, for the content of a pipe.
inline tt::detail::Descriptor nameless_file() {
  const char* const directory = std::getenv("TMPDIR");
  std::string path = std::string(directory == nullptr || *directory == '\0' ? "/tmp" : directory) + "/tensortap.XXXXXX";
  tt::detail::Descriptor file(::mkostemp(path.data(), O_CLOEXEC));
  if (!file) fail_by_errno("cp", path);
  (void)::unlink(path.c_str());
  return file;
}

}  // namespace tensortap_command
