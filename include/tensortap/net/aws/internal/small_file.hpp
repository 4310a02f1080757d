// A file of settings, read whole. Not for users.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/internal/descriptor.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What became of reading a file: its text, or why there is none.
struct SmallFile {
  std::string text = {};
  std::string why = {};     ///< there is none; empty: there is
  bool is_missing = false;  ///< there is no such file
};

/// The file at `path`, if it is an ordinary one of at most `limit` bytes. Never waits for a pipe's other end.
inline SmallFile read_small_file(const std::string& path, std::size_t limit) {
  const auto failed = [](int error) -> SmallFile {
    return {.why = std::generic_category().message(error), .is_missing = error == ENOENT || error == ENOTDIR};
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return failed(errno);
  if (!S_ISREG(status.st_mode)) return {.why = "it is no ordinary file"};
  SmallFile result;
  result.text.resize(limit + 1);
  for (std::size_t size = 0;;) {
    const ssize_t n = ::read(file.get(), result.text.data() + size, result.text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(errno);
    size += static_cast<std::size_t>(n);
    if (size > limit) return {.why = "it is longer than " + std::to_string(limit) + " bytes"};
    if (n > 0) continue;
    result.text.resize(size);
    return result;
  }
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
