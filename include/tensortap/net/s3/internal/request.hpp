// A request to one bucket, and its reply.
#pragma once

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// A request, which may take several attempts.
struct Request {
  using Clock = HttpRequest::Clock;

  std::string method = "GET";
  std::string key = {};  // in the bucket; empty: the bucket itself
  std::vector<std::pair<std::string, std::string>> query = {};
  HttpHeaders headers = {};
  std::span<const Bytes> body = {};
  std::vector<int> expected = {};  // statuses other than success that are returned, not thrown
  bool may_hold_error = false;     // a reply with status 200 may contain an error
  Clock::time_point deadline = Clock::time_point::max();
  std::function<void(HttpRequest&)> prepare = {};   // called before each attempt
  std::function<void(const HttpReply&)> read = {};  // reads a successful reply; the attempt fails if it throws
  std::function<bool(const HttpReply&, Bytes)> sink = {};
};

/// The reply to a request.
struct S3Reply {
  HttpReply reply;
  bool repeated = false;  // an earlier attempt whose reply was lost may have been carried out
};

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
