// Takes a job from its start, or from where an earlier manager has left it, to its end: the program, its checkpoints,
// its rules and its artifacts. The record is in job_course.hpp.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/capture/hook_configuration.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/checkpoint_carrier.hpp>
#include <tensortap/job/internal/chief_session.hpp>
#include <tensortap/job/internal/job_attempt.hpp>
#include <tensortap/job/internal/job_course.hpp>
#include <tensortap/job/internal/job_data.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_hook.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_ledger.hpp>
#include <tensortap/job/internal/job_logs.hpp>
#include <tensortap/job/internal/job_member.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/internal/job_places.hpp>
#include <tensortap/job/internal/job_tree.hpp>
#include <tensortap/job/internal/job_watch.hpp>
#include <tensortap/job/internal/rule_watch.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/job/training_job.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Runs one job. run() is called once.
class TrainingJobState {
 public:
  using Clock = std::chrono::steady_clock;

  TrainingJobState(JobOptions options, JobEvents events)
      : options_((options.validate(), std::move(options))),
        events_(std::move(events)),
        rules_(rules_of_job(options_.rules)),
        hook_(hook_of_user(options_)),
        places_(options_, hook_),
        tree_(options_, places_.base) {}

  JobRecord run() {
    if (options_.rank > 0) return JobMember(options_, events_, places_, tree_, hook_of_all(places_.run)).run();
    store_ = open_private_store(places_.folder);
    course_ = std::make_unique<JobCourse>(options_, events_, store_);
    if (!course_->open(places_, tree_.checkpoints())) return record();
    if (options_.managers > 1)
      session_ = std::make_unique<ChiefSession>(options_, store_, [this] { return course_->is_held(); });
    logs_ = std::make_unique<JobLogs>(store_, places_.is_remote ? tree_.base() : places_.folder, places_.is_remote);
    try {
      prepare();
      const JobOutcome outcome = train();
      watch_.reset();
      end(outcome);
      if (session_) session_->over(record().exit_code.value_or(0), outcome.message);
      return record();
    } catch (const Error& e) {
      if (e.code() != Errc::claimed) {
        leave_after(e.what());
        if (session_) session_->over(could_not, e.what());
      }
      throw;
    }
  }

 private:
  static constexpr int could_not = 2;

  JobRecord& record() { return course_->record(); }

  [[nodiscard]] nlohmann::json hook_of_all(const std::string& run) const {
    return hook_of_job(hook_, run, rules_, processes_of(options_));
  }

  /// Lays out the tree, brings the data, restores the checkpoints, and begins to watch.
  void prepare() {
    course_->change("Downloading", "Downloading input data and restoring checkpoints");
    tree_.make(record().job_id, record().run, hook_of_all(record().run));
    for (const std::string& host : tree_.hosts())
      for (const JobSetting& channel : options_.channels)
        bring_channel(channel, tree_.path(host, "input/data/" + channel.name));
    const auto checkpoints = open_private_store(record().checkpoints);
    checkpoints->put("tensortap-writable.tmp",
                     "");  // a place that takes no checkpoints is an error now, not at the end
    checkpoints->remove("tensortap-writable.tmp");
    carrier_ = std::make_unique<CheckpointCarrier>(tree_.checkpoints(), checkpoints, options_.stop_now);
    const SyncReport restored = carrier_->restore();
    if (restored.files > 0)
      course_->note("restored " + std::to_string(restored.files) + " files of checkpoints" +
                    (restored.step ? ", of step " + std::to_string(*restored.step) : ""));
    watch_ = std::make_unique<JobWatch>(store_, record().run, options_.stall, [this] { logs_->publish(); });
    rule_watch_ = std::make_unique<RuleWatch>(record().run, options_.rules, record().findings, events_.on_finding);
    carrier_->begin();
  }

