// Reads and writes on a connected socket, plain or TLS, for one exchange with an untrusted server. It fixes defects of
// cpp-httplib's own streams, seen with 0.11.4: a status line of 50 kB overflows the stack in std::regex, an endless
// header fills the memory, a reply that comes while the body is sent is lost, and each 4 KiB take two system calls.
#pragma once

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What a guarded socket observed.
struct SocketReport {
  bool was_used = false;       ///< false: httplib used its own stream
  bool is_silent = true;       ///< no byte of a reply has come
  bool timed_out = false;      ///< no byte moved within the idle timeout
  bool ends_blank = false;     ///< the last line read is empty
  bool is_too_long = false;    ///< a line or the header of the reply is longer than allowed
  bool is_unreadable = false;  ///< the bytes to send cannot be read: a mapped file was truncated
  bool is_spent = false;       ///< it cannot serve another exchange: bytes of this one are left on either side
};

/// A connected socket that reads and writes for one exchange.
class GuardedSocket {
 public:
  /// Makes `socket` non-blocking and leaves it so. `ssl` is null for a plain one. Lifetime: all three outlive this.
  GuardedSocket(int socket, SSL* ssl, std::chrono::milliseconds idle_timeout, SocketReport& report)
      : socket_(socket), ssl_(ssl), idle_timeout_(idle_timeout), report_(report), buffer_(new char[capacity]) {
    report_ = {.was_used = true};
    ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL, 0) | O_NONBLOCK);
    if (ssl != nullptr) ::SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  GuardedSocket(const GuardedSocket&) = delete;
  GuardedSocket& operator=(const GuardedSocket&) = delete;
  ~GuardedSocket() {
    if (left() > 0 || is_early_) report_.is_spent = true;
  }

  [[nodiscard]] int socket() const noexcept { return socket_; }

  /// Reads 1 to `size` bytes. Returns 0 at the end, -1 on failure. httplib reads lines byte by byte; an end within a
  /// line is a failure, because httplib would accept the half line.
  ssize_t read(char* to, std::size_t size) {
    const bool in_line = size == 1;
    while (left() == 0) {
      const Step step = fill();
      if (step == Step::done) break;
      if (step == Step::ended && !in_line) return 0;
      if (step == Step::ended || step == Step::failed || !wait(step)) return -1;
    }
    size = std::min(size, left());
    std::memcpy(to, buffer_.get() + begin_, size);
    begin_ += size;
    if (!in_line) {
      lines_ = line_ = 0;
    } else if (++lines_ > longest_head || ++line_ > (is_first_line_ ? longest_first_line : longest_line)) {
      report_.is_too_long = true;
      return -1;
    } else if (*to == '\n') {
      report_.ends_blank = line_ == 2 && last_ == '\r';
      line_ = 0;
      is_first_line_ = false;
    }
    last_ = *to;
    return static_cast<ssize_t>(size);
  }

  /// Returns how many bytes were taken; -1 on failure. Once a reply has come, the rest of the request is taken and
  /// dropped, so that httplib reads the reply.
  ssize_t write(const char* from, std::size_t size) {
    while (!is_early_) {
      if (!wait(Step::wants_write, left() == 0)) return -1;
      if (has_input_ && left() == 0) {
        const Step step = fill();
        is_early_ = left() > 0 && !is_interim();
        if (step == Step::ended || step == Step::failed) return -1;
        if (is_early_) break;
      }
      Step step = Step::failed;
      if (const ssize_t sent = send(from, size, step); sent > 0) return sent;
      if (step == Step::failed) {  // bytes that came before the break can still be read
        if (left() == 0) fill();
        is_early_ = left() > 0 && !is_interim();
        if (!is_early_) return -1;
      }
      if (step == Step::wants_read && !wait(step)) return -1;
    }
    return static_cast<ssize_t>(size);
  }

 private:
  enum class Step { done, ended, failed, wants_read, wants_write };

  /// Units: bytes. A status line of 1 KiB costs std::regex some 0.4 MB of the stack.
  static constexpr std::size_t longest_first_line = std::size_t{1} << 10;
  static constexpr std::size_t longest_line = std::size_t{8} << 10;
  static constexpr std::size_t longest_head = std::size_t{64} << 10;
  static constexpr std::size_t capacity = std::size_t{128} << 10;

  [[nodiscard]] std::size_t left() const noexcept { return end_ - begin_; }

  /// Returns whether the bytes so far begin an interim reply such as "100 Continue".
  [[nodiscard]] bool is_interim() const {
    constexpr std::string_view interim = "HTTP/1.1 1";
    return std::string_view(buffer_.get() + begin_, left()).substr(0, interim.size()) == interim;
  }

  /// Waits until the socket is ready for `step`, or also for input.
  bool wait(Step step, bool or_input = false) {
    const auto out = static_cast<short>(step == Step::wants_write ? POLLOUT : 0);
    const auto in = static_cast<short>(step == Step::wants_read || or_input ? POLLIN : 0);
    pollfd one{socket_, static_cast<short>(in | out), 0};
    int ready = 0;
    do ready = ::poll(&one, 1, static_cast<int>(idle_timeout_.count()));
    while (ready < 0 && errno == EINTR);
    if (ready == 0) report_.timed_out = true;
    has_input_ = ready > 0 && (one.revents & (POLLIN | POLLHUP | POLLERR)) != 0;
    return ready > 0;
  }

  Step step_of_ssl(int result) {
    const int error = ::SSL_get_error(ssl_, result);
    if (error == SSL_ERROR_WANT_READ) return Step::wants_read;
    if (error == SSL_ERROR_WANT_WRITE) return Step::wants_write;
    return error == SSL_ERROR_ZERO_RETURN ? Step::ended : Step::failed;
  }

  static bool would_block() { return errno == EAGAIN || errno == EINTR; }

  /// Fills the empty buffer with the bytes that have come.
  Step fill() {
    ssize_t n = 0;
    Step step = Step::done;
    if (ssl_ != nullptr) {
      ::ERR_clear_error();
      n = ::SSL_read(ssl_, buffer_.get(), static_cast<int>(capacity));
      if (n <= 0) step = step_of_ssl(static_cast<int>(n));
    } else {
      n = ::recv(socket_, buffer_.get(), capacity, 0);
      if (n == 0) step = Step::ended;
      if (n < 0) step = would_block() ? Step::wants_read : Step::failed;
    }
    begin_ = 0;
    end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
    if (end_ > 0) report_.is_silent = false;
    return step;
  }

  /// Sends some bytes, or sets `step` to the reason why not.
  ssize_t send(const char* from, std::size_t size, Step& step) {
    ssize_t n = 0;
    if (ssl_ != nullptr) {
      ::ERR_clear_error();
      n = ::SSL_write(ssl_, from, static_cast<int>(std::min(size, std::size_t{1} << 30)));
      if (n <= 0) step = step_of_ssl(static_cast<int>(n));
    } else {
      n = ::send(socket_, from, size, MSG_NOSIGNAL);
      if (n < 0) step = would_block() ? Step::wants_write : Step::failed;
      if (n < 0 && errno == EFAULT) report_.is_unreadable = true;
    }
    return n;
  }

  const int socket_;
  SSL* const ssl_;
  const std::chrono::milliseconds idle_timeout_;
  SocketReport& report_;
  const std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;  ///< the unread part of the buffer
  std::size_t lines_ = 0, line_ = 0;
  char last_ = '\0';
  bool is_first_line_ = true;
  bool is_early_ = false;
  bool has_input_ = false;
};

/// Blocks SIGPIPE in this thread while it lives; other threads and the signal's action stay unchanged. Writing to a
/// connection that the other side has closed raises it, and neither cpp-httplib nor OpenSSL prevents that. The kernel
/// sends it to the thread that called write(), so the destructor finds it pending there and removes it.
class NoSigpipe {
 public:
  NoSigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    was_pending_ = is_pending();
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;
  ~NoSigpipe() {
    int taken = 0;
    if (!was_pending_ && is_pending()) ::sigwait(&pipe_, &taken);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  static bool is_pending() {
    sigset_t pending;
    ::sigpending(&pending);
    return ::sigismember(&pending, SIGPIPE) == 1;
  }

  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
