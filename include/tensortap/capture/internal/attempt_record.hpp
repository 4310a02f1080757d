// The object of an attempt: says what this attempt could not save, and that it has ended. So readers know of losses
// that only the ledger of the lost process knew.
#pragma once

#include <algorithm>
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
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns at most `limit` losses, above 0: the last one sums up all further ones.
inline std::vector<Loss> shortened(const std::vector<Loss>& losses, std::size_t limit) {
  std::vector<Loss> out;
  for (const Loss& loss : losses) {
    if (out.size() < limit) {
      out.push_back(loss);
    } else {
      add_to(out.back(), loss);
    }
  }
  return out;
}

/// Threads: the writer's.
class AttemptRecord {
 public:
  AttemptRecord(Store& store, Attempt& attempt, const StatusLedger& ledger, Sync sync)
      : store_(store), attempt_(attempt), ledger_(ledger), sync_(sync) {}

  /// Writes the losses so far, unless they are there. Throws: the store failed.
  void put_losses() {
    if (take_losses()) put();
  }

  /// The same, but leaves a failure to the next call.
  void try_to_put_losses() noexcept {
    try {
      put_losses();
    } catch (...) {  // the store refuses this too; the losses are still news
    }
  }

  /// Notes that this attempt has closed the run, with all losses. With `for_others`, other workers wait for that note.
  /// Throws: the store failed.
  void put_end(bool for_others) {
    attempt_.ended = true;
    if (take_losses() || for_others) put();
  }

  /// Returns the text of the end marker, which is short.
  [[nodiscard]] std::string end_marker() const {
    Attempt out = attempt_;
    out.losses = shortened(out.losses, 1);
    return to_json(out);
  }

 private:
  /// Takes the losses of the ledger into the attempt. Returns whether some of them have not been written.
  bool take_losses() {
    constexpr std::size_t most = 16;
    constexpr std::size_t longest = 300;
    const HookStatus status = ledger_.status();
    attempt_.losses = shortened(status.losses, most);
    attempt_.error = escaped(status.error.value_or("")).substr(0, longest);
    while (!is_utf8(attempt_.error)) attempt_.error.pop_back();  // a character that was cut
    return status.steps_lost != written_steps_ || status.tensors_lost != written_tensors_;
  }

  /// Leaves a run that was removed alone: `RunPresence` notices that, and writes the attempt anew.
  void put() {
    if (!store_.size(layout::attempt_key(attempt_.number, attempt_.worker))) return;
    store_.put(layout::attempt_key(attempt_.number, attempt_.worker), to_json(attempt_), sync_);
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
  std::uint64_t written_steps_ = 0;
  std::uint64_t written_tensors_ = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
