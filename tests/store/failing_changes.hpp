// A store whose changes fail from some call on, as on a full disk; reading goes on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/store/memory.hpp>

#include "capture/forwarding_store.hpp"

class FailingChanges final : public ForwardingStore {
 public:
  using Store::put;
  static constexpr int never = 1'000'000;

  explicit FailingChanges(int changes = never, std::shared_ptr<Store> to = std::make_shared<tensortap::MemoryStore>())
      : ForwardingStore(std::move(to)), left(changes) {}

  bool put(std::string_view key, std::span<const tensortap::Bytes> pieces, tensortap::Sync sync,
           tensortap::IfExists if_exists) override {
    count(key);
    return to_->put(key, pieces, sync, if_exists);
  }
  bool remove(std::string_view key) override {
    count(key);
    return to_->remove(key);
  }
  bool move(std::string_view from, std::string_view to) override {
    count(from);
    return to_->move(from, to);
  }
  void sync(std::span<const std::string> keys) override {
    count("");
    to_->sync(keys);
  }

  int left;  ///< how many changes succeed before all fail

 private:
  void count(std::string_view key) {
    if (--left < 0) throw tensortap::Error::io("write", key, "no space left");
  }
};
