// A view of a run in which packed steps appear as the files that they are: a hook with `HookOptions::pack` writes the
// files of many steps into one object, a segment. A Trial reads every run through such a view.
//
//   const tensortap::PackedRun run(tensortap::open_store("s3://bucket/runs/42"));
//   for (const tensortap::ObjectInfo& object : run.list("index/")) std::cout << object.key << '\n';
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
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class SegmentCatalog;
}

/// A store that shows the files in the segments of a run, and no segments. It knows the segments of the last listing of
/// "index/" or of everything; a run without segments costs no call more. Listing a folder in "index/" or "events/"
/// lists the segments first. If a step is there several times, the file of the later attempt is shown.
/// Writing: only the store below can be written; here each change throws.
/// Threads: several may call any function at once.
class PackedRun final : public Store {
 public:
  using Store::get;
  using Store::list;
  using Store::put;

  explicit PackedRun(std::shared_ptr<const Store> run);
  TENSORTAP_INLINE ~PackedRun() override;

  /// Returns the segments that cannot be read, and why. Their steps are not shown.
  [[nodiscard]] std::vector<Damage> damage() const;

  /// Returns bytes of an object. Throws: the store failed; an object in a segment that is read whole has another
  /// checksum than the segment says.
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get(std::string_view key,
                                                                           Range range) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::vector<std::byte>> get_version(
      std::string_view key, std::string_view wanted) const override;
  [[nodiscard]] TENSORTAP_INLINE std::optional<std::uint64_t> size(std::string_view key) const override;
  [[nodiscard]] TENSORTAP_INLINE std::vector<ObjectInfo> list(std::string_view prefix,
                                                              std::string_view after) const override;
  [[nodiscard]] TENSORTAP_INLINE std::string claim_holder(std::string_view key) const override;
  [[nodiscard]] TENSORTAP_INLINE std::string location() const override;
  [[nodiscard]] TENSORTAP_INLINE std::size_t concurrency() const noexcept override;

  TENSORTAP_INLINE bool put(std::string_view key, std::span<const Bytes> pieces, Sync sync,
                            IfExists if_exists) override;
  TENSORTAP_INLINE bool remove(std::string_view key) override;
  TENSORTAP_INLINE bool move(std::string_view from, std::string_view to) override;
  TENSORTAP_INLINE void sync(std::span<const std::string> keys) override;
  [[nodiscard]] TENSORTAP_INLINE std::unique_ptr<Claim> claim(std::string_view key, std::string_view text) override;
  TENSORTAP_INLINE std::size_t remove_unfinished(const std::function<bool(std::string_view key)>& is_mine) override;

 private:
  std::unique_ptr<detail::SegmentCatalog> catalog_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/packed_run_impl.hpp>
#endif
