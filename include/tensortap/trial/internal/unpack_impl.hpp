// The bodies of unpack.hpp.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/claim_run.hpp>
#include <tensortap/trial/internal/segment_catalog.hpp>
#include <tensortap/trial/packed_run.hpp>
#include <tensortap/trial/unpack.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes the files of segments into their store. One call at a time.
class SegmentUnpacker {
 public:
  explicit SegmentUnpacker(Store& run) : run_(run) {}

  /// Unpacks the segment `key`, whose `manifest` is sound, into `folder`. Leaves out the files that `wants` refuses. A
  /// damaged segment stays.
  template <class Wants>
  void unpack(const std::string& key, const SegmentManifest& manifest, const std::string& folder, const Wants& wants) {
    try {
      std::vector<const SegmentEntry*> events, indexes;
      for (const SegmentEntry& entry : manifest.entries)
        if (wants(entry)) (entry.is_index ? indexes : events).push_back(&entry);
      segment_.reset();
      const SegmentEntry& last = manifest.entries.back();
      if (last.start + last.size <= largest_whole) segment_ = run_.get(key);
      put(key, folder, events);
      put(key, folder, indexes);
      run_.remove(key);
      run_.sync(std::span(&key, 1));
      ++done_.segments;
      done_.steps += indexes.size();
      done_.files += indexes.size() + events.size();
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
      add_damage(key, e);
    }
  }

  void add_damage(const std::string& key, const Error& e) { done_.damage.push_back({escaped(key), escaped(e.what())}); }

  [[nodiscard]] Unpacked& done() noexcept { return done_; }

 private:
  /// Puts files and makes them durable.
  void put(const std::string& segment, const std::string& folder, const std::vector<const SegmentEntry*>& entries) {
    std::vector<std::string> keys;
    std::atomic<std::uint64_t> bytes = 0;
    keys.reserve(entries.size());
    for (const SegmentEntry* entry : entries) keys.push_back(folder + entry->key);
    parallel_for(entries.size(), run_.concurrency(), [&](std::size_t i) {
      const SegmentEntry& entry = *entries[i];
      std::optional<std::vector<std::byte>> file;
      Bytes piece;
      if (segment_) {
        const std::size_t start = std::min<std::uint64_t>(entry.start, segment_->size());
        piece = Bytes(*segment_).subspan(start, std::min<std::uint64_t>(entry.size, segment_->size() - start));
      } else if ((file = run_.get(segment, {entry.start, entry.size}))) {
        piece = *file;
      }
      if (piece.size() != entry.size || crc32c(piece) != entry.crc32c)
        throw Error::damaged("segment", segment, "the checksum of " + in_quotes(entry.key) + " does not match");
      run_.put(keys[i], std::span(&piece, 1), Sync::no, IfExists::replace);
      bytes += entry.size;
    });
    run_.sync(keys);
    done_.bytes += bytes;
  }

  static constexpr std::uint64_t largest_whole = std::uint64_t{256} << 20;  // that is read in one call

  Store& run_;
  std::optional<std::vector<std::byte>> segment_;  // the one that is being unpacked, unless it is larger
  Unpacked done_;
};

/// A segment that an attempt has set aside.
struct SupersededSegment {
  ObjectInfo object;
  std::string folder;  ///< of that attempt
  std::string key;     ///< by which its manifest calls it
};

inline std::vector<SupersededSegment> superseded_segments(const Store& run) {
  std::vector<SupersededSegment> out;
  for (const ObjectInfo& object : run.list(layout::superseded_prefix)) {
    const std::size_t slash = object.key.find('/', layout::superseded_prefix.size());
    if (slash == std::string::npos || !layout::parse_segment_key(object.key.substr(slash + 1))) continue;
    out.push_back({object, object.key.substr(0, slash + 1), object.key.substr(slash + 1)});
  }
  return out;
}

/// Unpacks the segments that attempts have set aside, each in the folder of its attempt.
inline void unpack_superseded(Store& run, SegmentUnpacker& unpacker) {
  for (const auto& [object, folder, key] : superseded_segments(run)) {
    try {
      const std::string& place = object.key;
      const auto manifest = read_segment_manifest(key, object.size, [&](std::uint64_t start, std::uint64_t length) {
        return run.get(place, {start, length});
      });
      if (manifest) unpacker.unpack(place, *manifest, folder, [](const SegmentEntry&) { return true; });
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
      unpacker.add_damage(object.key, e);
    }
  }
}

