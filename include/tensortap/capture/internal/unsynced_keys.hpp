// The keys of step files that were written without a sync. A commit makes them durable: events first, then indexes.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: the writer's.
class UnsyncedKeys {
 public:
  /// `step` and `commit`: whether step files are synced when they are written, and at commits.
  UnsyncedKeys(Store& store, Sync step, Sync commit) : store_(store), step_(step), commit_(commit) {}

  void add_events(const std::string& key) noexcept { add(events_, key); }
  void add_index(const std::string& key) noexcept { add(indexes_, key); }

  /// Makes all files durable. Throws: the store failed, now or in `sync_if_many`.
  void sync() {
    if (commit_ == Sync::no) return;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    store_.sync(events_);
    store_.sync(indexes_);
    clear();
  }

  /// Syncs if many keys have gathered. Keeps a failure for the next `sync`.
  void sync_if_many() {
    constexpr std::size_t many = 4096;
    if (indexes_.size() < many) return;
    try {
      sync();
    } catch (const std::exception&) {
      failure_ = std::current_exception();
      clear();
    }
  }

 private:
  void add(std::vector<std::string>& keys, const std::string& key) noexcept {
    if (step_ != Sync::no || commit_ != Sync::yes) return;
    try {
      keys.push_back(key);
    } catch (...) {  // out of memory: the next commit reports it
      failure_ = std::current_exception();
    }
  }

  void clear() noexcept {
    events_.clear();
    indexes_.clear();
  }

  Store& store_;
  Sync step_;
  Sync commit_;
  std::vector<std::string> events_;
  std::vector<std::string> indexes_;
  std::exception_ptr failure_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
