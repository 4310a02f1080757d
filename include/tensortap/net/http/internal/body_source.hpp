// The body of a request, handed out from where it lies. Not for users.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/net/http/http_message.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Hands out pieces one after the other. Lifetime: that of the pieces.
class BodySource {
 public:
  using Clock = HttpRequest::Clock;

  explicit BodySource(std::span<const Bytes> pieces) : pieces_(pieces) {
    for (const Bytes piece : pieces) size_ += piece.size();
  }

  /// Units: bytes.
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  /// When something was last taken.
  [[nodiscard]] Clock::time_point moved_at() const noexcept { return moved_at_; }

  /// Calls `write(data, size)` with the next bytes from `offset` on. Small pieces go together: each call is a system
  /// call, and without Nagle's algorithm a packet of its own.
  template <class Write>
  void write(std::uint64_t offset, const Write& write) {
    if (offset < start_) start_ = next_ = 0;
    while (next_ < pieces_.size() && offset - start_ >= pieces_[next_].size()) start_ += pieces_[next_++].size();
    if (next_ == pieces_.size()) return;
    const Bytes rest = pieces_[next_].subspan(static_cast<std::size_t>(offset - start_));
    if (rest.size() >= small || next_ + 1 == pieces_.size()) {
      write(reinterpret_cast<const char*>(rest.data()), std::min(rest.size(), most));
    } else {
      together_.assign(rest.begin(), rest.end());
      for (std::size_t i = next_ + 1; i < pieces_.size() && pieces_[i].size() + together_.size() <= most; ++i) {
        if (pieces_[i].size() >= small) break;
        together_.insert(together_.end(), pieces_[i].begin(), pieces_[i].end());
      }
      write(reinterpret_cast<const char*>(together_.data()), together_.size());
    }
    moved_at_ = Clock::now();
  }

 private:
  /// Units: bytes.
  static constexpr std::size_t small = std::size_t{16} << 10;
  static constexpr std::size_t most = std::size_t{256} << 10;

  const std::span<const Bytes> pieces_;
  std::uint64_t size_ = 0;
  std::size_t next_ = 0;     ///< the piece that is handed out
  std::uint64_t start_ = 0;  ///< where it begins in the body
  std::vector<std::byte> together_;
  Clock::time_point moved_at_{};
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
