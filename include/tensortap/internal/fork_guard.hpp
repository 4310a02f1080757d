// Tells a forked child from the process that made an object: the child has neither its threads nor its locks.
#pragma once

#include <unistd.h>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Remembers the process in which it was made.
class ForkGuard {
 public:
  /// True in a forked child of that process.
  [[nodiscard]] bool is_child() const noexcept { return owner_ != ::getpid(); }

 private:
  pid_t owner_ = ::getpid();
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
