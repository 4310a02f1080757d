// A claim on a server without locks: an object that is valid for a limited time. The holder renews it before that time
// is over; otherwise another process may take the claim over. Conditional writes decide which process holds the claim.
// Only the server's clock decides whether it has expired.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/fork_guard.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/internal/thread.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/download.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/internal/upload.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail::s3 {

/// The object of a claim. Each version replaces only the version before it.
class Lease {
 public:
  Lease(Client& client, std::string key, std::string_view text) : client_(client), key_(std::move(key)), text_(text) {}

  /// Puts the next version if the object has ETag `etag`, or is absent if `etag` is empty. Returns false otherwise.
  bool put(const std::string& etag) {
    const std::string text =
        text_ + "lease " + token_ + " " + std::to_string(version_++) + "\n";  // makes each ETag unique
    const Bytes body = bytes_of(text);
    Request request{.method = "PUT",
                    .key = key_,
                    .headers = {{std::string(put_field), token_},
                                {std::string(lease_field), std::to_string(client_.options().lease.count())}},
                    .body = std::span(&body, 1),
                    .expected = {404, 412},
                    .deadline = client_.deadline(),
                    .read = [](const HttpReply& reply) { require_fields(reply, {"ETag"}); }};
    if (etag.empty())
      request.headers["if-none-match"] = "*";
    else
      request.headers["if-match"] = client_.bare_etags() ? bare(etag) : etag;
    HttpReply reply = client_.call(request).reply;
    auto there = reply.status == 412 ? head(client_, key_) : std::nullopt;
    if (there && there->header("etag") == etag && !client_.bare_etags()) {
      client_.use_bare_etags();  // Ceph before version 17 requires them without quotes
      request.headers["if-match"] = bare(etag);
      reply = client_.call(request).reply;
      there = reply.status == 412 ? head(client_, key_) : std::nullopt;
    }
    // A request that was carried out twice meets its own object.
    if (reply.status / 100 != 2 && (!there || there->header(put_field) != token_)) return false;
    etag_ = reply.status / 100 == 2 ? reply.header("etag") : there->header("etag");
    return true;
  }

  /// Puts the next version. Returns false if the claim is lost.
  bool renew() { return put(etag_); }

  /// Removes the object if the claim still holds it.
  void remove() {
    const auto there = head(client_, key_);
    if (!there || there->header(put_field) != token_) return;
    (void)client_.call({.method = "DELETE",
                        .key = key_,
                        .headers = {{"if-match", client_.bare_etags() ? bare(etag_) : etag_}},
                        .expected = {404, 412},
                        .deadline = client_.deadline(),
                        .read = require_removed});
  }

 private:
  static std::string bare(std::string etag) {
    std::erase(etag, '"');
    return etag;
  }

  Client& client_;
  std::string key_;
  std::string text_;
  std::string token_ = random_text();
  std::string etag_;
  std::uint64_t version_ = 0;
};

/// A claim that renews its lease in a thread.
class LeaseClaim final : public Claim {
 public:
  LeaseClaim(Lease lease, std::chrono::nanoseconds period)
      : lease_(std::move(lease)),
        renewing_(start_thread<std::jthread>([this, period](const std::stop_token& stop) { renew(stop, period); })) {}

  ~LeaseClaim() override {
    if (fork_guard_.is_child()) {  // it has neither the thread nor the claim
      renewing_.detach();
      return;
    }
    renewing_.request_stop();
    renewing_.join();
    try {
      lease_.remove();
    } catch (const std::exception&) {  // the lease expires by itself
    }
  }

 private:
  void renew(const std::stop_token& stop, std::chrono::nanoseconds period) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, stop, period, [&] { return stop.stop_requested(); })) try {
        if (!lease_.renew()) return;     // another process holds it; the attempt numbers fence this one
      } catch (const std::exception&) {  // retries after the next period
      }
  }

  Lease lease_;
  ForkGuard fork_guard_;
  std::jthread renewing_;
};

/// Returns how long the claim with header fields `there` holds unless it is renewed; zero if it may be taken over: it
/// has expired, or is not a lease. Returns nullopt if the server does not tell the time.
inline std::optional<std::chrono::seconds> time_left(const HttpReply& there) {
  constexpr std::chrono::seconds rounding{2};
  constexpr std::uint64_t longest = 1'000'000'000;
  const auto lease = whole_number(there.header(lease_field));
  if (!lease) return std::chrono::seconds(0);
  const auto now = parse_http_date(there.header("date"));
  const auto put = parse_http_date(there.header("last-modified"));
  if (!now || !put) return std::nullopt;
  const auto end = *put + std::chrono::seconds(std::min(*lease, longest)) + rounding;
  return std::max(end - *now + std::chrono::seconds(1), std::chrono::seconds(0));
}

/// Takes the claim `key`. Waits for a lease that is not renewed and runs out soon enough. Returns null if another
/// process holds it.
inline std::unique_ptr<Claim> take_lease(Client& client, const std::string& key, std::string_view text) {
  constexpr int tries = 10;
  constexpr std::chrono::seconds pause{1};
  const S3Options& options = client.options();
  std::chrono::nanoseconds waited{};
  std::string seen;  // the version of the lease that is waited for
  for (int i = 0; i < tries;) {
    const auto there = head(client, key);
    const std::string etag(there ? there->header("etag") : std::string_view());
    const auto left = there ? time_left(*there) : std::chrono::seconds(0);
    if (left && left->count() == 0) {
      Lease lease(client, key, text);
      if (lease.put(etag)) return std::make_unique<LeaseClaim>(std::move(lease), options.lease / 3);
      ++i;
      continue;
    }
    // A version that was renewed since shows that its holder lives.
    if (!left || waited + *left > options.claim_wait || (!seen.empty() && seen != etag)) return nullptr;
    seen = etag;
    const auto delay = std::min<std::chrono::seconds>(*left, pause);
    options.sleep(delay, options.stop);
    waited += delay;
    if (options.stop.stop_requested()) return nullptr;
  }
  return nullptr;  // others took it each time
}

/// Returns who holds the claim `key`, for messages; empty if nothing does.
inline std::string lease_holder(Client& client, const std::string& key) {
  constexpr std::uint64_t enough = 300;
  const auto there = head(client, key);
  const auto bytes = there ? get(client, key, {0, enough}) : std::nullopt;
  if (!bytes) return {};
  const std::string_view text = tensortap::text_of(*bytes);
  const auto left = time_left(*there);
  return std::string(text.substr(0, text.find('\n'))) +
         (left ? ", whose claim runs out in " + std::to_string(left->count()) + " s unless it is renewed" : "");
}

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
