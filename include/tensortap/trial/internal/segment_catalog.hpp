// The files in the segments of a run: which ones are shown, and where they are.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/bytes/crc32c.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/parallel_for.hpp>
#include <tensortap/record/index.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/internal/segment_blocks.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: any.
class SegmentCatalog {
 public:
  using Access = SegmentBlocks::Access;

  /// A segment whose manifest is sound. It never changes.
  struct Segment {
    std::string key;
    std::uint64_t size = 0;
    std::uint64_t number = 0;  // among those that were read
    SegmentManifest manifest;
  };

  /// A file in a segment.
  struct Place {
    std::shared_ptr<const Segment> segment;
    const SegmentEntry* entry = nullptr;
  };

  explicit SegmentCatalog(std::shared_ptr<const Store> run) : run_(std::move(run)), blocks_(*run_) {}

  [[nodiscard]] const Store& run() const noexcept { return *run_; }

  /// Returns the place of the file `key`; nullopt if it is in no segment, or a file of a later attempt has its key.
  [[nodiscard]] std::optional<Place> find(std::string_view key) {
    if (!key.starts_with(layout::index_prefix) && !key.starts_with(layout::events_prefix)) return std::nullopt;
    if (!is_listed_) (void)list(layout::index_prefix, {});
    const std::shared_lock lock(mutex_);
    const auto found = shown_.find(key);
    return found == shown_.end() || found->second.is_hidden ? std::nullopt : std::optional(found->second.place);
  }

  /// Returns bytes of a file; nullopt if its segment is gone.
  [[nodiscard]] std::optional<std::vector<std::byte>> read(const Place& place, Range range) {
    const SegmentEntry& entry = *place.entry;
    const std::uint64_t start = std::min(range.start, entry.size);
    const std::uint64_t length = std::min(range.length, entry.size - start);
    auto bytes = blocks_.read(place.segment->key, place.segment->number, {entry.start + start, length},
                              entry.is_index || length == entry.size ? Access::in_order : Access::as_needed);
    if (!bytes) return bytes;
    if (bytes->size() < length)
      throw Error::damaged("segment", place.segment->key,
                           "it ends in " + in_quotes(entry.key) + " (" + std::to_string(bytes->size()) + " of " +
                               std::to_string(length) + " bytes)");
    if (length == entry.size && crc32c(*bytes) != entry.crc32c)
      throw Error::damaged("segment", place.segment->key,
                           "the checksum of " + in_quotes(entry.key) + " does not match");
    return bytes;
  }

  /// Lists the run with the files in its segments, and without the segments.
  [[nodiscard]] std::vector<ObjectInfo> list(std::string_view prefix, std::string_view after) {
    if (prefix.starts_with(layout::segments_prefix)) return {};
    const bool shows_all = layout::segments_prefix.starts_with(prefix) && after < layout::segments_prefix;
    const bool shows_files = prefix.starts_with(layout::index_prefix) || prefix.starts_with(layout::events_prefix);
    if (!shows_all && shows_files) learn(run_->list(layout::segments_prefix, {}));
    std::vector<ObjectInfo> plain = run_->list(prefix, after);
    const auto first = std::stable_partition(plain.begin(), plain.end(), [](const ObjectInfo& object) {
      return !object.key.starts_with(layout::segments_prefix);
    });
    if (shows_all) learn({first, plain.end()});
    plain.erase(first, plain.end());
    return shows_all || shows_files ? merged(std::move(plain), prefix, after) : plain;
  }

  /// Returns the sound segments, by attempt and step.
  [[nodiscard]] std::vector<std::shared_ptr<const Segment>> segments() const {
    const std::shared_lock lock(mutex_);
    std::vector<std::shared_ptr<const Segment>> out;
    for (const auto& [key, segment] : segments_) out.push_back(segment);
    return out;
  }

  [[nodiscard]] std::vector<Damage> damage() const {
    const std::shared_lock lock(mutex_);
    std::vector<Damage> out;
    for (const auto& [key, damaged] : damaged_) out.push_back({escaped(key), escaped(damaged.cause)});
    return out;
  }

 private:
  struct Shown {
    Place place;
    bool is_hidden = false;                   // by a plain file of a later attempt
    std::optional<std::uint64_t> rival = {};  // the size of the plain file, when that was decided
  };
  struct Damaged {
    std::uint64_t size = 0;
    std::string cause;
  };
  using Segments = std::map<std::string, std::shared_ptr<const Segment>>;

