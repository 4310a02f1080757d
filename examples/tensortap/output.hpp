// Standard output as a stream. A failed write throws, so that no command goes on for a reader that has gone, and none
// ends as if all had been printed.
#pragma once

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <ostream>
#include <stdexcept>
#include <streambuf>
#include <string>
#include <system_error>

#include "reading_progress.hpp"

namespace tensortap_command {

/// Standard output. Throws, from every operation: it cannot be written.
class Output : public std::ostream {
 public:
  Output() : std::ostream(nullptr) {
    rdbuf(&buffer_);
    exceptions(badbit);
  }

  /// Writes what is left, without a report.
  ~Output() override {
    exceptions(goodbit);
    flush();
  }

 private:
  class Buffer : public std::streambuf {
   public:
    Buffer() { setp(bytes_.data(), bytes_.data() + bytes_.size()); }

   protected:
    int_type overflow(int_type c) override {
      sync();
      if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
      return traits_type::not_eof(c);
    }

    int sync() override {
      if (pptr() != pbase()) ProgressLine::clear();
      const char* from = pbase();
      const char* const end = pptr();
      setp(bytes_.data(), bytes_.data() + bytes_.size());  // also after a failure: nothing is written twice
      while (from != end) {
        const ssize_t n = ::write(STDOUT_FILENO, from, static_cast<std::size_t>(end - from));
        if (n > 0) {
          from += n;
        } else if (n < 0 && errno == EAGAIN) {
          pollfd ready{STDOUT_FILENO, POLLOUT, 0};
          ::poll(&ready, 1, -1);
        } else if (n == 0 || errno != EINTR) {
          const int cause = n == 0 ? EIO : errno;
          throw std::runtime_error("cannot write standard output: " + std::generic_category().message(cause));
        }
      }
      return 0;
    }

   private:
    std::array<char, std::size_t{1} << 16> bytes_{};
  };

  Buffer buffer_;
};

}  // namespace tensortap_command
