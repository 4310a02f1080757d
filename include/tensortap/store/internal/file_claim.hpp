// A claim in a directory: a locked file that is removed when the claim is released.
//
// The lock belongs to the open file description, so that a forked child would keep it with its copy of the descriptor
// after its parent has died; training forks data loaders. A child therefore closes its copies at once.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns whether `name` in `directory` is the open `file`.
inline bool is_name_of(const FileCalls& calls, const Descriptor& directory, const std::string& name,
                       const Descriptor& file) {
  struct stat there {};
  struct stat opened {};
  return calls.fstatat(directory.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         calls.fstat(file.get(), &opened) == 0 && there.st_dev == opened.st_dev && there.st_ino == opened.st_ino;
}

/// A claim that holds a locked file.
class FileClaim final : public Claim {
 public:
  /// Keeps all threads of this process from forking while it lives: a child must not inherit a locked file that is not
  /// yet in the chain of claims.
  class NoFork {
   public:
    NoFork() : lock_((close_in_children(), mutex_)) {}

   private:
    std::lock_guard<std::mutex> lock_;
  };

  /// Holds `file`, which is locked and named `name` in `directory`. Lifetime: `calls` outlives the claim.
  FileClaim(const FileCalls& calls, Descriptor directory, std::string name, Descriptor file, const NoFork&)
      : calls_(calls), directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)), next_(first_) {
    first_ = this;
  }

  /// Does nothing in a forked child, which has closed the file.
  ~FileClaim() override {
    const NoFork no_fork;
    for (FileClaim** at = &first_; *at != nullptr; at = &(*at)->next_)
      if (*at == this) {
        *at = next_;
        break;
      }
    if (is_name_of(calls_, directory_, name_, file_)) calls_.unlinkat(directory_.get(), name_.c_str(), 0);
    file_ = Descriptor();  // last: this releases the lock
  }

 private:
  static void close_in_children() {
    static const int failure = ::pthread_atfork([] { mutex_.lock(); }, [] { mutex_.unlock(); },
                                                [] {
                                                  for (; first_ != nullptr; first_ = first_->next_) {
                                                    Descriptor closed = std::move(first_->file_);
                                                    Descriptor too = std::move(first_->directory_);
                                                  }
                                                  mutex_.unlock();
                                                });
    if (failure != 0) throw std::bad_alloc();  // the only possible cause
  }

  inline static std::mutex mutex_;
  inline static FileClaim* first_ = nullptr;  // the chain of the claims of this process

  const FileCalls& calls_;
  Descriptor directory_;
  std::string name_;
  Descriptor file_;
  FileClaim* next_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
