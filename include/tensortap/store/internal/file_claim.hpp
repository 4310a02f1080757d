// A claim in a directory: a locked file that goes when it is let go. Not for users; see Store::claim.
//
// The lock belongs to the opened file, so a forked child would hold it on with its copy of the descriptor long after
// its parent has died: training forks data loaders. A child therefore closes its copies at once.
#pragma once

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <tensortap/store/internal/descriptor.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/file_calls.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Whether `name` in `directory` is the opened `file`.
inline bool is_name_of(const FileCalls& calls, const Descriptor& directory, const std::string& name,
                       const Descriptor& file) {
  struct stat there {};
  struct stat opened {};
  return calls.fstatat(directory.get(), name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
         calls.fstat(file.get(), &opened) == 0 && there.st_dev == opened.st_dev && there.st_ino == opened.st_ino;
}

class FileClaim final : public Claim {
 public:
  /// While one lives, no thread of this process forks: a child must not get a locked file that is no claim yet.
  class NoFork {
   public:
    NoFork() : lock_((close_in_children(), mutex_)) {}

   private:
    std::lock_guard<std::mutex> lock_;
  };

  /// Holds `file`, locked and named `name` in `directory`. `calls` outlive it.
  FileClaim(const FileCalls& calls, Descriptor directory, std::string name, Descriptor file, const NoFork&)
      : calls_(calls), directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)), next_(first_) {
    first_ = this;
  }

  /// In a child there is nothing left to do.
  ~FileClaim() override {
    const NoFork no_fork;
    for (FileClaim** at = &first_; *at != nullptr; at = &(*at)->next_)
      if (*at == this) {
        *at = next_;
        break;
      }
    if (is_name_of(calls_, directory_, name_, file_)) calls_.unlinkat(directory_.get(), name_.c_str(), 0);
    file_ = Descriptor();  // only now may another one have it
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
    if (failure != 0) throw std::bad_alloc();  // its only cause
  }

  inline static std::mutex mutex_;
  inline static FileClaim* first_ = nullptr;  // the claims of this process, in a chain

  const FileCalls& calls_;
  Descriptor directory_;
  std::string name_;
  Descriptor file_;
  FileClaim* next_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
