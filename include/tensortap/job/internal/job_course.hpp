// The course of a job, as its record tells it: its start or continuation, its statuses, attempts and budgets.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/job_attempt.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_ledger.hpp>
#include <tensortap/job/internal/job_leftovers.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/internal/job_places.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/job/training_job.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Writes the record of a job. Threads: one.
class JobCourse {
 public:
  using Clock = std::chrono::steady_clock;

  JobCourse(const JobOptions& options, const JobEvents& events, std::shared_ptr<Store> store)
      : options_(options), events_(events), ledger_(std::move(store)) {}

  [[nodiscard]] JobRecord& record() noexcept { return ledger_.record; }

  /// Returns whether this process still manages the job.
  [[nodiscard]] bool is_held() const { return ledger_.is_held(); }

  void note(const std::string& text) const {
    if (events_.on_note) events_.on_note(text);
  }

  /// Becomes the manager of the job, and begins it or goes on with it. Returns false if the job has completed. Throws:
  /// another process manages it, it has ended otherwise, its record is damaged or cannot be written.
  bool open(const JobPlaces& places, const std::string& checkpoint_path) {
    claim();
    if (!ledger_.load()) {
      ledger_.begin(options_.job_name);
      is_new_ = true;
    } else if (has_ended(record().status)) {
      if (record().status == JobStatus::completed) {
        record().exit_code = 0;
        note("the job has completed before; it is not run again");
        return false;
      }
      if (!options_.restart) throw Error::job_has_ended(options_.job_name, to_string(record().status));
      reopen();
    } else {
      take_lost_attempt();
    }
    std::string now = described(options_, places.checkpoints, checkpoint_path);
    if (!record().attempts.empty() && is_another_program(record().configuration, now))
      note("program or hyperparameters differ from those of the earlier attempts; the new ones count");
    record().configuration = std::move(now);
    record().checkpoints = places.checkpoints;
    record().run = places.run;
    record().exit_code.reset();
    ledger_.write();
    change("Starting", record().attempts.empty() ? "Starting the training job" : "Continuing the training job");
    return true;
  }

  /// Sets the secondary status, and tells it. A store that fails for a while does not end the job. Throws: another
  /// process manages it.
  void change(const std::string& status, const std::string& message, bool is_told = true) {
    const double now = job_time();
    auto& all = record().transitions;
    if (!all.empty() && !all.back().end) all.back().end = now;
    all.push_back({.status = status, .begin = now, .message = message});
    record().secondary_status = status;
    note_failure(ledger_.try_to_write());
    if (is_told && events_.on_status) events_.on_status(all.back());
  }

  /// Begins an attempt. Returns its number.
  std::int64_t begin_attempt() {
    const auto number = static_cast<std::int64_t>(record().attempts.size());
    const double now = job_time();
    record().attempts.push_back({.number = number, .machine = name_of_machine(), .begin = now, .last_seen = now});
    if (!record().training_start) record().training_start = now;
    trained_ = seconds_of_attempts();
    began_ = Clock::now();
    change("Training", "Training in progress, attempt " + std::to_string(number));
    return number;
  }

  /// Counts the time of the attempt that runs, and writes the record now and then.
  void tick() {
    record().attempts.back().last_seen = job_time();
    count_seconds(trained_ + std::chrono::duration<double>(Clock::now() - began_).count());
    note_failure(ledger_.write_now_and_then());
  }

  /// Writes the record now and then while no attempt runs, so that readers see that this process lives.
  void beat() { note_failure(ledger_.write_now_and_then()); }

  /// Takes the last commit.
  void see_commit(std::optional<std::int64_t> commit) {
    if (record().commit != commit) {
      ledger_.hurry();
      record().attempts.back().committed = true;
    }
    record().commit = record().attempts.back().commit = commit;
  }

  /// Ends the attempt: `out` is what it means by itself. Returns what it means after those before it.
  JobOutcome end_attempt(JobOutcome out, int exit_code, std::optional<std::int64_t> commit, bool has_new_commit) {
    JobAttempt& last = record().attempts.back();
    last.end = last.last_seen = job_time();
    last.exit_code = exit_code;
    last.cause = out.cause;
    last.details = out.message;
    last.committed = has_new_commit;
    record().commit = last.commit = commit;
    count_seconds(seconds_of_attempts());
    record().failures += out.counts_as_failure ? 1 : 0;
    record().attempts_without_commit = has_new_commit ? 0 : record().attempts_without_commit + 1;
    if (out.is_over) {
      (void)ledger_.try_to_write();  // a manager that is lost from here on does not run the program again
      return out;
    }
    if (out.counts_as_failure && record().failures > options_.max_failures) return out.failed();
    if (record().attempts_without_commit >= options_.max_attempts_without_commit)
      return out.without_progress(record().attempts_without_commit);
    return out;
  }

