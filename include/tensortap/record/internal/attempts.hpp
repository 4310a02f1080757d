// Decides from the attempts of all workers which steps of a run count, which are superseded, and whether the run has
// ended.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

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
  /// their last one.
  [[nodiscard]] bool all_ended(std::int64_t num_workers) const {
    const auto ended = std::count_if(by_worker_.begin(), by_worker_.end(),
                                     [](const auto& worker) { return worker.second.rbegin()->second.ended; });
    return ended >= std::min<std::int64_t>(num_workers, static_cast<std::int64_t>(by_worker_.size()));
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
