// The bodies of packed_run.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/segment_catalog.hpp>
#include <tensortap/trial/packed_run.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE PackedRun::PackedRun(std::shared_ptr<const Store> run)
    : catalog_(std::make_unique<detail::SegmentCatalog>(std::move(run))) {}

TENSORTAP_INLINE PackedRun::~PackedRun() = default;

TENSORTAP_INLINE std::vector<Damage> PackedRun::damage() const { return catalog_->damage(); }

// A segment may go after it was listed, because its files were unpacked: then they are plain objects.

TENSORTAP_INLINE std::optional<std::vector<std::byte>> PackedRun::get(std::string_view key, Range range) const {
  if (const auto place = catalog_->find(key))
    if (auto bytes = catalog_->read(*place, range)) return bytes;
  return catalog_->run().get(key, range);
}

TENSORTAP_INLINE std::optional<std::vector<std::byte>> PackedRun::get_version(std::string_view key,
                                                                              std::string_view wanted) const {
  return catalog_->run().get_version(key, wanted);
}

TENSORTAP_INLINE std::optional<std::uint64_t> PackedRun::size(std::string_view key) const {
  if (const auto place = catalog_->find(key))
    if (catalog_->run().size(place->segment->key)) return place->entry->size;
  return catalog_->run().size(key);
}

TENSORTAP_INLINE std::vector<ObjectInfo> PackedRun::list(std::string_view prefix, std::string_view after) const {
  return catalog_->list(prefix, after);
}

TENSORTAP_INLINE std::string PackedRun::claim_holder(std::string_view key) const {
  return catalog_->run().claim_holder(key);
}

TENSORTAP_INLINE std::string PackedRun::location() const { return catalog_->run().location(); }

TENSORTAP_INLINE std::size_t PackedRun::concurrency() const noexcept { return catalog_->run().concurrency(); }

TENSORTAP_INLINE bool PackedRun::put(std::string_view key, std::span<const Bytes>, Sync, IfExists) {
  throw Error::view_is_read_only("put", location(), key);
}

TENSORTAP_INLINE bool PackedRun::remove(std::string_view key) {
  throw Error::view_is_read_only("remove", location(), key);
}

TENSORTAP_INLINE bool PackedRun::move(std::string_view from, std::string_view) {
  throw Error::view_is_read_only("move", location(), from);
}

TENSORTAP_INLINE void PackedRun::sync(std::span<const std::string>) {}

TENSORTAP_INLINE std::unique_ptr<Claim> PackedRun::claim(std::string_view key, std::string_view) {
  throw Error::view_is_read_only("claim", location(), key);
}

TENSORTAP_INLINE std::size_t PackedRun::remove_unfinished(const std::function<bool(std::string_view key)>&) {
  return 0;
}

TENSORTAP_END_NAMESPACE
