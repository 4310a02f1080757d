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
#include <tensortap/net/aws/internal/sigv4.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
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

/// Returns the delay in Retry-After (seconds) or x-amz-retry-after (milliseconds); nullopt if there is none.
inline std::optional<std::chrono::nanoseconds> retry_after(const HttpReply& reply) {
  constexpr std::uint64_t longest = 1'000'000'000;
  const auto milliseconds = whole_number(reply.header("x-amz-retry-after"));
  if (milliseconds && *milliseconds <= longest) return std::chrono::milliseconds(*milliseconds);
  const auto seconds = whole_number(reply.header("retry-after"));
  if (seconds && *seconds <= longest) return std::chrono::seconds(*seconds);
  return std::nullopt;
}

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
    Attempts attempts(request, options_, bucket_);
    const std::string payload_hash = hash(request);
    for (;;) {
      const Credentials credentials = credentials_.get(request.deadline, options_.stop);
      const S3Endpoint at = endpoint();
      HttpReply reply = send(request, payload_hash, credentials, at);
      if (is_final(request, reply)) {
        budget_.give_back(attempts.spent() == 0 ? 1 : attempts.spent());
        return {std::move(reply), attempts.uncertain()};
      }
      ErrorReply error = parse_error(reply.body);
      attempts.add(std::move(reply), std::move(error));
      if (learn(attempts, credentials, at.region))
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
    Attempts(const Request& request, const S3Options& options, const std::string& bucket)
        : request_(request), options_(options), bucket_(bucket), retries_(options.retry) {}

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
      const auto delay = retries_.next(options_.jitter());
      if (!delay) fail("no attempt is left");
      const int cost = reply_.failure == HttpFailure::timed_out ? 10 : 5;
      if (!budget.take(cost)) fail("the retry budget of the store is used up");
      spent_ += cost;
      const auto wait = std::max(*delay, retry_after(reply_).value_or(Clock::duration{}));
      if (request_.deadline - Clock::now() <= wait) fail("its deadline would pass");
      options_.sleep(wait, options_.stop);
      if (options_.stop.stop_requested()) fail("a stop was requested");
    }

   private:
    [[nodiscard]] bool is_transient() const {
      switch (reply_.failure) {
        case HttpFailure::none: break;
        case HttpFailure::not_trusted:
        case HttpFailure::stopped:
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
      std::string what = request_.method + " s3://" + bucket_ + (request_.key.empty() ? "" : "/" + request_.key);
      if (reply_.failure != HttpFailure::none) throw Error::s3_unreachable(what, reply_.cause, why_no_more, count_);
      std::string ids = error_.request_id.empty() ? std::string(reply_.header("x-amz-request-id")) : error_.request_id;
      if (const auto id = reply_.header("x-amz-id-2"); !id.empty()) ids += ", " + std::string(id);
      throw Error::s3_refused(what, reply_.status, error_.code, error_.message, ids, why_no_more, count_);
    }

    const Request& request_;
    const S3Options& options_;
    const std::string& bucket_;
    HttpReply reply_;
    ErrorReply error_;
    Retries retries_;
    int count_ = 0;
    int spent_ = 0;
    int learned_ = 0;
    bool uncertain_ = false;
  };

  [[nodiscard]] static bool is_final(const Request& request, HttpReply& reply) {
    if (reply.failure != HttpFailure::none) return false;
    if (std::find(request.expected.begin(), request.expected.end(), reply.status) != request.expected.end())
      return parse_error(reply.body).code != "NoSuchBucket";
    if (reply.status / 100 != 2 || (request.may_hold_error && holds_error(reply.body))) return false;
    try {
      if (request.read) request.read(reply);
      return true;
    } catch (const Error& e) {
      reply.failure = HttpFailure::malformed;
      reply.cause = e.what();
      return false;
    }
  }

  [[nodiscard]] S3Endpoint endpoint() {
    const std::lock_guard lock(mutex_);
    return endpoint_;
  }

  HttpReply send(const Request& request, const std::string& payload_hash, const Credentials& credentials,
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
    ++requests_;
    return options_.transport(http);
  }

  [[nodiscard]] std::string hash(const Request& request) const {
    if (request.body.empty()) return std::string(empty_payload_hash);
    return signs_payload_ ? sha256_hex(request.body) : std::string(unsigned_payload);
  }

  /// Corrects the region, the clock or the credentials as the refusal of a request says. Returns whether the request
  /// may be repeated at once. `used_region` is the region that this request was sent to; another request may have
  /// corrected it meanwhile.
  bool learn(Attempts& attempts, const Credentials& used, const std::string& used_region) {
    const HttpReply& reply = attempts.reply();
    const std::string& code = attempts.error().code;
    if (reply.failure != HttpFailure::none || reply.status < 300 || reply.status >= 500) return false;
    if (code == "RequestTimeTooSkewed") {
      const auto server = parse_http_date(reply.header("date"));
      if (!server || !attempts.may_learn()) return false;
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
  const bool signs_payload_;
  std::atomic<std::int64_t> skew_ = 0;  // the server's clock minus ours, in seconds
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<bool> bare_etags_ = false;
  std::mutex mutex_;  // guards the members below
  S3Endpoint endpoint_;
};

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
