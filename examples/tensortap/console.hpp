// The output of a copy: a line for each file, notes, and a progress line on a terminal.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <ostream>
#include <string>

namespace tensortap_command {

/// Prints lines, notes and progress. Threads: any.
class Console {
 public:
  /// Prints lines to `out`, or none if `quiet`; notes and progress to standard error.
  Console(std::ostream& out, bool quiet)
      : out_(out), quiet_(quiet), terminal_(!quiet && ::isatty(STDERR_FILENO) == 1) {}
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console() { clear(); }

  void line(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (quiet_ || !out_) return;  // a failed write has thrown before
    clear();
    out_ << text << std::endl;
  }

  void note(const std::string& text) {
    const std::lock_guard lock(mutex_);
    clear();
    std::cerr << "tensortap: " << text << std::endl;
  }

  /// Sets the totals of the progress line.
  void expect(std::size_t files, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    files_ = files;
    bytes_ = bytes;
  }
  void moved(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    moved_ += bytes;
    draw();
  }
  void file_done() {
    const std::lock_guard lock(mutex_);
    ++done_;
    draw();
  }

 private:
  using Clock = std::chrono::steady_clock;

  void clear() {
    if (terminal_ && drawn_ != Clock::time_point()) std::fputs("\r\x1b[K", stderr);
  }

  void draw() {
    const Clock::time_point now = Clock::now();
    if (!terminal_ || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    constexpr double mebibyte = 1 << 20;
    const double mebibytes = static_cast<double>(moved_) / mebibyte;
    const double rate = mebibytes / std::chrono::duration<double>(now - start_).count();
    std::fprintf(stderr, "\r%.1f of %.1f MiB, %zu of %zu files, %.1f MiB/s\x1b[K", mebibytes,
                 static_cast<double>(bytes_) / mebibyte, done_, files_, rate);
  }

  std::ostream& out_;
  const bool quiet_, terminal_;
  std::mutex mutex_;  // guards the members below
  std::size_t files_ = 0, done_ = 0;
  std::uint64_t bytes_ = 0, moved_ = 0;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_;
};

}  // namespace tensortap_command
