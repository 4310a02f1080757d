// The manager of a job: takes it from its start, or from where an earlier manager has left it, to its end.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/checkpoint_carrier.hpp>
#include <tensortap/job/internal/job_attempt.hpp>
#include <tensortap/job/internal/job_data.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_hook.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_ledger.hpp>
#include <tensortap/job/internal/job_leftovers.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/internal/job_tree.hpp>
#include <tensortap/job/internal/job_watch.hpp>
#include <tensortap/job/internal/periodic_work.hpp>
#include <tensortap/job/internal/rule_watch.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/job/training_job.hpp>
#include <tensortap/store/open.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Runs one job. run() is called once.
class TrainingJobState {
 public:
  using Clock = std::chrono::steady_clock;

  TrainingJobState(JobOptions options, JobEvents events)
      : options_((options.check(), std::move(options))),
        events_(std::move(events)),
        place_(JobNames::below(JobNames::is_remote(options_.output) ? options_.output : absolute_path(options_.output),
                               options_.job_name)),
        is_remote_(JobNames::is_remote(place_)),
        rules_(rules_of_job(options_.rules)),
        hook_(hook_of_user(options_)),
        tree_(options_, base_of(options_, place_)) {}

  JobRecord run() {
    store_ = open_private_store(place_);
    ledger_ = std::make_unique<JobLedger>(store_);
    claim();
    if (!take_over()) return ledger_->record;
    logs_ = std::make_unique<JobLogs>(store_, is_remote_ ? tree_.base() : place_, is_remote_);
    try {
      watch_ = std::make_unique<JobWatch>(store_, record().run, options_.stall, [this] { logs_->publish(); });
      const JobOutcome outcome = train();
      watch_.reset();
      return outcome.is_over ? end(outcome) : leave(outcome);
    } catch (const Error& e) {
      if (e.code() != Errc::claimed) fail(e.what());
      throw;
    }
  }

 private:
  JobRecord& record() { return ledger_->record; }

  static std::string base_of(const JobOptions& options, const std::string& place) {
    if (!options.base_dir.empty()) return absolute_path(options.base_dir);
    return JobNames::below(JobNames::is_remote(place) ? absolute_path("jobs/" + options.job_name) : place, "ml");
  }

  void note(const std::string& text) const {
    if (events_.on_note) events_.on_note(text);
  }

