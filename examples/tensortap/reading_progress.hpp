// What a command has read so far: a line on a terminal, where reading takes longer than a moment.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

namespace tensortap_command {

/// The line on standard error. Whatever is printed clears it first. Threads: any.
class ProgressLine {
 public:
  static bool is_wanted() { return ::isatty(STDERR_FILENO) == 1; }

  static void draw(const std::string& text) {
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
    is_drawn_ = true;
  }

  static void clear() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(is_drawn_, false)) std::fputs("\r\x1b[K", stderr);
  }

 private:
  inline static std::mutex mutex_;
  inline static bool is_drawn_ = false;
};

/// A store that counts what is read through it, and draws the line. Reads only. Threads: any.
class CountedReads final : public tensortap::Store {
 public:
  explicit CountedReads(std::shared_ptr<const tensortap::Store> store) : store_(std::move(store)) {}
  CountedReads(const CountedReads&) = delete;
  CountedReads& operator=(const CountedReads&) = delete;
  ~CountedReads() override { ProgressLine::clear(); }

  [[nodiscard]] std::optional<std::vector<std::byte>> get(std::string_view key, tensortap::Range range) const override {
    return counted(store_->get(key, range));
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> get_version(std::string_view key,
                                                                  std::string_view wanted) const override {
    return counted(store_->get_version(key, wanted));
  }
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const override { return store_->size(key); }
  [[nodiscard]] std::vector<tensortap::ObjectInfo> list(std::string_view prefix,
                                                        std::string_view after) const override {
    return store_->list(prefix, after);
  }
  [[nodiscard]] std::string location() const override { return store_->location(); }
  [[nodiscard]] std::size_t concurrency() const noexcept override { return store_->concurrency(); }

  bool put(std::string_view key, std::span<const tensortap::Bytes>, tensortap::Sync, tensortap::IfExists) override {
    refuse(key);
  }
  bool remove(std::string_view key) override { refuse(key); }
  bool move(std::string_view from, std::string_view) override { refuse(from); }
  void sync(std::span<const std::string>) override {}
  [[nodiscard]] std::unique_ptr<tensortap::Claim> claim(std::string_view key, std::string_view) override {
    refuse(key);
  }
  std::size_t remove_unfinished(const std::function<bool(std::string_view)>&) override { refuse("*"); }

 private:
  using Clock = std::chrono::steady_clock;

  [[noreturn]] void refuse(std::string_view key) const {
    throw tensortap::Error::view_is_read_only("read", store_->location(), key);
  }

  std::optional<std::vector<std::byte>> counted(std::optional<std::vector<std::byte>> bytes) const {
    ++reads_;
    if (bytes) bytes_ += bytes->size();
    constexpr std::int64_t first = 1000, often = 100;  // ms
    const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin_).count();
    std::int64_t next = next_;
    if (now < std::max(first, next) || !next_.compare_exchange_strong(next, now + often)) return bytes;
    constexpr double mebibyte = 1 << 20;
    char text[96];
    std::snprintf(text, sizeof text, "%llu reads, %.1f MiB, %lld s", static_cast<unsigned long long>(reads_),
                  static_cast<double>(bytes_) / mebibyte, static_cast<long long>(now / 1000));
    ProgressLine::draw(text);
    return bytes;
  }

  const std::shared_ptr<const tensortap::Store> store_;
  const Clock::time_point begin_ = Clock::now();
  mutable std::atomic<std::uint64_t> reads_ = 0, bytes_ = 0;
  mutable std::atomic<std::int64_t> next_ = 0;  // ms after the beginning
};

/// Returns the store at `address`, for reading; on a terminal it tells how much was read.
inline std::shared_ptr<const tensortap::Store> open_to_read(const std::string& address) {
  std::shared_ptr<const tensortap::Store> store = tensortap::open_store(address);
  if (!ProgressLine::is_wanted()) return store;
  return std::make_shared<CountedReads>(std::move(store));
}

}  // namespace tensortap_command
