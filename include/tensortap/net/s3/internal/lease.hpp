// A claim on a server without locks: an object that is valid for a limited time. The holder renews it before that time
// is over; otherwise another process may take the claim over. Conditional writes decide which process holds the claim.
// Only the server's clock decides whether it has expired.
#pragma once

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
#include <tensortap/internal/thread.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/client.hpp>
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
                    .deadline = client_.deadline()};
    if (etag.empty())
      request.headers["if-none-match"] = "*";
    else
      request.headers["if-match"] = client_.bare_etags() ? bare(etag) : etag;
    S3Reply result = client_.call(request);
    if (result.reply.status == 412 && !etag.empty() && !client_.bare_etags()) {
      const auto there = head(client_, key_);  // Ceph before version 17 requires the ETag without quotes
      if (there && there->header("etag") == etag) {
        client_.use_bare_etags();
        request.headers["if-match"] = bare(etag);
        result = client_.call(request);
      }
    }
    if (result.reply.status / 100 == 2) {
      etag_ = result.reply.header("etag");
      return true;
    }
    if (!result.repeated) return false;
    const auto there = head(client_, key_);
    if (!there || there->header(put_field) != token_) return false;
    etag_ = there->header("etag");
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
                        .deadline = client_.deadline()});
  }

 private:
  static std::string bare(std::string etag) {
    std::erase(etag, '"');
    return etag;
  }

  Client& client_;
  std::string key_;
  std::string text_;
  std::string token_ = unique_text();
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

/// Returns whether the claim with header fields `there` may be taken over: it has expired, or is not a lease.
inline bool is_stale(const HttpReply& there) {
  const auto lease = whole_number(there.header(lease_field));
  const auto now = parse_http_date(there.header("date"));
  const auto put = parse_http_date(there.header("last-modified"));
  if (!lease) return true;
  if (!now || !put) return false;
  constexpr std::chrono::seconds rounding{2};
  return *now - *put > std::chrono::seconds(*lease) + rounding;
}

/// Takes the claim `key`. Returns null if another process holds it.
inline std::unique_ptr<Claim> take_lease(Client& client, const std::string& key, std::string_view text) {
  constexpr int tries = 10;
  for (int i = 0; i < tries; ++i) {
    Lease lease(client, key, text);
    const auto there = head(client, key);
    if (there && !is_stale(*there)) return nullptr;
    if (lease.put(there ? std::string(there->header("etag")) : std::string()))
      return std::make_unique<LeaseClaim>(std::move(lease), client.options().lease / 3);
  }
  return nullptr;  // others took it each time
}

}  // namespace detail::s3
TENSORTAP_END_NAMESPACE
