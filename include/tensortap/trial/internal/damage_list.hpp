// The damage that a reader has found so far.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/trial/damage.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// A bounded list of damage without duplicates. Threads: any.
class DamageList {
 public:
  /// Adds an entry, which `repaired(object)` removes.
  void add(std::string_view object, std::string_view where, std::string_view cause) {
    const std::lock_guard lock(mutex_);
    if (list_.size() >= limit || !seen_.emplace(where, cause).second) return;
    list_.push_back({std::string(object), std::string(where), std::string(cause)});
    objects_.emplace(object);
  }
  void add(std::string_view where, std::string_view cause) { add(where, where, cause); }

  /// Removes the entries of `object`, which has been read.
  void repaired(std::string_view object) {
    const std::lock_guard lock(mutex_);
    const auto known = objects_.find(object);
    if (known == objects_.end()) return;  // the usual case, also while other records are damaged
    objects_.erase(known);
    std::erase_if(list_, [&](const Entry& entry) {
      if (entry.object != object) return false;
      seen_.erase({entry.where, entry.cause});
      return true;
    });
  }

  [[nodiscard]] bool empty() const {
    const std::lock_guard lock(mutex_);
    return list_.empty();
  }

  /// Returns the entries in the order in which they were added, with their texts escaped.
  [[nodiscard]] std::vector<Damage> list() const {
    const std::lock_guard lock(mutex_);
    std::vector<Damage> out;
    for (const Entry& entry : list_) out.push_back({escaped(entry.where), escaped(entry.cause)});
    return out;
  }

 private:
  struct Entry {
    std::string object, where, cause;
  };

  static constexpr std::size_t limit = 10'000;
  mutable std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::set<std::string, std::less<>> objects_;  // of the entries
  std::vector<Entry> list_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