  /// Makes attempts until one decides the job.
  JobOutcome train() {
    const auto& attempts = record().attempts;  // the last one may have completed, and its manager was lost
    if (!attempts.empty() && attempts.back().cause == "completed" && tree_.has_completed(attempts.back().number))
      return JobOutcome::completed();
    for (;;) {
      if (const StopCause cause = cause_to_stop(); cause != StopCause::none) return JobOutcome::stopped_by(cause, {});
      JobOutcome outcome = attempt();
      if (options_.one_attempt && !outcome.is_over) {
        outcome.leaves = true;
        outcome.exit_code = job_exit::interrupted;
      }
      if (outcome.is_over || outcome.leaves) return outcome;
      carrier_->begin();  // what could not be copied yet is, meanwhile
      course_->change("Interrupted", outcome.message);
      wait_before_restart();
      if (cause_to_stop() != StopCause::none) continue;
      course_->change("Starting", "Starting attempt " + std::to_string(record().attempts.size()));
    }
  }

  /// Runs the program once.
  JobOutcome attempt() {
    tree_.begin_attempt();
    const CheckpointMark before = carrier_->mark();
    if (session_)
      if (const std::string missing = gather(before); !missing.empty()) return without(missing);
    if (session_)
      if (const StopCause cause = cause_to_stop(); cause != StopCause::none) return JobOutcome::stopped_by(cause, {});
    const std::int64_t number = course_->begin_attempt();
    std::vector<AttemptWorker> workers;
    for (const std::string& host : tree_.hosts()) workers.push_back({host, command_of(host, number)});
    watch_->begin(before);
    AttemptEnd how;
    std::string not_started;
    if (session_) session_->begin();
    try {
      how = AttemptRun(options_.stop_window, events_of(number)).run(workers);
    } catch (const Error& e) {
      if (e.code() == Errc::claimed) throw;
      not_started = e.what();
    }
    if (session_) end_on_all(how, not_started);
    JobOutcome out = close_attempt(how, before, not_started);
    if (!tree_.is_there())
      throw Error::io(
          "job", tree_.base(),
          "the base directory was removed while the job ran; start the job again, and keep the program from "
          "removing it");
    return out;
  }

  /// Waits until the other managers are ready to continue from the last commit, which is copied before. Returns for
  /// which hosts that was in vain.
  std::string gather(const CheckpointMark& before) {
    const auto window = std::chrono::duration_cast<Clock::duration>(options_.stop_window);
    if (const std::string not_copied = carrier_->finish(Clock::now() + window); !not_copied.empty())
      course_->note("checkpoints: " + not_copied);
    const auto begin = Clock::now();
    bool is_told = false;
    const auto number = static_cast<std::int64_t>(record().attempts.size());
    std::string missing = session_->gather(number, record().job_id, before.commit, [&](const std::string& hosts) {
      course_->beat();
      if (!is_told && Clock::now() - begin >= std::chrono::seconds(2)) {
        is_told = true;
        course_->note("waiting for the managers of " + hosts);
      }
      return cause_to_stop() != StopCause::none;
    });
    carrier_->begin();
    return missing;
  }

  /// Returns that this manager leaves, since others did not come.
  [[nodiscard]] JobOutcome without(const std::string& missing) const {
    JobOutcome out = JobOutcome::stopped_by(StopCause::notice, {});
    out.message = "no answer from the managers of " + missing + " within " +
                  JobNames::number(options_.max_pending.count()) + " s";
    return out;
  }

  /// Ends the attempt on the other machines: waits for their programs if that of the chief has completed, else ends
  /// them. Managers that are not heard of are not waited for.
  void end_on_all(AttemptEnd& how, const std::string& not_started) {
    using std::chrono::milliseconds;
    if (!not_started.empty() || how.program.exit_code != 0 || how.cause != StopCause::none)
      session_->stop(not_started.empty() ? "the program of algo-1 has ended" : not_started, options_.stop_window,
                     how.cause == StopCause::now || how.cause == StopCause::lost);
    auto told = how.cause == StopCause::none && how.program.exit_code == 0 && not_started.empty()
                    ? Clock::time_point::max()
                    : Clock::now();
    const auto longest = std::chrono::duration_cast<Clock::duration>(options_.stop_window + options_.max_silence);
    for (std::string hosts; !(hosts = session_->running()).empty();) {
      const StopCause cause = tick();
      if (told == Clock::time_point::max() && cause != StopCause::none) {
        begin_stop(how.cause = cause, options_.stop.time_left().value_or(
                                          std::chrono::duration_cast<std::chrono::nanoseconds>(options_.stop_window)));
        told = Clock::now();
      }
      if (cause == StopCause::now) session_->stop({}, Seconds(0), true);
      if (told != Clock::time_point::max() && Clock::now() - told >= longest) {
        course_->note("the managers of " + hosts + " have not told the end of their programs");
        return;
      }
      std::this_thread::sleep_for(milliseconds(20));
    }
    (void)session_->cause();
  }

