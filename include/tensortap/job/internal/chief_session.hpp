// The chief's side of a job with several managers: waits until the others are ready, begins and ends attempts on all
// machines, and judges how they have ended. Each wait is bounded, and tells for which hosts it waits.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/job/internal/job_attempt.hpp>
#include <tensortap/job/internal/job_exchange.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_ledger.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/internal/job_words.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Threads: one.
class ChiefSession {
 public:
  using Clock = std::chrono::steady_clock;

  /// `is_held`: whether this process still manages the job.
  ChiefSession(const JobOptions& options, const std::shared_ptr<Store>& store, std::function<bool()> is_held)
      : options_(options), hosts_(others(options)) {
    std::vector<std::string> keys;
    for (const std::string& host : hosts_) keys.push_back(JobLayout::word_of(host));
    exchange_ = std::make_unique<Exchange>(store, JobLayout::word_of(own_hosts_of(options)[0]), keys,
                                           options.max_silence, std::move(is_held));
    exchange_->change([&](ChiefWord& word) {
      word.session = session_;
      word.address = name_of_machine();
      word.managers = options.managers;
      word.phase = "starting";
    });
  }

  /// Waits until the other managers have restored `commit` and are ready for the attempt. `wait`: called several times
  /// a second with what it waits for; returns whether the job has to stop. Returns what is missing after `max_pending`;
  /// empty: nothing is, or the job has to stop.
  std::string gather(std::int64_t attempt, const std::string& job_id, std::optional<std::int64_t> commit,
                     const std::function<bool(const std::string& missing)>& wait) {
    exchange_->change([&](ChiefWord& word) {
      word.phase = "gathering";
      word.job_id = job_id;
      word.attempt = attempt;
      word.commit = commit;
      word.message.clear();
      word.seconds_left.reset();
      word.at_once = false;
    });
    attempt_ = attempt;
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.max_pending);
    for (;;) {
      std::string missing = missing_for(commit);
      if (missing.empty() || wait(missing)) return {};
      if (Clock::now() >= until) return missing;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  /// Begins the attempt on all machines.
  void begin() {
    members_.clear();
    for (std::size_t i = 0; i < hosts_.size(); ++i)
      if (const auto word = exchange_->heard(i).word) members_[hosts_[i]] = word->process;
    began_ = Clock::now();
    first_.clear();
    exchange_->change([&](ChiefWord& word) {
      word.phase = "running";
      word.members = members_;
    });
  }

  /// Returns why the attempt has to end: peer if a program or a manager of another host has failed, is lost, or leaves.
  StopCause cause() {
    StopCause out = StopCause::none;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      const auto heard = exchange_->heard(i);
      if (is_mine(i, heard.word) && heard.word->wish == "now") return StopCause::now;
      if (is_mine(i, heard.word) && heard.word->wish == "user") return StopCause::user;
      if (!has_trouble(i, heard.word)) continue;
      if (first_.empty()) first_ = hosts_[i];
      out = StopCause::peer;
    }
    return out;
  }

