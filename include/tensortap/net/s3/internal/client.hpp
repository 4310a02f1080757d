// Sends requests to one bucket. The client signs each request and repeats it where that helps. It learns the region of
// the bucket and the server's clock from refusals, and renews expired credentials. A call returns the reply or throws
// an Error with the cause.
//
// The delays between retries are an exponential back-off with full jitter.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/retry.hpp>
#include <tensortap/net/aws/internal/cached_credentials.hpp>
#include <tensortap/net/aws/internal/digest.hpp>
#include <tensortap/net/aws/internal/secrets.hpp>
#include <tensortap/net/aws/internal/sigv4.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
#include <tensortap/net/s3/internal/request.hpp>
#include <tensortap/net/s3/internal/traced_call.hpp>
#include <tensortap/net/s3/internal/xml.hpp>
#include <tensortap/net/s3/s3_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// The retries that all requests of a store share, see S3Options::retry_budget. Threads: any.
class RetryBudget {
 public:
  explicit RetryBudget(int tokens) : limit_(tokens), left_(tokens) {}

  /// Takes `tokens`. Returns false if not enough are left.
  bool take(int tokens) {
    const std::lock_guard lock(mutex_);
    if (tokens > left_) return false;
    left_ -= tokens;
    return true;
  }
  /// Returns `tokens`, up to the limit.
  void give_back(int tokens) {
    const std::lock_guard lock(mutex_);
    left_ = std::min(left_ + tokens, limit_);
  }

 private:
  std::mutex mutex_;
  const int limit_;
  int left_;
};

/// Returns the delay in x-amz-retry-after (milliseconds) or Retry-After (seconds, or a date); nullopt if there is none.
inline std::optional<std::chrono::nanoseconds> retry_after(const HttpReply& reply) {
  constexpr std::uint64_t longest = 1'000'000'000;
  const auto milliseconds = whole_number(reply.header("x-amz-retry-after"));
  if (milliseconds && *milliseconds <= longest) return std::chrono::milliseconds(*milliseconds);
  const auto seconds = whole_number(reply.header("retry-after"));
  if (seconds) return std::chrono::seconds(std::min(*seconds, longest));
  const auto then = parse_http_date(reply.header("retry-after"));
  const auto now = parse_http_date(reply.header("date"));
  if (then && now && *then > *now) return std::min<std::chrono::seconds>(*then - *now, std::chrono::seconds(longest));
  return std::nullopt;
}

/// Throws: `reply`, a success, lacks one of the header fields `names`, which S3 always sends.
inline void require_fields(const HttpReply& reply, std::initializer_list<const char*> names) {
  for (const char* const name : names)
    if (reply.header(lower_case(name)).empty()) throw Error::bad_reply("it has no " + std::string(name));
}

/// Returns whether `reply` comes from a program other than S3: a gateway or a login page. `error` is the error in it.
inline bool is_foreign(const HttpReply& reply, const ErrorReply& error) {
  return error.code.empty() &&
         (!reply.body.empty() || lower_case(std::string(reply.header("content-type"))).starts_with("text/html"));
}

/// Sends requests. Threads: any.
class Client {
 public:
  using Clock = HttpRequest::Clock;

  /// `options` come from complete().
  Client(std::string bucket, S3Endpoint endpoint, const S3Options& options)
      : bucket_(std::move(bucket)),
        options_(options),
        budget_(options.retry_budget),
        credentials_(options.credentials, options.clock),
        signs_payload_(options.sign_payload || endpoint.url.scheme != "https"),
        endpoint_(std::move(endpoint)) {}

  /// Sends `request` until it succeeds or has an expected status. Throws: it was refused; it failed within its
  /// attempts, its deadline or the budget; a stop was requested.
  S3Reply call(const Request& request) {
    TracedCall traced(options_.phases.get(), request);
    Attempts attempts(request, options_, bucket_, secrets_);
    const std::string payload_hash = hash(request);
    for (;;) {
      const Credentials credentials = credentials_.get(request.deadline, options_.stop);
      const S3Endpoint at = endpoint();
      Exchange made = send(request, payload_hash, credentials, at);
      traced.add(made.reply);
      if (is_final(request, made.reply)) {
        budget_.give_back(attempts.spent() == 0 ? 1 : attempts.spent());
        return {std::move(made.reply), attempts.uncertain()};
      }
      if (request.method == "HEAD") ask_for_cause(request, credentials, at, made);
      ErrorReply error = parse_error(made.reply.body);
      attempts.add(std::move(made.reply), std::move(error));
      if (learn(attempts, credentials, at.region, made.signed_at))
        attempts.count_without_delay();
      else
        attempts.require_retry(budget_);
    }
  }

