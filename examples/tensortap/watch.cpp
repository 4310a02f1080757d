#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/tensortap.hpp>
#include <utility>
#include <vector>

#include "chosen_rules.hpp"
#include "commands.hpp"
#include "live_judge.hpp"
#include "progress_text.hpp"
#include "run_progress.hpp"
#include "runs.hpp"
#include "screen.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;
using Clock = tt::TrialOptions::Clock;

/// What ends a wait for the next frame.
enum class Wake : std::uint8_t { time, resize, suspend, quit };

/// Waits for signals and for keys. While it lives, the signals that it waits for are blocked; threads that start then
/// inherit this.
class Wakeups {
 public:
  /// With a `screen`, it also waits for its size, a suspension and, if it `has_keys`, a key.
  Wakeups(bool screen, bool has_keys) : has_keys_(has_keys) {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, signal);
    if (screen)
      for (const int signal : {SIGWINCH, SIGTSTP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    descriptor_ = tt::detail::Descriptor(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  Wakeups(const Wakeups&) = delete;
  Wakeups& operator=(const Wakeups&) = delete;
  ~Wakeups() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  Wake wait(Clock::duration time) {
    const Clock::time_point end = Clock::now() + time;
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      if (left.count() <= 0) return Wake::time;
      pollfd places[2] = {{descriptor_.get(), POLLIN, 0}, {has_keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
      if (::poll(places, 2, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000))) <= 0) continue;
      if (places[1].revents != 0 && is_quit_key()) return Wake::quit;
      signalfd_siginfo info{};
      if (::read(descriptor_.get(), &info, sizeof info) != sizeof info) continue;
      if (info.ssi_signo == SIGWINCH) return Wake::resize;
      return info.ssi_signo == SIGTSTP ? Wake::suspend : Wake::quit;
    }
  }

 private:
  bool is_quit_key() {
    char key = 0;
    if (::read(STDIN_FILENO, &key, 1) == 1) return key == 'q' || key == 'Q';
    has_keys_ = false;  // there are no more
    return false;
  }

  bool has_keys_;
  sigset_t signals_{}, before_{};
  tt::detail::Descriptor descriptor_;
};

std::chrono::nanoseconds interval_of(const std::string& run, const Watch& how) {
  constexpr double often = 1, seldom = 5, least = 0.05, most = 86'400;  // s; a bucket is slow and costs
  const double seconds = how.interval.value_or(run.find("://") == std::string::npos ? often : seldom);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(std::clamp(seconds, least, most)));
}

int code_of(const SeenFindings& findings, const std::optional<RunProgress>& progress) {
  const bool lacks = progress && (!progress->lost.empty() || progress->damaged > 0);
  return findings.list.empty() && !lacks ? 0 : 1;
}

void print(const std::vector<std::string>& lines, std::ostream& out) {
  for (const std::string& line : lines) out << line << '\n';
  out.flush();
}

/// Shows the run as it is now.
int watch_once(const std::string& run, const Watch& how, std::vector<tt::Rule> rules, std::ostream& out) {
  const tt::Trial trial = open_run("watch", run);
  require_tensors("watch", trial, how.tensors);
  SeenFindings findings{.rules = rules.size()};
  if (!rules.empty()) {
    findings.list = tt::evaluate(trial, std::move(rules)).findings;
    if (const auto steps = trial.steps(); !steps.empty()) findings.last_judged = steps.back();
  }
  const RunProgress progress = ProgressReader(trial, run, how.tensors, how.total).read(std::chrono::nanoseconds::max());
  constexpr std::size_t all = 1000;
  if (how.json)
    out << json_of(run, progress, findings, 0) << '\n';
  else
    print(frame_of(run, progress, findings, {.columns = screen_size().columns, .rows = all, .colors = has_colors()}),
          out);
  return code_of(findings, progress);
}

/// A run that may not exist yet, and what is known of it.
class Watched {
 public:
  Watched(std::string run, const Watch& how, std::vector<tt::Rule> rules)
      : run_(std::move(run)), how_(how), rules_(std::move(rules)), interval_(interval_of(run_, how)) {}

  [[nodiscard]] std::chrono::nanoseconds interval() const { return interval_; }

  /// Reads what is new. Returns whether the run has ended. Throws: the run is gone.
  bool read() {
    if (!judge_ && !open()) return false;
    const bool ended = judge_->has_ended();
    judge_->refresh();
    progress_ = reader_->read(interval_ / 2);
    findings_ = judge_->findings();
    return ended;
  }

