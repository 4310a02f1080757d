// Runs the program that a profile names in credential_process. Whoever can write the profile files can so make this
// process run any program; that is what AWS means by it. No shell is involved.
//
// Not for users: default_credentials() is the way in.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/store/internal/descriptor.hpp>
#include <tensortap/net/aws/internal/credentials_json.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/net/aws/credentials_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The words of `command`: parted by white space, but where quotes are around it; a backslash takes the next character
/// as it is, within '…' nothing does. Nothing if quotes are not closed. Nothing is expanded.
inline std::optional<std::vector<std::string>> command_words(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    const char next = i + 1 < command.size() ? command[i + 1] : '\0';
    const bool escapes = c == '\\' && (quote == 0 || (quote == '"' && (next == '"' || next == '\\')));
    if (escapes && next == '\0') return {};
    if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (escapes)
      words.back() += command[++i];
    else if (quote != 0 ? c == quote : c == '"' || c == '\'')
      quote = quote != 0 ? '\0' : c;
    else
      words.back() += c;
  }
  if (quote != 0) return {};
  return words;
}

/// A child process that does not outlive this.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);  // it leads a group of its own
    for (int i = 0; i < 200 && !has_ended(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  /// Runs `words`, found by PATH, with its output in `output`; 0 or why it cannot be run.
  int start(std::vector<std::string>& words, int output) {
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (const int error = ::posix_spawn_file_actions_init(&actions); error != 0) return error;
    if (const int error = ::posix_spawnattr_init(&attributes); error != 0) {
      ::posix_spawn_file_actions_destroy(&actions);
      return error;
    }
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int error = ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0) error = ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (error == 0) error = ::posix_spawnattr_setsigmask(&attributes, &none);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes, &all);
    if (error == 0) error = ::posix_spawnattr_setpgroup(&attributes, 0);
    constexpr int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    if (error == 0) error = ::posix_spawnattr_setflags(&attributes, flags);
    if (error == 0) error = ::posix_spawnp(&pid_, words[0].c_str(), &actions, &attributes, arguments.data(), ::environ);
    if (error != 0) pid_ = 0;
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
    return error;
  }

  /// Never waits.
  bool has_ended() {
    if (pid_ <= 0) return true;
    const pid_t ended = ::waitpid(pid_, &status_, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
    if (ended < 0) status_ = 0;  // somebody else has asked for it first: let its output speak
    pid_ = 0;
    return true;
  }
  /// How it has ended, for messages; empty if it has succeeded.
  [[nodiscard]] std::string trouble() const {
    if (WIFSIGNALED(status_)) return "was ended by signal " + std::to_string(WTERMSIG(status_));
    return WEXITSTATUS(status_) == 0 ? std::string() : "ended with status " + std::to_string(WEXITSTATUS(status_));
  }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
};

/// What a program wrote, or why that is no use.
struct ProcessOutput {
  std::string text = {};
  std::string why = {};
};

/// Runs `words` for at most `timeout`. Its error output goes where this process's goes.
inline ProcessOutput output_of(std::vector<std::string>& words, std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + timeout;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {.why = std::generic_category().message(errno)};
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  Child child;
  if (const int error = child.start(words, writer.get()); error != 0)
    return {.why = "cannot be run: " + std::generic_category().message(error)};
  writer = Descriptor();

  ProcessOutput output;
  bool has_more = true;
  bool has_ended = false;
  while (has_more || !has_ended) {
    if (Clock::now() >= deadline) return {.why = "did not end within " + std::to_string(timeout.count()) + " ms"};
    has_ended = has_ended || child.has_ended();
    // What it started may hold the pipe open after its end; then what is there by now is all.
    pollfd waiting{reader.get(), POLLIN, 0};
    const int ready = has_more ? ::poll(&waiting, 1, has_ended ? 0 : 10) : 0;
    if (!has_more && !has_ended) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    if (ready <= 0) {
      if (has_ended) has_more = false;
      continue;
    }
    char buffer[4096];
    const ssize_t n = ::read(reader.get(), buffer, sizeof buffer);
    if (n > 0) output.text.append(buffer, static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) has_more = false;
    if (output.text.size() > credentials_limit) return {.why = "wrote too much"};
  }
  if (std::string trouble = child.trouble(); !trouble.empty()) return {.why = std::move(trouble)};
  return output;
}

/// The credentials that `command` writes. No message repeats more of it than the program's name.
inline CredentialsAnswer process_credentials(const CredentialsOptions& options, std::string_view command,
                                             std::string source) {
  if (command.find('\0') != std::string_view::npos || command.size() > 16384)
    return CredentialsAnswer::failed("credential_process is no command");
  auto words = command_words(command);
  if (!words) return CredentialsAnswer::failed("credential_process has a quote that is not closed");
  if (words->empty() || words->front().empty()) return CredentialsAnswer::failed("credential_process is empty");
  const std::string program = "credential_process " + in_quotes(words->front());
  const ProcessOutput output = output_of(*words, options.process_timeout);
  if (!output.why.empty()) return CredentialsAnswer::failed(program + " " + output.why);
  CredentialsAnswer answer = credentials_of_json(output.text, std::move(source), true);
  if (!answer.credentials) answer.why = program + ": " + answer.why;
  return answer;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
