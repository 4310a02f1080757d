// Decides from the attempts of all workers which steps of a run count, which are superseded, and whether the run has
// ended.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/layout.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The attempts of a run, of all workers.
class Attempts {
 public:
  void add(const Attempt& attempt) { by_worker_[attempt.worker][attempt.number] = attempt; }

  /// Returns the number of the last attempt of `worker`; -1 if there is none.
  [[nodiscard]] std::int64_t last(std::string_view worker) const {
    const auto found = by_worker_.find(worker);
    return found == by_worker_.end() ? -1 : found->second.rbegin()->first;
  }

  /// Returns whether a run of `num_workers` has ended: so many workers, or all workers with an attempt, have closed
  /// their last one. Workers that have left do not count.
  [[nodiscard]] bool all_ended(std::int64_t num_workers) const {
    std::int64_t present = 0;
    std::int64_t ended = 0;
    for (const auto& [worker, attempts] : by_worker_) {
      const Attempt& last = attempts.rbegin()->second;
      present += last.left ? 0 : 1;
      ended += last.ended && !last.left ? 1 : 0;
    }
    return ended >= std::min(num_workers, present);
  }

  /// Returns the last attempt of `worker`; null if there is none.
  [[nodiscard]] const Attempt* find_last(std::string_view worker) const {
    const auto found = by_worker_.find(worker);
    return found == by_worker_.end() ? nullptr : &found->second.rbegin()->second;
  }

  /// Returns the workers that have begun an attempt.
  [[nodiscard]] std::vector<std::string> workers() const {
    std::vector<std::string> out;
    for (const auto& [worker, attempts] : by_worker_) out.push_back(worker);
    return out;
  }

  /// Returns the identities that the attempts give their run: one, or none if they are of an early version. Workers
  /// that began it at the same moment may have named it twice.
  [[nodiscard]] std::set<std::string> run_ids() const {
    std::set<std::string> out;
    for (const auto& [worker, attempts] : by_worker_)
      for (const auto& [number, attempt] : attempts)
        if (!attempt.run_id.empty()) out.insert(attempt.run_id);
    return out;
  }

  /// Returns whether step `global_step` of `worker`, written by attempt `number`, counts: no later attempt continues
  /// before it. Steps without an attempt number always count; smdebug writes none.
  [[nodiscard]] bool counts(std::string_view worker, std::optional<std::int64_t> number,
                            std::int64_t global_step) const {
    const auto found = by_worker_.find(worker);
    if (!number || found == by_worker_.end()) return true;
    for (auto later = found->second.upper_bound(*number); later != found->second.end(); ++later)
      if (later->second.resumed_at < global_step) return false;
    return true;
  }

  /// Returns whether the end marker with this content counts: its attempt has no successor. smdebug's marker, which is
  /// empty, always counts.
  [[nodiscard]] bool end_counts(std::string_view marker) const {
    try {
      const Attempt attempt = parse_attempt(marker, layout::end_marker);
      return last(attempt.worker) <= attempt.number;
    } catch (const Error&) {
      return true;
    }
  }

 private:
  std::map<std::string, std::map<std::int64_t, Attempt>, std::less<>> by_worker_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
