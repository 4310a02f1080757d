// The objects of a MemoryStore, and its operations.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/memory.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

struct MemoryStoreState {
  std::mutex mutex;  // guards the rest
  std::map<std::string, std::vector<std::byte>, std::less<>> objects;
  std::set<std::string, std::less<>> claimed;
};

class MemoryClaim final : public Claim {
 public:
  MemoryClaim(MemoryStoreState& state, std::string key) : state_(state), key_(std::move(key)) {}
  ~MemoryClaim() override {
    const std::lock_guard lock(state_.mutex);
    state_.objects.erase(key_);
    state_.claimed.erase(key_);
  }

 private:
  MemoryStoreState& state_;
  std::string key_;
};

}  // namespace detail

TENSORTAP_INLINE MemoryStore::MemoryStore() : state_(std::make_unique<detail::MemoryStoreState>()) {}

TENSORTAP_INLINE MemoryStore::~MemoryStore() = default;

TENSORTAP_INLINE bool MemoryStore::put(std::string_view key, std::span<const Bytes> pieces, Sync, IfExists if_exists) {
  (void)key_parts(key);
  std::vector<std::byte> object;
  for (const Bytes piece : pieces) object.insert(object.end(), piece.begin(), piece.end());
  const std::lock_guard lock(state_->mutex);
  if (if_exists == IfExists::keep) return state_->objects.try_emplace(std::string(key), std::move(object)).second;
  state_->objects[std::string(key)] = std::move(object);
  return true;
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> MemoryStore::get(std::string_view key, Range range) const {
  (void)key_parts(key);
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->objects.find(key);
  if (found == state_->objects.end()) return std::nullopt;
  const Bytes object = found->second;
  const Bytes rest = object.subspan(std::min<std::uint64_t>(range.start, object.size()));
  const Bytes part = rest.first(std::min<std::uint64_t>(range.length, rest.size()));
  return std::vector<std::byte>(part.begin(), part.end());
}

TENSORTAP_INLINE std::optional<std::uint64_t> MemoryStore::size(std::string_view key) const {
  (void)key_parts(key);
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->objects.find(key);
  if (found == state_->objects.end()) return std::nullopt;
  return found->second.size();
}

TENSORTAP_INLINE std::vector<ObjectInfo> MemoryStore::list(std::string_view prefix, std::string_view after) const {
  const std::lock_guard lock(state_->mutex);
  const auto& objects = state_->objects;
  std::vector<ObjectInfo> out;
  auto at = after < prefix ? objects.lower_bound(prefix) : objects.upper_bound(after);
  for (; at != objects.end() && at->first.starts_with(prefix); ++at) out.push_back({at->first, at->second.size()});
  return out;
}

TENSORTAP_INLINE bool MemoryStore::remove(std::string_view key) {
  (void)key_parts(key);
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->objects.find(key);
  if (found == state_->objects.end()) return false;
  state_->objects.erase(found);
  return true;
}

TENSORTAP_INLINE bool MemoryStore::move(std::string_view from, std::string_view to) {
  (void)key_parts(from);
  (void)key_parts(to);
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->objects.find(from);
  if (found == state_->objects.end()) return false;
  auto object = std::move(found->second);
  state_->objects.erase(found);
  state_->objects[std::string(to)] = std::move(object);
  return true;
}

TENSORTAP_INLINE void MemoryStore::sync(std::span<const std::string> keys) {
  for (const std::string& key : keys) (void)key_parts(key);
}

TENSORTAP_INLINE std::unique_ptr<Claim> MemoryStore::claim(std::string_view key, std::string_view text) {
  (void)key_parts(key);
  const Bytes bytes = bytes_of(text);
  const std::lock_guard lock(state_->mutex);
  if (!state_->claimed.emplace(key).second) return nullptr;
  state_->objects[std::string(key)].assign(bytes.begin(), bytes.end());
  return std::make_unique<detail::MemoryClaim>(*state_, std::string(key));
}

TENSORTAP_INLINE std::size_t MemoryStore::remove_unfinished(const std::function<bool(std::string_view key)>&) {
  return 0;
}

TENSORTAP_INLINE std::string MemoryStore::location() const { return "memory"; }

TENSORTAP_END_NAMESPACE
