// Maps the keys of a store to those of its bucket, and lists the bucket page by page.
#pragma once

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
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/net/aws/internal/time.hpp>
#include <tensortap/net/s3/internal/client.hpp>
#include <tensortap/net/s3/internal/download.hpp>
#include <tensortap/net/s3/internal/endpoint.hpp>
#include <tensortap/net/s3/internal/lease.hpp>
#include <tensortap/net/s3/internal/objects.hpp>
#include <tensortap/net/s3/internal/upload.hpp>
#include <tensortap/net/s3/internal/xml.hpp>
#include <tensortap/net/s3/s3_store.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {
namespace s3 {

/// The state of an S3Store.
struct StoreState {
  StoreState(S3Address at, std::pair<S3Options, S3Endpoint> how)
      : address(std::move(at)),
        folder(address.prefix.empty() ? std::string() : address.prefix + "/"),
        client(address.bucket, std::move(how.second), how.first) {}

  /// Returns the key in the bucket. Throws: `key` cannot be one.
  [[nodiscard]] std::string key_in_bucket(std::string_view key) const {
    (void)key_parts(key);
    std::string out = folder + std::string(key);
    if (out.size() > 1024 || !is_utf8(out)) throw Error::bad_key(out);
    return out;
  }

  /// Calls `visit` for the pages of a listing, with keys as in the bucket.
  template <class Visit>
  void for_each_page(const std::string& begin, const std::string& after, bool folders, const Visit& visit) {
    std::string next, last;
    int empty_pages = 0;  // in a row
    do {
      ListPage page;
      Request request{.query = {{"list-type", "2"}, {"encoding-type", "url"}},
                      .deadline = client.deadline(),
                      .read = [&](const HttpReply& reply) { page = parse_list(reply.body); }};
      if (!begin.empty()) request.query.emplace_back("prefix", begin);
      if (folders) request.query.emplace_back("delimiter", "/");
      if (!next.empty())
        request.query.emplace_back("continuation-token", next);
      else if (!after.empty())
        request.query.emplace_back("start-after", after);
      (void)client.call(request);
      const auto no_progress = [&] {
        return Error::bad_reply("s3: " + address.text() + ": the pages of the listing repeat");
      };
      empty_pages = page.objects.empty() && page.folders.empty() ? empty_pages + 1 : 0;
      if (empty_pages > 100 || (!page.next.empty() && page.next == next)) throw no_progress();
      for (const ListPage::Object& object : page.objects) {
        if (object.key <= last) throw no_progress();
        last = object.key;
      }
      next = page.next;
      visit(page);
    } while (!next.empty());
  }

