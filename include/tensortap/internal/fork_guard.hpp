// Detects that an object is used in a forked child of the process that made it. The child has a copy of the object, but
// none of its threads, and its locks may be held forever.
#pragma once

#include <unistd.h>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The process that made an object.
class ForkGuard {
 public:
  /// Returns whether this process is a forked child of that process.
  [[nodiscard]] bool is_child() const noexcept { return owner_ != ::getpid(); }

 private:
  pid_t owner_ = ::getpid();
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
