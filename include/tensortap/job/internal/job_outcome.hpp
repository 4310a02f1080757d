// What the end of an attempt means for its job.
#pragma once

#include <signal.h>

#include <algorithm>
#include <string>
#include <utility>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/job_attempt.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The outcome of an attempt, or of the job.
struct JobOutcome {
  bool is_over = false;            ///< the job has ended
  bool leaves = false;             ///< this manager ends, and the job goes on at its next start
  bool counts_as_failure = false;  ///< the program has failed by itself
  JobStatus status = JobStatus::in_progress;
  std::string secondary_status = {};
  std::string stop_reason = {};
  int exit_code = 0;
  std::string cause = {};    ///< one word, for the record of the attempt
  std::string message = {};  ///< in words

  static JobOutcome completed() {
    return {.is_over = true,
            .status = JobStatus::completed,
            .secondary_status = "Completed",
            .cause = "completed",
            .message = "Training job completed"};
  }

  static JobOutcome not_started(const std::string& why) {
    constexpr int not_found = 127;  // the code of shells
    return {.counts_as_failure = true, .exit_code = not_found, .cause = "failed", .message = why};
  }

  static JobOutcome not_uploaded(const std::string& why) {
    return {.is_over = true,
            .status = JobStatus::failed,
            .secondary_status = "Failed",
            .exit_code = 2,
            .cause = "failed",
            .message = "ClientError: the artifacts could not be uploaded: " + why};
  }

  /// Returns the end of a job that its manager has stopped.
  static JobOutcome stopped_by(StopCause why, const std::string& words_of_caller) {
    JobOutcome out{.is_over = true, .status = JobStatus::stopped, .cause = "stopped"};
    const auto set = [&](const char* last_status, const char* reason, int code, const char* words) {
      out.secondary_status = last_status;
      out.stop_reason = reason;
      out.exit_code = code;
      out.message = words_of_caller.empty() ? words : words_of_caller;
    };
    switch (why) {
      case StopCause::max_run:
        set("MaxRuntimeExceeded", "MaxRuntimeExceeded", job_exit::max_run, "the training took longer than max_run");
        break;
      case StopCause::max_wait:
        set("MaxWaitTimeExceeded", "MaxWaitTimeExceeded", job_exit::max_wait, "the job took longer than max_wait");
        break;
      case StopCause::rule: set("Stopped", "RuleStopped", job_exit::rule, "stopped by a rule"); break;
      case StopCause::now: set("Stopped", "Killed", job_exit::killed, "killed at once by a user"); break;
      case StopCause::notice:
        out = {.leaves = true,
               .exit_code = job_exit::interrupted,
               .cause = "interrupted",
               .message = "notice that the machine will be taken away"};
        break;
      case StopCause::peer:
        out = {.exit_code = job_exit::interrupted, .cause = "interrupted", .message = "another host ends the attempt"};
        break;
      default: set("Stopped", "Stopped", job_exit::stopped, "stopped by a user"); break;
    }
    return out;
  }

  /// Returns the end of a job that has no budget for another failure.
  [[nodiscard]] JobOutcome failed() const {
    JobOutcome out = *this;
    out.is_over = true;
    out.leaves = false;
    out.status = JobStatus::failed;
    out.secondary_status = "Failed";
    return out;
  }

  /// Returns the end of a job whose attempts commit nothing.
  [[nodiscard]] JobOutcome without_progress(int attempts) const {
    JobOutcome out = failed();
    out.exit_code = job_exit::no_progress;
    out.stop_reason = "NoProgress";
    out.message =
        std::to_string(attempts) + " attempts in a row have ended without a new commit; the last one: " + message;
    return out;
  }

  /// Returns the message of the last status.
  [[nodiscard]] std::string text() const {
    return status == JobStatus::completed ? message
           : status == JobStatus::failed  ? "Training job failed: " + message
                                          : "Training job stopped: " + message;
  }
};

/// Returns whether a scheduler or a machine that goes ends programs with this signal.
inline bool is_interruption(int signal) {
  return signal == SIGTERM || signal == SIGKILL || signal == SIGINT || signal == SIGHUP || signal == SIGUSR1 ||
         signal == SIGUSR2 || signal == SIGPWR;
}

/// Returns what `how` means. `reason`: what the program has left in output/failure.
inline JobOutcome outcome_of(const AttemptEnd& how, bool run_has_ended, const std::string& reason,
                             const JobOptions& options) {
  const int code = how.program.exit_code;
  // A program that closes its run in the stop window has done all its work.
  if (code == 0 && (how.cause == StopCause::none || run_has_ended)) return JobOutcome::completed();
  const std::string who = how.host.empty() || processes_of(options) == 1 ? "the program" : how.host;
  const std::string end = code == 0                 ? who + " ended"
                          : how.program.signal != 0 ? who + " was ended by signal " + std::to_string(how.program.signal)
                                                    : who + " ended with code " + std::to_string(code);
  if (how.cause == StopCause::stall)
    return {.cause = "stalled", .message = "no output, step or checkpoint for too long; " + end};
  if (how.cause != StopCause::none) {
    JobOutcome out = JobOutcome::stopped_by(how.cause, {});
    if (how.was_killed && how.cause != StopCause::now) out.message += "; it did not end within the stop window";
    return out;
  }
  const auto& list = options.restart_on_exit;
  const bool is_wanted = std::find(list.begin(), list.end(), code) != list.end();
  if (is_wanted || code == job_exit::interrupted || is_interruption(how.program.signal) || code == 128 + SIGTERM ||
      code == 128 + SIGKILL) {
    const bool is_kill = code == 128 + SIGKILL;
    return {
        .exit_code = code, .cause = "interrupted", .message = end + (is_kill ? ", perhaps for lack of memory" : "")};
  }
  return {.counts_as_failure = true,
          .exit_code = code,
          .cause = "failed",
          .message = reason.empty() ? "AlgorithmError: " + end + ", exit code: " + std::to_string(code) : reason};
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