  /// Returns a client for the requests that clean up after a stop: it ignores the stop, but waits a few seconds only.
  [[nodiscard]] std::unique_ptr<Client> after_stop() {
    constexpr std::chrono::seconds patience{10};
    S3Options options = options_;
    options.stop = {};
    options.deadline = std::min<std::chrono::nanoseconds>(options.deadline, patience);
    return std::make_unique<Client>(bucket_, endpoint(), options);
  }

  /// Returns `text` of the server without the secrets of our requests, for messages.
  [[nodiscard]] std::string without_secrets(std::string_view text) const { return secrets_.removed_from(text); }

  /// Returns the deadline of a request that transfers `bytes`.
  [[nodiscard]] Clock::time_point deadline(std::uint64_t bytes = 0) const {
    return Clock::now() + options_.deadline * (1 + bytes / options_.part_size);
  }

  /// Returns the size of parts. With one connection, parts are larger, because each costs a round trip.
  [[nodiscard]] std::uint64_t part_size() const noexcept {
    constexpr std::uint64_t largest = std::uint64_t{1} << 30;  // S3 accepts at most 5 GiB
    if (options_.part_connections > 1) return options_.part_size;
    return std::max(options_.part_size, std::min(8 * options_.part_size, largest));
  }

  /// Returns whether the server requires ETags without quotes in conditions.
  [[nodiscard]] bool bare_etags() const noexcept { return bare_etags_; }
  void use_bare_etags() noexcept { bare_etags_ = true; }

