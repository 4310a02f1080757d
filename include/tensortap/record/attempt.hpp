// An attempt: one life of the process that writes a run, from its start to its end or interruption. Each leaves an
// object that says after which step it went on. Together with the attempt number in index files it tells what counts:
// a step of an older attempt does not, if a younger one went on before it. So a writer that was given up for dead, and
// wakes, changes nothing for readers.
//
//   const tensortap::Attempt attempt{.run = 1, .worker = "worker_0", .resumed_at = 40};
//   store.put(tensortap::layout::attempt_key(1, "worker_0"), to_json(attempt));
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/json_text.hpp>
#include <tensortap/record/layout.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// What an attempt's object says.
struct Attempt {
  std::int64_t run = 0;          ///< 0 for the first attempt, and growing
  std::string worker;            ///< who
  std::int64_t resumed_at = -1;  ///< the last global step of earlier attempts that counts; -1: none
  bool ended = false;            ///< whether it was closed
};

/// The object's text.
inline std::string to_json(const Attempt& attempt) {
  return R"({"run": )" + std::to_string(attempt.run) + R"(, "worker": )" + detail::json_text::string(attempt.worker) +
         R"(, "resumed_at": )" + std::to_string(attempt.resumed_at) + (attempt.ended ? R"(, "ended": true})" : "}");
}

/// The attempt in `text`; `place` (its key) is for messages. Throws: not JSON, a key missing or of the wrong kind.
inline Attempt parse_attempt(std::string_view text, std::string_view place) {
  const detail::json_text::Place where{"attempt", place};
  const nlohmann::json root = detail::json_text::parse(text, where);
  Attempt out;
  out.run = static_cast<std::int64_t>(detail::json_text::natural(root, "run", where));
  if (out.run > std::int64_t{1} << 60) throw detail::json_text::wrong(where, "run", "it is out of range");
  out.worker = detail::json_text::text(root, "worker", where);
  out.resumed_at = detail::json_text::integer(detail::json_text::at(root, "resumed_at", where), "resumed_at", where);
  if (const auto ended = root.find("ended"); ended != root.end()) out.ended = *ended == true;
  return out;
}

/// The attempts of a run, of all workers.
class Attempts {
 public:
  void add(const Attempt& attempt) { by_worker_[attempt.worker][attempt.run] = attempt; }

  /// The youngest attempt of `worker`; -1 if none is known.
  [[nodiscard]] std::int64_t last(std::string_view worker) const {
    const auto found = by_worker_.find(worker);
    return found == by_worker_.end() ? -1 : found->second.rbegin()->first;
  }

  /// Whether the run of `num_workers` is over: so many have closed their youngest attempt, or all that ever began one.
  [[nodiscard]] bool all_ended(std::int64_t num_workers) const {
    const auto ended = std::count_if(by_worker_.begin(), by_worker_.end(),
                                     [](const auto& worker) { return worker.second.rbegin()->second.ended; });
    return ended >= std::min<std::int64_t>(num_workers, static_cast<std::int64_t>(by_worker_.size()));
  }

  /// Whether step `global_step` of `worker`, written by attempt `run`, counts: no younger attempt went on before it.
  /// Steps without an attempt (smdebug names none) always do.
  [[nodiscard]] bool counts(std::string_view worker, std::optional<std::int64_t> run, std::int64_t global_step) const {
    const auto found = by_worker_.find(worker);
    if (!run || found == by_worker_.end()) return true;
    for (auto later = found->second.upper_bound(*run); later != found->second.end(); ++later)
      if (later->second.resumed_at < global_step) return false;
    return true;
  }

  /// Whether the end marker with this content counts: its attempt has no successor. An empty one (smdebug's) does.
  [[nodiscard]] bool end_counts(std::string_view marker) const {
    try {
      const Attempt attempt = parse_attempt(marker, layout::end_marker);
      return last(attempt.worker) <= attempt.run;
    } catch (const Error&) {
      return true;
    }
  }

 private:
  std::map<std::string, std::map<std::int64_t, Attempt>, std::less<>> by_worker_;
};

TENSORTAP_END_NAMESPACE
