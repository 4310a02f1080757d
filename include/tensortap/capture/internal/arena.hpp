// Memory for the tensors of one step. Blocks never move, and the next step reuses the chunks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Grows in chunks. Threads: one at a time; other threads may write into the blocks.
class Arena {
 public:
  /// Returns `size` uninitialised bytes, aligned for any element.
  [[nodiscard]] std::byte* allocate(std::size_t size) {
    constexpr std::size_t alignment = 64;
    size = (size + alignment - 1) / alignment * alignment;
    while (current_ < chunks_.size() && chunks_[current_].size - used_ < size) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) {
      const std::size_t capacity = std::max(size, std::clamp(capacity_, smallest_chunk, largest_chunk));
      chunks_.push_back({std::unique_ptr<std::byte[]>(new std::byte[capacity + alignment]), capacity});
      capacity_ += capacity;
    }
    std::byte* const chunk = chunks_[current_].bytes.get();
    const std::size_t past = reinterpret_cast<std::uintptr_t>(chunk) % alignment;
    std::byte* const out = chunk + (alignment - past) % alignment + used_;
    used_ += size;
    in_use_ += size;
    return out;
  }

  /// Frees all blocks. Keeps the chunks, unless most of them were unused.
  void clear() {
    if (capacity_ > 4 * in_use_ + largest_chunk) {
      chunks_.clear();
      capacity_ = 0;
    }
    current_ = used_ = in_use_ = 0;
  }

  /// The bytes of all chunks.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  static constexpr std::size_t smallest_chunk = std::size_t{4} << 10;
  static constexpr std::size_t largest_chunk = std::size_t{1} << 20;

  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size;
  };
  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
  std::size_t in_use_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
