// What could not be read of a run. Reading goes on around it, and it is tried again when it is asked for again.
//
//   for (const tensortap::Damage& damage : trial.damage()) std::cerr << damage.where << ": " << damage.cause << '\n';
#pragma once

#include <cstddef>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Something in a run that could not be read; safe to print.
struct Damage {
  std::string where;  ///< a key, or a tensor and step
  std::string cause;
};

namespace detail {

/// Damage as it is met. The same twice is listed once; the list is bounded. Threads: any.
class DamageList {
 public:
  /// `object` is what has to be read again for the damage to be gone.
  void add(std::string_view object, std::string_view where, std::string_view cause) {
    const std::lock_guard lock(mutex_);
    if (list_.size() < limit && seen_.emplace(where, cause).second)
      list_.push_back({std::string(object), std::string(where), std::string(cause)});
  }
  void add(std::string_view where, std::string_view cause) { add(where, where, cause); }

  /// `object` could be read.
  void repaired(std::string_view object) {
    const std::lock_guard lock(mutex_);
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
  std::vector<Entry> list_;
};

}  // namespace detail

TENSORTAP_END_NAMESPACE