  [[nodiscard]] ChildCommand command_of(const std::string& host, std::int64_t number) {
    return {tree_.command(),
            tree_.environment(host, tree_.variables_of_attempt(host, record().job_id, number, name_of_machine())),
            tree_.directory(host)};
  }

  AttemptEvents events_of(std::int64_t number) {
    return {.tick = [this] { return tick(); },
            .time_left = [this] { return time_left(); },
            .on_stop = [this](StopCause cause, std::chrono::nanoseconds left) { begin_stop(cause, left); },
            .on_bytes =
                [this, number](const std::string& host, std::string_view bytes) {
                  watch_->see_output();
                  logs_->append(number, host, bytes);
                },
            .on_line =
                [this](const std::string& host, std::string_view line) {
                  if (!events_.on_output) return;
                  events_.on_output(processes_of(options_) == 1 ? std::string(line)
                                                                : "[" + host + "] " + std::string(line));
                }};
  }

  /// Tells the program, the record and the caller that the program has to end.
  void begin_stop(StopCause cause, std::chrono::nanoseconds left) {
    const JobOutcome means = JobOutcome::stopped_by(cause, cause == StopCause::rule ? rule_text() : "");
    tree_.write_stop(means.message, std::chrono::duration<double>(left).count());
    if (session_) session_->stop(means.message, std::chrono::duration<double>(left), cause == StopCause::now);
    if (cause == StopCause::notice || cause == StopCause::stall || cause == StopCause::lost || cause == StopCause::peer)
      return course_->note((cause == StopCause::stall ? "the program seems to hang" : means.message) + "; it is ended");
    record().status = JobStatus::stopping;
    course_->change("Stopping", means.message);
  }

  /// Writes what changes while the program runs. Returns why it has to end.
  StopCause tick() {
    course_->tick();
    if (Clock::now() - looked_ >= std::chrono::milliseconds(250)) {
      looked_ = Clock::now();
      course_->see_commit(carrier_->last_commit());
      watch_->see_commit(record().commit);
      if (const std::string failure = carrier_->take_failure(); !failure.empty())
        course_->note("checkpoints: " + failure);
      take_rules();
      if (events_.on_tick) events_.on_tick(record());
    }
    const StopCause cause = cause_to_stop();
    if (cause != StopCause::none) return cause;
    if (rule_watch_->stopping()) return StopCause::rule;
    if (session_)
      if (const StopCause peer = session_->cause(); peer != StopCause::none) return peer;
    return watch_->has_stalled() ? StopCause::stall : StopCause::none;
  }

  /// Returns why the job has to end, whether its program runs or not.
  StopCause cause_to_stop() {
    if (options_.stop_now.requested()) return StopCause::now;
    if (options_.stop.requested())
      return options_.stop.reason() == StopReason::user ? StopCause::user : StopCause::notice;
    return watch_->is_stop_requested() ? StopCause::user : course_->limit_reached();
  }

