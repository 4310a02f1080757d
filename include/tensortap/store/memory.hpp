// A store in memory: for tests, and for runs that end with the process.
//
//   auto store = std::make_shared<tensortap::MemoryStore>();
//   tensortap::Hook hook(store);
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/store/store.hpp>

namespace tensortap::inline v0 {

class MemoryStore final : public Store {
 public:
  using Store::get;
  using Store::put;

  void put(std::string_view key, std::span<const Bytes> pieces, Sync) override {
    (void)key_parts(key);
    std::vector<std::byte> object;
    for (const Bytes piece : pieces) object.insert(object.end(), piece.begin(), piece.end());
    const std::lock_guard lock(mutex_);
    objects_[std::string(key)] = std::move(object);
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

  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectInfo> out;
    for (auto at = objects_.lower_bound(prefix); at != objects_.end() && at->first.starts_with(prefix); ++at)
      out.push_back({at->first, at->second.size()});
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

  [[nodiscard]] std::string location() const override { return "memory"; }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::byte>, std::less<>> objects_;
};

}  // namespace tensortap::inline v0
