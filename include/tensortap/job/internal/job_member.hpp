// A manager of a job that is not the chief: it follows the chief's word. It restores the checkpoints that the chief has
// committed, runs its program in each attempt, tells how it ended, and ends with the chief's exit code.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/state.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/host_name.hpp>
#include <tensortap/internal/random_text.hpp>
#include <tensortap/job/internal/checkpoint_carrier.hpp>
#include <tensortap/job/internal/job_attempt.hpp>
#include <tensortap/job/internal/job_data.hpp>
#include <tensortap/job/internal/job_exchange.hpp>
#include <tensortap/job/internal/job_files.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_ledger.hpp>
#include <tensortap/job/internal/job_leftovers.hpp>
#include <tensortap/job/internal/job_logs.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/internal/job_places.hpp>
#include <tensortap/job/internal/job_tree.hpp>
#include <tensortap/job/internal/job_words.hpp>
#include <tensortap/job/internal/periodic_work.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/job/training_job.hpp>
#include <tensortap/stop.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// One manager beside the chief. run() is called once. Threads: one.
class JobMember {
 public:
  using Clock = std::chrono::steady_clock;

  /// `hook`: the hook's configuration of the job.
  JobMember(const JobOptions& options, const JobEvents& events, const JobPlaces& places, const JobTree& tree,
            nlohmann::json hook)
      : options_(options),
        events_(events),
        places_(places),
        tree_(tree),
        hook_(std::move(hook)),
        host_(tree.hosts()[0]),
        store_(open_private_store(places.folder)),
        logs_(store_, places.is_remote ? tree.base() : places.folder, places.is_remote) {}

