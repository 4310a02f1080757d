// A claim in a directory: a locked file that is removed when the claim is released.
//
// The lock belongs to the open file description, so that a forked child would keep it with its copy of the descriptor
// after its parent has died; training forks data loaders. A child therefore closes its copies at once.
#pragma once

#include <pthread.h>
#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/store/internal/directory_tree.hpp>
#include <tensortap/store/internal/file_identity.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

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

  /// Holds `file`, which is locked and named `name` in `directory`. Lifetime: `tree` outlives the claim.
  FileClaim(DirectoryTree& tree, Descriptor directory, std::string name, Descriptor file, const NoFork&)
      : tree_(tree), directory_(std::move(directory)), name_(std::move(name)), file_(std::move(file)), next_(first_) {
    first_ = this;
    tree_.hold_root();
  }

  /// Does nothing in a forked child, which has closed the file.
  ~FileClaim() override {
    const NoFork no_fork;
    for (FileClaim** at = &first_; *at != nullptr; at = &(*at)->next_)
      if (*at == this) {
        *at = next_;
        break;
      }
    if (FileIdentity(tree_.calls(), file_.get()).has_name(directory_.get(), name_))
      tree_.calls().unlinkat(directory_.get(), name_.c_str(), 0);
    tree_.let_go_root();
    file_ = Descriptor();  // last: this releases the lock
  }

  [[nodiscard]] bool is_held() const override {
    struct stat status {};
    // Another machine may have removed it from a network file system.
    if (tree_.calls().fstat(file_.get(), &status) != 0) return errno != ESTALE;
    return status.st_nlink > 0;
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

  DirectoryTree& tree_;
  Descriptor directory_;
  std::string name_;
  Descriptor file_;
  FileClaim* next_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
