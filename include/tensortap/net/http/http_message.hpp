// One HTTP exchange as values: the request, the reply, and how it failed. The transport is a callable, so tests of the
// code above it need no network.
//
//   const tensortap::HttpReply reply = transport({.url = tensortap::parse_url("http://127.0.0.1:7480/bucket/key")});
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Header fields by name, in lower case. The values of a repeated field are joined by ", ".
using HttpHeaders = std::map<std::string, std::string, std::less<>>;

/// How an exchange failed before the reply was complete.
enum class HttpFailure : std::uint8_t {
  none,
  not_connected,  ///< no connection: nothing was sent
  not_trusted,    ///< the server's certificate was refused: nothing was sent
  no_reply,       ///< the connection broke before a reply: the request may have been carried out
  cut,            ///< the body of the reply broke off
  timed_out,      ///< no byte moved within the idle timeout, or the deadline passed: it may have been carried out
  stopped,        ///< the stop token was triggered
  unreadable,     ///< the body of the request cannot be read (any more): a mapped file was truncated
  too_large,      ///< the reply is longer than allowed
  malformed,      ///< the reply is not HTTP
};

/// The reply of an exchange, as far as it came.
struct HttpReply {
  int status = 0;  ///< 0: no reply came
  HttpHeaders headers = {};
  std::string body = {};  ///< the bytes that no sink took

  HttpFailure failure = HttpFailure::none;
  std::string cause = {};  ///< of the failure, for messages; holds no secrets

  /// Returns the value of header field `name`, which is in lower case; empty if there is no such field.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

/// A request and the limits of its exchange.
struct HttpRequest {
  using Clock = std::chrono::steady_clock;

  std::string method = "GET";
  Url url;
  HttpHeaders headers = {};  ///< without Content-Length, which the transport adds
  /// The pieces of the body, sent without a copy. Lifetime: the bytes outlive the exchange.
  std::span<const Bytes> body = {};

  Clock::time_point deadline = Clock::time_point::max();
  std::stop_token stop = {};
  /// The longest body of a reply that is kept in memory. Units: bytes.
  std::uint64_t body_limit = std::uint64_t{16} << 20;
  /// Takes the body of a reply piece by piece; `head` has its status and headers. It returns false to leave the whole
  /// body to `HttpReply::body`, and is then not called again. `body_limit` does not apply to it.
  std::function<bool(const HttpReply& head, Bytes piece)> sink = {};
  /// The most that the sink takes of a success. A longer body is cut off there, and its connection closed. Units:
  /// bytes.
  std::uint64_t sink_limit = std::numeric_limits<std::uint64_t>::max();
};

/// Makes one exchange. Never throws, never repeats a request, never follows a redirect. Returns by the deadline, or
/// soon after a stop request. Threads: any.
using HttpTransport = std::function<HttpReply(const HttpRequest&)>;

TENSORTAP_END_NAMESPACE