  void stop() {
    if (judge_) judge_->stop();
  }

  [[nodiscard]] const std::string& run() const { return run_; }
  [[nodiscard]] const std::optional<RunProgress>& progress() const { return progress_; }
  [[nodiscard]] const SeenFindings& findings() const { return findings_; }
  [[nodiscard]] std::vector<std::string> frame(const FrameStyle& style) const {
    return frame_of(run_, progress_, findings_, style);
  }

 private:
  bool open() {
    try {
      judge_ = std::make_unique<LiveJudge>(run_, rules_, interval_);
    } catch (const tt::Error& e) {
      if (e.code() != tt::Errc::not_found) throw;
      return false;
    }
    reader_.emplace(judge_->trial(), run_, how_.tensors, how_.total);
    return true;
  }

  const std::string run_;
  const Watch& how_;
  const std::vector<tt::Rule> rules_;
  const std::chrono::nanoseconds interval_;
  std::unique_ptr<LiveJudge> judge_;
  std::optional<ProgressReader> reader_;
  std::optional<RunProgress> progress_;
  SeenFindings findings_;
};

/// Draws frames until the run has ended or the user wants no more. The last one stays on the terminal.
void watch_on_screen(Watched& run, std::ostream& out) {
  FrameStyle style{.colors = has_colors()};
  const auto measure = [&style] {
    const ScreenSize size = screen_size();
    style.columns = size.columns;
    style.rows = size.rows;
  };
  {
    Wakeups wakeups(true, ::isatty(STDIN_FILENO) == 1);
    Screen screen;
    style.keys = screen.has_keys();
    for (bool ended = false; !ended;) {
      ended = run.read();
      measure();
      Screen::draw(run.frame(style));
      if (ended) break;
      const Clock::time_point next = Clock::now() + run.interval();
      for (Wake wake = Wake::resize; wake != Wake::time && !ended;) {
        wake = wakeups.wait(next - Clock::now());
        ended = wake == Wake::quit;
        if (wake == Wake::suspend) {
          screen.leave();
          ::kill(::getpid(), SIGSTOP);
          screen.enter();
        }
        if (wake == Wake::time || ended) continue;
        measure();
        Screen::draw(run.frame(style));
      }
    }
  }
  style.keys = false;
  print(run.frame(style), out);
}

/// Prints a line for each new block of steps, and for each finding; with `json` an object for each update.
void watch_in_lines(Watched& run, bool json, std::ostream& out) {
  Wakeups wakeups(false, false);
  std::optional<RunState> state;
  std::size_t attempts = 0, told = 0;
  std::optional<std::int64_t> step;
  for (bool ended = false, quit = false; !ended && !quit;) {
    ended = run.read();
    const auto& progress = run.progress();
    const SeenFindings& findings = run.findings();
    const std::size_t known = std::min(told, findings.list.size());
    if (progress) {
      const bool is_new_state = state != progress->state || attempts != progress->attempts;
      const auto last = progress->step ? std::optional(progress->step->global_step) : std::nullopt;
      const bool has_news = is_new_state || last != step || findings.list.size() != told;
      if (json && has_news) out << json_of(run.run(), *progress, findings, known) << '\n';
      if (!json && is_new_state) {
        out << tt::escaped(run.run()) << ": " << to_string(progress->state);
        if (progress->attempts > 0) out << ", attempt " << progress->attempts;
        out << '\n';
      }
      if (!json && last != step) out << line_of(*progress) << '\n';
      if (!json)
        for (std::size_t i = known; i < findings.list.size(); ++i) out << "found: " << findings.list[i] << '\n';
      out.flush();
      state = progress->state;
      attempts = progress->attempts;
      step = last;
      told = findings.list.size();
    }
    if (!ended) quit = wakeups.wait(run.interval()) == Wake::quit;
  }
}

}  // namespace

int watch(const std::string& run, const Watch& how, std::ostream& out) {
  std::vector<tt::Rule> rules;
  if (how.rules != "none") rules = chosen_rules("watch", how.rules, how.settings, false);
  if (!how.tensors.empty()) (void)tt::Pattern(how.tensors);  // throws before the screen is taken
  if (how.once) return watch_once(run, how, std::move(rules), out);
  Watched watched(run, how, std::move(rules));
  if (!how.json && has_screen())
    watch_on_screen(watched, out);
  else
    watch_in_lines(watched, how.json, out);
  watched.stop();
  return code_of(watched.findings(), watched.progress());
}

}  // namespace tensortap_command
