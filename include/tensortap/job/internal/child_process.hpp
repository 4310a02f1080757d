// A program in a process group of its own, without a shell, whose output comes through a pipe.
//
//   ChildProcess child({.words = {"./train"}, .environment = {"A=1"}, .directory = "."});
//   while (!child.has_ended()) …
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/job/internal/group_guard.hpp>
#include <tensortap/job/internal/job_names.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// What is started.
struct ChildCommand {
  std::vector<std::string> words = {};
  std::vector<std::string> environment = {};  ///< "NAME=value"
  std::string directory = {};                 ///< its working directory
};

/// How a process has ended.
struct ChildEnd {
  int exit_code = 0;  ///< 128 + the signal that ended it
  int signal = 0;     ///< 0: it has exited
};

/// A running process and its group. The kernel kills it if the thread that started it dies, and a guard kills its
/// group, so that no program goes on without a manager. Threads: that which started it.
class ChildProcess {
 public:
  /// Throws: the program cannot be started.
  explicit ChildProcess(const ChildCommand& command) {
    const std::string path = found_in_path(command);
    auto [from_child, to_manager] = make_pipe(command.words[0]);
    auto [failure, report] = make_pipe(command.words[0]);
    std::vector<char*> words = pointers_to(command.words);
    std::vector<char*> environment = pointers_to(command.environment);
    const pid_t manager = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      const bool is_there =
          become(path.c_str(), command.directory.c_str(), words.data(), environment.data(), to_manager.get(), manager);
      const int cause = is_there ? errno : -errno;
      (void)!::write(report.get(), &cause, sizeof cause);
      ::_exit(127);
    }
    if (pid_ < 0) throw Error::program_not_started(command.words[0], std::generic_category().message(errno));
    ::setpgid(pid_, pid_);  // the child does that too; the first call counts
    to_manager = {};
    report = {};
    int cause = 0;
    if (uninterrupted([&, fd = failure.get()] { return ::read(fd, &cause, sizeof cause); }) > 0) {
      ::waitpid(pid_, nullptr, 0);
      const std::string text = std::generic_category().message(std::abs(cause));
      throw Error::program_not_started(
          command.words[0],
          cause > 0 ? text : "its working directory " + in_quotes(command.directory) + " cannot be entered: " + text);
    }
    guard_ = GroupGuard(pid_);
    ::fcntl(from_child.get(), F_SETFL, O_NONBLOCK);
    output_ = std::move(from_child);
  }
  ChildProcess(ChildProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)),
        output_(std::move(other.output_)),
        end_(other.end_),
        guard_(std::move(other.guard_)) {}
  ChildProcess& operator=(ChildProcess&&) = delete;

  ~ChildProcess() {
    if (pid_ <= 0 || end_) return;
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

  /// Returns the pipe with the output; it does not block. -1: all processes of the group have closed it.
  [[nodiscard]] int output() const noexcept { return output_.get(); }

  /// Returns what has been printed since, up to 64 KiB; empty: nothing for now, or no more.
  std::string read_output() {
    std::string out(std::size_t{1} << 16, '\0');
    const ssize_t n = uninterrupted([&] { return ::read(output_.get(), out.data(), out.size()); });
    if (n == 0) output_ = {};
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return out;
  }

  /// Sends a signal to the whole group.
  void signal(int number) const noexcept { ::kill(-pid_, number); }

  /// Returns how the program has ended; nullopt: it runs. The rest of its group is killed with it.
  std::optional<ChildEnd> end() {
    int status = 0;
    if (end_ || ::waitpid(pid_, &status, WNOHANG) == 0) return end_;
    end_ = WIFSIGNALED(status) ? ChildEnd{128 + WTERMSIG(status), WTERMSIG(status)} : ChildEnd{WEXITSTATUS(status), 0};
    ::kill(-pid_, SIGKILL);
    guard_ = {};
    return end_;
  }

 private:
  /// Returns the path of the program: words with a slash as they are, others below PATH. Throws: it is not there.
  static std::string found_in_path(const ChildCommand& command) {
    const std::string& name = command.words.at(0);
    const auto usable = [&](const std::string& path) {
      const std::string from_there = path.starts_with('/') ? path : JobNames::below(command.directory, path);
      return ::access(from_there.c_str(), X_OK) == 0;
    };
    if (name.find('/') != std::string::npos) {
      if (!usable(name)) throw Error::program_not_started(name, std::generic_category().message(errno));
      return name;
    }
    const char* const variable = std::getenv("PATH");
    const std::string_view list = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
    for (std::size_t begin = 0; begin <= list.size();) {
      const std::size_t end = std::min(list.find(':', begin), list.size());
      std::string path = JobNames::below(end == begin ? "." : std::string(list.substr(begin, end - begin)), name);
      if (usable(path)) return path;
      begin = end + 1;
    }
    throw Error::program_not_started(name, "it is in no directory of PATH");
  }

  static std::pair<Descriptor, Descriptor> make_pipe(const std::string& program) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw Error::program_not_started(program, std::generic_category().message(errno));
    return {above_standard_streams(Descriptor(ends[0])), above_standard_streams(Descriptor(ends[1]))};
  }

  static std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));  // NOLINT: as execve wants it
    out.push_back(nullptr);
    return out;
  }

  /// Turns the forked child into the program. Returns if that fails: whether the directory is there. Only calls that
  /// are safe after a fork.
  static bool become(const char* path, const char* directory, char** words, char** environment, int output,
                     pid_t manager) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != manager) ::_exit(127);  // it has died meanwhile
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &standard, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
        ::dup2(output, STDERR_FILENO) < 0)
      return true;
    if (::chdir(directory) != 0) return false;
    if (nothing > STDERR_FILENO) ::close(nothing);
    ::execve(path, words, environment);
    return true;
  }

  pid_t pid_ = -1;
  Descriptor output_;
  std::optional<ChildEnd> end_;
  GroupGuard guard_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
