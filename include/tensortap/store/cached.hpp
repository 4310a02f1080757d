// A store that caches small objects in a directory, so that a second reading of a run fetches only new objects. It
// caches only objects whose version list() has returned, and uses a copy only for the same version.
//
//   auto store = tensortap::open_store("s3://bucket/runs/42");
//   tensortap::Trial trial(std::make_shared<tensortap::CachedStore>(store, "/var/tmp/runs"));
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
class CachedStoreState;
}

/// The limits of a CachedStore. Units: bytes.
struct CacheLimits {
  std::uint64_t object = std::uint64_t{1} << 20;   ///< larger objects are not kept
  std::uint64_t total = std::uint64_t{256} << 20;  ///< once exceeded, nothing more is kept; the next CachedStore clears
                                                   ///< the directory
};

/// A store with a cache. The first get() of an object after list() reads the cached copy. Later calls go to the store
/// until the object is listed again, because it may have been replaced. Errors in the directory only cost a call to the
/// store. Threads and processes: several may share the directory.
class CachedStore final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  /// Keeps copies of objects of `store` below `directory`, in its folder "tensortap-cache".
  CachedStore(std::shared_ptr<Store> store, const std::string& directory, CacheLimits limits = {});
  TENSORTAP_INLINE ~CachedStore() override;

  TENSORTAP_INLINE bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                            IfExists if_exists) override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get(std::string_view key,
                                                                           Range range) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get_version(
      std::string_view key, std::string_view wanted) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::uint64_t> size(std::string_view key) const override;
  [[nodiscard]] TENSORTAP_INLINE std::vector<ObjectInfo> list(std::string_view prefix,
                                                              std::string_view after) const override;
  TENSORTAP_INLINE bool remove(std::string_view key) override;
  TENSORTAP_INLINE void remove_all(std::span<const std::string> keys) override;
  TENSORTAP_INLINE bool move(std::string_view from, std::string_view to) override;
  TENSORTAP_INLINE void sync(std::span<const std::string> keys) override;
  [[nodiscard]] TENSORTAP_INLINE std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override;
  [[nodiscard]] TENSORTAP_INLINE std::string claim_holder(std::string_view key) const override;
  TENSORTAP_INLINE std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override;
  [[nodiscard]] TENSORTAP_INLINE std::string location() const override;
  [[nodiscard]] TENSORTAP_INLINE std::size_t concurrency() const noexcept override;

 private:
  std::unique_ptr<detail::CachedStoreState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/store/internal/cached_impl.hpp>
#endif
