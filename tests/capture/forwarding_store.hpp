// A store that passes all calls to another one; tests override some of them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/store/memory.hpp>
#include <tensortap/store/store.hpp>

class ForwardingStore : public tensortap::Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  explicit ForwardingStore(std::shared_ptr<Store> to = std::make_shared<tensortap::MemoryStore>())
      : to_(std::move(to)) {}

  bool put(std::string_view key, std::span<const tensortap::Bytes> pieces, tensortap::Sync sync,
           tensortap::IfExists if_exists) override {
    return to_->put(key, pieces, sync, if_exists);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tensortap::Range range) const override {
    return to_->get(key, range);
  }
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override { return to_->size(key); }
  [[nodiscard]] std::vector<tensortap::ObjectInfo> list(std::string_view prefix,
                                                        std::string_view after) const override {
    return to_->list(prefix, after);
  }
  bool remove(std::string_view key) override { return to_->remove(key); }
  bool move(std::string_view from, std::string_view to) override { return to_->move(from, to); }
  void sync(std::span<const std::string> keys) override { to_->sync(keys); }
  [[nodiscard]] std::unique_ptr<tensortap::Claim> claim(std::string_view key, std::string_view text) override {
    return to_->claim(key, text);
  }
  std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override {
    return to_->remove_unfinished(is_mine);
  }
  [[nodiscard]] std::string location() const override { return to_->location(); }

 protected:
  std::shared_ptr<Store> to_;
};
