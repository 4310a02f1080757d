// A temporary file beside an object, whose name no reader takes for an object's, until it is renamed.
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/file_identity.hpp>
#include <tensortap/store/internal/settled_rename.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

constexpr std::string_view temporary_suffix = ".tmp";

inline bool is_temporary(std::string_view key) noexcept { return key.ends_with(temporary_suffix); }

/// Returns whether `key` is that of a file that was removed or replaced while it was open: NFS and FUSE keep it under a
/// name of their own until it is closed.
/// Source: Linux, fs/nfs/unlink.c (".nfs" and 24 digits); libfuse, lib/fuse.c (".fuse_hidden" and 16).
inline bool is_removed_while_open(std::string_view key) noexcept {
  const std::string_view leaf = key.substr(key.rfind('/') + 1);  // npos + 1 is 0
  const auto is = [&](std::string_view prefix, std::size_t digits) {
    return leaf.size() == prefix.size() + digits && leaf.starts_with(prefix) &&
           leaf.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
  };
  return is(".nfs", 24) || is(".fuse_hidden", 16);
}

/// Returns the final key of the temporary `key`: tensortap writes KEY.PID-N.tmp, smdebug KEY.tmp.
inline std::string_view final_key(std::string_view key) {
  key.remove_suffix(temporary_suffix.size());
  std::string_view rest = key;
  for (const char before : {'-', '.'}) {
    const std::size_t end = rest.find_last_not_of("0123456789") + 1;  // 0: digits only
    if (end == 0 || end == rest.size() || rest[end - 1] != before) return key;
    rest = rest.substr(0, end - 1);
  }
  return rest;
}

/// A file that the destructor removes unless it was published.
class Temporary {
 public:
  /// Creates a file beside the object `leaf` in `directory`; `key` is the object's key. Lifetime: all of them outlive
  /// it.
  Temporary(const DirectoryTree& tree, const Descriptor& directory, const std::string& leaf, std::string_view key)
      : tree_(tree), directory_(directory), leaf_(leaf), key_(key) {
    static std::atomic<std::uint64_t> counter = 0;
    do {
      name_ = leaf + "." + std::to_string(::getpid()) + "-" + std::to_string(counter++);
      name_ += temporary_suffix;
      file = tree.open_at(directory.get(), name_, O_WRONLY | O_CREAT | O_EXCL);
      if (!file && errno != EEXIST) throw tree.failed("create", key);
    } while (!file);
    identity_.emplace(tree.calls(), file.get());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!name_.empty()) tree_.calls().unlinkat(directory_.get(), name_.c_str(), 0);
  }

  /// Appends `pieces`.
  void write(std::span<const Bytes> pieces) const {
    std::vector<iovec> left;
    left.reserve(pieces.size());
    for (const Bytes piece : pieces)
      if (!piece.empty()) left.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
    for (std::size_t first = 0; first < left.size();) {
      const int count = static_cast<int>(std::min<std::size_t>(left.size() - first, IOV_MAX));
      const ssize_t n = uninterrupted([&] { return tree_.calls().writev(file.get(), &left[first], count); });
      if (n == 0) errno = EIO;  // otherwise this could loop for ever
      if (n <= 0) throw tree_.failed("write", key_);
      auto written = static_cast<std::size_t>(n);
      for (; first < left.size() && written >= left[first].iov_len; ++first) written -= left[first].iov_len;
      if (written > 0) {
        left[first].iov_base = static_cast<std::byte*>(left[first].iov_base) + written;
        left[first].iov_len -= written;
      }
    }
  }

  /// Closes the file. Throws: a write failed and is reported only now.
  void close() {
    // An interrupted close has closed.
    if (tree_.calls().close(file.release()) != 0 && errno != EINTR) throw tree_.failed("write", key_);
  }

  /// Renames the file to the object; returns false and sets errno if that fails. Throws: the object is a device, a pipe
  /// or a socket.
  bool publish(IfExists if_exists) {
    const int at = directory_.get();
    if (if_exists == IfExists::replace) tree_.require_replaceable(at, leaf_, key_);
    const auto rename = [&] { return tree_.calls().renameat(at, name_.c_str(), at, leaf_.c_str()); };
    const bool published = if_exists == IfExists::replace ? settled_rename(*identity_, at, leaf_, rename)
                                                          : tree_.exclusive_rename().run(*identity_, at, name_, leaf_);
    if (published) name_.clear();
    return published;
  }

  Descriptor file;

 private:
  const DirectoryTree& tree_;
  const Descriptor& directory_;
  const std::string& leaf_;
  std::string_view key_;
  std::string name_;
  std::optional<FileIdentity> identity_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