  /// Waits until no other process manages the job. Throws: one still does after `max_pending`.
  void claim() {
    const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.max_pending);
    for (bool is_first = true; !ledger_->claim(); is_first = false) {
      const std::string holder = ledger_->holder();
      if (is_first) note("another process manages the job (" + escaped(holder) + "); waiting for its end");
      if (Clock::now() >= deadline || options_.stop.requested()) throw Error::job_is_managed(options_.job_name, holder);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  /// Reads or begins the record. Returns false if the job has completed. Throws: it has ended otherwise.
  bool take_over() {
    const std::string uri = checkpoint_uri();
    if (!ledger_->load()) {
      ledger_->begin(options_.job_name);
    } else if (has_ended(record().status)) {
      if (record().status == JobStatus::completed) {
        record().exit_code = 0;
        return false;
      }
      if (!options_.restart) throw Error::job_has_ended(options_.job_name, to_string(record().status));
      reopen();
    } else {
      take_lost_attempt();
    }
    record().configuration = described(options_, uri, tree_.checkpoints());
    record().checkpoints = uri;
    record().run = run_address();
    record().exit_code.reset();
    change("Starting", record().attempts.empty() ? "Starting the training job" : "Continuing the training job");
    return true;
  }

  /// Makes a job that has ended go on, with new budgets.
  void reopen() {
    record().status = JobStatus::in_progress;
    record().failure_reason = record().stop_reason = record().model = "";
    record().failures = record().attempts_without_commit = 0;
    record().training_end.reset();
    restarted_at_ = trained_ = seconds_of_attempts();
    store_->remove(JobLayout::stop_request);
  }

  /// Closes the attempt of a manager that was killed, or of a machine that was lost. It does not count as one without
  /// progress: its end was not observed.
  void take_lost_attempt() {
    record().status = JobStatus::in_progress;
    if (const int killed = kill_leftovers(record().job_id); killed > 0)
      note("killed " + std::to_string(killed) + " processes that an earlier manager has left");
    if (!record().attempts.empty() && !record().attempts.back().end) {
      JobAttempt& last = record().attempts.back();
      last.end = std::max(last.last_seen, last.begin);
      last.cause = "lost";
      last.details = "its manager or its machine (" + last.machine + ") was lost";
      change("Interrupted", "Attempt " + std::to_string(last.number) + ": " + last.details);
    }
    trained_ = seconds_of_attempts();
  }

  [[nodiscard]] double seconds_of_attempts() {
    double out = 0;
    for (const JobAttempt& one : record().attempts) out += one.end.value_or(one.last_seen) - one.begin;
    return out;
  }

  [[nodiscard]] std::string checkpoint_uri() const {
    if (options_.checkpoint_uri.empty()) return JobNames::below(place_, JobLayout::checkpoints);
    return JobNames::is_remote(options_.checkpoint_uri) ? options_.checkpoint_uri
                                                        : absolute_path(options_.checkpoint_uri);
  }
  [[nodiscard]] std::string run_address() const {
    if (!options_.hook_config.empty() && !hook_.out_dir.empty() && hook_.out_dir != HookConfiguration().out_dir)
      return JobNames::is_remote(hook_.out_dir) ? hook_.out_dir : absolute_path(hook_.out_dir);
    return JobNames::below(place_, JobLayout::run);
  }

  /// Sets the secondary status, and writes the record.
  void change(const std::string& status, const std::string& message) {
    const double now = job_time();
    auto& all = record().transitions;
    if (!all.empty() && !all.back().end) all.back().end = now;
    all.push_back({.status = status, .begin = now, .message = message});
    record().secondary_status = status;
    ledger_->write();
    if (events_.on_status) events_.on_status(all.back());
  }

  /// Makes attempts until one decides the job.
  JobOutcome train() {
    change("Downloading", "Downloading input data and restoring checkpoints");
    tree_.make(record().run, hook_of_job(hook_, record().run, rules_, options_.workers));
    for (const std::string& host : tree_.hosts())
      for (const JobSetting& channel : options_.channels)
        bring_channel(channel, tree_.path(host, "input/data/" + channel.name));
    carrier_ = std::make_unique<CheckpointCarrier>(tree_.checkpoints(), open_private_store(record().checkpoints),
                                                   options_.stop_now);
    const SyncReport restored = carrier_->restore();
    if (restored.files > 0)
      note("restored " + std::to_string(restored.files) + " files of checkpoints" +
           (restored.step ? ", of step " + std::to_string(*restored.step) : ""));
    rule_watch_ = std::make_unique<RuleWatch>(record().run, options_.rules, record().findings, events_.on_finding);
    carrier_->begin();
    for (;;) {
      if (const auto over = budget_outcome()) return *over;
      const JobOutcome outcome = attempt();
      if (outcome.is_over || outcome.leaves) return outcome;
      change("Interrupted", outcome.message);
      if (!wait_before_restart()) return outcome_of_wait();
      change("Starting", "Starting attempt " + std::to_string(record().attempts.size()));
    }
  }

  /// Returns the end of a job that has no time left.
  std::optional<JobOutcome> budget_outcome() {
    const StopCause cause = limit_reached();
    return cause == StopCause::none ? std::nullopt : std::optional(JobOutcome::stopped_by(cause, {}));
  }

  /// Runs the program once.
  JobOutcome attempt() {
    tree_.begin_attempt();
    const auto number = static_cast<std::int64_t>(record().attempts.size());
    const CheckpointMark before = carrier_->mark();
    std::vector<AttemptWorker> workers;
    for (const std::string& host : tree_.hosts()) workers.push_back({host, command_of(host, number)});
    record().attempts.push_back({.number = number, .machine = name_of_machine(), .begin = job_time()});
    record().attempts.back().last_seen = record().attempts.back().begin;
    if (!record().training_start) record().training_start = record().attempts.back().begin;
    began_ = Clock::now();
    change("Training", "Training in progress, attempt " + std::to_string(number));
    watch_->begin(before);
    AttemptEnd how;
    {
      AttemptRun run(options_.stop_window, events_of(number));
      how = run.run(workers);
    }
    return close_attempt(how, before);
  }

  [[nodiscard]] ChildCommand command_of(const std::string& host, std::int64_t number) {
    const std::vector<std::string> more = {std::string(job_variable) + "=" + record().job_id,
                                           "TENSORTAP_JOB_ATTEMPT=" + std::to_string(number),
                                           "TORCHELASTIC_RESTART_COUNT=" + std::to_string(number)};
    return {tree_.command(), tree_.environment(host, more), tree_.directory(host)};
  }

  AttemptEvents events_of(std::int64_t number) {
    return {.tick = [this] { return tick(); },
            .time_left = [this] { return options_.stop.time_left(); },
            .on_bytes =
                [this, number](const std::string& host, std::string_view bytes) {
                  watch_->see_output();
                  logs_->append(number, host, bytes);
                },
            .on_line =
                [this](const std::string& host, const std::string_view line) {
                  if (!events_.on_output) return;
                  events_.on_output(options_.workers == 1 ? std::string(line) : "[" + host + "] " + std::string(line));
                }};
  }

  /// Writes what changes while the program runs. Returns why it has to end.
  StopCause tick() {
    JobAttempt& now = record().attempts.back();
    now.last_seen = job_time();
    const double trained = trained_ + std::chrono::duration<double>(Clock::now() - began_).count();
    count_seconds(trained);
    if (Clock::now() - looked_ >= std::chrono::milliseconds(250)) {
      looked_ = Clock::now();
      record().commit = now.commit = carrier_->last_commit();
      watch_->see_commit(now.commit);
      if (const std::string failure = carrier_->take_failure(); !failure.empty()) note("checkpoints: " + failure);
      take_rules();
      if (const std::string failure = ledger_->write_now_and_then(); !failure.empty()) note("job.json: " + failure);
      if (events_.on_tick) events_.on_tick(record());
    }
    if (options_.stop_now.requested()) return StopCause::now;
    if (options_.stop.requested())
      return options_.stop.reason() == StopReason::user ? StopCause::user : StopCause::notice;
    if (watch_->is_stop_requested()) return StopCause::user;
    if (rule_watch_->stopping()) return StopCause::rule;
    if (const StopCause limit = limit_reached(); limit != StopCause::none) return limit;
    return watch_->has_stalled() ? StopCause::stall : StopCause::none;
  }

  void take_rules() {
    std::vector<RuleResult> now = rule_watch_->results();
    for (std::size_t i = 0; i < now.size(); ++i)
      if (i >= record().rules.size() || record().rules[i].status != now[i].status) {
        if (i < record().rules.size()) note("rule " + now[i].rule + ": " + std::string(to_string(now[i].status)));
      }
    record().rules = std::move(now);
    if (auto findings = rule_watch_->findings(); !findings.empty()) record().findings = std::move(findings);
  }

  void count_seconds(double trained) {
    record().training_seconds = trained * options_.workers;
    record().billable_seconds = record().training_seconds * (options_.spot ? 1 - options_.spot_discount / 100 : 1);
  }

  StopCause limit_reached() {
    const double trained = record().training_seconds / options_.workers;
    if (trained - restarted_at_ >= options_.max_run.count()) return StopCause::max_run;
    if (options_.max_wait && job_time() - waits_since() >= options_.max_wait->count()) return StopCause::max_wait;
    return StopCause::none;
  }
  [[nodiscard]] double waits_since() { return restarted_at_ > 0 ? reopened_ : record().created; }

  /// Writes how the attempt has ended. Returns what it means for the job.
  JobOutcome close_attempt(const AttemptEnd& how, const CheckpointMark& before) {
    const auto window = std::chrono::duration_cast<Clock::duration>(options_.stop_window);
    const auto left = options_.stop.time_left();
    const std::string not_copied =
        carrier_->finish(Clock::now() + (left ? std::chrono::duration_cast<Clock::duration>(*left) : window));
    if (!not_copied.empty()) note("checkpoints: " + not_copied);
    const CheckpointMark after = carrier_->mark();
    JobAttempt& last = record().attempts.back();
    last.end = last.last_seen = job_time();
    last.exit_code = how.program.exit_code;
    record().commit = last.commit = after.commit;
    last.committed = after.is_after(before);
    trained_ = seconds_of_attempts();
    count_seconds(trained_);
    take_rules();
    const bool run_has_ended = watch_->run_has_ended();
    JobOutcome out = outcome_of(how, run_has_ended, failure_text(how), options_);
    if (how.cause == StopCause::rule) out.message = rule_text();
    last.cause = out.cause;
    last.details = out.message;
    record().failures += out.counts_as_failure ? 1 : 0;
    record().attempts_without_commit = last.committed ? 0 : record().attempts_without_commit + 1;
    if (!out.is_over && !out.leaves) {
      if (out.counts_as_failure && record().failures > options_.max_failures)
        out = out.failed();
      else if (record().attempts_without_commit >= options_.max_attempts_without_commit)
        out = out.without_progress(record().attempts_without_commit);
    }
    carrier_->begin();
    return out;
  }

  [[nodiscard]] std::string rule_text() const {
    const auto finding = rule_watch_->stopping();
    return finding ? "rule " + finding->rule + ": " + finding->message : "a rule";
  }

  /// Returns the reason that the program has left, if it has.
  [[nodiscard]] std::string failure_text(const AttemptEnd& how) const {
    constexpr std::size_t longest = 1024;  // characters
    const std::string host = how.host.empty() ? tree_.hosts()[0] : how.host;
    const auto text = text_of_file(tree_.path(host, "output/failure"));
    if (!text) return {};
    std::size_t end = 0;
    for (std::size_t count = 0; end < text->size(); ++end)
      if ((static_cast<unsigned char>((*text)[end]) & 0xc0) != 0x80 && ++count > longest) break;
    return text->substr(0, end);
  }

  /// Waits until the next attempt may begin. Returns false if the job has to stop first.
  bool wait_before_restart() {
    const int doublings = std::max(record().attempts_without_commit - 1, 0);
    const double delay = std::min(options_.first_delay.count() * std::pow(2.0, std::min(doublings, 30)),
                                  std::max(options_.longest_delay.count(), 0.0));
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(delay));
    while (Clock::now() < until) {
      if (cause_while_waiting() != StopCause::none) return false;
      std::this_thread::sleep_for(std::min<Clock::duration>(until - Clock::now(), std::chrono::milliseconds(50)));
    }
    return cause_while_waiting() == StopCause::none;
  }
  StopCause cause_while_waiting() {
    if (options_.stop_now.requested()) return StopCause::now;
    if (options_.stop.requested())
      return options_.stop.reason() == StopReason::user ? StopCause::user : StopCause::notice;
    if (watch_->is_stop_requested()) return StopCause::user;
    return limit_reached();
  }
  JobOutcome outcome_of_wait() { return JobOutcome::stopped_by(cause_while_waiting(), {}); }

