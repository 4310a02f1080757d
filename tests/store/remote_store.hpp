// A slow store: each call takes time, parallel calls pay off, and all calls are counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "capture/forwarding_store.hpp"

class RemoteStore : public ForwardingStore {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  /// The calls of a store. A page of a listing has 1000 objects, as with S3.
  struct Calls {
    std::size_t gets = 0, sizes = 0, lists = 0, pages = 0, puts = 0, moves = 0, removes = 0;

    [[nodiscard]] std::size_t all() const { return gets + sizes + pages + puts + moves + removes; }
    friend bool operator==(const Calls&, const Calls&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Calls& calls) {
      return out << "GET " << calls.gets << ", LIST " << calls.pages << " pages of " << calls.lists << ", HEAD "
                 << calls.sizes << ", PUT " << calls.puts << ", move " << calls.moves << ", remove " << calls.removes;
    }
  };

  explicit RemoteStore(std::shared_ptr<Store> to, std::size_t concurrency = 32, std::chrono::nanoseconds delay = {})
      : ForwardingStore(std::move(to)), concurrency_(concurrency), delay_(delay) {}

  bool put(std::string_view key, std::span<const tensortap::Bytes> pieces, tensortap::Sync sync,
           tensortap::IfExists if_exists) override {
    const Flight flight(*this, puts_);
    if (before_put) before_put(key);
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tensortap::Range range) const override {
    const Flight flight(*this, gets_);
    if (before_get) before_get(key);
    auto out = ForwardingStore::get(key, range);
    if (after_get) after_get(key);
    return out;
  }
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override {
    const Flight flight(*this, sizes_);
    return ForwardingStore::size(key);
  }
  [[nodiscard]] std::vector<tensortap::ObjectInfo> list(std::string_view prefix,
                                                        std::string_view after) const override {
    const Flight flight(*this, lists_);
    auto out = ForwardingStore::list(prefix, after);
    pages_ += std::max<std::size_t>((out.size() + 999) / 1000, 1);
    return out;
  }
  bool remove(std::string_view key) override {
    const Flight flight(*this, removes_);
    return ForwardingStore::remove(key);
  }
  bool move(std::string_view from, std::string_view to) override {
    const Flight flight(*this, moves_);
    if (before_move) before_move(from);
    return ForwardingStore::move(from, to);
  }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return concurrency_; }

  /// Returns the calls since the last call of this.
  [[nodiscard]] Calls calls() {
    return {.gets = gets_.exchange(0),
            .sizes = sizes_.exchange(0),
            .lists = lists_.exchange(0),
            .pages = pages_.exchange(0),
            .puts = puts_.exchange(0),
            .moves = moves_.exchange(0),
            .removes = removes_.exchange(0)};
  }
  /// Returns the largest number of simultaneous calls since the last call of this.
  [[nodiscard]] std::size_t most_at_once() { return most_.exchange(0); }

  std::function<void(std::string_view key)> before_get, after_get, before_put,
      before_move;  ///< Threads: those that call.

 private:
  using Count = std::atomic<std::size_t>;

  /// One call.
  class Flight {
   public:
    Flight(const RemoteStore& store, Count& count) : store_(store) {
      ++count;
      const std::size_t now = ++store_.flying_;
      for (std::size_t before = store_.most_; before < now && !store_.most_.compare_exchange_weak(before, now);) {
      }
      if (store_.delay_ > std::chrono::nanoseconds::zero()) std::this_thread::sleep_for(store_.delay_);
    }
    Flight(const Flight&) = delete;
    Flight& operator=(const Flight&) = delete;
    ~Flight() { --store_.flying_; }

   private:
    const RemoteStore& store_;
  };

  std::size_t concurrency_;
  std::chrono::nanoseconds delay_;
  mutable Count gets_ = 0, sizes_ = 0, lists_ = 0, pages_ = 0, puts_ = 0, moves_ = 0, removes_ = 0;
  mutable Count flying_ = 0, most_ = 0;
};
