// The subcommands of the tool, one function for each. They print to `out` and return the exit code, which means the
// same in all of them: 0 done, 1 found something (findings, damage), 2 could not. Exceptions mean 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <tensortap/job/job_options.hpp>
#include <tensortap/report/export.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/step.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/trial/prune.hpp>
#include <vector>

namespace tensortap_command {

/// What `show` prints of a run.
struct Show {
  std::string tensor;                              // empty: those of `query`
  tensortap::TensorQuery query = {};               // a pattern and a collection; its mode is not used
  std::optional<std::int64_t> step;                // left out: those of `steps`
  tensortap::StepRange steps = {};                 // in the numbers of `mode`
  tensortap::Mode mode = tensortap::Mode::global;  // whose numbers the steps have
  std::string worker;                              // empty: all
  bool all = false;                                // elements beyond the first 100
  bool json = false;
};

/// How `judge` evaluates a run.
struct Judge {
  std::string rules = "all";                                   // names with commas between them
  std::vector<std::string> settings = {};                      // RULE.PARAMETER=VALUE
  tensortap::Severity severity = tensortap::Severity::advice;  // the least that is printed
  std::int64_t since = 0;  // a global step: findings that were last seen before it are not printed
  bool smdebug = false;    // the rules of SageMaker Debugger, with its parameters
  bool each_step = false;  // a finding for each step
  bool json = false;
  bool follow = false;
  std::optional<double> timeout;  // seconds; left out: none
  std::string stop_file;
  std::optional<std::string> shard;  // I/N, /N, auto or all; left out: as a launcher tells, else all
};

/// How `diff` compares two runs.
struct Diff {
  std::string tensors;                  // a pattern; empty: all
  std::optional<tensortap::Mode> mode;  // left out: all
  double round_offs = 64;               // how many units of round-off are no difference
  bool json = false;
};

/// What `export` writes, and where.
struct Export {
  std::optional<tensortap::ExportFormat> format;  // none: for TensorBoard
  tensortap::ExportOptions options;
  std::string file;  // "-": the standard output; for TensorBoard a directory
  bool json = false;
};

/// How `watch` shows a run.
struct Watch {
  std::optional<double> interval;          // seconds between two frames; left out: 1, of a bucket 5
  std::string tensors;                     // a pattern; empty: losses and metrics
  std::optional<std::int64_t> total;       // steps of the training; left out: as the facts of the run tell
  std::string rules = "all";               // names with commas between them, or none
  std::vector<std::string> settings = {};  // RULE.PARAMETER=VALUE
  bool once = false;
  bool json = false;
};

/// Where `serve` listens.
struct Serve {
  std::string host = "127.0.0.1";
  int port = 8080;                      // 0: a free one
  std::vector<std::string> names = {};  // of this machine, which a browser may use besides host and localhost
};

/// What `report` writes, and where.
struct Report {
  std::string file;        // empty or "-": the standard output
  bool json = false;       // the facts, one object for each run
  bool xgboost = false;    // SageMaker Debugger's report on a training with XGBoost
  std::size_t around = 5;  // steps before and after a finding
};

/// Whether a copy takes files, and enters directories, that a symbolic link leads to.
enum class Links : std::uint8_t { follow, pass_over };

/// How `cp` and `sync` copy.
struct Copy {
  /// A shell pattern, and whether to copy the files that match. The last filter that matches decides.
  struct Filter {
    std::string pattern;
    bool wanted = false;
  };

