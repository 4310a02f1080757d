// A claim on a server that has no locks: an object that says for how long it holds, put again before that is over, and
// taken over after. Who has it is decided by conditional writes; how old it is, by the server's clock alone.
//
// Not for users: see S3Store::claim.
#pragma once

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/net/http/internal/date.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/net/http/internal/text.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/object_head.hpp>
#include <tensortap/net/s3/internal/upload.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/thread.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

namespace s3 {

/// One version of a claim's object after the other, each put only in the place of the one before.
class Lease {
 public:
  Lease(Client& client, std::string key, std::string_view text) : client_(client), key_(std::move(key)), text_(text) {}

  /// Puts the next version in the place of the one with ETag `etag`, or of none. False if another one is there.
  bool put(const std::string& etag) {
    const std::string text = text_ + "lease " + token_ + " " + std::to_string(version_++) + "\n";  // no ETag twice
    const Bytes body = bytes_of(text);
    Request request{.method = "PUT",
                    .key = key_,
                    .headers = {{std::string(put_field), token_},
                                {std::string(lease_field), std::to_string(client_.options().lease.count())}},
                    .body = std::span(&body, 1),
                    .answers = {404, 412},
                    .deadline = client_.deadline()};
    if (etag.empty())
      request.headers["if-none-match"] = "*";
    else
      request.headers["if-match"] = client_.bare_etags() ? bare(etag) : etag;
    Answer answer = client_.call(request);
    if (answer.reply.status == 412 && !etag.empty() && !client_.bare_etags()) {
      const auto there = head(client_, key_);  // Ceph before version 17 wants it without its quotes
      if (there && there->header("etag") == etag) {
        client_.use_bare_etags();
        request.headers["if-match"] = bare(etag);
        answer = client_.call(request);
      }
    }
    if (answer.reply.status / 100 == 2) {
      etag_ = answer.reply.header("etag");
      return true;
    }
    if (!answer.repeated) return false;
    const auto there = head(client_, key_);
    if (!there || there->header(put_field) != token_) return false;
    etag_ = there->header("etag");
    return true;
  }

  bool renew() { return put(etag_); }

  /// Removes it, if it is still this one.
  void remove() {
    const auto there = head(client_, key_);
    if (!there || there->header(put_field) != token_) return;
    (void)client_.call({.method = "DELETE",
                        .key = key_,
                        .headers = {{"if-match", client_.bare_etags() ? bare(etag_) : etag_}},
                        .answers = {404, 412},
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

/// A lease that is renewed.
class LeaseClaim final : public Claim {
 public:
  LeaseClaim(Lease lease, std::chrono::nanoseconds period)
      : lease_(std::move(lease)),
        renewing_(start_thread<std::jthread>([this, period](const std::stop_token& stop) { renew(stop, period); })) {}

  ~LeaseClaim() override {
    if (owner_ != ::getpid()) {  // a forked child has neither the thread nor the claim
      renewing_.detach();
      return;
    }
    renewing_.request_stop();
    renewing_.join();
    try {
      lease_.remove();
    } catch (const std::exception&) {  // it runs out by itself
    }
  }

 private:
  void renew(const std::stop_token& stop, std::chrono::nanoseconds period) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, stop, period, [&] { return stop.stop_requested(); })) try {
        if (!lease_.renew()) return;     // another one has it; who writes on is told by the attempts
      } catch (const std::exception&) {  // the next time
      }
  }

  Lease lease_;
  pid_t owner_ = ::getpid();
  std::jthread renewing_;
};

/// Whether the claim whose header fields are `there` may be taken over: it has run out, or never was a lease.
inline bool is_stale(const HttpReply& there) {
  const auto lease = whole_number(there.header(lease_field));
  const auto now = parse_http_date(there.header("date"));
  const auto put = parse_http_date(there.header("last-modified"));
  if (!lease) return true;
  if (!now || !put) return false;
  constexpr std::chrono::seconds rounding{2};
  return *now - *put > std::chrono::seconds(*lease) + rounding;
}

inline std::unique_ptr<Claim> take_lease(Client& client, const std::string& key, std::string_view text) {
  constexpr int tries = 10;
  for (int i = 0; i < tries; ++i) {
    Lease lease(client, key, text);
    const auto there = head(client, key);
    if (there && !is_stale(*there)) return nullptr;
    if (lease.put(there ? std::string(there->header("etag")) : std::string()))
      return std::make_unique<LeaseClaim>(std::move(lease), client.options().lease / 3);
  }
  return nullptr;  // others take it in turns
}

}  // namespace s3

}  // namespace detail
TENSORTAP_END_NAMESPACE