  const S3Address address;
  const std::string folder;
  Client client;
};

/// Returns whether a store accepts `key`.
inline bool is_key(std::string_view key) {
  try {
    (void)key_parts(key);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace s3

TENSORTAP_INLINE bool register_s3() {
  set_s3_opener([](std::string_view address) -> std::shared_ptr<Store> { return std::make_shared<S3Store>(address); });
  return true;
}

}  // namespace detail

TENSORTAP_INLINE S3Store::S3Store(std::string_view address, S3Options options)
    : state_(std::make_unique<detail::s3::StoreState>(detail::parse_s3_address(address),
                                                      detail::s3::complete(std::move(options)))) {}

TENSORTAP_INLINE S3Store::~S3Store() = default;

TENSORTAP_INLINE bool S3Store::put(std::string_view key, std::span<const Bytes> pieces, Sync, IfExists if_exists) {
  return detail::s3::put(state_->client, state_->key_in_bucket(key), pieces, if_exists);
}

TENSORTAP_INLINE bool S3Store::put_observed(std::string_view key, std::span<const Bytes> pieces,
                                            const TransferObserver& observer, IfExists if_exists) {
  return detail::s3::put(state_->client, state_->key_in_bucket(key), pieces, if_exists, observer);
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> S3Store::get(std::string_view key, Range range) const {
  return detail::s3::get(state_->client, state_->key_in_bucket(key), range);
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> S3Store::get_version(std::string_view key,
                                                                            std::string_view wanted) const {
  return detail::s3::get(state_->client, state_->key_in_bucket(key), {}, std::string(wanted));
}

TENSORTAP_INLINE std::optional<std::uint64_t> S3Store::download(std::string_view key,
                                                                const DownloadTarget& target) const {
  return detail::s3::download(state_->client, state_->key_in_bucket(key), {}, target);
}

TENSORTAP_INLINE std::optional<std::uint64_t> S3Store::size(std::string_view key) const {
  const auto head = detail::s3::head(state_->client, state_->key_in_bucket(key));
  if (!head) return std::nullopt;
  return detail::s3::content_length(*head);
}

TENSORTAP_INLINE std::vector<ObjectInfo> S3Store::list(std::string_view prefix, std::string_view after) const {
  const std::string& folder = state_->folder;
  std::vector<ObjectInfo> out;
  state_->for_each_page(folder + std::string(prefix), after.empty() ? std::string() : folder + std::string(after),
                        false, [&](detail::s3::ListPage& page) {
                          for (detail::s3::ListPage::Object& object : page.objects) {
                            if (!object.key.starts_with(folder)) continue;
                            std::string key = object.key.substr(folder.size());
                            if (key > after && detail::s3::is_key(key))
                              out.push_back({std::move(key), object.size, std::move(object.etag)});
                          }
                        });
  return out;
}

TENSORTAP_INLINE void S3Store::list_raw(std::string_view begin, bool folders,
                                        const std::function<void(const S3Entry&)>& visit) const {
  const std::string& folder = state_->folder;
  state_->for_each_page(folder + std::string(begin), {}, folders, [&](detail::s3::ListPage& page) {
    for (const std::string& prefix : page.folders)
      if (prefix.starts_with(folder)) visit({.key = prefix.substr(folder.size()), .is_folder = true});
    for (const detail::s3::ListPage::Object& object : page.objects)
      if (object.key.starts_with(folder))
        visit({.key = object.key.substr(folder.size()),
               .size = object.size,
               .last_modified = detail::time_of_iso8601(object.last_modified).value_or(std::chrono::sys_seconds())});
  });
}

TENSORTAP_INLINE bool S3Store::remove(std::string_view key) {
  const std::string at = state_->key_in_bucket(key);
  if (!detail::s3::head(state_->client, at)) return false;
  detail::s3::remove(state_->client, at);
  return true;
}

TENSORTAP_INLINE void S3Store::remove_all(std::span<const std::string> keys) {
  std::vector<std::string> in_bucket;
  for (const std::string& key : keys) in_bucket.push_back(state_->key_in_bucket(key));
  detail::s3::remove_all(state_->client, in_bucket);
}

TENSORTAP_INLINE bool S3Store::move(std::string_view from, std::string_view to) {
  const std::string source = state_->key_in_bucket(from);
  const std::string target = state_->key_in_bucket(to);
  if (source == target) return detail::s3::head(state_->client, source).has_value();
  constexpr std::uint64_t most_at_once = std::uint64_t{5} << 30;  // the limit of S3 for one copy request
  if (!detail::s3::copy(state_->client, source, target, most_at_once)) return false;
  detail::s3::remove(state_->client, source);
  return true;
}

TENSORTAP_INLINE void S3Store::sync(std::span<const std::string> keys) {
  for (const std::string& key : keys) (void)key_parts(key);
}

TENSORTAP_INLINE std::unique_ptr<Claim> S3Store::claim(std::string_view key, std::string_view text) {
  return detail::s3::take_lease(state_->client, state_->key_in_bucket(key), text);
}

TENSORTAP_INLINE std::string S3Store::claim_holder(std::string_view key) const {
  return detail::s3::lease_holder(state_->client, state_->key_in_bucket(key));
}

TENSORTAP_INLINE std::size_t S3Store::remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) {
  const std::string& folder = state_->folder;
  std::size_t count = 0;
  for (const detail::s3::Upload& upload : detail::s3::list_uploads(state_->client, folder)) {
    if (!upload.key.starts_with(folder) || !is_mine(std::string_view(upload.key).substr(folder.size()))) continue;
    detail::s3::abort(state_->client, upload);
    ++count;
  }
  return count;
}

TENSORTAP_INLINE std::vector<S3Upload> S3Store::uploads(std::string_view begin) const {
  std::vector<S3Upload> out;
  for (detail::s3::Upload& upload : detail::s3::list_uploads(state_->client, state_->folder + std::string(begin)))
    out.push_back({upload.key.substr(std::min(state_->folder.size(), upload.key.size())), std::move(upload.id),
                   detail::time_of_iso8601(upload.initiated).value_or(std::chrono::sys_seconds())});
  return out;
}

TENSORTAP_INLINE void S3Store::drop(const S3Upload& upload) {
  detail::s3::abort(state_->client, {state_->folder + upload.key, upload.id});
}

TENSORTAP_INLINE std::string S3Store::location() const { return state_->address.text(); }

TENSORTAP_INLINE std::size_t S3Store::concurrency() const noexcept { return state_->client.options().connections; }

TENSORTAP_INLINE std::uint64_t S3Store::requests() const noexcept { return state_->client.requests(); }

TENSORTAP_END_NAMESPACE
