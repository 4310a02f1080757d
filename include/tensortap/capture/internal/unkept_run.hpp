// The store of a run of which no files are wanted, for a hook that writes for TensorBoard alone.
#pragma once

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

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/memory.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Forgets steps and snapshots, and keeps the few other objects of an attempt in memory. Its claims are objects of
/// another store, so that two processes do not write the same files.
class UnkeptRun final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  explicit UnkeptRun(std::shared_ptr<Store> claims) : claims_(std::move(claims)) {}

  bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync, IfExists if_exists) override {
    for (const std::string_view prefix : {layout::events_prefix, layout::index_prefix, layout::snapshots_prefix})
      if (key.starts_with(prefix)) return true;
    return memory_.put(key, pieces, sync, if_exists);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, Range range) const override {
    return memory_.get(key, range);
  }
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    return is_claim(key) ? claims_->size(key) : memory_.size(key);
  }
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) const override {
    return memory_.list(prefix, after);
  }
  bool remove(std::string_view key) override { return memory_.remove(key); }
  bool move(std::string_view from, std::string_view to) override { return memory_.move(from, to); }
  void sync(std::span<const std::string>) override {}
  [[nodiscard]] std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override {
    return claims_->claim(key, text);
  }
  [[nodiscard]] std::string claim_holder(std::string_view key) const override { return claims_->claim_holder(key); }
  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override {
    return claims_->remove_unfinished(is_mine);
  }
  [[nodiscard]] std::string location() const override { return claims_->location(); }

 private:
  static bool is_claim(std::string_view key) { return key.starts_with("claim") && key.ends_with(".smd"); }

  std::shared_ptr<Store> claims_;
  MemoryStore memory_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
