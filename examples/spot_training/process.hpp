// A child process that does not outlive this one.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace spot_training {

class Process {
 public:
  /// Starts `command`; its first word is a path. Redirects its output to the file `output`, if one is named.
  explicit Process(std::vector<std::string> command, const std::filesystem::path& output = {}) {
    std::vector<char*> words;
    for (std::string& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "cannot start " + command[0]);
    if (pid_ > 0) return;
    // In the child: only functions that are safe between fork and exec.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
    if (!output.empty()) {
      const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
      if (file < 0 || ::dup2(file, STDOUT_FILENO) < 0 || ::dup2(file, STDERR_FILENO) < 0) ::_exit(127);
    }
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    send(SIGKILL);
    if (!code_) ::waitpid(pid_, nullptr, 0);
  }

  /// Sends a signal, unless the process has ended: its number may have been reused.
  void send(int signal) {
    if (!ended()) ::kill(pid_, signal);
  }

  /// Returns the exit code, or minus the signal that ended it; nullopt while it runs.
  std::optional<int> ended() {
    int status = 0;
    if (!code_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return code_;
  }

 private:
  pid_t pid_ = -1;
  std::optional<int> code_;
};

}  // namespace spot_training
