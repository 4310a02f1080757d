// An HTTP client for many threads: connections are kept and used again, certificates are verified, and every exchange
// ends by its deadline or soon after it is asked to. It makes each exchange once and judges no status: retries,
// redirects and signatures are for whoever uses it.
//
//   tensortap::HttpClient client({.connect_timeout = std::chrono::seconds(1)});
//   const tensortap::HttpReply reply = client({.url = tensortap::parse_url("http://127.0.0.1:7480/bucket/key")});
//   if (reply.failure != tensortap::HttpFailure::none) std::cerr << reply.cause << '\n';
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/net/http/internal/connection.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/no_sigpipe.hpp>
#include <tensortap/net/http/http_options.hpp>
#include <tensortap/net/http/internal/pool.hpp>
#include <tensortap/net/http/internal/proxy.hpp>
#include <tensortap/net/http/internal/trust.hpp>
#include <tensortap/net/http/internal/watchdog.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// As HttpTransport, of which it is one: `[&client](const HttpRequest& request) { return client(request); }`.
/// What cannot be ended early is the look-up of a host's name, by getaddrinfo().
/// Threads: any; a forked child has connections of its own.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {})
      : options_(std::move(options)), proxies_(proxies_of(options_)), state_(new State(options_)) {}
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  /// No exchange is under way.
  ~HttpClient() {
    State* const state = state_.load();
    if (state->owner != ::getpid()) return;  // see state()
    const detail::NoSigpipe no_sigpipe;
    delete state;
  }

  /// Makes one exchange. It is made again, once, if it was on a kept connection that turned out dead before a byte of
  /// the reply came and its method is idempotent. Throws: what the sink throws, nothing else.
  HttpReply exchange(const HttpRequest& request) {
    if (const std::string_view cause = cannot_be_sent(request); !cause.empty())
      return failed(HttpFailure::not_connected, request, cause);
    const detail::NoSigpipe no_sigpipe;
    State& state = this->state();
    try {
      detail::Watchdog::Watch watch(state.watchdog, request.deadline, request.stop);
      if (watch.verdict() != HttpFailure::none) return failed(watch.verdict(), request, "too late to begin");
      const std::string origin = request.url.scheme + "://" + request.url.authority();
      auto connection = state.pool.take(origin);
      while (connection && !connection->is_reusable()) connection = state.pool.take(origin);
      const bool reused = connection != nullptr;
      if (reused) ++state.reused;
      if (!reused) connection = connect(state, request.url);
      HttpReply reply = connection->exchange(request, watch);
      if (reused && connection->was_silent() && reply.failure == HttpFailure::no_reply && is_idempotent(request)) {
        ++state.stale;
        connection = connect(state, request.url);
        reply = connection->exchange(request, watch);
      }
      if (connection->is_reusable()) state.pool.put(origin, std::move(connection));
      return reply;
    } catch (const Untrusted& untrusted) {
      return failed(HttpFailure::not_trusted, request, untrusted.cause);
    } catch (const Error& error) {
      return failed(HttpFailure::not_connected, request, error.what());
    }
  }
  HttpReply operator()(const HttpRequest& request) { return exchange(request); }

  /// So far, in this process.
  [[nodiscard]] HttpStatistics statistics() {
    const State& state = this->state();
    return {.opened = state.opened, .reused = state.reused, .stale = state.stale};
  }

 private:
  struct State {
    explicit State(const HttpOptions& options) : pool(options.max_idle_connections, options.idle_for) {}

    const pid_t owner = ::getpid();
    std::atomic<std::uint64_t> opened = 0, reused = 0, stale = 0;
    std::once_flag trust_is_read;
    detail::TrustStore trust;
    std::string no_trust;
    detail::Watchdog watchdog;
    detail::ConnectionPool<detail::HttpConnection> pool;
  };
  struct Untrusted {
    std::string cause;
  };

  static detail::HttpProxies proxies_of(const HttpOptions& options) {
    if (!options.proxy) return detail::proxies_of_environment();
    return {.http = *options.proxy, .https = *options.proxy};
  }

  /// What this process uses. That of a parent is left as it is: its locks may be held by threads that are not here, and
  /// closing its connections would close them for the parent.
  State& state() {
    State* state = state_.load();
    if (state->owner == ::getpid()) return *state;
    auto own = std::make_unique<State>(options_);
    if (state_.compare_exchange_strong(state, own.get())) return *own.release();
    return *state;  // another thread was faster
  }

  std::unique_ptr<detail::HttpConnection> connect(State& state, const Url& url) {
    if (url.scheme == "https") {
      std::call_once(state.trust_is_read, [&] { state.trust = detail::make_trust_store(options_, state.no_trust); });
      if (!state.trust) throw Untrusted{state.no_trust};
    }
    ++state.opened;
    return std::make_unique<detail::HttpConnection>(options_, url, proxies_.proxy_for(url), state.trust.get());
  }

  /// Source: RFC 9110, 9.2.2; the methods that stores need.
  static bool is_idempotent(const HttpRequest& request) {
    return request.method == "GET" || request.method == "HEAD" || request.method == "PUT" || request.method == "DELETE";
  }

  /// Why not; empty if it can. A line break in a header would make two of one.
  static std::string_view cannot_be_sent(const HttpRequest& request) {
    const auto is_clean = [](std::string_view text, bool spaces) {
      for (const char c : text)
        if (static_cast<unsigned char>(c) < ' ' || c == 0x7f || (c == ' ' && !spaces)) return false;
      return true;
    };
    if (request.url.host.empty()) return "the address has no host";
    if (request.method.empty() || !is_clean(request.method, false)) return "its method is no word";
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
  const detail::HttpProxies proxies_;
  std::atomic<State*> state_;
};

TENSORTAP_END_NAMESPACE