  /// Returns the time until a machine of the job goes.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> time_left() const {
    auto out = options_.stop.time_left();
    if (const auto peers = session_ ? session_->time_left() : std::nullopt)
      out = std::min(*peers, out.value_or(*peers));
    return out;
  }

  void take_rules() {
    std::vector<RuleResult> now = rule_watch_->results();
    for (std::size_t i = 0; i < std::min(now.size(), record().rules.size()); ++i)
      if (record().rules[i].rule == now[i].rule && record().rules[i].status != now[i].status)
        course_->note("rule " + now[i].rule + ": " + std::string(to_string(now[i].status)));
    record().rules = std::move(now);
    if (auto findings = rule_watch_->findings(); !findings.empty()) record().findings = std::move(findings);
  }

  /// Copies the last checkpoints. Returns what the end of the attempt means for the job.
  JobOutcome close_attempt(const AttemptEnd& how, const CheckpointMark& before, const std::string& not_started) {
    const auto window = std::chrono::duration_cast<Clock::duration>(options_.stop_window);
    const auto left = time_left();
    const std::string not_copied =
        carrier_->finish(Clock::now() + (left ? std::chrono::duration_cast<Clock::duration>(*left) : window),
                         how.cause == StopCause::notice);
    if (!not_copied.empty()) course_->note("checkpoints: " + not_copied);
    if (const std::string odd = carrier_->take_oddities(); !odd.empty()) course_->note("checkpoints: " + odd);
    const CheckpointMark after = carrier_->mark();
    take_rules();
    JobOutcome out = outcome_of(how, watch_->run_has_ended(), tree_.failure(how.host), options_);
    if (!not_started.empty()) out = JobOutcome::not_started(not_started);
    if (session_) out = session_->outcome_of_all(how, out);
    if (how.cause == StopCause::rule) out.message = rule_text();
    if (out.status == JobStatus::completed && watch_->run_is_open())
      course_->note("the program has left its run open: it did not call Hook::close()");
    const int code = not_started.empty() ? how.program.exit_code : out.exit_code;
    if (out.status == JobStatus::completed && tree_.is_there()) tree_.set_completed(record().attempts.back().number);
    return course_->end_attempt(std::move(out), code, after.commit, after.is_after(before));
  }

  [[nodiscard]] std::string rule_text() const {
    const auto finding = rule_watch_->stopping();
    return finding ? "rule " + finding->rule + ": " + finding->message : "a rule";
  }

  /// Waits until the next attempt may begin, or the job has to stop.
  void wait_before_restart() {
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(course_->delay());
    while (Clock::now() < until && cause_to_stop() == StopCause::none) {
      course_->beat();
      std::this_thread::sleep_for(std::min<Clock::duration>(until - Clock::now(), std::chrono::milliseconds(50)));
    }
  }

  /// Ends the job, or leaves it to its next start.
  void end(JobOutcome outcome) {
    constexpr auto time_to_copy = std::chrono::minutes(10);
    if (outcome.leaves) {
      carrier_.reset();
      merge_logs();
      return course_->leave(outcome.exit_code, outcome.message);
    }
    const std::string not_copied = carrier_->finish(Clock::now() + time_to_copy);
    if (!not_copied.empty()) course_->note("checkpoints: " + not_copied);
    if (!options_.stop_now.requested()) {
      course_->change("Uploading", "Uploading generated training model");
      rule_watch_->finish(outcome.status == JobStatus::completed);
      take_rules();
      record().findings = rule_watch_->findings();
      try {
        if (upload_artifacts(tree_, *store_) > 0) record().model = JobNames::below(places_.folder, JobLayout::model);
      } catch (const Error& e) {
        course_->note(e.what());
        if (outcome.status == JobStatus::completed) outcome = JobOutcome::not_uploaded(e.what());
      }
    }
    merge_logs();
    course_->finish(outcome);
  }

  /// Leaves the job because this manager cannot go on, for a reason that its user can remove. A job that has not begun
  /// leaves no record.
  void leave_after(const std::string& cause) {
    try {
      if (!course_->has_nothing()) return course_->leave(could_not, cause, false);  // the caller gets the cause
      tree_.disown(record().job_id);
      course_->forget();
    } catch (const std::exception&) {  // the first cause is reported
    }
  }

  void merge_logs() {
    try {
      logs_->merge();
    } catch (const std::exception& e) {
      course_->note(std::string("logs: ") + e.what());
    }
  }

  const JobOptions options_;
  const JobEvents events_;
  const std::vector<Rule> rules_;
  const HookConfiguration hook_;
  const JobPlaces places_;
  const JobTree tree_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<JobCourse> course_;
  std::unique_ptr<ChiefSession> session_;  // with the other managers; null: there are none
  std::unique_ptr<JobLogs> logs_;
  std::unique_ptr<CheckpointCarrier> carrier_;
  std::unique_ptr<RuleWatch> rule_watch_;
  std::unique_ptr<JobWatch> watch_;
  Clock::time_point looked_{};
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