  /// Returns the time until a machine of the others goes, as its manager has told.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> time_left() const {
    std::optional<std::chrono::nanoseconds> out;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      const auto heard = exchange_->heard(i);
      if (!is_mine(i, heard.word) || !heard.word->seconds_left || !heard.when) continue;
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(*heard.word->seconds_left)) -
                        (Clock::now() - *heard.when);
      out = std::max(std::chrono::nanoseconds(0), std::min(left, out.value_or(left)));
    }
    return out;
  }

  /// Tells the others to end their programs, once; `at_once`: to kill them.
  void stop(const std::string& why, Seconds left, bool at_once) {
    const ChiefWord now = exchange_->mine();
    if (now.phase == "stopping" && (now.at_once || !at_once)) return;
    exchange_->change([&](ChiefWord& word) {
      word.phase = "stopping";
      word.message = why;
      word.seconds_left = left.count();
      word.at_once = at_once;
    });
  }

  /// Returns the hosts whose programs have not ended, as far as their managers live.
  [[nodiscard]] std::string running() const {
    std::string out;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      const auto word = exchange_->heard(i).word;
      if (!is_lost(i, word) && !(is_mine(i, word) && word->phase == "ended")) append(out, hosts_[i]);
    }
    return out;
  }

  /// Returns what the end of the attempt means. `how`: the end of the chief's program; `mine`: what that means alone.
  /// A program that was told to end explains nothing. An interruption explains the failures on other machines.
  [[nodiscard]] JobOutcome outcome_of_all(const AttemptEnd& how, const JobOutcome& mine) const {
    const bool was_told = how.cause == StopCause::peer;
    if (how.cause != StopCause::none && !was_told && !mine.leaves && mine.status != JobStatus::completed) return mine;
    std::vector<JobOutcome> all;
    if (!was_told && mine.status != JobStatus::completed) all.push_back(mine);
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      auto one = outcome_of_host(i, mine.status == JobStatus::completed);
      if (one) all.insert(hosts_[i] == first_ && was_told ? all.begin() : all.end(), std::move(*one));
    }
    if (mine.leaves || all.empty()) return mine;
    const auto found =
        std::find_if(all.begin(), all.end(), [](const JobOutcome& one) { return !one.counts_as_failure; });
    return found == all.end() ? all.front() : *found;
  }

  /// Tells the others that all is over, and that they end with this code. Waits until that is written.
  void over(int exit_code, const std::string& message) {
    exchange_->change([&](ChiefWord& word) {
      word.phase = "over";
      word.exit_code = exit_code;
      word.message = message;
      for (std::size_t i = 0; i < hosts_.size(); ++i)
        if (const auto heard = exchange_heard_[i]; !heard.empty()) word.members[hosts_[i]] = heard;
    });
    exchange_->flush(options_.max_silence);
  }

 private:
  using Exchange = JobExchange<ChiefWord, MemberWord>;

  static std::vector<std::string> others(const JobOptions& options) {
    std::vector<std::string> out = hosts_of(options);
    out.erase(out.begin());
    return out;
  }

  static void append(std::string& list, const std::string& text) { list += (list.empty() ? "" : ", ") + text; }

  static JobOutcome interrupted(const std::string& why) { return {.cause = "interrupted", .message = why}; }

  /// Returns which hosts are not ready, and why.
  [[nodiscard]] std::string missing_for(std::optional<std::int64_t> commit) {
    std::string out;
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      const auto word = exchange_->heard(i).word;
      const bool is_here = word && word->session == session_;
      if (is_here) exchange_heard_[i] = word->process;
      if (is_here && word->phase == "ready" && word->attempt == attempt_ && word->commit == commit &&
          word->wish.empty() && silence(i) < options_.max_silence)
        continue;
      append(out, hosts_[i] + (is_here && !word->trouble.empty() ? " (" + escaped(word->trouble) + ")" : ""));
    }
    return out;
  }

  [[nodiscard]] Seconds silence(std::size_t i) const { return exchange_->silence(i, began_); }

  /// Returns whether the word is of the process that takes part in this attempt.
  [[nodiscard]] bool is_mine(std::size_t i, const std::optional<MemberWord>& word) const {
    const auto member = members_.find(hosts_[i]);
    return word && member != members_.end() && word->process == member->second && word->session == session_ &&
           word->attempt == attempt_;
  }

  [[nodiscard]] bool is_lost(std::size_t i, const std::optional<MemberWord>& word) const {
    return !is_mine(i, word) || (word->phase != "ended" && silence(i) >= options_.max_silence);
  }

  [[nodiscard]] bool has_trouble(std::size_t i, const std::optional<MemberWord>& word) const {
    if (is_lost(i, word) || !word->wish.empty()) return true;
    return word->phase == "ended" && !word->was_told && word->exit_code != 0;
  }

  /// Returns what happened on another host; nullopt: its program has completed, or was told to end. `is_completed`:
  /// that of the chief has completed.
  [[nodiscard]] std::optional<JobOutcome> outcome_of_host(std::size_t i, bool is_completed) const {
    const auto word = exchange_->heard(i).word;
    const std::string& host = hosts_[i];
    if (!is_mine(i, word)) return interrupted("another process has taken the place of the manager of " + host);
    if (word->wish == "notice") return interrupted(host + ": notice that its machine will be taken away");
    if (is_lost(i, word) || word->phase != "ended")
      return interrupted("the manager of " + host + " (" + escaped(word->machine) + ") was not heard of for " +
                         JobNames::number(options_.max_silence.count()) + " s");
    if (word->exit_code == 0) return std::nullopt;
    if (word->was_told)
      return is_completed ? std::optional(interrupted(host + " was told to end before it had completed"))
                          : std::nullopt;
    return outcome_of({.host = host, .program = {word->exit_code, word->signal}}, false, word->trouble, options_);
  }

  const JobOptions& options_;
  const std::vector<std::string> hosts_;  // the others
  const std::string session_ = random_text();
  std::int64_t attempt_ = -1;
  std::map<std::string, std::string> members_;         // the process of each host in this attempt
  std::map<std::size_t, std::string> exchange_heard_;  // the last process of each host in this session
  std::string first_;                                  // the host that had trouble first
  Clock::time_point began_ = Clock::now();
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
