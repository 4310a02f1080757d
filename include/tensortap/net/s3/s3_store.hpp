// A store in a bucket of S3, or of a server that speaks its language. What is put is durable when the call returns;
// whether an object is there already is decided by the server, so that several machines may write.
//
//   auto store = std::make_shared<tensortap::S3Store>("s3://bucket/runs/42");
//   tensortap::Hook hook(store);
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/net/s3/transfer_observer.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/net/s3/internal/address.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/configuration.hpp>
#include <tensortap/net/s3/internal/download.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/internal/iso8601.hpp>
#include <tensortap/net/s3/internal/lease.hpp>
#include <tensortap/net/s3/internal/multipart.hpp>
#include <tensortap/net/s3/internal/object_head.hpp>
#include <tensortap/net/s3/s3_options.hpp>
#include <tensortap/net/s3/internal/removal.hpp>
#include <tensortap/net/s3/internal/upload.hpp>
#include <tensortap/net/s3/internal/xml.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One object, or one folder, of a bucket.
struct S3Entry {
  std::string key = {};
  std::uint64_t size = 0;
  std::chrono::sys_seconds last_modified = {};  ///< by the server's clock
  bool is_folder = false;                       ///< `key` is what several keys begin with, and ends in '/'
};

class S3Store final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  /// Nothing is sent yet. Throws: `address` is no s3://BUCKET/PREFIX; an option that cannot be.
  explicit S3Store(std::string_view address, S3Options options = {})
      : S3Store(detail::parse_s3_address(address), detail::s3::complete(std::move(options))) {}

  bool put(std::string_view key, std::span<const Bytes> pieces, Sync, IfExists if_exists) override {
    return detail::s3::put(client_, key_in_bucket(key), pieces, if_exists);
  }

  /// Throws: what was received is not what was stored, again and again; the object is replaced faster than it is read.
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    return detail::s3::get(client_, key_in_bucket(key), range);
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> get_version(std::string_view key,
                                                                  std::string_view wanted) const override {
    return detail::s3::get(client_, key_in_bucket(key), {}, std::string(wanted));
  }

  using DownloadTarget = detail::s3::DownloadTarget;

  /// Sends the bytes of object `key` to `target` as they come, in no order; returns how many, nothing if there is no
  /// such object. Throws: as `get` does; then part of it was written.
  std::optional<std::uint64_t> download(std::string_view key, const DownloadTarget& target) const {
    return detail::s3::download(client_, key_in_bucket(key), {}, target);
  }

  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    const auto head = detail::s3::head(client_, key_in_bucket(key));
    if (!head) return std::nullopt;
    return detail::s3::content_length(*head);
  }

  /// What others have put under keys that no store has, "a//b" and "folder/" among them, is passed over.
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    std::vector<ObjectInfo> out;
    for_each_page(folder_ + std::string(prefix), after.empty() ? std::string() : folder_ + std::string(after), false,
                  [&](detail::s3::ListPage& page) {
                    for (detail::s3::ListPage::Object& object : page.objects) {
                      if (!object.key.starts_with(folder_)) continue;
                      std::string key = object.key.substr(folder_.size());
                      if (key > after && is_key(key))
                        out.push_back({std::move(key), object.size, std::move(object.etag)});
                    }
                  });
    return out;
  }

  bool remove(std::string_view key) override {
    const std::string at = key_in_bucket(key);
    if (!detail::s3::head(client_, at)) return false;
    detail::s3::remove(client_, at);
    return true;
  }

  void remove_all(std::span<const std::string> keys) override {
    std::vector<std::string> in_bucket;
    for (const std::string& key : keys) in_bucket.push_back(key_in_bucket(key));
    detail::s3::remove_all(client_, in_bucket);
  }

  /// A copy is made, then the first is removed.
  bool move(std::string_view from, std::string_view to) override {
    const std::string source = key_in_bucket(from);
    const std::string target = key_in_bucket(to);
    if (source == target) return detail::s3::head(client_, source).has_value();
    constexpr std::uint64_t most_at_once = std::uint64_t{5} << 30;  // that S3 copies with one request
    if (!detail::s3::copy(client_, source, target, most_at_once)) return false;
    detail::s3::remove(client_, source);
    return true;
  }

  /// What was put is durable already.
  void sync(std::span<const std::string> keys) override {
    for (const std::string& key : keys) (void)key_parts(key);
  }

  /// A lease: it is renewed while the claim lives, and taken over once it was not for as long as S3Options::lease, by
  /// the server's clock; the object says more than `text`. Whoever holds one can lose it if it cannot reach the server
  /// for that long.
  [[nodiscard]] std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override {
    return detail::s3::take_lease(client_, key_in_bucket(key), text);
  }

  /// Uploads in parts that were begun and not ended.
  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override {
    std::size_t count = 0;
    for (const detail::s3::Upload& upload : detail::s3::list_uploads(client_, folder_)) {
      if (!upload.key.starts_with(folder_) || !is_mine(std::string_view(upload.key).substr(folder_.size()))) continue;
      detail::s3::abort(client_, upload);
      ++count;
    }
    return count;
  }

  [[nodiscard]] std::string location() const override { return address_.text(); }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return client_.options().connections; }

  /// Calls `visit` for each object of the bucket whose key begins with the store's prefix, a '/' if there is one, and
  /// `begin`, whatever else it looks like: "a//b" and "folder/" too. With `folders`, what has another '/' after that is
  /// told of but once for all that is the same up to it.
  void look(std::string_view begin, bool folders, const std::function<void(const S3Entry&)>& visit) const {
    for_each_page(folder_ + std::string(begin), {}, folders, [&](detail::s3::ListPage& page) {
      for (std::string& folder : page.folders)
        if (folder.starts_with(folder_)) visit({.key = folder.substr(folder_.size()), .is_folder = true});
      for (detail::s3::ListPage::Object& object : page.objects)
        if (object.key.starts_with(folder_))
          visit({.key = object.key.substr(folder_.size()),
                 .size = object.size,
                 .last_modified = detail::time_of_iso8601(object.last_modified).value_or(std::chrono::sys_seconds())});
    });
  }

  /// As put(), for an object whose parts are watched on their way: those of a mapped file need not all be in memory.
  bool send(std::string_view key, std::span<const Bytes> pieces, const TransferObserver& watch,
            IfExists if_exists = IfExists::replace) {
    return detail::s3::put(client_, key_in_bucket(key), pieces, if_exists, watch);
  }

  /// How many requests were sent, retries included.
  [[nodiscard]] std::uint64_t requests() const noexcept { return client_.requests(); }

 private:
  S3Store(detail::S3Address address, std::pair<S3Options, detail::S3Endpoint> how)
      : address_(std::move(address)),
        folder_(address_.prefix.empty() ? std::string() : address_.prefix + "/"),
        client_(address_.bucket, std::move(how.second), how.first) {}

  /// Calls `visit` for the pages of a listing, of keys as they are in the bucket.
  template <class Visit>
  void for_each_page(const std::string& begin, const std::string& after, bool folders, const Visit& visit) const {
    std::string next, last;
    int empty_pages = 0;  // in a row
    do {
      detail::s3::ListPage page;
      detail::s3::Request request{.query = {{"list-type", "2"}, {"encoding-type", "url"}},
                                  .deadline = client_.deadline(),
                                  .read = [&](const HttpReply& reply) { page = detail::s3::parse_list(reply.body); }};
      if (!begin.empty()) request.query.emplace_back("prefix", begin);
      if (folders) request.query.emplace_back("delimiter", "/");
      if (!next.empty())
        request.query.emplace_back("continuation-token", next);
      else if (!after.empty())
        request.query.emplace_back("start-after", after);
      (void)client_.call(request);
      const auto in_circles = [&] { return Error::bad_reply("s3: " + location() + ": the listing goes in circles"); };
      empty_pages = page.objects.empty() && page.folders.empty() ? empty_pages + 1 : 0;
      if (empty_pages > 100 || (!page.next.empty() && page.next == next)) throw in_circles();
      for (const detail::s3::ListPage::Object& object : page.objects) {
        if (object.key <= last) throw in_circles();
        last = object.key;
      }
      next = page.next;
      visit(page);
    } while (!next.empty());
  }

  [[nodiscard]] std::string key_in_bucket(std::string_view key) const {
    (void)key_parts(key);
    std::string out = folder_ + std::string(key);
    if (out.size() > 1024 || !is_utf8(out)) throw Error::bad_key(out);
    return out;
  }

  [[nodiscard]] static bool is_key(std::string_view key) {
    try {
      (void)key_parts(key);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  detail::S3Address address_;
  std::string folder_;
  mutable detail::s3::Client client_;
};

namespace detail {

/// Registers S3Store with open_store().
inline bool register_s3_store() noexcept {
  set_s3_opener([](std::string_view address) -> std::shared_ptr<Store> { return std::make_shared<S3Store>(address); });
  return true;
}

/// Lets open_store() open s3:// addresses in a program that includes this.
inline const bool opens_s3 = register_s3_store();

}  // namespace detail

TENSORTAP_END_NAMESPACE
