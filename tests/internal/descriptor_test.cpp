#include <tensortap/internal/descriptor.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "catch.hpp"

using tensortap::detail::above_standard_streams;
using tensortap::detail::Descriptor;

TEST_CASE("no file takes the number of a standard stream that is closed", "[base][descriptor]") {
  const pid_t child = ::fork();
  if (child == 0) {
    for (const int stream : {0, 1, 2}) ::close(stream);
    const Descriptor file = above_standard_streams(Descriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    const bool is_closed = ::fcntl(0, F_GETFD) == -1;
    const bool is_kept_from_children = ::fcntl(file.get(), F_GETFD) == FD_CLOEXEC;
    ::_exit(file.get() > 2 && is_closed && is_kept_from_children ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}
