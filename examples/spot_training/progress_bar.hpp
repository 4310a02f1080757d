// The progress of a training: a line that is redrawn on a terminal, a plain line every ten seconds elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace spot_training {

class ProgressBar {
 public:
  /// Counts from `done` to `images`; draws on standard error.
  ProgressBar(std::size_t done, std::size_t images)
      : first_(done), done_(done), images_(images), terminal_(isatty(STDERR_FILENO) == 1) {}

  /// Shows the number of images that are done and the last loss.
  void show(std::size_t done, double loss) {
    done_ = done;
    const Clock::time_point now = Clock::now();
    if (now - drawn_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(10)) && done_ < images_)
      return;
    drawn_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const double rate = static_cast<double>(done_ - first_) / seconds;
    if (terminal_) std::fprintf(stderr, "\r[%s] ", bar().c_str());
    std::fprintf(stderr, "%3.0f %%  %.0f images/s  loss %.3f  %.0f s left", 100 * share(), rate, loss,
                 static_cast<double>(images_ - done_) / rate);
    std::fputs(terminal_ ? "\x1b[K" : "\n", stderr);
  }

  /// Clears the line, so that something else can be printed.
  void clear() {
    if (terminal_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  using Clock = std::chrono::steady_clock;

  double share() const { return static_cast<double>(done_) / static_cast<double>(images_); }

  std::string bar() const {
    constexpr std::size_t width = 24;
    const auto filled = static_cast<std::size_t>(share() * width);
    return std::string(filled, '=') + std::string(width - filled, ' ');
  }

  std::size_t first_, done_, images_;
  bool terminal_;
  Clock::time_point start_ = Clock::now(), drawn_ = start_;
};

}  // namespace spot_training
