// A store in a directory. An object is written to a temporary beside it and renamed, so that a reader, or a machine
// that loses power, sees all of it or nothing. No symbolic link below the directory is ever followed, neither in
// writing nor in reading.
//
//   tensortap::FileStore store("runs/42");
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

namespace detail {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace detail

class FileStore final : public Store {
 public:
  using Store::get;
  using Store::put;

  /// Objects lie below `directory`, which is made when the first one is written.
  explicit FileStore(std::string directory) : root_(std::move(directory)) {}

  void put(std::string_view key, std::span<const Bytes> pieces, Sync sync) override {
    auto parts = key_parts(key);
    const std::string leaf = std::move(parts.back());
    parts.pop_back();
    const detail::Descriptor directory = make_directories(parts, key, sync);
    auto [file, temporary] = create_temporary(directory, leaf, key);
    try {
      write_all(file, pieces, key);
      if (sync == Sync::yes && ::fsync(file.get()) != 0) throw failed("write", key);
      // Some file systems report a failed write only here.
      if (::close(file.release()) != 0) throw failed("write", key);
      if (::renameat(directory.get(), temporary.c_str(), directory.get(), leaf.c_str()) != 0)
        throw failed("rename", key);
    } catch (...) {
      ::unlinkat(directory.get(), temporary.c_str(), 0);
      throw;
    }
    if (sync == Sync::yes && ::fsync(directory.get()) != 0) throw failed("sync the directory of", key);
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    const detail::Descriptor file = open_object(key);
    if (!file) return std::nullopt;
    const std::uint64_t end = size_of_object(file, key);
    const std::uint64_t start = std::min(range.start, end);
    std::vector<std::byte> out(static_cast<std::size_t>(std::min(range.length, end - start)));
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = ::pread(file.get(), out.data() + done, std::min<std::size_t>(out.size() - done, 1u << 30),
                                static_cast<off_t>(start + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw failed("read", key);
      if (n == 0) break;  // it became shorter
      done += static_cast<std::size_t>(n);
    }
    out.resize(done);
    return out;
  }

  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    const detail::Descriptor file = open_object(key);
    if (!file) return std::nullopt;
    return size_of_object(file, key);
  }

  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix) const override {
    std::vector<std::string> parts;
    if (!prefix.empty()) parts = key_parts(prefix.substr(0, prefix.size() - 1));
    std::vector<ObjectInfo> out;
    if (detail::Descriptor directory = open_directory(parts, prefix))
      walk(std::move(directory), std::string(prefix), 0, out);
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return out;
  }

  bool remove(std::string_view key) override {
    auto parts = key_parts(key);
    const std::string leaf = std::move(parts.back());
    parts.pop_back();
    const detail::Descriptor directory = open_directory(parts, key);
    if (!directory) return false;
    if (::unlinkat(directory.get(), leaf.c_str(), 0) == 0) return true;
    if (errno == ENOENT) return false;
    throw failed("remove", key);
  }

  [[nodiscard]] std::string location() const override { return root_; }

 private:
  static constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  static constexpr std::string_view temporary_suffix = ".tmp";
  static constexpr int depth_limit = 16;

  [[nodiscard]] Error failed(std::string_view verb, std::string_view key) const {
    const int cause = errno;
    std::string text = std::generic_category().message(cause);
    if (cause == ELOOP || cause == ENOTDIR) text += "; symbolic links inside a run are not followed";
    return Error::io("store: cannot " + std::string(verb), root_ + "/" + std::string(key), text);
  }

