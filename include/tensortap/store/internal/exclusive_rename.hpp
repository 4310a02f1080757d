// A rename to a name that must be free. File systems differ in what they offer for it: RENAME_NOREPLACE, hard links, or
// only the exclusive creation of a file, as most mounts of a bucket do.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/internal/file_identity.hpp>
#include <tensortap/store/internal/settled_rename.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Finds out once what the file system offers, and uses that from then on. Threads: any.
class ExclusiveRename {
 public:
  /// Lifetime: `calls` outlives it.
  explicit ExclusiveRename(const FileCalls& calls) : calls_(calls) {}

  /// Renames `from`, the file `moved`, to `to` in `directory`; returns false and sets errno if that fails: EEXIST if
  /// `to` exists.
  bool run(const FileIdentity& moved, int directory, const std::string& from, const std::string& to) {
    for (Way way = way_;;) {
      if (rename(way, moved, directory, from, to)) {
        way_ = way;
        return true;
      }
      if (way == Way::guard || !may_be_unsupported(errno)) return false;
      way = way == Way::no_replace ? Way::link : Way::guard;
    }
  }

 private:
  enum class Way : std::uint8_t { no_replace, link, guard };
  static constexpr std::chrono::milliseconds pause{5};
  static constexpr std::chrono::seconds patience{10};  // a guard lives for two system calls

  static bool may_be_unsupported(int error) noexcept {
    return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM || error == ENOTTY ||
           error == EMLINK || error == EXDEV;
  }

  bool rename(Way way, const FileIdentity& moved, int directory, const std::string& from, const std::string& to) {
    switch (way) {
      case Way::no_replace:
        return settled_rename(moved, directory, to,
                              [&] { return calls_.renameat_new(directory, from.c_str(), directory, to.c_str()); });
      case Way::link: return rename_by_link(moved, directory, from, to);
      case Way::guard: return rename_behind_guard(moved, directory, from, to);
    }
    return false;
  }

  bool rename_by_link(const FileIdentity& moved, int directory, const std::string& from, const std::string& to) {
    const auto link = [&] { return calls_.linkat(directory, from.c_str(), directory, to.c_str(), 0); };
    if (!settled_rename(moved, directory, to, link)) return false;
    calls_.unlinkat(directory, from.c_str(), 0);
    return true;
  }

  /// Renames while a file beside `to` keeps others from doing the same. Readers do not see that file: it has the name
  /// of a temporary, of process 0.
  bool rename_behind_guard(const FileIdentity& moved, int directory, const std::string& from, const std::string& to) {
    const std::string guard = to + ".0-0.tmp";
    if (!make_guard(directory, guard, to)) return false;
    const bool is_free = !exists(directory, to);
    const bool is_done = is_free && settled_rename(moved, directory, to, [&] {
                           return calls_.renameat(directory, from.c_str(), directory, to.c_str());
                         });
    const int cause = is_free ? errno : EEXIST;
    calls_.unlinkat(directory, guard.c_str(), 0);
    errno = cause;
    return is_done;
  }

  /// Returns false and sets errno if `to` appears, or if the guard cannot be made. Removes the guard of a process that
  /// died: one that does not change for as long as `patience`.
  bool make_guard(int directory, const std::string& guard, const std::string& to) {
    constexpr int most_rounds = 10'000;
    struct timespec seen {};
    std::chrono::nanoseconds waited{};
    for (int round = 0; round < most_rounds; ++round) {
      constexpr int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
      const int made = uninterrupted([&] { return calls_.openat(directory, guard.c_str(), flags, 0666); });
      if (made >= 0) {
        calls_.close(made);
        return true;
      }
      if (errno != EEXIST || exists(directory, to)) return false;
      struct stat status {};
      if (calls_.fstatat(directory, guard.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      if (status.st_mtim.tv_sec != seen.tv_sec || status.st_mtim.tv_nsec != seen.tv_nsec) waited = {};
      seen = status.st_mtim;
      if (waited >= patience) {
        calls_.unlinkat(directory, guard.c_str(), 0);
        waited = {};
        continue;
      }
      calls_.sleep(pause);
      waited += pause;
    }
    errno = EBUSY;
    return false;
  }

  /// Sets errno to EEXIST if it returns true.
  [[nodiscard]] bool exists(int directory, const std::string& name) const {
    struct stat status {};
    if (calls_.fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
    errno = EEXIST;
    return true;
  }

  const FileCalls& calls_;
  std::atomic<Way> way_ = Way::no_replace;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
