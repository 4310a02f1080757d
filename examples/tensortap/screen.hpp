// The terminal as a screen that is drawn again and again. What was on it before is back when the screen is left.
#pragma once

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace tensortap_command {

/// Returns whether standard output is a terminal that can move its cursor.
inline bool has_screen() {
  const char* const kind = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && kind != nullptr && std::string_view(kind) != "dumb" && *kind != '\0';
}

/// Returns whether colours are wanted: standard output is a terminal, and NO_COLOR is not set. Source: no-color.org.
inline bool has_colors() {
  const char* const none = std::getenv("NO_COLOR");
  return has_screen() && (none == nullptr || *none == '\0');
}

/// The size of a terminal.
struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// Returns the size of the terminal; if there is none, that of COLUMNS and LINES, else 80 columns and 24 rows.
inline ScreenSize screen_size() {
  constexpr std::size_t least = 20, most = 1000;
  ScreenSize out;
  if (winsize size{}; ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    out = {size.ws_col, size.ws_row};
  } else {
    const auto read = [](const char* name, std::size_t& to) {
      const char* const text = std::getenv(name);
      if (const int number = text == nullptr ? 0 : std::atoi(text); number > 0) to = static_cast<std::size_t>(number);
    };
    read("COLUMNS", out.columns);
    read("LINES", out.rows);
  }
  return {std::clamp(out.columns, least, most), std::clamp<std::size_t>(out.rows, 3, most)};
}

/// The alternate screen of the terminal, while it lives: without a cursor, and without an echo of the keys.
class Screen {
 public:
  Screen() : has_keys_(::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) { enter(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  ~Screen() {
    try {
      leave();
    } catch (const std::exception&) {  // the terminal is gone
    }
  }

  [[nodiscard]] bool has_keys() const noexcept { return has_keys_; }

  /// Throws: the terminal cannot be written.
  void enter() {
    if (is_on_) return;
    if (has_keys_) {
      termios quiet = before_;
      quiet.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      ::tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
    }
    is_on_ = true;
    write("\x1b[?1049h\x1b[?25l");
  }

  /// Brings back what was on the terminal. Throws: it cannot be written.
  void leave() {
    if (!is_on_) return;
    is_on_ = false;
    if (has_keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    write("\x1b[?25h\x1b[?1049l");
  }

  /// Draws a frame in one write, without clearing the screen before; terminals that can, show it at once. Throws: the
  /// terminal cannot be written.
  static void draw(const std::vector<std::string>& lines) {
    std::string frame = "\x1b[?2026h\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) frame += (i > 0 ? "\r\n" : "") + lines[i] + "\x1b[K";
    write(frame + "\x1b[J\x1b[?2026l");
  }

 private:
  static void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
      if (n > 0) {
        text.remove_prefix(static_cast<std::size_t>(n));
      } else if (n < 0 && errno == EAGAIN) {
        pollfd ready{STDOUT_FILENO, POLLOUT, 0};
        ::poll(&ready, 1, -1);
      } else if (n == 0 || errno != EINTR) {
        throw std::runtime_error("cannot write the terminal: " + std::generic_category().message(n == 0 ? EIO : errno));
      }
    }
  }

  termios before_{};
  const bool has_keys_;
  bool is_on_ = false;
};

}  // namespace tensortap_command
