// The facts of a run that a person wants to see first: what became of it, what rules find in it, and its curves, each
// short enough to be drawn. A page shows them, `to_json` gives them to programs.
//
//   const tensortap::RunReport report = tensortap::report_of(tensortap::open_store("runs/42"));
//   std::cout << report.findings.size() << " findings in " << report.steps << " steps\n";
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/attempt.hpp>
#include <tensortap/record/hook_cost.hpp>
#include <tensortap/record/thinning.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/known_tensor.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/rules/verdict.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trace/profile_rules.hpp>
#include <tensortap/trace/profile_summary.hpp>
#include <tensortap/trial/damage.hpp>
#include <tensortap/trial/losses.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// A number over steps. Where there were more points than a report keeps, each entry stands for several of them.
struct ReportCurve {
  std::string tensor = {};
  std::string worker = {};
  Mode mode = Mode::train;
  Role role = Role::other;
  std::string quantity = {};             ///< "value", "l2", "mean", "update_ratio" …
  std::vector<std::int64_t> steps = {};  ///< the first global step of each entry; ascending
  std::vector<double> min = {};          ///< the least number of each entry that is finite; else an infinity, or NaN
  std::vector<double> max = {};          ///< the largest
  std::vector<std::int64_t> bad = {};    ///< how many numbers of each entry are not finite; empty: none is
  std::uint64_t points = 0;              ///< how many numbers there were
  std::uint64_t points_per_entry = 1;    ///< at most
};

/// A number of several tensors over steps. Columns are ranges of steps.
struct ReportMap {
  std::string quantity = {};  ///< as in ReportCurve
  Role role = Role::other;
  std::vector<std::int64_t> columns = {};     ///< the first global step of each range; ascending
  std::vector<std::string> tensors = {};      ///< from the first layer to the last
  std::vector<std::vector<double>> min = {};  ///< of each tensor in each range; NaN: nothing was saved
  std::vector<std::vector<double>> max = {};  ///< likewise
};

/// The elements of a tensor in a few of its steps, counted in bins that all steps share.
struct ReportHistogram {
  std::string tensor = {};
  std::string worker = {};
  std::vector<std::int64_t> steps = {};                 ///< global steps
  std::vector<double> edges = {};                       ///< one more than bins
  std::vector<std::vector<std::uint64_t>> counts = {};  ///< for each step, of finite elements
};

/// What is said of a finding.
struct ReportedFinding {
  /// What was saved around the finding.
  struct Row {
    Step step = {};
    std::vector<std::optional<double>> numbers = {};  ///< for each of `columns`
  };

  Finding finding = {};
  std::string condition = {};                ///< when its rule fires
  std::optional<ReportCurve> evidence = {};  ///< the number that caused it, or that best shows it, over all steps
  bool shows_value = false;                  ///< whether the curve has the number of the finding at its step
  std::vector<std::string> columns = {};     ///< of the rows: "loss", "l2" …
  std::vector<Row> rows = {};                ///< a few steps before and after its first one
};

/// A worker, as its steps and attempts tell.
struct ReportedWorker {
  std::string name = {};
  std::size_t steps = 0;        ///< saved by it
  std::int64_t last_step = -1;  ///< the last of these
  std::size_t attempts = 0;
};

/// A moment at which a later attempt has continued the run.
struct ReportedInterruption {
  std::string worker = {};
  std::int64_t attempt = 0;            ///< the one that continues
  std::int64_t resumed_at = -1;        ///< the last global step of earlier ones that counts
  std::optional<double> seconds = {};  ///< from that step to the next one
};

/// The job that a run belongs to, as its record tells. `tensortap report` fills it in.
struct ReportedJob {
  std::string name = {};
  std::string status = {};
  double training_seconds = 0;
  double billable_seconds = 0;
  double savings = 0;  ///< percent
  std::size_t attempts = 0;
};

