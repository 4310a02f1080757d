// Requests to one metadata service, with its headers, its token and a limit for each.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/cloud/internal/cloud_services.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/http/url.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What came of a request.
struct MetadataAnswer {
  HttpReply reply = {};
  std::string cause = {};   ///< why the reply is unusable, for messages; empty: its status is 200, or 404 where allowed
  bool is_busy = false;     ///< the service asks to try again: status 429 or 500 and above
  bool is_silent = false;   ///< no whole reply came
  bool is_stopped = false;  ///< the request was ended from here
};

/// Threads: `get` one, `post` any.
class MetadataSession {
 public:
  using Duration = std::chrono::nanoseconds;
  using Clock = HttpRequest::Clock;

  MetadataSession(const CloudService& service, Url base, HttpTransport transport, Duration timeout,
                  std::stop_token stop)
      : service_(service),
        base_(std::move(base)),
        transport_(std::move(transport)),
        timeout_(timeout),
        stop_(std::move(stop)) {}

  /// Returns the address for messages.
  [[nodiscard]] std::string address() const { return base_.scheme + "://" + base_.authority(); }

  /// Asks for `path`; the service may hold its reply back for `patience`. Gets a token first, and a new one if it is
  /// refused or near its end.
  MetadataAnswer get(std::string_view path, const std::string& query, bool absent_is_404 = false,
                     Duration patience = {}) {
    const bool has_token = !service_.token_path.empty();
    for (bool again = false;; again = true) {
      if (has_token && (token_.empty() || Clock::now() >= renew_at_))
        if (MetadataAnswer refusal = renew(); !refusal.cause.empty()) return refusal;
      HttpRequest request = to("GET", path, query);
      if (has_token) request.headers.emplace(service_.token_header, token_);
      MetadataAnswer answer = exchange(std::move(request), patience);
      if (has_token && answer.reply.status == 401) {
        token_.clear();
        if (!again) continue;
      }
      if (absent_is_404 && answer.reply.status == 404 && !answer.is_silent) answer.cause.clear();
      return answer;
    }
  }

  MetadataAnswer post(std::string_view path, const std::string& query, const std::string& body) {
    HttpRequest request = to("POST", path, query);
    request.headers["content-type"] = "application/json";
    const Bytes piece = bytes_of(body);
    request.body = std::span(&piece, 1);
    return exchange(request, {});
  }

 private:
  static constexpr std::uint64_t reply_limit = std::uint64_t{64}
                                               << 10;           // the longest documented one is 100 times shorter
  static constexpr std::chrono::seconds token_lifetime{21600};  // the longest that the clouds give

  [[nodiscard]] HttpRequest to(const char* method, std::string_view path, const std::string& query) const {
    HttpRequest request{.method = method, .url = base_};
    request.url.path.append(path);
    request.url.query = query;
    if (!service_.header.empty()) request.headers.emplace(service_.header, service_.value);
    return request;
  }

  MetadataAnswer exchange(HttpRequest request, Duration patience) {
    // Only the first request waits for a service that is just being switched on.
    Duration limit = timeout_ + patience;
    if (!was_asked_.exchange(true)) limit = std::max<Duration>(limit, service_.first_timeout);
    request.deadline = Clock::now() + limit;
    request.stop = stop_;
    request.body_limit = reply_limit;
    MetadataAnswer answer{.reply = transport_(request)};
    const HttpReply& reply = answer.reply;
    if (reply.failure != HttpFailure::none || reply.status == 0) {
      answer.is_silent = true;
      answer.is_stopped = reply.failure == HttpFailure::stopped;
      answer.cause = request.url.path + " got no reply (" + escaped(reply.cause) + ")";
    } else if (reply.status != 200) {
      answer.is_busy = reply.status == 429 || reply.status >= 500;
      answer.cause = request.url.path + " was answered with status " + std::to_string(reply.status);
    } else if (service_.is_echoed &&
               lower_case(std::string(reply.header(service_.header))) != lower_case(std::string(service_.value))) {
      answer.cause = request.url.path + " was answered without the header " + std::string(service_.header);
    }
    return answer;
  }

  /// Gets a token. Its answer has a cause if there is none.
  MetadataAnswer renew() {
    HttpRequest request = to("PUT", service_.token_path, {});
    request.headers.emplace(service_.lifetime_header, std::to_string(token_lifetime.count()));
    const auto asked = Clock::now();
    MetadataAnswer answer = exchange(std::move(request), {});
    if (!answer.cause.empty()) return answer;
    const std::string& token = answer.reply.body;
    const auto is_of_token = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
             std::string_view("-_=+/.").find(c) != std::string_view::npos;
    };
    if (token.empty() || token.size() > 1024 || !std::all_of(token.begin(), token.end(), is_of_token)) {
      answer.cause = std::string(service_.token_path) + " was answered without a token";
      return answer;
    }
    token_ = token;
    renew_at_ = asked + token_lifetime / 6 * 5;
    return answer;
  }

  const CloudService& service_;
  const Url base_;
  const HttpTransport transport_;
  const Duration timeout_;
  const std::stop_token stop_;
  std::atomic<bool> was_asked_ = false;
  std::string token_;
  Clock::time_point renew_at_{};
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