  /// Returns the limit that has been reached, if any.
  [[nodiscard]] StopCause limit_reached() {
    const double trained = record().training_seconds / processes_of(options_) - record().seconds_before_restart;
    if (trained >= options_.max_run.count()) return StopCause::max_run;
    const double since = record().restarted.value_or(record().created);
    if (options_.max_wait && job_time() - since >= options_.max_wait->count()) return StopCause::max_wait;
    return StopCause::none;
  }

  /// Returns the delay before the next attempt.
  [[nodiscard]] Seconds delay() {
    constexpr int most_doublings = 30;
    const int doublings = std::clamp(record().attempts_without_commit - 1, 0, most_doublings);
    return Seconds(std::min(options_.first_delay.count() * std::pow(2.0, doublings), options_.longest_delay.count()));
  }

  /// Ends the job.
  void finish(const JobOutcome& outcome) {
    record().status = outcome.status;
    record().exit_code = outcome.exit_code;
    record().stop_reason = outcome.stop_reason;
    if (outcome.status == JobStatus::failed) record().failure_reason = outcome.message;
    record().training_end = job_time();
    change(outcome.secondary_status, outcome.text());
    record().transitions.back().end = record().transitions.back().begin;
    ledger_.write_at_last();
    ledger_.store().remove(JobLayout::stop_request);
  }

  /// Returns whether this process has begun the job, and no attempt yet.
  [[nodiscard]] bool has_nothing() { return is_new_ && record().attempts.empty(); }

  /// Removes the record of a job that could not begin, so that it is none.
  void forget() const { ledger_.forget(); }

  /// Leaves the job to its next start. `is_told`: as a status, too.
  void leave(int exit_code, const std::string& why, bool is_told = true) {
    record().exit_code = exit_code;
    record().status = JobStatus::in_progress;
    change("Interrupted", why + "; start the job again to continue", is_told);
    if (!ledger_.is_written()) ledger_.write_at_last();
  }

 private:
  static bool is_another_program(const std::string& before, const std::string& now) {
    const auto was = nlohmann::json::parse(before, nullptr, false);
    const auto is = nlohmann::json::parse(now, nullptr, false);
    const auto differs = [&](const char* key) {
      return was.is_object() && is.is_object() && was.value(key, nlohmann::json()) != is.value(key, nlohmann::json());
    };
    return differs("Program") || differs("HyperParameters");
  }

  /// Notes why the record could not be written, once for each cause.
  void note_failure(const std::string& failure) {
    if (!failure.empty() && failure != failure_) note("job.json: " + failure);
    failure_ = failure;
  }

  /// Waits until no other process manages the job. Throws: one still does after `max_pending`.
  void claim() {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.max_pending);
    for (bool is_first = true; !ledger_.claim(); is_first = false) {
      const std::string holder = ledger_.holder();
      if (is_first) note("another process manages the job (" + escaped(holder) + "); waiting for its end");
      if (Clock::now() >= deadline || options_.stop.requested()) throw Error::job_is_managed(options_.job_name, holder);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  /// Makes a job that has ended go on, with new budgets.
  void reopen() {
    record().status = JobStatus::in_progress;
    record().failure_reason = record().stop_reason = record().model = "";
    record().failures = record().attempts_without_commit = 0;
    record().training_end.reset();
    record().restarted = job_time();
    record().seconds_before_restart = seconds_of_attempts();
    ledger_.store().remove(JobLayout::stop_request);
  }

  /// Closes the attempt of a manager that was killed, or of a machine that was lost. It does not count as one without
  /// progress: its end was not observed.
  void take_lost_attempt() {
    record().status = JobStatus::in_progress;
    if (const int killed = kill_leftovers(record().job_id, options_.managers > 1 ? own_hosts_of(options_)[0] : "");
        killed > 0)
      note("killed " + std::to_string(killed) + " processes that an earlier manager has left");
    if (record().attempts.empty() || record().attempts.back().end) return;
    JobAttempt& last = record().attempts.back();
    last.end = std::max(last.last_seen, last.begin);
    last.cause = "lost";
    last.details = "its manager or its machine (" + last.machine + ") was lost";
    count_seconds(seconds_of_attempts());
    change("Interrupted", "Attempt " + std::to_string(last.number) + ": " + last.details);
  }

  [[nodiscard]] double seconds_of_attempts() {
    double out = 0;
    for (const JobAttempt& one : record().attempts) out += one.end.value_or(one.last_seen) - one.begin;
    return out;
  }

  void count_seconds(double trained) {
    constexpr double all = 100;  // percent
    record().training_seconds = trained * processes_of(options_);
    record().billable_seconds = record().training_seconds * (options_.spot ? 1 - options_.spot_discount / all : 1);
  }

  const JobOptions& options_;
  const JobEvents& events_;
  JobLedger ledger_;
  std::string failure_;  // of the last write of the record
  bool is_new_ = false;
  double trained_ = 0;  // seconds of the attempts that have ended
  Clock::time_point began_{};
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