/// Returns the identities that the attempts of a run give it. Skips damaged ones.
inline std::set<std::string> run_ids_of(const Store& run) {
  std::set<std::string> out;
  for (const ObjectInfo& object : run.list(layout::attempts_prefix)) {
    const auto text = run.get(object.key, {0, layout::text_limit});
    try {
      if (text) out.insert(parse_attempt(text_of(*text), object.key).run_id);
    } catch (const Error&) {  // a copy has it too
    }
  }
  return out;
}

/// Copies a run object by object, in the order in which a hook writes them. One call.
class UnpackedCopy {
 public:
  UnpackedCopy(const std::shared_ptr<Store>& run, Store& to) : run_(run), view_(run), to_(to) {}

  Unpacked make() {
    require_no_other_run();
    const auto claims = claim_all_workers(to_, "unpack");
    const bool has_ended = run_->size(layout::end_marker).has_value();  // before the listing, which then has all steps
    std::vector<std::string> others, events, indexes;
    for (ObjectInfo& object : view_.list("")) {
      const std::string& key = object.key;
      if (key == layout::end_marker || (key.starts_with("claim") && key.ends_with(".smd"))) continue;
      (key.starts_with(layout::events_prefix)  ? events
       : key.starts_with(layout::index_prefix) ? indexes
                                               : others)
          .push_back(std::move(object.key));
    }
    out_.copied = copy(others);
    for (const std::vector<std::string>* const files : {&events, &indexes}) out_.files += copy(*files);
    for (const std::string& key : indexes) out_.steps += layout::parse_index_key(key) ? 1U : 0U;
    SegmentUnpacker unpacker(to_);
    unpack_superseded(to_, unpacker);
    for (Damage& damage : unpacker.done().damage) out_.damage.push_back(std::move(damage));
    for (Damage& damage : view_.damage()) out_.damage.push_back(std::move(damage));
    if (has_ended && out_.damage.empty()) out_.copied += copy({std::string(layout::end_marker)});
    return std::move(out_);
  }

 private:
  void require_no_other_run() const {
    const std::set<std::string> there = run_ids_of(to_);
    if (!there.empty() && there != run_ids_of(*run_))
      throw Error::unpack_target_taken(run_->location(), to_.location(), "it holds another run");
    if (there.empty() && !(to_.list(layout::index_prefix).empty() && to_.list(layout::collections_prefix).empty()))
      throw Error::unpack_target_taken(run_->location(), to_.location(), "it holds steps of a run that is not known");
  }

  /// Copies objects and makes them durable. Returns their number.
  std::uint64_t copy(const std::vector<std::string>& keys) {
    std::atomic<std::uint64_t> copied = 0, bytes = 0;
    std::mutex mutex;  // guards the damage
    parallel_for(keys.size(), std::max(run_->concurrency(), to_.concurrency()), [&](std::size_t i) {
      try {
        const auto object = view_.get(keys[i]);
        if (!object) return;  // it has gone meanwhile
        const Bytes piece = *object;
        to_.put(keys[i], std::span(&piece, 1), Sync::no, IfExists::replace);
        ++copied;
        bytes += object->size();
      } catch (const Error& e) {
        if (e.code() != Errc::damaged) throw;
        const std::lock_guard lock(mutex);
        out_.damage.push_back({escaped(keys[i]), escaped(e.what())});
      }
    });
    to_.sync(keys);
    out_.bytes += bytes;
    return copied;
  }

  std::shared_ptr<Store> run_;
  PackedRun view_;
  Store& to_;
  Unpacked out_;
};

}  // namespace detail

TENSORTAP_INLINE Unpacked unpack(const std::shared_ptr<Store>& run) {
  if (run->list(layout::segments_prefix).empty() && detail::superseded_segments(*run).empty()) return {};
  const auto claims = detail::claim_all_workers(*run, "unpack");
  detail::SegmentCatalog catalog(run);
  (void)catalog.list({}, {});
  detail::SegmentUnpacker unpacker(*run);
  for (const auto& segment : catalog.segments()) {
    unpacker.unpack(segment->key, segment->manifest, "", [&](const detail::SegmentEntry& entry) {
      const auto shown = catalog.find(entry.key);
      return shown && shown->segment == segment;
    });
  }
  detail::unpack_superseded(*run, unpacker);
  for (Damage& damage : catalog.damage()) unpacker.done().damage.push_back(std::move(damage));
  return std::move(unpacker.done());
}

TENSORTAP_INLINE Unpacked unpack(const std::shared_ptr<Store>& run, const std::shared_ptr<Store>& to) {
  const std::string from = run->location(), target = to->location();
  if (target == from && from != "memory") return unpack(run);
  if (target.starts_with(from + "/")) throw Error::unpack_target_taken(from, target, "it lies in the run");
  return detail::UnpackedCopy(run, *to).make();
}

TENSORTAP_END_NAMESPACE