  /// Takes note of a complete listing of the segments, and reads the manifests of the new ones. Throws: the store
  /// failed. Then nothing has changed: a step must not be seen before an earlier one.
  void learn(const std::vector<ObjectInfo>& listed) {
    const std::lock_guard one_at_a_time(learn_mutex_);
    std::vector<const ObjectInfo*> news;
    for (const ObjectInfo& object : listed) {
      const auto known = segments_.find(object.key);
      const auto damaged = damaged_.find(object.key);
      if ((known == segments_.end() || known->second->size != object.size) &&
          (damaged == damaged_.end() || damaged->second.size != object.size) && layout::parse_segment_key(object.key))
        news.push_back(&object);
    }
    std::vector<std::shared_ptr<const Segment>> read(news.size());
    std::vector<std::string> causes(news.size());
    parallel_for(news.size(), run_->concurrency(), [&](std::size_t i) {
      try {
        read[i] = load(*news[i]);
      } catch (const Error& e) {
        if (e.code() == Errc::io) throw;
        causes[i] = e.what();
      }
    });

    const std::unique_lock lock(mutex_);
    const auto is_listed = [&](const std::string& key, std::uint64_t size) {
      const auto at = std::lower_bound(listed.begin(), listed.end(), key,
                                       [](const ObjectInfo& object, const std::string& k) { return object.key < k; });
      return at != listed.end() && at->key == key && at->size == size;
    };
    std::erase_if(damaged_, [&](const auto& one) { return !is_listed(one.first, one.second.size); });
    const auto gone =
        std::erase_if(segments_, [&](const auto& one) { return !is_listed(one.first, one.second->size); });
    if (gone > 0) {
      shown_.clear();
      for (const auto& [key, segment] : segments_) show(segment);
    }
    for (std::size_t i = 0; i < news.size(); ++i) {
      if (!causes[i].empty()) damaged_[news[i]->key] = {news[i]->size, std::move(causes[i])};
      if (!read[i]) continue;
      segments_[news[i]->key] = read[i];
      show(read[i]);
    }
    is_listed_ = true;
  }

  /// Reads the manifest of a segment. Returns null if it is gone.
  [[nodiscard]] std::shared_ptr<const Segment> load(const ObjectInfo& object) {
    const std::uint64_t number = ++last_number_;
    auto manifest = read_segment_manifest(object.key, object.size, [&](std::uint64_t start, std::uint64_t length) {
      return blocks_.read(object.key, number, {start, length}, Access::in_order);
    });
    if (!manifest) return nullptr;
    auto out = std::make_shared<Segment>(Segment{object.key, object.size, number, std::move(*manifest)});
    out->manifest.entries.shrink_to_fit();
    return out;
  }

  /// Shows the files of a segment, except those that a later attempt has written too.
  void show(const std::shared_ptr<const Segment>& segment) {
    for (const SegmentEntry& entry : segment->manifest.entries) {
      Shown& shown = shown_[entry.key];
      const Segment* const other = shown.place.segment.get();
      if (other != nullptr && other->manifest.name.attempt > segment->manifest.name.attempt) continue;
      shown = {{segment, &entry}, false, std::nullopt};
    }
  }

  /// Returns `plain` together with the files that are shown.
  [[nodiscard]] std::vector<ObjectInfo> merged(std::vector<ObjectInfo> plain, std::string_view prefix,
                                               std::string_view after) {
    decide_rivals(plain);
    const std::shared_lock lock(mutex_);
    std::vector<ObjectInfo> out;
    auto at = plain.begin();
    auto shown = after < prefix ? shown_.lower_bound(prefix) : shown_.upper_bound(after);
    for (; shown != shown_.end() && shown->first.starts_with(prefix); ++shown) {
      for (; at != plain.end() && at->key < shown->first; ++at) out.push_back(std::move(*at));
      if (shown->second.is_hidden) continue;
      if (at != plain.end() && at->key == shown->first) ++at;
      out.push_back({shown->first, shown->second.place.entry->size, {}});
    }
    out.insert(out.end(), std::make_move_iterator(at), std::make_move_iterator(plain.end()));
    return out;
  }

  /// Decides for each plain index with the key of one in a segment which of them counts, with its events: that of the
  /// later attempt. Such pairs are rare: an attempt without packing has continued, or steps are being unpacked.
  void decide_rivals(const std::vector<ObjectInfo>& plain) {
    {
      const std::shared_lock lock(mutex_);
      if (shown_.empty()) return;
    }
    for (const ObjectInfo& object : plain) {
      std::int64_t attempt = 0;
      {
        const std::shared_lock lock(mutex_);
        const auto shown = shown_.find(object.key);
        if (shown == shown_.end() || !shown->second.place.entry->is_index || shown->second.rival == object.size)
          continue;
        attempt = shown->second.place.segment->manifest.name.attempt;
      }
      const auto text = run_->get(object.key);
      bool is_later = false;
      try {
        is_later = text && parse_index(text_of(*text), object.key).attempt.value_or(-1) > attempt;
      } catch (const Error&) {  // a damaged one does not count
      }
      hide(object, is_later);
    }
  }

  /// Hides an index in a segment, and the events of that step, or shows them, because of the plain index `object`.
  void hide(const ObjectInfo& object, bool is_hidden) {
    const std::unique_lock lock(mutex_);
    const auto shown = shown_.find(object.key);
    if (shown == shown_.end()) return;
    shown->second.rival = object.size;
    shown->second.is_hidden = is_hidden;
    const SegmentEntry& index = *shown->second.place.entry;
    const std::string worker = layout::worker_from_file_name(shown->second.place.segment->manifest.name.worker);
    const auto events = shown_.find(layout::event_key(index.step, worker));
    if (events != shown_.end()) events->second.is_hidden = is_hidden;
  }

  const std::shared_ptr<const Store> run_;
  SegmentBlocks blocks_;
  std::atomic<std::uint64_t> last_number_ = 0;
  std::atomic<bool> is_listed_ = false;
  std::mutex learn_mutex_;           // its holder may read the members below without the other lock
  mutable std::shared_mutex mutex_;  // guards the members below
  Segments segments_;
  std::map<std::string, Damaged> damaged_;
  std::map<std::string, Shown, std::less<>> shown_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