  /// Follows the chief until the job is over, this machine goes, or no chief is heard of for `max_pending`. Returns the
  /// record, with the exit code of this manager. Throws: the job has ended; another process manages this host.
  JobRecord run() {
    claim();
    const std::string chief = hosts_of(options_)[0];
    exchange_ = std::make_unique<Exchange>(store_, JobLayout::word_of(host_), std::vector{JobLayout::word_of(chief)},
                                           options_.max_silence, [this] { return claim_->is_held(); });
    exchange_->change([&](MemberWord& word) {
      word.process = process_;
      word.machine = name_of_machine();
      word.phase = "waiting";
    });
    note("waiting for the manager of " + chief);
    for (heard_ = Clock::now();;) {
      if (const auto code = follow()) return record(*code);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

 private:
  using Exchange = JobExchange<MemberWord, ChiefWord>;

  void note(const std::string& text) const {
    if (events_.on_note) events_.on_note(host_ + ": " + text);
  }

  /// Waits until no other process manages this host. Throws: one still does after `max_pending`.
  void claim() {
    const std::string key = JobLayout::claim_of(host_);
    const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(options_.max_pending);
    for (bool is_first = true;; is_first = false) {
      claim_ = store_->claim(key, claim_of_process());
      if (claim_) return;
      const std::string holder = store_->claim_holder(key);
      if (is_first) note("another process manages it (" + escaped(holder) + "); waiting for its end");
      if (Clock::now() >= until || options_.stop.requested())
        throw Error::job_is_managed(options_.job_name + "/" + host_, holder);
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }

  /// Does what the chief wants now. Returns the exit code once this manager ends.
  std::optional<int> follow() {
    if (options_.stop.requested() || options_.stop_now.requested()) return leave();
    const auto heard = exchange_->heard(0);
    const bool is_alive = heard.when && exchange_->silence(0, heard_) < options_.max_silence;
    if (is_alive) heard_ = std::max(heard_, *heard.when);
    if (heard.word) {
      const ChiefWord& word = *heard.word;
      if (is_member(word) && word.phase == "over") return end(word);
      if (is_alive && word.managers != options_.managers)
        throw Error::bad_job_option("managers", "the chief's job has " + std::to_string(word.managers) +
                                                    ", this one has " + std::to_string(options_.managers) +
                                                    "; give all of them the same number");
      if (word.phase == "gathering" && is_alive) get_ready(word);
      if (word.phase == "running" && is_member(word) && is_ready_for(word)) {
        attempt(word);
        heard_ = Clock::now();
        return std::nullopt;
      }
      if (word.phase == "stopping" && is_member(word) && is_ready_for(word)) tell_not_started();
    }
    if (const auto code = code_of_ended_job()) return code;
    if (Clock::now() - heard_ < options_.max_pending + options_.max_silence) return std::nullopt;
    note("the manager of " + hosts_of(options_)[0] + " was not heard of for " +
         JobNames::number((options_.max_pending + options_.max_silence).count()) + " s; start the job again");
    return job_exit::interrupted;
  }

  /// Returns whether the chief knows this process.
  [[nodiscard]] bool is_member(const ChiefWord& word) const {
    const auto found = word.members.find(host_);
    return found != word.members.end() && found->second == process_;
  }
  [[nodiscard]] bool is_ready_for(const ChiefWord& word) const {
    const MemberWord mine = exchange_->mine();
    return mine.phase == "ready" && mine.session == word.session && mine.attempt == word.attempt;
  }

  /// Tells the chief that this machine goes, or that the user wants the end of the job. Waits until the chief has ended
  /// the attempt, as far as there is time: a launcher may kill all managers once one has ended.
  int leave() {
    tell_wish();
    const auto window = std::chrono::duration_cast<Clock::duration>(options_.stop_window);
    const auto left = options_.stop.time_left();
    const auto until =
        Clock::now() + (left ? std::min(window, std::chrono::duration_cast<Clock::duration>(*left)) : window);
    exchange_->flush(until - Clock::now());
    for (; Clock::now() < until; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
      const auto word = exchange_->heard(0).word;
      if (word && is_member(*word) && word->phase == "over") return end(*word);
      if (!word || word->session != running_.session || word->attempt != running_.attempt ||
          (word->phase != "running" && word->phase != "stopping") ||
          exchange_->silence(0, began_) >= options_.max_silence || options_.stop_now.requested())
        break;
    }
    if (options_.stop_now.requested()) return job_exit::killed;
    return options_.stop.reason() == StopReason::user ? job_exit::stopped : job_exit::interrupted;
  }

  void tell_wish() {
    const bool is_user = options_.stop.reason() == StopReason::user;
    const char* const wish = options_.stop_now.requested() ? "now" : is_user ? "user" : "notice";
    if (exchange_->mine().wish == wish) return;
    const auto left = options_.stop.time_left();
    exchange_->change([&](MemberWord& word) {
      word.wish = wish;
      if (left) word.seconds_left = std::chrono::duration<double>(*left).count();
    });
  }

  int end(const ChiefWord& word) {
    if (!word.message.empty()) note(word.message);
    return word.exit_code;
  }

  /// Returns the exit code of a job that has ended, as its record tells: looks now and then. Throws: it had ended
  /// before this manager began.
  std::optional<int> code_of_ended_job() {
    constexpr auto interval = std::chrono::seconds(2);
    if (is_looked_ && Clock::now() - looked_ < interval) return std::nullopt;
    const bool is_first = !std::exchange(is_looked_, true);
    looked_ = Clock::now();
    std::optional<JobRecord> there;
    try {
      if (const auto bytes = store_->get(JobLayout::record))
        there = JobRecord::from_json(text_of(*bytes), JobNames::below(places_.folder, JobLayout::record));
    } catch (const Error&) {  // the chief reports it
    }
    if (!there || !has_ended(there->status)) return std::nullopt;
    if (there->status == JobStatus::completed) return 0;
    if (is_first && !options_.restart) throw Error::job_has_ended(options_.job_name, to_string(there->status));
    if (exchange_->mine().session.empty()) return std::nullopt;  // the chief makes it go on
    return there->exit_code.value_or(job_exit::interrupted);
  }

  /// Lays out the tree and restores the checkpoints, once for each attempt; again after a failure.
  void get_ready(const ChiefWord& word) {
    constexpr auto pause = std::chrono::seconds(1);
    if (is_ready_for(word) || Clock::now() - tried_ < pause) return;
    std::string trouble;
    std::optional<std::int64_t> commit;
    try {
      commit = restore(word);
      tried_ = {};
    } catch (const std::exception& e) {
      trouble = e.what();
      tried_ = Clock::now();
      note(trouble);
    }
    exchange_->change([&](MemberWord& mine) {
      mine.session = word.session;
      mine.attempt = word.attempt;
      mine.phase = trouble.empty() ? "ready" : "waiting";
      mine.trouble = trouble;
      mine.commit = commit;
      mine.wish.clear();
      mine.was_told = false;
      mine.exit_code = mine.signal = 0;
    });
  }

  /// The attempt ends before this manager has seen that it began.
  void tell_not_started() {
    exchange_->change([](MemberWord& mine) {
      mine.phase = "ended";
      mine.was_told = true;
      mine.exit_code = job_exit::interrupted;
    });
  }

  /// Returns the restored commit. Throws: it is not that of the chief.
  std::optional<std::int64_t> restore(const ChiefWord& word) {
    if (const int killed = kill_leftovers(word.job_id, host_); killed > 0)
      note("killed " + std::to_string(killed) + " processes that an earlier manager has left");
    tree_.make(word.job_id, places_.run, hook_);
    for (const JobSetting& channel : options_.channels)
      bring_channel(channel, tree_.path(host_, "input/data/" + channel.name));
    CheckpointCarrier carrier = checkpoints();
    if (carrier.last_commit() != word.commit) {  // the chief's commit counts, also if it is older
      std::error_code ignored;
      std::filesystem::remove(JobNames::below(tree_.checkpoints(), state_key), ignored);
    }
    const SyncReport report = carrier.restore();
    if (report.files > 0) note("restored " + std::to_string(report.files) + " files of checkpoints");
    const auto commit = carrier.last_commit();
    if (commit != word.commit)
      throw Error::io("job: checkpoints", tree_.checkpoints(),
                      host_ + " has restored " + commit_text(commit) + ", the chief continues from " +
                          commit_text(word.commit) + "; it tries again until the attempt begins");
    return commit;
  }

  [[nodiscard]] CheckpointCarrier checkpoints() const {
    return {tree_.checkpoints(), open_private_store(places_.checkpoints), options_.stop_now};
  }

  static std::string commit_text(std::optional<std::int64_t> commit) {
    return commit ? "the commit of step " + std::to_string(*commit) : "no commit";
  }

  /// Runs the program once, and tells how it has ended.
  void attempt(const ChiefWord& word) {
    tree_.begin_attempt();
    exchange_->change([](MemberWord& mine) { mine.phase = "running"; });
    running_ = word;
    why_.clear();
    const CheckpointMark before = checkpoints().mark();
    began_ = Clock::now();
    note("attempt " + std::to_string(word.attempt));
    AttemptEnd how;
    std::string failure;
    {
      std::unique_ptr<PeriodicWork> publishing;
      if (places_.is_remote)
        publishing = std::make_unique<PeriodicWork>(std::chrono::seconds(15), [this] { logs_.publish(); });
      try {
        how = AttemptRun(options_.stop_window, events_of(word.attempt)).run({{host_, command_of(word)}});
        failure = tree_.failure(host_);
      } catch (const Error& e) {
        constexpr int not_found = 127;  // the code of shells
        how.program.exit_code = not_found;
        failure = e.what();
      }
    }
    if (const CheckpointMark after = checkpoints().mark(); after.files != before.files && after.commit == before.commit)
      note("what the program has written in " + tree_.checkpoints() +
           " is not copied: the checkpoints of the chief are; write them there, or in a directory that all share");
    try {
      logs_.publish();
      if (how.program.exit_code == 0) upload_archive(tree_, *store_, "output/data", JobLayout::output_of(host_));
    } catch (const std::exception& e) {
      note(e.what());
    }
    exchange_->change([&](MemberWord& mine) {
      mine.phase = "ended";
      mine.was_told = how.cause != StopCause::none;
      mine.exit_code = how.program.exit_code;
      mine.signal = how.program.signal;
      mine.trouble = failure;
    });
  }

  [[nodiscard]] ChildCommand command_of(const ChiefWord& word) const {
    return {tree_.command(),
            tree_.environment(host_, tree_.variables_of_attempt(host_, word.job_id, word.attempt, word.address)),
            tree_.directory(host_)};
  }

  AttemptEvents events_of(std::int64_t number) {
    return {.tick = [this] { return tick(); },
            .time_left = [this] { return time_left(); },
            .on_stop =
                [this](StopCause cause, std::chrono::nanoseconds left) {
                  const std::string why = cause == StopCause::peer ? why_ : JobOutcome::stopped_by(cause, {}).message;
                  tree_.write_stop(why, std::chrono::duration<double>(left).count());
                  note(why + "; the program is ended");
                },
            .on_bytes = [this, number](const std::string& host,
                                       std::string_view bytes) { logs_.append(number, host, bytes); },
            .on_line =
                [this](const std::string& host, std::string_view line) {
                  if (events_.on_output) events_.on_output("[" + host + "] " + std::string(line));
                }};
  }

  /// Returns why the program has to end: this machine goes, the chief wants it, or is not heard of.
  StopCause tick() {
    if (options_.stop_now.requested() || options_.stop.requested()) {
      tell_wish();
      if (options_.stop_now.requested()) return StopCause::now;
      return options_.stop.reason() == StopReason::user ? StopCause::user : StopCause::notice;
    }
    if (!claim_->is_held()) return wanted("another process has taken the place of this manager");
    const auto heard = exchange_->heard(0);
    if (!heard.word || heard.word->session != running_.session || heard.word->attempt != running_.attempt)
      return wanted("another chief manages the job");
    if (heard.word->phase != "running") {
      if (heard.word->at_once) return StopCause::now;
      return wanted(heard.word->message.empty() ? "the chief ends the attempt" : heard.word->message);
    }
    if (exchange_->silence(0, began_) >= options_.max_silence)
      return wanted("the manager of " + hosts_of(options_)[0] + " was not heard of for " +
                    JobNames::number(options_.max_silence.count()) + " s");
    return StopCause::none;
  }

  StopCause wanted(const std::string& why) {
    if (why_.empty()) why_ = why;
    return StopCause::peer;
  }

  [[nodiscard]] std::optional<std::chrono::nanoseconds> time_left() const {
    std::optional<std::chrono::nanoseconds> out = options_.stop.time_left();
    const auto heard = exchange_->heard(0);
    if (!heard.word || !heard.when || !heard.word->seconds_left) return out;
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(*heard.word->seconds_left)) -
                      (Clock::now() - *heard.when);
    return std::max(std::chrono::nanoseconds(0), std::min(left, out.value_or(left)));
  }

  /// Returns the record, as far as it is there, with the exit code of this manager.
  JobRecord record(int code) {
    JobRecord out{.job_name = options_.job_name};
    try {
      if (const auto bytes = store_->get(JobLayout::record))
        out = JobRecord::from_json(text_of(*bytes), places_.folder);
    } catch (const Error&) {
    }
    out.exit_code = code;
    return out;
  }

  const JobOptions& options_;
  const JobEvents& events_;
  const JobPlaces& places_;
  const JobTree& tree_;
  const nlohmann::json hook_;
  const std::string host_;
  const std::string process_ = random_text();
  const std::shared_ptr<Store> store_;
  JobLogs logs_;
  std::unique_ptr<Claim> claim_;
  ChiefWord running_;  // as of the beginning of the attempt
  std::string why_;    // the chief ends the attempt
  bool is_looked_ = false;
  Clock::time_point heard_{}, began_{}, tried_{}, looked_{};
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
