// The records of a step by the names of their tensors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Finds the records of a tensor. Keeps its memory from step to step: steps of the same size allocate nothing.
/// Threads: one at a time.
class RecordIndex {
 public:
  /// Reads `records`, which must not change while the index is used.
  void build(const std::vector<CapturedRecord>& records) {
    std::size_t wanted = 16;
    while (wanted < 2 * records.size()) wanted *= 2;
    slots_.resize(std::max(wanted, slots_.size()));
    std::fill(slots_.begin(), slots_.end(), Slot{});
    earlier_.resize(records.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::string_view name = records[i].tensor->name;
      const std::uint32_t hash = hash_of(name);
      Slot& slot = slot_of(name, hash, records);
      earlier_[i] = slot.last;
      slot = {.last = static_cast<std::uint32_t>(i + 1), .hash = hash};
    }
  }

  /// Calls `is_wanted` with the records of `tensor`, from the last to the first, until it returns true. Returns the
  /// record; null if there is none. `records`: those of `build`.
  template <class IsWanted>
  const CapturedRecord* find_last(const std::vector<CapturedRecord>& records, std::string_view tensor,
                                  const IsWanted& is_wanted) {
    for (std::uint32_t at = slot_of(tensor, hash_of(tensor), records).last; at != 0; at = earlier_[at - 1])
      if (is_wanted(records[at - 1])) return &records[at - 1];
    return nullptr;
  }

 private:
  /// A place of the hash table. Places of a step are at most half full.
  struct Slot {
    std::uint32_t last = 0;  // the position of the last record, counted from 1; 0: free
    std::uint32_t hash = 0;
  };

  static std::uint32_t hash_of(std::string_view name) {
    const std::uint64_t hash = std::hash<std::string_view>{}(name);
    return static_cast<std::uint32_t>(hash ^ hash >> 32);
  }

  /// Returns the place of a name with this hash, or the free one where it belongs.
  Slot& slot_of(std::string_view name, std::uint32_t hash, const std::vector<CapturedRecord>& records) {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
      Slot& slot = slots_[i];
      if (slot.last == 0 || (slot.hash == hash && records[slot.last - 1].tensor->name == name)) return slot;
    }
  }

  std::vector<Slot> slots_;             // a power of two
  std::vector<std::uint32_t> earlier_;  // by record: the one before it of the same tensor, counted from 1
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
