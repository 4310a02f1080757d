// The options of a managed training job, from a program or from a file. Each has the meaning and the name that it has
// in SageMaker, where there is one.
//
//   tensortap::JobOptions job{.job_name = "mnist-42", .program = {"./train", "--fast"}, .spot = true};
//   job.rules.push_back(tensortap::JobRule::parse("VanishingGradient:threshold=1e-9,action=stop"));
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// A span of time in seconds, with fractions.
using Seconds = std::chrono::duration<double>;

/// A name and its value.
struct JobSetting {
  std::string name = {};
  std::string value = {};

  friend bool operator==(const JobSetting&, const JobSetting&) = default;
};

/// A rule that judges the run while it is written.
struct JobRule {
  std::string name = {};                    ///< of a built-in rule
  std::vector<JobSetting> parameters = {};  ///< its parameters
  bool stops_training = false;              ///< whether its first finding stops the job

  /// Reads "NAME" or "NAME:parameter=value,parameter=value". The parameter `action` is "stop", SageMaker's
  /// "StopTraining", or "none". Throws: another form.
  static JobRule parse(std::string_view text);

  friend bool operator==(const JobRule&, const JobRule&) = default;
};

/// The options of a job.
struct JobOptions {
  // What is run

  /// The name of the job: letters, digits and hyphens, at most 63 of them. A job of this name in `output` goes on.
  std::string job_name = {};
  /// The program and its arguments. No shell is involved. A name without a slash is looked up in PATH.
  std::vector<std::string> program = {};
  /// Passed to the program as arguments and variables, and in a file. A value is JSON, or else a text.
  std::vector<JobSetting> hyperparameters = {};
  /// Input data: the name of a channel, and a directory, a file or s3://BUCKET/PREFIX. Local data is linked, not
  /// copied.
  std::vector<JobSetting> channels = {};
  /// The number of processes, which share this machine.
  int workers = 1;
  /// The number of managers of the job, one on each machine or for each rank of a launcher; each runs one program.
  int managers = 1;
  /// Which of them this is, from 0. The manager of rank 0 is the chief: it writes the record and decides.
  int rank = 0;

  // Where it lies

  /// The directory or s3://BUCKET/PREFIX of the jobs. The job has a folder with its name there.
  std::string output = "jobs";
  /// The directory in which SageMaker's /opt/ml is laid out. Empty: "ml" in the job's folder, below "jobs" if that is
  /// not a directory.
  std::string base_dir = {};
  /// The directory in which the program writes checkpoints. Empty: "checkpoints" in the base directory.
  std::string checkpoint_local_path = {};
  /// Where checkpoints are copied to, a directory or s3://BUCKET/PREFIX. Empty: "checkpoints" in the job's folder.
  std::string checkpoint_uri = {};

  // Rules

  /// The rules that judge the run.
  std::vector<JobRule> rules = {};
  /// The hook's configuration in the form of SageMaker Debugger: a file or JSON. What the rules need is added.
  std::string hook_config = {};

  // Limits

  /// Whether interruptions are expected.
  bool spot = false;
  /// By how much a spot machine is cheaper, for the savings. Units: percent.
  double spot_discount = 0;
  /// The longest time of training, over all attempts.
  Seconds max_run = std::chrono::hours(24);
  /// The longest time from the start to the end of the job, for jobs with `spot`; none: unlimited.
  std::optional<Seconds> max_wait = {};
  /// The longest time to wait for another process that manages the job, and for the other managers.
  Seconds max_pending = std::chrono::minutes(1);
  /// The time after which a manager that is not heard of counts as lost. Several managers also wait for each other, up
  /// to `max_pending`, before an attempt.
  Seconds max_silence = std::chrono::minutes(1);
  /// The time between SIGTERM and SIGKILL.
  Seconds stop_window = std::chrono::seconds(120);
  /// The time without output, steps and checkpoints after which an attempt counts as stalled and is ended; none: never.
  std::optional<Seconds> stall = {};
  /// Exit codes of the program that are interruptions, besides 75 and the signals of schedulers.
  std::vector<int> restart_on_exit = {};
  /// How many failures of the program are followed by another attempt. Interruptions are not limited.
  int max_failures = 0;
  /// How many attempts in a row may end without a new commit.
  int max_attempts_without_commit = 3;
  /// The delay before the second attempt; it doubles with each attempt without a new commit, up to `longest_delay`.
  Seconds first_delay = std::chrono::seconds(1);
  Seconds longest_delay = std::chrono::minutes(5);
  /// True: one start makes one attempt, and leaves an interrupted job to its next start. A program that calls MPI_Init
  /// can begin only once in each start of its launcher.
  bool one_attempt = false;
  /// True: a job that has failed or was stopped goes on.
  bool restart = false;

  // Requests. Copies of these handles belong to the caller.

  /// Ends the program within `stop_window`. A reason of StopReason::user stops the job; others are notices that the
  /// machine will be taken away, and leave the job to its next start. A deadline shortens the stop window.
  StopSignal stop = {};
  /// Kills the program at once.
  StopSignal stop_now = {};

  /// Reads a job file: JSON whose keys are these names. Throws: the file cannot be read; it is not JSON; an unknown key
  /// or a value of the wrong kind. The message names the file, the line and the key.
  static JobOptions from_json(std::string_view path_or_text);

  /// Throws: an option that is missing, out of range, or at odds with another one.
  void validate() const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/job/internal/job_options_impl.hpp>
#endif
