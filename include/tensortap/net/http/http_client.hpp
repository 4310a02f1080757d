// An HTTP client for many threads. It keeps connections for reuse, verifies certificates, and ends every exchange by
// its deadline or soon after a stop request. It makes each exchange once and does not interpret status codes: retries,
// redirects and signatures are up to the caller.
//
//   tensortap::HttpClient client({.connect_timeout = std::chrono::seconds(1)});
//   const tensortap::HttpReply reply = client({.url = tensortap::parse_url("http://127.0.0.1:7480/bucket/key")});
//   if (reply.failure != tensortap::HttpFailure::none) std::cerr << reply.cause << '\n';
#pragma once

#include <memory>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/http_options.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class HttpClientState;
}  // namespace detail

/// A client whose exchange() is an HttpTransport: `[&client](const HttpRequest& request) { return client(request); }`.
/// Only the look-up of a host name, by getaddrinfo(), cannot be ended early.
/// Threads: any; a forked child has its own connections.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  /// Closes the connections. No exchange may be under way.
  ~HttpClient();

  /// Makes one exchange. Repeats it once if it was on a kept connection that broke before a byte of the reply came and
  /// its method is idempotent. Throws: only what the sink throws.
  HttpReply exchange(const HttpRequest& request);
  /// Calls exchange().
  HttpReply operator()(const HttpRequest& request) { return exchange(request); }

  /// Returns the counts so far, in this process.
  [[nodiscard]] HttpStatistics statistics();

 private:
  const std::unique_ptr<detail::HttpClientState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/net/http/internal/http_client_impl.hpp>
#endif