  /// Ends the job: verdict of the rules, uploads, and the last status.
  JobRecord end(const JobOutcome& outcome) {
    carrier_->finish(Clock::now() + std::chrono::minutes(10));
    if (!options_.stop_now.requested()) {
      change("Uploading", "Uploading generated training model");
      rule_watch_->finish(outcome.status == JobStatus::completed);
      take_rules();
      record().findings = rule_watch_->findings();
      try {
        if (upload_artifacts(tree_, *store_) > 0) record().model = JobNames::below(place_, JobLayout::model);
      } catch (const Error& e) {
        if (outcome.status == JobStatus::completed) return finish(JobOutcome::not_uploaded(e.what()));
        note(e.what());
      }
    }
    return finish(outcome);
  }

  JobRecord finish(const JobOutcome& outcome) {
    merge_logs();
    record().status = outcome.status;
    record().exit_code = outcome.exit_code;
    record().stop_reason = outcome.stop_reason;
    if (outcome.status == JobStatus::failed) record().failure_reason = outcome.message;
    record().training_end = job_time();
    change(outcome.secondary_status, outcome.text());
    if (!record().transitions.back().end) record().transitions.back().end = record().transitions.back().begin;
    ledger_->write();
    store_->remove(JobLayout::stop_request);
    return record();
  }