  bool recursive = false;
  bool remove = false;  // removes files that the source does not have
  bool dry_run = false;
  bool quiet = false;
  Links links = Links::follow;
  std::optional<std::size_t> connections;
  std::vector<Filter> filters;
};

/// Returns "3 steps, 0 to 20".
std::string steps_text(const std::vector<std::int64_t>& steps);

/// Prints a whole run as one JSON document; elements as the SHA-256 of their bytes.
int dump(const std::string& run, std::ostream& out);

/// Prints the run, its collections and its tensors, one line for each; only those of `mode`, in its numbers, if one is
/// given. Prints a line for each run, if `run` is a directory of runs.
int list(const std::string& run, std::optional<tensortap::Mode> mode, bool json, std::ostream& out);

/// Prints tensors over their steps, a tensor in one step, or tensors of a step; with `json` a line for each tensor,
/// step and worker, as `export --jsonl`. Throws: there is no such thing.
int show(const std::string& run, const Show& what, std::ostream& out);

/// Reads every record.
int check(const std::string& run, bool json, std::ostream& out);

/// Prints what rules find, what they could not judge, and a verdict. Returns 2 if nothing was judged. One of several
/// shards returns 0 if it has judged its share, because launchers end all processes when one returns another code.
int judge(const std::string& run, const Judge& how, std::ostream& out);

/// Shows how a run gets on until it has ended: as a screen on a terminal, else a line for each new block of steps.
/// Returns 1 if rules have found something, or if something is lost or damaged. Throws: the run is gone.
int watch(const std::string& run, const Watch& how, std::ostream& out);

/// Prints what a hook does with a configuration in the form of smdebug: a file, or JSON. Warnings go to the standard
/// error stream, or are part of the JSON.
int config(const std::string& file, bool json, std::ostream& out);

/// Writes a page of several runs, each with what the built-in rules find in it; or prints the same facts as JSON, or
/// the data of SageMaker Debugger's report on a training with XGBoost. Returns 1 if some of a run is damaged.
int report(const std::vector<std::string>& runs, const Report& how, std::ostream& out);

/// Serves the pages of the run, or of the runs, at `place` until a signal comes. Throws: the port is taken.
int serve(const std::string& place, const Serve& how, std::ostream& out);

/// Prints the built-in rules, or those of smdebug, with their conditions and parameters, or the one called `name`.
int rules(const std::string& name, bool smdebug, bool json, std::ostream& out);

/// Puts the files of a packed run in their places, or with `to` in a copy there. Returns 1 if some are damaged.
int unpack(const std::string& run, const std::string& to, bool json, std::ostream& out);

/// Prints where two runs differ: facts, collections, curves, and the first value that differs. Returns 1 if values do.
int diff(const std::string& first, const std::string& second, const Diff& how, std::ostream& out);

/// What `trace` prints.
struct Trace {
  std::string file = {};  ///< the merged trace is written to it; -: the standard output; empty: a table is printed
  bool rules = false;     ///< print what the rules of the profiler find
  bool json = false;      ///< print JSON
};

/// Prints how long the phases in the trace at `place` took. Returns 1 if some of it is damaged, or if there are
/// findings.
int trace(const std::string& place, const Trace& how, std::ostream& out);

/// Writes a run as a table, or for TensorBoard. Returns 1 if some of it is damaged.
int export_run(const std::string& run, const Export& how, std::ostream& out);

/// Removes the oldest steps of a run, and what else the options name, or says what would be removed.
/// `checkpoints` is the checkpoint_dir of a run that will be continued, or empty.
int prune(const std::string& run, tensortap::PruneOptions options, const std::string& checkpoints, bool json,
          std::ostream& out);

/// Prints the objects below an s3:// address as `aws s3 ls` does. Throws: there are none.
int list_objects(const std::string& address, bool recursive, bool json, std::ostream& out);

/// Returns the addresses of the folders in an s3:// address.
std::vector<std::string> folders_in(const std::string& address);

/// Prints the unfinished multipart uploads below an s3:// address, or drops those begun more than `older_than` hours
/// ago. Returns 1 if there are some, and 0 if none is left.
int uploads(const std::string& address, bool drop, double older_than, bool json, std::ostream& out);

/// Copies a file to S3 or an object from S3; with `recursive`, everything below a directory or a prefix. "-" is
/// standard input or output. Returns 2 if something was skipped or failed.
int copy(const std::string& from, const std::string& to, const Copy& how, std::ostream& out);

/// Copies the files that differ in size or time; with `remove`, removes those that the source does not have. Returns as
/// copy() does.
int sync(const std::string& from, const std::string& to, const Copy& how, std::ostream& out);

/// Runs a job to its end. Returns its exit code, which JobArguments::exit_codes() lists.
int train(tensortap::JobOptions options, std::ostream& out);

/// Watches for the notices of the cloud that this machine is of, while the result lives. A notice requests `stop`.
std::shared_ptr<const void> watch_cloud(const tensortap::StopSignal& stop);

/// Prints a line for each job in a directory or below an s3:// address.
int jobs(const std::string& place, bool json, std::ostream& out);

/// Prints the record of a job, or its JSON.
int describe(const std::string& job, bool json, std::ostream& out);

/// Asks a job to stop.
int stop(const std::string& job, std::ostream& out);

}  // namespace tensortap_command
