// The object of an attempt: says what this attempt could not save, and that it has ended. So readers know of losses
// that only the ledger of the lost process knew.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <tensortap/capture/internal/status_ledger.hpp>
#include <tensortap/capture/status.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/name.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/record/loss.hpp>
#include <tensortap/record/thinning.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Adds the numbers of `thinning` to those of `sum`, which keeps its detail.
inline void add_to(Thinning& sum, const Thinning& thinning) noexcept {
  sum.last_step = std::max(sum.last_step, thinning.last_step);
  sum.saved += thinning.saved;
  sum.passed_over += thinning.passed_over;
}

/// Returns at most `limit` entries, above 0: the last one sums up all further ones.
template <class Entry>
std::vector<Entry> shortened(const std::vector<Entry>& entries, std::size_t limit) {
  std::vector<Entry> out;
  for (const Entry& entry : entries) {
    if (out.size() < limit) {
      out.push_back(entry);
    } else {
      add_to(out.back(), entry);
    }
  }
  return out;
}

/// Threads: the writer's.
class AttemptRecord {
 public:
  using Clock = std::chrono::steady_clock;

  /// `cost_interval`: see HookOptions.
  AttemptRecord(Store& store, Attempt& attempt, const StatusLedger& ledger, Sync sync,
                std::chrono::nanoseconds cost_interval)
      : store_(store), attempt_(attempt), ledger_(ledger), sync_(sync), cost_interval_(cost_interval) {}

  /// Writes the losses and thinnings so far, unless they are there. Throws: the store failed.
  void put_losses() {
    if (take_losses()) put(sync_);
  }

  /// The same, but leaves a failure to the next call.
  void try_to_put_losses() noexcept {
    try {
      put_losses();
    } catch (...) {  // the store refuses this too; the losses are still news
    }
  }

  /// Writes what the hook has cost so far, if that was not written for a while. A failure leaves it to a later call.
  void try_to_put_cost() noexcept {
    const auto now = Clock::now();
    if (now - cost_put_at_ < cost_interval_) return;
    cost_put_at_ = now;
    has_cost_ = true;
    try {
      (void)take_losses();
      put(Sync::no);
    } catch (...) {  // the store refuses this too
    }
  }

  /// Notes that this attempt has closed the run, with all losses. With `for_others`, other workers wait for that note.
  /// Throws: the store failed.
  void put_end(bool for_others) {
    attempt_.ended = true;
    if (take_losses() || for_others || has_cost_) put(sync_);
  }

  /// Returns the text of the end marker, which is short.
  [[nodiscard]] std::string end_marker() const {
    Attempt out = attempt_;
    out.losses = shortened(out.losses, 1);
    out.thinned.clear();
    out.cost = {};
    out.facts.clear();
    return to_json(out);
  }

 private:
  /// Takes the losses and thinnings of the ledger into the attempt. Returns whether some of them have not been written.
  bool take_losses() {
    constexpr std::size_t most = 16;
    constexpr std::size_t longest = 300;
    const HookStatus status = ledger_.status();
    attempt_.losses = shortened(status.losses, most);
    attempt_.error = escaped(status.error.value_or("")).substr(0, longest);
    while (!is_utf8(attempt_.error)) attempt_.error.pop_back();  // a character that was cut
    attempt_.thinned = shortened(status.thinned, most);
    attempt_.cost = status.cost;
    return attempt_.thinned != written_thinned_ || status.steps_lost != written_steps_ ||
           status.tensors_lost != written_tensors_;
  }

  /// Leaves a run that was removed alone: `RunPresence` notices that, and writes the attempt anew.
  void put(Sync sync) {
    if (!store_.size(layout::attempt_key(attempt_.number, attempt_.worker))) return;
    store_.put(layout::attempt_key(attempt_.number, attempt_.worker), to_json(attempt_), sync);
    written_thinned_ = attempt_.thinned;
    written_steps_ = written_tensors_ = 0;
    for (const Loss& loss : attempt_.losses) {
      written_steps_ += loss.steps;
      written_tensors_ += loss.tensors;
    }
  }

  Store& store_;
  Attempt& attempt_;
  const StatusLedger& ledger_;
  Sync sync_;
  std::chrono::nanoseconds cost_interval_;
  Clock::time_point cost_put_at_ = Clock::now();
  bool has_cost_ = false;  // whether the record says what the hook has cost
  std::uint64_t written_steps_ = 0;
  std::uint64_t written_tensors_ = 0;
  std::vector<Thinning> written_thinned_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
