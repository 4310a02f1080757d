// Runs a program to its end as a managed training job: lays out SageMaker's tree, restores checkpoints, starts the
// program again after interruptions, copies checkpoints out as they are committed, and lets rules judge the run.
//
//   tensortap::TrainingJob job({.job_name = "mnist-42", .program = {"./train"}, .spot = true},
//                              {.on_output = [](std::string_view line) { std::cout << line << '\n'; }});
//   const tensortap::JobRecord record = job.run();
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {
class TrainingJobState;
}

/// What the caller of a job wants to know while it runs. Threads: that of run(), except where it is said.
struct JobEvents {
  /// Called with each change of the secondary status.
  std::function<void(const JobTransition&)> on_status = {};
  /// Called with each line that the program prints, without its end. With several workers, "[algo-1] " is before it.
  std::function<void(std::string_view line)> on_output = {};
  /// Called with what else is worth a line: a changed rule status, a failed upload.
  std::function<void(std::string_view note)> on_note = {};
  /// Called several times a second while the program runs, with the record as of now.
  std::function<void(const JobRecord&)> on_tick = {};
  /// Called with each finding of a rule. Threads: that of the rules.
  std::function<void(const Finding&)> on_finding = {};
};

/// A job. Threads: one calls run(); `options.stop` may be raised from any.
class TrainingJob {
 public:
  /// Throws: an option that is out of range.
  explicit TrainingJob(JobOptions options, JobEvents events = {});
  TrainingJob(const TrainingJob&) = delete;
  TrainingJob& operator=(const TrainingJob&) = delete;
  ~TrainingJob();

  /// Runs the job to its end, or until the machine goes; returns the record, whose exit_code is that of a manager. A
  /// job that a killed manager has left goes on; a job that has completed returns at once. Throws: the job cannot be
  /// started, it has ended otherwise, another process manages it, its folder cannot be written.
  JobRecord run();

 private:
  std::unique_ptr<detail::TrainingJobState> state_;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/job/internal/training_job_impl.hpp>
#endif