  /// The directory `parts` below the root; an empty descriptor if it is not there.
  [[nodiscard]] detail::Descriptor open_directory(const std::vector<std::string>& parts, std::string_view key) const {
    detail::Descriptor at(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (std::size_t i = 0; at && i < parts.size(); ++i)
      at = detail::Descriptor(::openat(at.get(), parts[i].c_str(), directory_flags));
    if (!at && errno != ENOENT) throw failed("open", key);
    return at;
  }

  /// The directory `parts` below the root, made as needed.
  [[nodiscard]] detail::Descriptor make_directories(const std::vector<std::string>& parts, std::string_view key,
                                                    Sync sync) const {
    for (std::size_t slash = root_.find('/', 1); slash < root_.size(); slash = root_.find('/', slash + 1))
      ::mkdir(root_.substr(0, slash).c_str(), 0777);  // what fails here fails again below
    ::mkdir(root_.c_str(), 0777);
    detail::Descriptor at(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!at) throw failed("make", key);
    for (const std::string& part : parts) {
      detail::Descriptor below(::openat(at.get(), part.c_str(), directory_flags));
      if (!below && errno == ENOENT) {
        if (::mkdirat(at.get(), part.c_str(), 0777) != 0 && errno != EEXIST) throw failed("make the directory of", key);
        if (sync == Sync::yes && ::fsync(at.get()) != 0) throw failed("sync the directory of", key);
        below = detail::Descriptor(::openat(at.get(), part.c_str(), directory_flags));
      }
      if (!below) throw failed("open the directory of", key);
      at = std::move(below);
    }
    return at;
  }

  /// A new file beside `leaf` whose name no reader takes for an object.
  [[nodiscard]] std::pair<detail::Descriptor, std::string> create_temporary(const detail::Descriptor& directory,
                                                                            const std::string& leaf,
                                                                            std::string_view key) const {
    static std::atomic<std::uint64_t> counter = 0;
    for (;;) {
      std::string name = leaf + "." + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      name += temporary_suffix;
      detail::Descriptor file(
          ::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
      if (file) return {std::move(file), std::move(name)};
      if (errno != EEXIST) throw failed("create", key);
    }
  }

  void write_all(const detail::Descriptor& file, std::span<const Bytes> pieces, std::string_view key) const {
    std::vector<iovec> left;
    left.reserve(pieces.size());
    for (const Bytes piece : pieces)
      if (!piece.empty()) left.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    for (std::size_t first = 0; first < left.size();) {
      const ssize_t n =
          ::writev(file.get(), &left[first], static_cast<int>(std::min<std::size_t>(left.size() - first, IOV_MAX)));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw failed("write", key);
      auto written = static_cast<std::size_t>(n);
      for (; first < left.size() && written >= left[first].iov_len; ++first) written -= left[first].iov_len;
      if (written > 0) {
        left[first].iov_base = static_cast<std::byte*>(left[first].iov_base) + written;
        left[first].iov_len -= written;
      }
    }
  }

  /// The object opened for reading; an empty descriptor if there is none.
  [[nodiscard]] detail::Descriptor open_object(std::string_view key) const {
    auto parts = key_parts(key);
    const std::string leaf = std::move(parts.back());
    parts.pop_back();
    const detail::Descriptor directory = open_directory(parts, key);
    if (!directory) return {};
    // Without O_NONBLOCK a named pipe in a hostile run would block for ever.
    detail::Descriptor file(::openat(directory.get(), leaf.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && errno != ENOENT) throw failed("open", key);
    return file;
  }

  [[nodiscard]] std::uint64_t size_of_object(const detail::Descriptor& file, std::string_view key) const {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) throw failed("look at", key);
    if (!S_ISREG(status.st_mode))
      throw Error::io("store: cannot read", root_ + "/" + std::string(key), "it is not a regular file");
    return static_cast<std::uint64_t>(status.st_size);
  }

  void walk(detail::Descriptor directory, const std::string& prefix, int depth, std::vector<ObjectInfo>& out) const {
    struct Close {
      void operator()(DIR* d) const noexcept { ::closedir(d); }
    };
    const std::unique_ptr<DIR, Close> stream(::fdopendir(directory.get()));
    if (!stream) throw failed("list", prefix);
    const int at = directory.release();  // the stream closes it
    errno = 0;
    for (const dirent* entry = ::readdir(stream.get()); entry != nullptr; errno = 0, entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || name.ends_with(temporary_suffix)) continue;
      struct stat status {};
      if (::fstatat(at, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone since
      const std::string key = prefix + std::string(name);
      if (S_ISREG(status.st_mode)) out.push_back({key, static_cast<std::uint64_t>(status.st_size)});
      if (S_ISDIR(status.st_mode) && depth < depth_limit)
        if (detail::Descriptor below{::openat(at, entry->d_name, directory_flags)})
          walk(std::move(below), key + "/", depth + 1, out);
    }
    if (errno != 0) throw failed("list", prefix);
  }

  std::string root_;
};

}  // namespace tensortap::inline v0
