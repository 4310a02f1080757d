// Makes exchanges on connections from a pool, under the watchdog.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/net/http/http_client.hpp>
#include <tensortap/net/http/internal/connection.hpp>
#include <tensortap/net/http/internal/guarded_socket.hpp>
#include <tensortap/net/http/internal/proxy.hpp>
#include <tensortap/net/http/internal/watchdog.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Open connections that wait for their next exchange. Threads: any.
template <class Connection>
class ConnectionPool {
 public:
  using Clock = std::chrono::steady_clock;

  ConnectionPool(std::size_t most_per_origin, Clock::duration good_for)
      : most_per_origin_(most_per_origin), good_for_(good_for) {}

  /// Takes out the connection to `origin` that was used last; null if there is none.
  std::unique_ptr<Connection> take(std::string_view origin) {
    const auto closed = expired();
    const std::lock_guard lock(mutex_);
    const auto found = idle_.find(origin);
    if (found == idle_.end()) return nullptr;
    auto connection = std::move(found->second.back().connection);
    found->second.pop_back();
    if (found->second.empty()) idle_.erase(found);
    return connection;
  }

  /// Keeps `connection` for another exchange. A full pool drops the connection that was used longest ago.
  void put(std::string_view origin, std::unique_ptr<Connection> connection) {
    auto closed = expired();
    if (most_per_origin_ == 0) return;
    const std::lock_guard lock(mutex_);
    auto& idle = idle_[std::string(origin)];
    if (idle.size() == most_per_origin_) {
      closed.push_back(std::move(idle.front()));
      idle.erase(idle.begin());
    }
    idle.push_back({std::move(connection), Clock::now()});
  }

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    Clock::time_point since;
  };

  /// Takes out the connections that have waited too long. The caller closes them without the lock, because closing TLS
  /// writes to the socket.
  std::vector<Idle> expired() {
    std::vector<Idle> out;
    const Clock::time_point oldest = Clock::now() - good_for_;
    const std::lock_guard lock(mutex_);
    for (auto origin = idle_.begin(); origin != idle_.end();) {
      auto& idle = origin->second;
      const auto good = std::find_if(idle.begin(), idle.end(), [&](const Idle& one) { return one.since > oldest; });
      std::move(idle.begin(), good, std::back_inserter(out));
      idle.erase(idle.begin(), good);
      origin = idle.empty() ? idle_.erase(origin) : std::next(origin);
    }
    return out;
  }

  const std::size_t most_per_origin_;
  const Clock::duration good_for_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Idle>, std::less<>> idle_;  // by origin, in the order of last use
};

/// The options of a client, and the connections of the current process.
class HttpClientState {
 public:
  explicit HttpClientState(HttpOptions options)
      : options_(std::move(options)), proxies_(proxies_of(options_)), connections_(new Connections(options_)) {}
  HttpClientState(const HttpClientState&) = delete;
  HttpClientState& operator=(const HttpClientState&) = delete;
  ~HttpClientState() {
    Connections* const connections = connections_.load();
    if (connections->fork_guard.is_child()) return;  // see connections()
    const NoSigpipe no_sigpipe;
    delete connections;
  }

  HttpReply exchange(const HttpRequest& request) {
    if (const std::string_view cause = fault_of(request); !cause.empty())
      return failed(HttpFailure::not_connected, request, cause);
    const detail::NoSigpipe no_sigpipe;
    Connections& connections = this->connections();
    try {
      Watchdog::Watch watch(connections.watchdog, request.deadline, request.stop);
      if (watch.verdict() != HttpFailure::none) return failed(watch.verdict(), request, "it ended before it began");
      const std::string origin = request.url.scheme + "://" + request.url.authority();
      auto connection = connections.pool.take(origin);
      while (connection && !connection->is_reusable()) connection = connections.pool.take(origin);
      const bool reused = connection != nullptr;
      if (reused) ++connections.reused;
      if (!reused) connection = connect(connections, request.url);
      HttpReply reply = connection->exchange(request, watch);
      if (reused && connection->was_silent() && reply.failure == HttpFailure::no_reply && is_idempotent(request)) {
        ++connections.stale;
        connection = connect(connections, request.url);
        reply = connection->exchange(request, watch);
      }
      if (connection->is_reusable()) connections.pool.put(origin, std::move(connection));
      return reply;
    } catch (const Untrusted& untrusted) {
      return failed(HttpFailure::not_trusted, request, untrusted.cause);
    } catch (const Error& error) {
      return failed(HttpFailure::not_connected, request, error.what());
    }
  }