  [[nodiscard]] const std::string& bucket() const noexcept { return bucket_; }
  [[nodiscard]] const S3Options& options() const noexcept { return options_; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

 private:
  /// The attempts at one request.
  class Attempts {
   public:
    Attempts(const Request& request, const S3Options& options, const std::string& bucket, const Secrets& secrets)
        : request_(request), options_(options), bucket_(bucket), secrets_(secrets), retries_(options.retry) {}

    /// Adds a failed attempt.
    void add(HttpReply reply, ErrorReply error) {
      ++count_;
      reply_ = std::move(reply);
      error_ = std::move(error);
      const HttpFailure failure = reply_.failure;
      const bool nothing_sent = failure == HttpFailure::not_connected || failure == HttpFailure::not_trusted;
      if ((failure != HttpFailure::none && !nothing_sent) || reply_.status >= 500) uncertain_ = true;
    }

    [[nodiscard]] const HttpReply& reply() const noexcept { return reply_; }
    [[nodiscard]] const ErrorReply& error() const noexcept { return error_; }
    [[nodiscard]] bool uncertain() const noexcept { return uncertain_; }
    [[nodiscard]] int spent() const noexcept { return spent_; }
    /// Returns true for the first three corrections. The limit ends the retries if a server refuses every correction.
    [[nodiscard]] bool may_learn() noexcept { return ++learned_ <= 3; }

    /// Counts the next attempt, which follows a correction and so needs no delay.
    void count_without_delay() { (void)retries_.next(0); }

    /// Sleeps until the next attempt. Throws the request's error if it must not be repeated.
    void require_retry(RetryBudget& budget) {
      if (options_.stop.stop_requested() || reply_.failure == HttpFailure::stopped) fail("a stop was requested");
      if (!is_transient()) fail({});
      const auto asked = std::min(retry_after(reply_).value_or(Clock::duration{}), options_.retry.longest_delay);
      const auto left = request_.deadline - Clock::now();
      const auto delay = retries_.next(options_.jitter(), asked < left ? asked : Clock::duration{});
      if (!delay) fail("no attempt is left");
      const int cost = reply_.failure == HttpFailure::timed_out ? 10 : 5;
      if (!budget.take(cost)) fail("the retry budget of the store is used up");
      spent_ += cost;
      if (left <= *delay) fail("its deadline would pass");
      options_.sleep(*delay, options_.stop);
      if (options_.stop.stop_requested()) fail("a stop was requested");
    }

   private:
    [[nodiscard]] bool is_transient() const {
      switch (reply_.failure) {
        case HttpFailure::none: break;
        case HttpFailure::not_trusted:
        case HttpFailure::stopped:
        case HttpFailure::unreadable:
        case HttpFailure::too_large: return false;
        default: return true;
      }
      const std::string_view code = error_.code;
      if (reply_.status == 500 || reply_.status == 502 || reply_.status == 503 || reply_.status == 504 ||
          reply_.status == 429 || reply_.status == 408)
        return true;
      for (const char* transient :
           {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted",
            "ConditionalRequestConflict", "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"})
        if (code == transient) return true;
      return code.starts_with("Throttl");
    }

    [[noreturn]] void fail(std::string_view why_no_more) const {
      const std::string what = request_.method + " s3://" + bucket_ + (request_.key.empty() ? "" : "/" + request_.key);
      const std::string cause = secrets_.removed_from(reply_.cause);
      if (options_.stop.stop_requested() || reply_.failure == HttpFailure::stopped)
        throw Error::s3_stopped(what, count_);
      switch (reply_.failure) {
        case HttpFailure::none: break;
        case HttpFailure::not_trusted: throw Error::s3_not_trusted(what, cause, count_);
        case HttpFailure::unreadable: throw Error::s3_unreadable(what, cause, count_);
        case HttpFailure::too_large:
        case HttpFailure::malformed:
          throw Error::not_from_s3(what, cause, reply_.status, reply_.header("content-type"), why_no_more, count_);
        default: throw Error::s3_unreachable(what, cause, why_no_more, count_);
      }
      if (is_foreign(reply_, error_) && reply_.status / 100 != 5)
        throw Error::not_from_s3(what, "it has no error code of S3", reply_.status, reply_.header("content-type"),
                                 why_no_more, count_);
      std::string ids = error_.request_id.empty() ? std::string(reply_.header("x-amz-request-id")) : error_.request_id;
      if (const auto id = reply_.header("x-amz-id-2"); !id.empty()) ids += ", " + std::string(id);
      std::string more(why_no_more);
      if (const auto asked = retry_after(reply_); asked && !more.empty())
        more += ", the server asks for a delay of " + std::to_string(*asked / std::chrono::seconds(1)) + " s";
      throw Error::s3_refused(what, reply_.status, secrets_.removed_from(error_.code),
                              secrets_.removed_from(error_.message), secrets_.removed_from(ids), more, count_);
    }

    const Request& request_;
    const S3Options& options_;
    const std::string& bucket_;
    const Secrets& secrets_;
    HttpReply reply_;
    ErrorReply error_;
    Retries retries_;
    int count_ = 0;
    int spent_ = 0;
    int learned_ = 0;
    bool uncertain_ = false;
  };

  /// One exchange, and the time of its signature.
  struct Exchange {
    HttpReply reply;
    std::chrono::sys_seconds signed_at;
  };

  /// Returns whether no other attempt is needed. Marks a reply that S3 does not send as malformed.
  [[nodiscard]] static bool is_final(const Request& request, HttpReply& reply) {
    if (reply.failure != HttpFailure::none) return false;
    const auto malformed = [&](const char* cause) {
      reply.failure = HttpFailure::malformed;
      reply.cause = cause;
      return false;
    };
    if (std::find(request.expected.begin(), request.expected.end(), reply.status) != request.expected.end()) {
      const ErrorReply error = parse_error(reply.body);
      return is_foreign(reply, error) ? malformed("it has no error code of S3") : error.code != "NoSuchBucket";
    }
    if (reply.status / 100 != 2 || (request.may_hold_error && holds_error(reply.body))) return false;
    try {
      if (request.read) request.read(reply);
      return true;
    } catch (const Error& e) {
      return malformed(e.what());
    }
  }

  [[nodiscard]] S3Endpoint endpoint() {
    const std::lock_guard lock(mutex_);
    return endpoint_;
  }

  Exchange send(const Request& request, const std::string& payload_hash, const Credentials& credentials,
                const S3Endpoint& at) {
    HttpRequest http{.method = request.method,
                     .url = {},
                     .headers = request.headers,
                     .body = request.body,
                     .deadline = request.deadline,
                     .stop = options_.stop,
                     .sink = request.sink};
    http.url = at.of(bucket_, request.key);
    for (const auto& [name, value] : request.query)
      http.url.query += (http.url.query.empty() ? "" : "&") + percent_encoded(name) + "=" + percent_encoded(value);
    if (request.prepare) request.prepare(http);
    const auto now = std::chrono::floor<std::chrono::seconds>(options_.clock()) + std::chrono::seconds(skew_);
    sign(http, credentials, {.region = at.region, .time = now}, payload_hash);
    const std::string_view authorization = http.headers["authorization"];
    secrets_.add(credentials, authorization.substr(authorization.rfind('=') + 1));
    ++requests_;
    return {options_.transport(http), now};
  }

  /// Replaces a refusal of HEAD, which has no body, by that of GET, which tells the cause.
  void ask_for_cause(const Request& request, const Credentials& credentials, const S3Endpoint& at, Exchange& refused) {
    const int status = refused.reply.status;
    if (refused.reply.failure != HttpFailure::none || status < 400 || status >= 500) return;
    Request get{.key = request.key, .headers = {{"range", "bytes=0-0"}}, .deadline = request.deadline};
    get.prepare = [](HttpRequest& http) { http.body_limit = std::uint64_t{64} << 10; };
    Exchange told = send(get, std::string(empty_payload_hash), credentials, at);
    if (told.reply.failure == HttpFailure::none && told.reply.status == status) refused = std::move(told);
  }

  [[nodiscard]] std::string hash(const Request& request) const {
    if (request.body.empty()) return std::string(empty_payload_hash);
    return signs_payload_ ? sha256_hex(request.body) : std::string(unsigned_payload);
  }

  /// Corrects the region, the clock or the credentials by a refusal. Returns false if it has no such information. A
  /// region or clock that another request has corrected since this one was sent counts, too. Not each server names the
  /// cause, so every refusal of a request that was dated wrongly counts.
  bool learn(Attempts& attempts, const Credentials& used, const std::string& used_region,
             std::chrono::sys_seconds signed_at) {
    constexpr std::chrono::minutes tolerated{5};  // S3 tolerates 15
    const HttpReply& reply = attempts.reply();
    const std::string& code = attempts.error().code;
    if (reply.failure != HttpFailure::none || reply.status < 300 || reply.status >= 500) return false;
    const auto server = parse_http_date(reply.header("date"));
    const bool is_refused = reply.status == 400 || reply.status == 401 || reply.status == 403;
    const bool is_off = server && (*server > signed_at + tolerated || *server < signed_at - tolerated);
    if (server && is_refused && (is_off || code == "RequestTimeTooSkewed") && attempts.may_learn()) {
      const auto local = std::chrono::floor<std::chrono::seconds>(options_.clock());
      skew_ = std::chrono::duration_cast<std::chrono::seconds>(*server - local).count();
      return true;
    }
    if (code == "ExpiredToken" || code == "TokenRefreshRequired" || code == "ExpiredTokenException") {
      credentials_.invalidate(used);
      return attempts.may_learn();
    }
    std::string region(reply.header("x-amz-bucket-region"));
    if (region.empty()) region = attempts.error().region;
    const bool plain = region.size() <= 64 && std::all_of(region.begin(), region.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
                       });
    if (region.empty() || !plain || region == used_region) return false;
    const std::lock_guard lock(mutex_);
    endpoint_.region = region;
    return attempts.may_learn();
  }

  const std::string bucket_;
  const S3Options options_;
  RetryBudget budget_;
  CachedCredentials credentials_;
  Secrets secrets_;
  const bool signs_payload_;
  std::atomic<std::int64_t> skew_ = 0;  // the server's clock minus ours, in seconds
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<bool> bare_etags_ = false;
  std::mutex mutex_;  // guards the members below
  S3Endpoint endpoint_;
};

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
