// A view of a store for readers that go through a run step by step: fetches small objects whole, and keeps the last
// few, so that the records of a step cost one call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
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
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Reads only; writes throw. Threads: any.
class WholeObjects final : public Store {
 public:
  explicit WholeObjects(std::shared_ptr<const Store> store) : store_(std::move(store)) {}

  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    if (!key.starts_with(layout::events_prefix) || range.length == Range{}.length) return store_->get(key, range);
    const std::lock_guard lock(mutex_);
    auto kept = std::find_if(kept_.begin(), kept_.end(), [key](const Kept& object) { return object.key == key; });
    if (kept == kept_.end()) {
      auto bytes = store_->get(key, {0, limit});
      if (!bytes) return std::nullopt;
      if (kept_.size() == most) kept_.pop_front();
      kept_.push_back({std::string(key), std::move(*bytes)});
      kept = std::prev(kept_.end());
    }
    const std::vector<std::byte>& bytes = kept->bytes;
    if (range.start + range.length > bytes.size() && bytes.size() == limit) return store_->get(key, range);
    const auto at = [&](std::uint64_t offset) {
      return bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(offset, bytes.size()));
    };
    const std::uint64_t start = std::min<std::uint64_t>(range.start, bytes.size());
    return std::vector<std::byte>(at(start), at(start + std::min<std::uint64_t>(range.length, bytes.size() - start)));
  }

  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override { return store_->size(key); }
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    return store_->list(prefix, after);
  }
  [[nodiscard]] std::string location() const override { return store_->location(); }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return store_->concurrency(); }

  bool put(std::string_view key, std::span<const Bytes>, Sync, IfExists) override { refuse(key); }
  bool remove(std::string_view key) override { refuse(key); }
  bool move(std::string_view from, std::string_view) override { refuse(from); }
  void sync(std::span<const std::string>) override {}
  [[nodiscard]] std::unique_ptr<Claim> claim(std::string_view key, std::string_view) override { refuse(key); }
  std::size_t remove_unfinished(const std::function<bool(std::string_view)>&) override { refuse("*"); }

 private:
  struct Kept {
    std::string key;
    std::vector<std::byte> bytes;
  };
  static constexpr std::uint64_t limit = std::uint64_t{8} << 20;  // of an object that is fetched whole
  static constexpr std::size_t most = 8;

  [[noreturn]] void refuse(std::string_view key) const {
    throw Error::view_is_read_only("export", store_->location(), key);
  }

  std::shared_ptr<const Store> store_;
  mutable std::mutex mutex_;
  mutable std::deque<Kept> kept_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
