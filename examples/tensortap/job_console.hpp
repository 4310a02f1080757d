// What `train` prints: SageMaker's console lines, the output of the program, and a status line on a terminal.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <tensortap/job.hpp>

#include "words.hpp"

namespace tensortap_command {

/// Returns "YYYY-MM-DD HH:MM:SS", in UTC as SageMaker prints it.
inline std::string time_text(double seconds) {
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  ::gmtime_r(&whole, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

/// Returns for how many seconds the manager of a job that has not ended has not written its record, if that is long:
/// it writes every few seconds. nullopt: the job has ended, or the record is fresh.
inline std::optional<long long> silence_of(const tensortap::JobRecord& record) {
  constexpr double usual = 60;  // s; in a bucket it writes every 15 s
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const bool waits = record.exit_code.has_value();  // a manager has left the job to its next start
  if (has_ended(record.status) || waits || now - record.modified < usual) return std::nullopt;
  return std::llround(now - record.modified);
}

/// Returns the status for people: "InProgress/Training, its manager has not written for 90 s".
inline std::string status_text(const tensortap::JobRecord& record) {
  std::string out(to_string(record.status));
  if (record.secondary_status != out) out += "/" + record.secondary_status;
  if (const auto silence = silence_of(record))
    out += ", its manager has not written for " + std::to_string(*silence) + " s";
  return tensortap::escaped(out);
}

/// Returns the lines about time and money at the end of a job.
inline std::string seconds_text(const tensortap::JobRecord& record, bool spot) {
  std::string out = "Training seconds: " + std::to_string(std::llround(record.training_seconds)) +
                    "\nBillable seconds: " + std::to_string(std::llround(record.billable_seconds));
  if (!spot) return out;
  char savings[64];
  std::snprintf(savings, sizeof savings, "\nManaged Spot Training savings: %.1f%%", record.savings());
  return out + savings;
}

/// Prints lines to a stream. A reader that has gone does not end the training. Threads: any.
class JobConsole {
 public:
  explicit JobConsole(std::ostream& out) : out_(out), terminal_(::isatty(STDERR_FILENO) == 1) {}
  JobConsole(const JobConsole&) = delete;
  JobConsole& operator=(const JobConsole&) = delete;
  ~JobConsole() { clear(); }

  void line(std::string_view text) {
    const std::lock_guard lock(mutex_);
    clear();
    if (failed_) return;
    try {
      out_ << text << std::endl;
    } catch (const std::exception&) {
      failed_ = true;
      out_.exceptions(std::ios::goodbit);  // nor does a later flush throw
    }
  }

  void note(std::string_view text) { line(now() + " Note - " + std::string(text)); }

  void status(const tensortap::JobTransition& to) {
    line(time_text(to.begin) + " " + to.status + " - " + tensortap::escaped(to.message));
  }

  /// Draws the status line, on a terminal.
  void draw(const tensortap::JobRecord& record) {
    if (!terminal_) return;
    const std::lock_guard lock(mutex_);
    std::string text = record.secondary_status + ", attempt " +
                       std::to_string(record.attempts.empty() ? 0 : record.attempts.back().number) + ", " +
                       duration_text(record.training_seconds);
    if (record.commit) text += ", committed step " + std::to_string(*record.commit);
    if (!record.findings.empty()) text += ", " + plural(record.findings.size(), "finding");
    std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
    drawn_ = true;
  }

  static std::string now() {
    return time_text(std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  }

 private:
  void clear() {
    if (drawn_) std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
  }

  std::ostream& out_;
  const bool terminal_;
  std::mutex mutex_;  // guards the members below
  bool drawn_ = false, failed_ = false;
};

}  // namespace tensortap_command
