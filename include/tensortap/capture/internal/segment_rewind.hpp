// The segments of a worker with steps after the last commit: sets these steps aside. Segments end at commits, so that
// most are moved whole. One that spans the commit of another worker is split in two before.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/hook_options.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the manifest of the segment `key`, an object of `size` bytes; nullopt if it is gone. Throws: it is damaged.
inline std::optional<SegmentManifest> load_segment_manifest(const Store& store, const std::string& key,
                                                            std::uint64_t size) {
  return read_segment_manifest(key, size, [&](std::uint64_t start, std::uint64_t length) {
    return store.get(key, {start, length});
  });
}

class SegmentRewind {
 public:
  /// Sets aside the steps of segments after `resumed_at`. Adds the keys that it changes to `touched`.
  SegmentRewind(Store& store, const HookOptions& options, std::int64_t resumed_at, std::vector<std::string>& touched)
      : store_(store), options_(options), resumed_at_(resumed_at), touched_(touched) {}

  /// Adds a segment if it has such steps. Throws: the store failed.
  void add(const ObjectInfo& object, const layout::SegmentName& name) {
    if (name.last <= resumed_at_) return;
    Found found{object.key, object.size, name};
    try {
      if (const auto manifest = load_segment_manifest(store_, object.key, object.size))
        for (const SegmentEntry& entry : manifest->entries)
          if (entry.is_index && entry.step > resumed_at_) steps_.emplace_back(entry.step, object.key);
    } catch (const Error& e) {
      if (e.code() == Errc::io) throw;
      found.is_damaged = true;
      steps_.emplace_back(name.last, object.key);
    }
    found_.push_back(std::move(found));
  }

  /// The steps after the commit, each with the key of its segment, in any order; of a damaged segment the last one.
  [[nodiscard]] const std::vector<std::pair<std::int64_t, std::string>>& steps() const noexcept { return steps_; }

  /// Sets them aside for `attempt`, the last ones first, so that readers always see a prefix.
  void run(std::int64_t attempt) {
    std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) { return a.name.last > b.name.last; });
    for (const Found& found : found_) {
      if (found.name.first > resumed_at_) {
        set_aside(found.key, attempt);
      } else if (!found.is_damaged) {  // a damaged one stays, since it may hold steps that count
        split(found, attempt);
      }
    }
  }

 private:
  struct Found {
    std::string key;
    std::uint64_t size = 0;
    layout::SegmentName name;
    bool is_damaged = false;
  };

  void set_aside(const std::string& key, std::int64_t attempt) {
    touched_.push_back(key);
    if (options_.on_resume == OnResume::archive) {
      touched_.push_back(layout::superseded_key(attempt, key));
      store_.move(key, touched_.back());
    } else {
      store_.remove(key);
    }
  }

  /// Replaces a segment by one with its steps up to the commit and one with the others, which is set aside. A process
  /// that is killed here leaves steps that are there twice, equal; the next attempt goes on.
  void split(const Found& found, std::int64_t attempt) {
    const auto manifest = load_segment_manifest(store_, found.key, found.size);
    const auto bytes = store_.get(found.key);
    if (!manifest || !bytes) return;
    const std::array<std::string, 2> parts{put_part(*manifest, *bytes, true), put_part(*manifest, *bytes, false)};
    if (options_.durability != Durability::none) store_.sync(parts);
    store_.remove(found.key);
    touched_.insert(touched_.end(), {parts[0], parts[1], found.key});
    set_aside(parts[1], attempt);
  }

  /// Puts the steps of a segment up to the commit, or those after it. Returns the key.
  [[nodiscard]] std::string put_part(const SegmentManifest& manifest, Bytes segment, bool is_kept) const {
    std::vector<const SegmentEntry*> entries;
    layout::SegmentName name = manifest.name;
    for (const SegmentEntry& entry : manifest.entries) {
      if ((entry.step <= resumed_at_) != is_kept) continue;
      entries.push_back(&entry);
      if (!entry.is_index) continue;
      if (is_kept) name.last = entry.step;
      if (!is_kept && name.first <= resumed_at_) name.first = entry.step;
    }
    SegmentWriter part(name);
    for (const SegmentEntry* entry : entries) part.add(entry->key, segment.subspan(entry->start, entry->size));
    store_.put(part.key(), part.finish(), Sync::no, IfExists::replace);
    return part.key();
  }

  Store& store_;
  const HookOptions& options_;
  std::int64_t resumed_at_;
  std::vector<std::string>& touched_;
  std::vector<Found> found_;
  std::vector<std::pair<std::int64_t, std::string>> steps_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
