// A store in memory: for tests, and for runs that end with the process.
//
//   auto store = std::make_shared<tensortap::MemoryStore>();
//   tensortap::Hook hook(store);
#pragma once

#include <algorithm>
#include <cstddef>
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
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

class MemoryStore final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  bool put(std::string_view key, std::span<const Bytes> pieces, Sync, IfExists if_exists) override {
    (void)key_parts(key);
    std::vector<std::byte> object;
    for (const Bytes piece : pieces) object.insert(object.end(), piece.begin(), piece.end());
    const std::lock_guard lock(mutex_);
    if (if_exists == IfExists::keep) return objects_.try_emplace(std::string(key), std::move(object)).second;
    objects_[std::string(key)] = std::move(object);
    return true;
  }

  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    (void)key_parts(key);
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    const Bytes object = found->second;
    const Bytes rest = object.subspan(std::min<std::uint64_t>(range.start, object.size()));
    const Bytes part = rest.first(std::min<std::uint64_t>(range.length, rest.size()));
    return std::vector<std::byte>(part.begin(), part.end());
  }

  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    (void)key_parts(key);
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    return found->second.size();
  }

  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectInfo> out;
    auto at = after < prefix ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
    for (; at != objects_.end() && at->first.starts_with(prefix); ++at) out.push_back({at->first, at->second.size()});
    return out;
  }

  bool remove(std::string_view key) override {
    (void)key_parts(key);
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return false;
    objects_.erase(found);
    return true;
  }

  bool move(std::string_view from, std::string_view to) override {
    (void)key_parts(from);
    (void)key_parts(to);
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(from);
    if (found == objects_.end()) return false;
    auto object = std::move(found->second);
    objects_.erase(found);
    objects_[std::string(to)] = std::move(object);
    return true;
  }

  /// What is here lives as long as the process, and no longer.
  void sync(std::span<const std::string> keys) override {
    for (const std::string& key : keys) (void)key_parts(key);
  }

  [[nodiscard]] std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override {
    (void)key_parts(key);
    const Bytes bytes = bytes_of(text);
    const std::lock_guard lock(mutex_);
    if (!claimed_.emplace(key).second) return nullptr;
    objects_[std::string(key)].assign(bytes.begin(), bytes.end());
    return std::make_unique<HeldClaim>(*this, std::string(key));
  }

  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>&) override { return 0; }

  [[nodiscard]] std::string location() const override { return "memory"; }

 private:
  class HeldClaim final : public Claim {
   public:
    HeldClaim(MemoryStore& store, std::string key) : store_(store), key_(std::move(key)) {}
    ~HeldClaim() override {
      const std::lock_guard lock(store_.mutex_);
      store_.objects_.erase(key_);
      store_.claimed_.erase(key_);
    }

   private:
    MemoryStore& store_;
    std::string key_;
  };

  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::byte>, std::less<>> objects_;
  std::set<std::string, std::less<>> claimed_;
};

TENSORTAP_END_NAMESPACE
