// The body of run_command.hpp.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/rules/run_command.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns a file in memory that holds `text`, at its begin. A program that does not read it blocks nothing, unlike a
/// pipe. Throws: there is no memory for it.
inline Descriptor file_in_memory(std::string_view text, std::string_view program) {
  Descriptor file = above_standard_streams(Descriptor(::memfd_create("finding", MFD_CLOEXEC)));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0)
    throw Error::io("action: RunCommand", program, std::generic_category().message(errno));
  return file;
}

/// Starts `command` in a process group of its own, with no signal blocked or ignored. Throws: it cannot be started.
inline pid_t start_command(std::vector<std::string> command, int standard_input) {
  std::vector<char*> words;
  words.reserve(command.size() + 1);
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, standard_input, STDIN_FILENO);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, words[0], &files, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw Error::io("action: RunCommand", command[0], std::generic_category().message(error));
  return child;
}

/// Waits for the end of `child` until `deadline`, then kills its group. Returns what is wrong with its end; nullopt if
/// nothing is.
inline std::optional<std::string> end_of(pid_t child, std::chrono::steady_clock::time_point deadline) {
  std::chrono::milliseconds pause{1};
  int status = 0;
  bool is_late = false;
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, is_late ? 0 : WNOHANG);
    if (ended == child) break;
    if (ended < 0 && errno != EINTR) return std::nullopt;  // this process ignores SIGCHLD: the code is lost
    if (ended != 0) continue;
    is_late = std::chrono::steady_clock::now() >= deadline;
    if (is_late) {
      ::kill(-child, SIGKILL);
      continue;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds(50));
  }
  if (is_late) return "it took too long and was killed";
  if (WIFSIGNALED(status)) return "it was ended by signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "it ended with code " + std::to_string(WEXITSTATUS(status));
  return std::nullopt;
}

}  // namespace detail

TENSORTAP_INLINE void RunCommand::operator()(const Finding& finding) const {
  if (command.empty() || command[0].empty()) throw Error::bad_option("RunCommand::command", "it names no program");
  const detail::Descriptor input = detail::file_in_memory(to_json(finding) + "\n", command[0]);
  const pid_t child = detail::start_command(command, input.get());
  if (const auto failure = detail::end_of(child, std::chrono::steady_clock::now() + timeout))
    throw Error::io("action: RunCommand", command[0], *failure);
}

TENSORTAP_END_NAMESPACE
