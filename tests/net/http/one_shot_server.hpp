// Servers that misbehave: a function handles each connection, in a thread.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

/// The server's side of one connection. No call waits for more than a few seconds.
class Peer {
 public:
  /// Takes `socket`. With a `context` it speaks TLS.
  explicit Peer(int socket, SSL_CTX* context = nullptr) : socket_(socket) {
    const timeval limit{5, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (context == nullptr) return;
    ssl_ = ::SSL_new(context);
    ::SSL_set_fd(ssl_, socket);
    is_open_ = ::SSL_accept(ssl_) == 1;
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    ::SSL_free(ssl_);
    if (socket_ < 0) return;
    ::shutdown(socket_, SHUT_RDWR);
    ::close(socket_);
  }

  /// Returns whether the TLS handshake succeeded.
  [[nodiscard]] bool is_open() const { return is_open_; }
  [[nodiscard]] int socket() const { return socket_; }

  /// Reads up to `size` bytes; returns an empty text at the end.
  std::string read(std::size_t size) {
    std::string bytes(size, '\0');
    const auto n = ssl_ != nullptr ? ::SSL_read(ssl_, bytes.data(), static_cast<int>(size))
                                   : static_cast<int>(::recv(socket_, bytes.data(), size, 0));
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }

  /// Sends the text. Returns false if the client does not read it.
  bool write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ssl_ != nullptr ? ::SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                     : static_cast<int>(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Reads the head of a request; returns an empty text if there is none.
  std::string read_head() {
    for (;;) {
      if (const std::size_t end = before_.find("\r\n\r\n"); end != std::string::npos) {
        std::string head = before_.substr(0, end + 4);
        before_.erase(0, end + 4);
        return head;
      }
      const std::string more = read(4096);
      if (more.empty()) return {};
      before_ += more;
    }
  }

  std::string read_body(std::size_t size) {
    std::string body = std::exchange(before_, {});
    while (body.size() < size) {
      const std::string more = read(std::min<std::size_t>(size - body.size(), 1 << 16));
      if (more.empty()) break;
      body += more;
    }
    return body;
  }

  /// Reads head and body of a request; returns an empty text if there is none.
  std::string read_request() {
    const std::string head = read_head();
    const std::size_t at = head.find("Content-Length: ");
    return head + (at == std::string::npos ? "" : read_body(std::strtoull(head.c_str() + at + 16, nullptr, 10)));
  }

  /// Makes the destructor reset the connection instead of closing it.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
  SSL* ssl_ = nullptr;
  bool is_open_ = true;
  std::string before_;  // read but not asked for
};

inline const std::string hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\nhello";

/// Listens on a port of this machine. Each connection goes to `serve`, with its number from 0 on.
class OneShotServer {
 public:
  using Serve = std::function<void(Peer& peer, int number)>;

  /// `context` outlives this.
  explicit OneShotServer(Serve serve, SSL_CTX* context = nullptr)
      : serve_(std::move(serve)), context_(context), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, 64) != 0 || ::getsockname(listener_, any, &size) != 0)
      throw std::runtime_error("no port to listen on");
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept(); });
  }
  OneShotServer(const OneShotServer&) = delete;
  OneShotServer& operator=(const OneShotServer&) = delete;
  ~OneShotServer() {
    ::shutdown(listener_, SHUT_RDWR);
    accepting_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int socket : open_) ::shutdown(socket, SHUT_RDWR);
    }
    for (std::thread& thread : serving_) thread.join();
    ::close(listener_);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view path = "/") const {
    return (context_ == nullptr ? "http" : "https") + ("://127.0.0.1:" + std::to_string(port_)).append(path);
  }
  /// Returns the number of connections so far.
  [[nodiscard]] int connections() const { return connections_; }
  /// Waits until this side has closed all connections. Returns false if it has not after 20 seconds.
  [[nodiscard]] bool wait_until_closed() const {
    for (int i = 0; i < 20'000; ++i) {
      {
        const std::lock_guard lock(mutex_);
        if (open_.empty()) return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }

 private:
  void accept() {
    sigset_t pipe;  // also for the threads that serve: OpenSSL writes with write()
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      const int kept = ::fcntl(socket, F_DUPFD_CLOEXEC, 0);  // to end it with, whatever `serve_` does
      {
        const std::lock_guard lock(mutex_);
        open_.push_back(kept);
      }
      serving_.emplace_back([this, socket, kept, number = connections_++] {
        {
          Peer peer(socket, context_);
          if (peer.is_open()) serve_(peer, number);
        }
        const std::lock_guard lock(mutex_);
        std::erase(open_, kept);
        ::close(kept);
      });
    }
  }

  const Serve serve_;
  SSL_CTX* const context_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> serving_;
  std::thread accepting_;
};