  [[nodiscard]] HttpStatistics statistics() {
    const Connections& connections = this->connections();
    return {.opened = connections.opened, .reused = connections.reused, .stale = connections.stale};
  }

 private:
  struct Connections {
    explicit Connections(const HttpOptions& options) : pool(options.max_idle_connections, options.idle_for) {}

    const ForkGuard fork_guard;
    std::atomic<std::uint64_t> opened = 0, reused = 0, stale = 0;
    std::once_flag trust_is_read;
    TrustStore trust;
    std::string no_trust;
    Watchdog watchdog;
    ConnectionPool<HttpConnection> pool;
  };
  struct Untrusted {
    std::string cause;
  };

  static HttpProxies proxies_of(const HttpOptions& options) {
    if (!options.proxy) return proxies_of_environment();
    return {.http = *options.proxy, .https = *options.proxy};
  }

  /// Returns the connections of this process. A forked child leaks those of its parent: threads that the child does not
  /// have may hold their locks, and closing TLS in the child would end the parent's sessions.
  Connections& connections() {
    Connections* current = connections_.load();
    if (!current->fork_guard.is_child()) return *current;
    auto own = std::make_unique<Connections>(options_);
    if (connections_.compare_exchange_strong(current, own.get())) return *own.release();
    return *current;  // another thread was faster
  }

  std::unique_ptr<HttpConnection> connect(Connections& connections, const Url& url) {
    if (url.scheme == "https") {
      std::call_once(connections.trust_is_read,
                     [&] { connections.trust = make_trust_store(options_, connections.no_trust); });
      if (!connections.trust) throw Untrusted{connections.no_trust};
    }
    ++connections.opened;
    return std::make_unique<HttpConnection>(options_, url, proxies_.proxy_for(url), connections.trust.get());
  }

  /// Returns whether the request may be repeated; knows the methods that stores use. Source: RFC 9110, 9.2.2.
  static bool is_idempotent(const HttpRequest& request) {
    return request.method == "GET" || request.method == "HEAD" || request.method == "PUT" || request.method == "DELETE";
  }

  /// Returns why the request is malformed; empty if it is not. A line break in a header would make two headers of one.
  static std::string_view fault_of(const HttpRequest& request) {
    const auto is_clean = [](std::string_view text, bool spaces) {
      for (const char c : text)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f || (c == ' ' && !spaces)) return false;
      return true;
    };
    if (request.url.host.empty()) return "the address has no host";
    if (request.method.empty() || !is_clean(request.method, false))
      return "its method is empty or has spaces or control characters";
    if (!is_clean(request.url.host, false) || !is_clean(request.url.target(), false) ||
        !request.url.path.starts_with('/'))
      return "its address has spaces or control characters, or no path";
    for (const auto& [name, value] : request.headers)
      if (name.empty() || !is_clean(name, false) || name.find(':') != std::string::npos || !is_clean(value, true))
        return "one of its headers has control characters";
    return {};
  }

  static HttpReply failed(HttpFailure failure, const HttpRequest& request, std::string_view cause) {
    HttpReply reply;
    reply.failure = failure;
    reply.cause = escaped(request.url.authority()) + ": " + std::string(cause);
    return reply;
  }

  const HttpOptions options_;
  const HttpProxies proxies_;
  std::atomic<Connections*> connections_;
};

}  // namespace detail

TENSORTAP_INLINE HttpClient::HttpClient(HttpOptions options)
    : state_(std::make_unique<detail::HttpClientState>(std::move(options))) {}

TENSORTAP_INLINE HttpClient::~HttpClient() = default;

TENSORTAP_INLINE HttpReply HttpClient::exchange(const HttpRequest& request) { return state_->exchange(request); }

TENSORTAP_INLINE HttpStatistics HttpClient::statistics() { return state_->statistics(); }

TENSORTAP_END_NAMESPACE
