// The copies of a CachedStore, and its operations.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/bytes/hex.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/cached.hpp>
#include <tensortap/store/file.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: several threads may call any function at once.
class CachedStoreState {
 public:
  CachedStoreState(std::shared_ptr<Store> store_to_cache, const std::string& directory, CacheLimits chosen)
      : store(std::move(store_to_cache)), limits(chosen), copies_(folder_in(directory)) {
    ignore_errors([this] {
      std::vector<std::string> keys;
      for (const ObjectInfo& object : copies_.list("")) {
        total_ += object.size;
        keys.push_back(object.key);
      }
      if (total_ < limits.total) return;
      copies_.remove_all(keys);
      total_ = 0;
    });
  }

  /// Forgets the listed version of `key` at the end of a change, also if the change fails.
  class Change {
   public:
    Change(CachedStoreState& state, std::string_view key) : state_(state), key_(key) {}
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;
    ~Change() { (void)state_.take_listed(key_); }

   private:
    CachedStoreState& state_;
    std::string_view key_;
  };

  /// Replaces the known versions of the keys in a listing.
  void set_listed(const std::vector<ObjectInfo>& objects, std::string_view prefix, std::string_view after) {
    const std::lock_guard lock(mutex_);
    for (auto at = listed_.upper_bound(std::max(prefix, after)); at != listed_.end() && at->first.starts_with(prefix);)
      at = listed_.erase(at);
    for (const ObjectInfo& object : objects)
      if (!object.version.empty() && object.size <= limits.object) listed_[object.key] = object;
  }

  /// Returns and forgets the listed version of `key`; nullopt if there is none.
  [[nodiscard]] std::optional<ObjectInfo> take_listed(std::string_view key) {
    const std::lock_guard lock(mutex_);
    const auto found = listed_.find(key);
    if (found == listed_.end()) return std::nullopt;
    return std::move(listed_.extract(found).mapped());
  }

  /// Returns the key of the copy of a version, in one folder for each store; empty if the names would be too long.
  [[nodiscard]] std::string copy_key(const ObjectInfo& object) const {
    constexpr std::size_t longest_name = 255;
    const auto name = [](std::string_view text) {
      std::string out;
      for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
        out += plain ? c : '_';
        if (!plain) append_hex(out, static_cast<std::byte>(c));
      }
      return out;
    };
    const std::string folder = name(store->location());
    const std::string leaf = name(object.key) + "." + name(object.version);
    return folder.size() > longest_name || leaf.size() > longest_name ? std::string() : folder + "/" + leaf;
  }

  /// Returns an intact copy; nullopt if there is none.
  [[nodiscard]] std::optional<std::vector<std::byte>> read_copy(const std::string& key) const {
    std::optional<std::vector<std::byte>> bytes;
    ignore_errors([&] {
      bytes = copies_.get(key);
      if (!bytes) return;
      const Bytes content = Bytes(*bytes).first(bytes->size() - std::min(bytes->size(), sizeof(Checksum)));
      const Checksum checksum = checksum_of(content);
      const Bytes written = Bytes(*bytes).subspan(content.size());
      if (std::equal(written.begin(), written.end(), checksum.begin(), checksum.end()))
        bytes->resize(content.size());
      else
        bytes.reset();
    });
    return bytes;
  }

  void write_copy(const std::string& key, Bytes bytes) {
    const Checksum checksum = checksum_of(bytes);
    const std::uint64_t size = bytes.size() + checksum.size();
    if (total_.fetch_add(size) + size > limits.total) return;
    const std::array<Bytes, 2> pieces{bytes, checksum};
    ignore_errors([&] { copies_.put(key, pieces, Sync::no, IfExists::replace); });
  }

  const std::shared_ptr<Store> store;
  const CacheLimits limits;

 private:
  using Checksum = std::array<std::byte, sizeof(std::uint32_t)>;

  static std::string folder_in(const std::string& directory) {
    const bool needs_slash = !directory.empty() && directory.back() != '/';
    return directory + (needs_slash ? "/" : "") + "tensortap-cache";
  }

  template <class Use>
  static void ignore_errors(const Use& use) {
    try {
      use();
    } catch (const Error&) {  // works without a cache
    }
  }

  static Checksum checksum_of(Bytes bytes) {
    Checksum out;
    const std::uint32_t crc = crc32c(bytes);
    std::memcpy(out.data(), &crc, sizeof crc);
    return out;
  }

  FileStore copies_;
  std::atomic<std::uint64_t> total_ = 0;
  std::mutex mutex_;
  std::map<std::string, ObjectInfo, std::less<>> listed_;
};

}  // namespace detail

TENSORTAP_INLINE CachedStore::CachedStore(std::shared_ptr<Store> store, const std::string& directory,
                                          CacheLimits limits)
    : state_(std::make_unique<detail::CachedStoreState>(std::move(store), directory, limits)) {}

TENSORTAP_INLINE CachedStore::~CachedStore() = default;

TENSORTAP_INLINE bool CachedStore::put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                                       IfExists if_exists) {
  const detail::CachedStoreState::Change change(*state_, key);
  return state_->store->put(key, pieces, sync, if_exists);
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> CachedStore::get(std::string_view key, Range range) const {
  const auto listed = state_->take_listed(key);
  if (!listed || range.start != 0 || range.length < listed->size) return state_->store->get(key, range);
  const std::string copy = state_->copy_key(*listed);
  if (copy.empty()) return state_->store->get(key, range);
  if (auto bytes = state_->read_copy(copy)) return bytes;
  auto bytes = state_->store->get_version(key, listed->version);
  if (!bytes) return state_->store->get(key, range);
  state_->write_copy(copy, *bytes);
  return bytes;
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> CachedStore::get_version(std::string_view key,
                                                                                std::string_view wanted) const {
  return state_->store->get_version(key, wanted);
}

TENSORTAP_INLINE std::optional<std::uint64_t> CachedStore::size(std::string_view key) const {
  return state_->store->size(key);
}

TENSORTAP_INLINE std::vector<ObjectInfo> CachedStore::list(std::string_view prefix, std::string_view after) const {
  auto objects = state_->store->list(prefix, after);
  state_->set_listed(objects, prefix, after);
  return objects;
}

TENSORTAP_INLINE bool CachedStore::remove(std::string_view key) {
  const detail::CachedStoreState::Change change(*state_, key);
  return state_->store->remove(key);
}

TENSORTAP_INLINE void CachedStore::remove_all(std::span<const std::string> keys) {
  for (const std::string& key : keys) (void)state_->take_listed(key);
  state_->store->remove_all(keys);
}

TENSORTAP_INLINE bool CachedStore::move(std::string_view from, std::string_view to) {
  const detail::CachedStoreState::Change from_change(*state_, from), to_change(*state_, to);
  return state_->store->move(from, to);
}

TENSORTAP_INLINE void CachedStore::sync(std::span<const std::string> keys) { state_->store->sync(keys); }

TENSORTAP_INLINE std::unique_ptr<Claim> CachedStore::claim(std::string_view key, std::string_view text) {
  return state_->store->claim(key, text);
}

TENSORTAP_INLINE std::string CachedStore::claim_holder(std::string_view key) const {
  return state_->store->claim_holder(key);
}

TENSORTAP_INLINE std::size_t CachedStore::remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) {
  return state_->store->remove_unfinished(is_mine);
}

TENSORTAP_INLINE std::string CachedStore::location() const { return state_->store->location(); }

TENSORTAP_INLINE std::size_t CachedStore::concurrency() const noexcept { return state_->store->concurrency(); }

TENSORTAP_END_NAMESPACE
