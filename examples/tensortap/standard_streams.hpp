// Closed standard streams. Cron and some daemons start programs with them; then the next file or connection that is
// opened takes the number of the stream, and what is printed goes into it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace tensortap_command {

/// Opens each closed standard stream on /dev/null. Call it first in main().
inline void open_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) == -1 && errno == EBADF) (void)::open("/dev/null", O_RDWR);  // the lowest free number
}

}  // namespace tensortap_command