  /// Leaves the job to its next start.
  JobRecord leave(const JobOutcome& outcome) {
    carrier_->finish(Clock::now() + std::chrono::seconds(5));
    merge_logs();
    record().exit_code = outcome.exit_code;
    change("Interrupted", outcome.message + "; start the job again to continue");
    return record();
  }

  /// Ends the job because the manager cannot go on.
  void fail(const std::string& cause) {
    try {
      record().status = JobStatus::failed;
      record().exit_code = 2;
      record().failure_reason = cause;
      change("Failed", cause);
    } catch (const std::exception&) {  // the first cause is reported
    }
  }

  void merge_logs() {
    try {
      logs_->merge();
    } catch (const std::exception& e) {
      note(std::string("logs: ") + e.what());
    }
  }

  const JobOptions options_;
  const JobEvents events_;
  const std::string place_;  // the address of the job's folder
  const bool is_remote_;
  const std::vector<Rule> rules_;
  const HookConfiguration hook_;
  const JobTree tree_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<JobLedger> ledger_;
  std::unique_ptr<JobLogs> logs_;
  std::unique_ptr<CheckpointCarrier> carrier_;
  std::unique_ptr<RuleWatch> rule_watch_;
  std::unique_ptr<JobWatch> watch_;
  double trained_ = 0;       // seconds of the attempts that have ended
  double restarted_at_ = 0;  // seconds of training before the job was reopened
  double reopened_ = job_time();
  Clock::time_point began_{};
  Clock::time_point looked_{};
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
