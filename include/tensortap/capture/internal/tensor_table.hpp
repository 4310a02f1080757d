// The table of a hook's tensors, by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/select/internal/save_request.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A tensor's name, and the decisions about it. Only the catalog changes it.
struct TrackedTensor {
  std::string name;
  std::vector<std::size_t> collections = {};  ///< positions of those it belongs to
  bool saved = false;                         ///< whether anything was saved of it
  std::uint64_t recorded_in = 0;              ///< the catalog's step count when it was last saved
  std::uint64_t decided_in = 0;               ///< the catalog's step count when it set the next four
  bool due = false;                           ///< whether any of its collections is due
  bool kept = false;                          ///< whether the flight recorder keeps any of them
  SaveRequest request = {};                   ///< what the due ones save
  SaveRequest kept_request = {};              ///< what the kept ones save
  std::uint64_t kept_in = 0;                  ///< the catalog's step count when the recorder kept it last
  std::vector<std::size_t> needed_by = {};    ///< positions of the collections of rules that it belongs to
  bool is_met = false;                        ///< whether the next two are known
  bool is_scalar = false;                     ///< whether it has one element
  bool is_real = false;                       ///< whether it has statistics
};

/// Owns the entries, which never move. Threads: one at a time; other threads may read entries.
class TensorTable {
 public:
  /// Returns the entry of `name`; null if there is none.
  [[nodiscard]] TrackedTensor* find(std::string_view name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : found->second.get();
  }

  [[nodiscard]] std::size_t size() const noexcept { return tensors_.size(); }

  /// Adds `name`, which must be absent; returns null if the table is full.
  TrackedTensor* add(std::string_view name, std::vector<std::size_t> collections) {
    if (tensors_.size() == limit) return nullptr;
    auto tensor = std::make_unique<TrackedTensor>(
        TrackedTensor{.name = std::string(name), .collections = std::move(collections)});
    TrackedTensor* const out = tensor.get();
    tensors_.emplace(out->name, std::move(tensor));
    return out;
  }

 private:
  static constexpr std::size_t limit = std::size_t{1} << 20;

  std::unordered_map<std::string_view, std::unique_ptr<TrackedTensor>> tensors_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
