// Parts of segments that were read, in blocks: the indexes of a segment are read one after the other, and a history of
// a tensor reads a few bytes of each step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class SegmentBlocks {
 public:
  /// On S3 a call takes as long as 1 MiB does. Units: bytes.
  static constexpr std::uint64_t block_size = std::uint64_t{1} << 20;
  static constexpr std::uint64_t largest_read = block_size / 4;  ///< that uses blocks
  static constexpr std::size_t most_blocks = 32;

  /// Whether the bytes behind will be read next.
  enum class Access : std::uint8_t {
    in_order,   ///< they will
    as_needed,  ///< they may: a block is read when something in it is read for the second time
  };

  explicit SegmentBlocks(const Store& store) : store_(store) {}

  /// Returns bytes of the object `key`, fewer if it ends before; nullopt if it does not exist. Objects that had the
  /// same key one after the other have different numbers.
  [[nodiscard]] std::optional<std::vector<std::byte>> read(const std::string& key, std::uint64_t number, Range range,
                                                           Access access) {
    if (range.length == 0 || range.length > largest_read) return store_.get(key, range);
    std::vector<std::byte> out;
    const std::uint64_t end = range.start + range.length;
    for (std::uint64_t at = range.start / block_size * block_size; at < end; at += block_size) {
      const std::shared_ptr<Block> block = find({number, at}, access);
      if (!block) return store_.get(key, range);
      const std::lock_guard lock(block->mutex);
      if (!block->bytes) {
        auto bytes = store_.get(key, {at, block_size});
        if (!bytes) return std::nullopt;
        block->bytes = std::move(bytes);
      }
      const Bytes bytes = *block->bytes;
      const std::uint64_t from = std::min<std::uint64_t>(std::max(range.start, at) - at, bytes.size());
      const std::uint64_t to = std::min<std::uint64_t>(end - at, bytes.size());
      out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(from),
                 bytes.begin() + static_cast<std::ptrdiff_t>(to));
    }
    return out;
  }

 private:
  using Name = std::pair<std::uint64_t, std::uint64_t>;  // the number of an object, and a place in it
  struct Block {
    std::mutex mutex;
    std::optional<std::vector<std::byte>> bytes;
  };
  struct Known {
    std::shared_ptr<Block> block;  // null: something in it was read once
    std::list<Name>::iterator turn;
  };
  static constexpr std::size_t most_known = 4096;

  /// Returns the block `name`, perhaps not yet read; null if it should not be read.
  [[nodiscard]] std::shared_ptr<Block> find(const Name& name, Access access) {
    const std::lock_guard lock(mutex_);
    const auto [known, is_new] = known_.try_emplace(name);
    if (is_new) {
      known->second.turn = order_.insert(order_.end(), known->first);
    } else {
      order_.splice(order_.end(), order_, known->second.turn);
    }
    std::shared_ptr<Block>& block = known->second.block;
    if (!block && (!is_new || access == Access::in_order)) {
      block = std::make_shared<Block>();
      ++blocks_;
    }
    std::shared_ptr<Block> out = block;
    while (blocks_ > most_blocks || known_.size() > most_known) forget_oldest();
    return out;
  }

  void forget_oldest() {
    const auto oldest = known_.find(order_.front());
    if (oldest->second.block) --blocks_;
    known_.erase(oldest);
    order_.pop_front();
  }

  const Store& store_;
  std::mutex mutex_;  // guards the rest
  std::map<Name, Known> known_;
  std::list<Name> order_;  // the last one was used last
  std::size_t blocks_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
