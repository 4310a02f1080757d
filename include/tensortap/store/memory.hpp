// A store in memory: for tests, and for runs that end with the process.
//
//   auto store = std::make_shared<tensortap::MemoryStore>();
//   tensortap::Hook hook(store);
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
struct MemoryStoreState;
}

/// Keeps objects until it is destroyed. A claim lasts until it is released.
class MemoryStore final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  MemoryStore();
  TENSORTAP_INLINE ~MemoryStore() override;

  TENSORTAP_INLINE bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                            IfExists if_exists) override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get(std::string_view key,
                                                                           Range range) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::uint64_t> size(std::string_view key) const override;
  [[nodiscard]] TENSORTAP_INLINE std::vector<ObjectInfo> list(std::string_view prefix,
                                                              std::string_view after) const override;
  TENSORTAP_INLINE bool remove(std::string_view key) override;
  TENSORTAP_INLINE bool move(std::string_view from, std::string_view to) override;
  /// Does nothing: no object outlives the process.
  TENSORTAP_INLINE void sync(std::span<const std::string> keys) override;
  [[nodiscard]] TENSORTAP_INLINE std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override;
  /// Returns 0.
  TENSORTAP_INLINE std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override;
  /// Returns "memory".
  [[nodiscard]] TENSORTAP_INLINE std::string location() const override;

 private:
  std::unique_ptr<detail::MemoryStoreState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/store/internal/memory_impl.hpp>
#endif
