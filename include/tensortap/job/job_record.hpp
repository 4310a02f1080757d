// The record of a job, job.json in its folder: readable at every moment, while the job runs and afterwards. Its keys
// are those of SageMaker's DescribeTrainingJob, and Attempts, Commit and Findings.
//
//   const tensortap::JobRecord record = tensortap::read_job("jobs/mnist-42");
//   std::cout << record.job_name << ' ' << to_string(record.status) << '\n';
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/verdict.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The status of a job, by SageMaker's names.
enum class JobStatus : std::uint8_t { in_progress, completed, failed, stopping, stopped };

/// Returns "InProgress", "Completed", "Failed", "Stopping" or "Stopped".
constexpr std::string_view to_string(JobStatus status) noexcept {
  constexpr std::string_view names[] = {"InProgress", "Completed", "Failed", "Stopping", "Stopped"};
  return names[static_cast<std::size_t>(status)];
}

/// Returns whether the job is over.
constexpr bool has_ended(JobStatus status) noexcept {
  return status != JobStatus::in_progress && status != JobStatus::stopping;
}

/// The exit codes of a manager, besides 0 and the program's own.
namespace job_exit {
inline constexpr int interrupted = 75;  ///< the machine goes: start the job again, here or elsewhere
inline constexpr int max_run = 90;      ///< the training took longer than max_run
inline constexpr int max_wait = 91;     ///< the job took longer than max_wait
inline constexpr int rule = 92;         ///< a rule stopped the job
inline constexpr int no_progress = 93;  ///< attempts end without a new commit: do not start again
inline constexpr int stopped = 94;      ///< a user stopped the job
inline constexpr int pending = 95;      ///< another process manages the job, for longer than max_pending
inline constexpr int killed = 130;      ///< a user ended the job at once
}  // namespace job_exit

/// What the job did from a moment on. Units: seconds since 1970.
struct JobTransition {
  std::string status = {};  ///< SageMaker's secondary status: "Starting", "Training", "Interrupted" …
  double begin = 0;
  std::optional<double> end = {};
  std::string message = {};
};

/// One start of the program. Units: seconds since 1970.
struct JobAttempt {
  std::int64_t number = 0;
  std::string machine = {};  ///< its host name
  double begin = 0;
  double last_seen = 0;  ///< the last time at which the manager wrote that it runs
  std::optional<double> end = {};
  std::string cause = {};    ///< why it ended: "completed", "interrupted", "failed", "stopped", "lost", "stalled"
  std::string details = {};  ///< in words
  std::optional<int> exit_code = {};        ///< of the program; 128 + the signal that ended it
  std::optional<std::int64_t> commit = {};  ///< the global step of the last commit at its end
  bool committed = false;                   ///< whether it made a new commit
};

/// The record of a job.
struct JobRecord {
  std::string job_name = {};
  std::string job_id = {};  ///< tells this job from another one of the same name
  JobStatus status = JobStatus::in_progress;
  std::string secondary_status = "Starting";
  std::string failure_reason = {};
  std::string stop_reason = {};  ///< "MaxRuntimeExceeded", "MaxWaitTimeExceeded", "RuleStopped", "Stopped" …
  std::optional<int> exit_code = {};
  double created = 0;
  double modified = 0;
  std::optional<double> training_start = {}, training_end = {};
  double training_seconds = 0;  ///< of all attempts and workers
  double billable_seconds = 0;
  std::optional<double> restarted = {};     ///< when a job that had ended was made to go on
  double seconds_before_restart = 0;        ///< how long it had trained then, without the factor of workers
  int failures = 0;                         ///< of the program, so far
  int attempts_without_commit = 0;          ///< in a row, so far
  std::optional<std::int64_t> commit = {};  ///< the global step of the last commit
  std::string run = {};                     ///< the address of the run with the tensors
  std::string checkpoints = {};             ///< where checkpoints are copied to
  std::string model = {};                   ///< the address of model.tar.gz, once it is there
  std::string configuration = {};           ///< a JSON object: the options, secrets redacted
  std::vector<JobTransition> transitions = {};
  std::vector<JobAttempt> attempts = {};
  std::vector<RuleResult> rules = {};
  std::vector<std::string> findings = {};  ///< one JSON object for each

  /// Returns the text of job.json.
  [[nodiscard]] std::string to_json() const;
  /// Reads the text of job.json, which `place` names in messages. Throws: it is damaged.
  static JobRecord from_json(std::string_view text, std::string_view place);

  /// Returns the savings in percent: how much less is billed than trained.
  [[nodiscard]] double savings() const noexcept {
    return training_seconds > 0 ? (1 - billable_seconds / training_seconds) * 100 : 0;
  }
};

/// Reads the record of the job at `address`: its directory, or s3://BUCKET/PREFIX/JOB. Throws: there is no such job;
/// the record is damaged; the store failed.
JobRecord read_job(std::string_view address);

/// Asks the job at `address` to stop. Its manager sees that within seconds, or at its next start. Returns false if the
/// job has ended. Throws as read_job.
bool request_job_stop(std::string_view address);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/job/internal/job_record_impl.hpp>
#endif
