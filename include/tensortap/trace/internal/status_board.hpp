// The counts of a thread that writes, for other threads to read.
#pragma once

#include <exception>
#include <mutex>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
template <class Counts>
class StatusBoard {
 public:
  [[nodiscard]] Counts get() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  template <class Change>
  void change(const Change& change) noexcept {
    const std::lock_guard lock(mutex_);
    change(status_);
  }

  /// Returns whether `call` has ended without an exception, whose text becomes `last_cause`.
  template <class Call>
  bool attempt(const Call& call) noexcept {
    try {
      call();
      return true;
    } catch (const std::exception& e) {
      try {
        const std::lock_guard lock(mutex_);
        status_.last_cause = e.what();
      } catch (const std::exception&) {  // no memory: the counts tell enough
      }
      return false;
    }
  }

 private:
  mutable std::mutex mutex_;
  Counts status_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
