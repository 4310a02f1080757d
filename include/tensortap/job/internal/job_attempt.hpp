// One attempt of a job: starts the program, once for each worker, and sees it to its end.
#pragma once

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/child_process.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/stop.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Why a manager ends the program. peer: another manager of the job wants it, or is lost.
enum class StopCause : std::uint8_t { none, notice, user, rule, max_run, max_wait, stall, lost, now, peer };

/// A worker of an attempt.
struct AttemptWorker {
  std::string host = {};
  ChildCommand command = {};
};

/// How an attempt has ended.
struct AttemptEnd {
  StopCause cause = StopCause::none;  ///< none: by itself
  std::string host = {};              ///< of the worker that failed first
  ChildEnd program = {};              ///< its end
  bool was_killed = false;            ///< whether the stop window was too short
};

/// What the attempt asks and tells. Called by the thread of run().
struct AttemptEvents {
  /// Returns why the program has to end; none: it goes on. Called several times a second.
  std::function<StopCause()> tick = {};
  /// Returns the time until the machine goes; nullopt: unknown.
  std::function<std::optional<std::chrono::nanoseconds>()> time_left = {};
  /// Called before the program is told to end, with the time that it has.
  std::function<void(StopCause cause, std::chrono::nanoseconds left)> on_stop = {};
  std::function<void(const std::string& host, std::string_view bytes)> on_bytes = {};
  std::function<void(const std::string& host, std::string_view line)> on_line = {};
};

/// Runs the workers.
class AttemptRun {
 public:
  using Clock = std::chrono::steady_clock;

  AttemptRun(Seconds stop_window, AttemptEvents events)
      : stop_window_(std::chrono::duration_cast<Clock::duration>(stop_window)), events_(std::move(events)) {}

  /// Returns when all workers have ended. Throws: a program cannot be started; those that run are killed.
  AttemptEnd run(const std::vector<AttemptWorker>& workers) {
    children_.reserve(workers.size());
    for (const AttemptWorker& worker : workers)
      children_.push_back({worker.host, ChildProcess(worker.command), {}, {}});
    while (is_any_running()) {
      wait_for_output();
      for (Child& child : children_) read(child);
      for (Child& child : children_) note_end(child);
      const StopCause wanted = events_.tick();
      if (wanted != StopCause::none && wanted != end_.cause) stop(wanted);
      if (end_.cause == StopCause::notice || end_.cause == StopCause::peer)
        if (const auto left = events_.time_left())
          kill_at_ = std::min(kill_at_, Clock::now() + std::chrono::duration_cast<Clock::duration>(*left));
      if (Clock::now() >= kill_at_) kill();
    }
    drain();
    return end_;
  }

  [[nodiscard]] std::vector<pid_t> processes() const {
    std::vector<pid_t> out;
    for (const Child& child : children_) out.push_back(child.process.pid());
    return out;
  }

 private:
  struct Child {
    std::string host;
    ChildProcess process;
    std::optional<ChildEnd> end;
    std::string line;  // begun
  };

  [[nodiscard]] bool is_any_running() const {
    return std::any_of(children_.begin(), children_.end(), [](const Child& child) { return !child.end; });
  }

  void wait_for_output() const {
    constexpr int interval = 50;  // ms
    std::vector<pollfd> pipes;
    for (const Child& child : children_)
      if (child.process.output() >= 0) pipes.push_back({child.process.output(), POLLIN, 0});
    ::poll(pipes.data(), pipes.size(), interval);
  }

  void read(Child& child) {
    constexpr int most = 16;  // reads of 64 KiB: a program that prints without end must not keep the manager busy
    for (int i = 0; i < most && child.process.output() >= 0; ++i) {
      const std::string bytes = child.process.read_output();
      if (bytes.empty()) return;
      take(child, bytes);
    }
  }

  void take(Child& child, std::string_view bytes) {
    constexpr std::size_t longest = std::size_t{1} << 16;
    events_.on_bytes(child.host, bytes);
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      child.line.append(bytes.substr(0, end));
      if (end == std::string_view::npos && child.line.size() < longest) return;
      end_line(child);
      bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    }
  }

  void end_line(Child& child) {
    events_.on_line(child.host, child.line);
    child.line.clear();
  }

  /// Reads what the programs have printed at last. A process that has left the group may hold a pipe open.
  void drain() {
    for (Child& child : children_) {
      read(child);
      if (!child.line.empty()) end_line(child);
    }
  }

  /// Ends the others when one has failed: the first failure by time is the cause.
  void note_end(Child& child) {
    if (child.end) return;
    child.end = child.process.end();
    if (!child.end) return;
    const bool has_failed = child.end->exit_code != 0;
    if (!has_failed || !end_.host.empty()) return;
    end_.host = child.host;
    end_.program = *child.end;
    if (end_.cause == StopCause::none && is_any_running()) terminate();
  }

  void stop(StopCause cause) {
    const bool is_first = end_.cause == StopCause::none;
    if (cause == StopCause::now || cause == StopCause::lost) {
      end_.cause = cause;
      return kill();
    }
    if (!is_first) return;
    end_.cause = cause;
    const auto left = events_.time_left();
    events_.on_stop(cause, std::min<std::chrono::nanoseconds>(left.value_or(stop_window_), stop_window_));
    terminate();
  }

  void terminate() {
    for (const Child& child : children_)
      if (!child.end) {
        child.process.signal(SIGTERM);
        child.process.signal(SIGCONT);  // a stopped process sees the signal, too
      }
    kill_at_ = std::min(kill_at_, Clock::now() + stop_window_);
  }

  void kill() {
    for (const Child& child : children_)
      if (!child.end) {
        child.process.signal(SIGKILL);
        end_.was_killed = true;
      }
    kill_at_ = Clock::time_point::max();
  }

  const Clock::duration stop_window_;
  const AttemptEvents events_;
  std::vector<Child> children_;
  AttemptEnd end_;
  Clock::time_point kill_at_ = Clock::time_point::max();
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
