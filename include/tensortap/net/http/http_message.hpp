// One HTTP exchange as values: what is asked, what came back, and how it failed if it did. Whoever speaks HTTP is a
// callable, so that everything above it is tested without a network.
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

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/url.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Header fields by name in lower case; the values of a repeated one are joined by ", ".
using HttpHeaders = std::map<std::string, std::string, std::less<>>;

/// How an exchange failed before there was a whole reply.
enum class HttpFailure : std::uint8_t {
  none,
  not_connected,  ///< no connection: nothing was sent
  not_trusted,    ///< the other side's certificate was refused: nothing was sent
  no_reply,       ///< the connection broke before a reply: the request may have been carried out
  cut,            ///< the body of the reply broke off
  timed_out,      ///< nothing moved for too long, or the deadline passed: it may have been carried out
  stopped,        ///< the stop token asked for it
  too_large,      ///< the reply is longer than allowed
  malformed,      ///< the reply is not HTTP
};

struct HttpReply {
  int status = 0;  ///< 0: there was none
  HttpHeaders headers = {};
  std::string body = {};  ///< what no sink took

  HttpFailure failure = HttpFailure::none;
  std::string cause = {};  ///< of the failure, for messages: no secrets

  /// The value of header field `name`, in lower case; empty if there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

struct HttpRequest {
  using Clock = std::chrono::steady_clock;

  std::string method = "GET";
  Url url;
  HttpHeaders headers = {};  ///< without Content-Length, which the transport adds
  /// Lifetime: the bytes outlive the exchange; they are sent from where they lie.
  std::span<const Bytes> body = {};

  Clock::time_point deadline = Clock::time_point::max();
  std::stop_token stop = {};
  /// Units: bytes of the reply's body.
  std::uint64_t body_limit = std::uint64_t{16} << 20;
  /// Takes the body of a reply piece by piece, `head` has status and headers; false if this body goes to `head.body`
  /// instead (then it is asked no more). It is not bound by `body_limit`.
  std::function<bool(const HttpReply& head, Bytes piece)> sink = {};
  /// How much it wants. A body that goes on is cut off there, and the connection with it. Units: bytes.
  std::uint64_t sink_limit = std::numeric_limits<std::uint64_t>::max();
};

/// Makes one exchange. Never throws, never repeats anything, never follows a redirect; returns by the deadline, or soon
/// after the stop token asks. Threads: any.
using HttpTransport = std::function<HttpReply(const HttpRequest&)>;

TENSORTAP_END_NAMESPACE