/// What the trace of a run tells. Units: microseconds, times since 1970.
struct ReportedTrace {
  /// A number over time.
  struct Curve {
    std::vector<std::int64_t> times = {};  ///< the first one of each entry; ascending
    std::vector<double> min = {};          ///< the least number of each entry
    std::vector<double> max = {};          ///< the largest
    std::uint64_t points = 0;              ///< how many numbers there were
    std::uint64_t points_per_entry = 1;    ///< at most
  };
  /// How busy a part of a machine was, or several of its parts on average.
  struct Load {
    std::string node = {};       ///< the machine
    std::string name = {};       ///< "cpu0", "mean of 16"; empty for what a machine has once
    std::string dimension = {};  ///< "CPUUtilization"
    Curve curve = {};
  };

  std::int64_t begin = 0;                     ///< of the first event or sample
  std::int64_t end = 0;                       ///< of the last one
  ProfileSummary summary = {};                ///< the tables
  std::vector<Curve> steps = {};              ///< the durations of `summary.steps`
  std::vector<Load> loads = {};               ///< by dimension
  std::vector<ProfileRuleResult> rules = {};  ///< those that were so most often first
  std::uint64_t damaged_lines = 0;            ///< skipped
  std::uint64_t unfinished = 0;               ///< events that begin and do not end
};

/// How a report is made.
struct ReportOptions {
  std::string name = {};                        ///< of the run; left out: the last part of its address
  std::optional<std::vector<Rule>> rules = {};  ///< left out: all built-in rules
  std::size_t most_entries = 400;               ///< of a curve. Units: from 16 to 4096
  std::size_t around = 5;                       ///< steps before and after a finding
  std::optional<ReportedJob> job = {};
  std::shared_ptr<const Store> trace = {};  ///< where a trace is if the run has none beside it: the folder of its job
};

/// The facts of a run. Steps are global ones, which count all modes together.
struct RunReport {
  std::string name = {};
  std::string address = {};
  std::string state = {};  ///< "ended", or "running or interrupted"
  std::size_t steps = 0;
  std::map<Mode, std::vector<std::int64_t>> modes =
      {};  ///< for each mode: how many steps, the first, the last; its own numbers
  std::size_t tensors = 0;
  std::uint64_t bytes = 0;                                  ///< of the records of its tensors
  std::optional<double> began = {}, last_saved = {};        ///< seconds since 1970
  std::vector<std::pair<std::int64_t, double>> clock = {};  ///< global steps and when they were saved; some of them
  std::vector<ReportedWorker> workers = {};
  std::vector<ReportedInterruption> interruptions = {};
  std::optional<ReportedJob> job = {};
  std::optional<ReportedTrace> trace = {};  ///< if the run was traced; see `read_run_timeline`
  RunLosses losses = {};
  std::vector<Thinning> thinned = {};
  HookCost cost = {};
  std::vector<Damage> damage = {};
  std::vector<ReportedFinding> findings = {};  ///< errors first, then in the order of a verdict
  std::vector<RuleResult> rules = {};
  std::vector<ReportCurve> curves = {};  ///< tensors of one element, and for each worker the norm of all gradients
  std::vector<ReportMap> maps = {};      ///< norms, update ratios, dead and saturated units
  std::vector<ReportCurve> bands = {};   ///< min, mean, std and max of the other tensors
  std::vector<ReportHistogram> histograms = {};
  std::size_t left_out = 0;  ///< curves, rows of maps and histograms beyond what a page can hold
  std::vector<Collection> collections = {};
  std::map<std::string, std::string> facts = {};
};

/// Returns the facts of the run in `run`. Reads it once, step by step, and some steps a second time; needs memory for
/// the curves alone. What is damaged is left out and listed. Throws: there is no run; the store failed.
[[nodiscard]] RunReport report_of(const std::shared_ptr<const Store>& run, const ReportOptions& options = {});

/// Returns the facts as one JSON object, whose keys README.md lists. NaN and infinities are the strings "nan", "inf"
/// and "-inf"; text is ASCII, and bytes that are no UTF-8 are escaped.
[[nodiscard]] std::string to_json(const RunReport& report);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/report/internal/run_report_impl.hpp>
#endif
