// Credentials of a profile: keys, the output of a program (credential_process), or a role. A process that can write the
// profile files decides which program runs here, as AWS specifies. No shell is involved.
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
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/descriptor.hpp>
#include <tensortap/net/aws/credentials_options.hpp>
#include <tensortap/net/aws/internal/profile_file.hpp>
#include <tensortap/net/aws/internal/providers.hpp>
#include <tensortap/net/aws/internal/sts.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Splits `command` at white space outside quotes. A backslash quotes the next character, except within '…'. Expands
/// nothing. Returns nullopt if a quote is not closed.
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

/// A child process. The destructor kills it.
class CredentialProcess {
 public:
  CredentialProcess() = default;
  CredentialProcess(const CredentialProcess&) = delete;
  CredentialProcess& operator=(const CredentialProcess&) = delete;
  ~CredentialProcess() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);  // it leads its own process group
    for (int i = 0; i < 200 && !has_ended(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  /// Runs `words`, found by PATH, and writes its output to `output`. Returns 0 or the error number.
  int start(std::vector<std::string>& words, int output) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
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

  /// Returns whether the process has ended. Does not block.
  bool has_ended() {
    if (pid_ <= 0) return true;
    const pid_t ended = ::waitpid(pid_, &status_, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return false;
    if (ended < 0) status_ = 0;  // the program has reaped it elsewhere: judge by its output
    pid_ = 0;
    return true;
  }
  /// Returns how the process failed, for messages; empty if it succeeded.
  [[nodiscard]] std::string trouble() const {
    if (WIFSIGNALED(status_)) return "was ended by signal " + std::to_string(WTERMSIG(status_));
    return WEXITSTATUS(status_) == 0 ? std::string() : "ended with status " + std::to_string(WEXITSTATUS(status_));
  }

 private:
  pid_t pid_ = 0;
  int status_ = 0;
};

/// The output of a program, or why there is none.
struct ProcessOutput {
  std::string text = {};
  std::string why = {};
};

/// Runs `words` for at most `timeout` and returns the output. Its error output goes to that of this process.
inline ProcessOutput output_of(std::vector<std::string>& words, std::chrono::milliseconds timeout) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + timeout;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {.why = std::generic_category().message(errno)};
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  ::fcntl(reader.get(), F_SETFL, O_NONBLOCK);
  CredentialProcess child;
  if (const int error = child.start(words, writer.get()); error != 0)
    return {.why = "cannot be run: " + std::generic_category().message(error)};
  writer = Descriptor();

  ProcessOutput output;
  bool has_more = true;
  bool has_ended = false;
  while (has_more || !has_ended) {
    if (Clock::now() >= deadline) return {.why = "did not end within " + std::to_string(timeout.count()) + " ms"};
    has_ended = has_ended || child.has_ended();
    // Processes that it started may hold the pipe open after its end: reads only the bytes that are there by then.
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

/// Runs `command` and parses the credentials that it writes. Messages repeat only the name of the program.
inline ProviderResult process_credentials(const CredentialsOptions& options, std::string_view command,
                                          std::string source) {
  if (command.find('\0') != std::string_view::npos || command.size() > 16384)
    return ProviderResult::failed("credential_process is not a command");
  auto words = command_words(command);
  if (!words) return ProviderResult::failed("credential_process has a quote that is not closed");
  if (words->empty() || words->front().empty()) return ProviderResult::failed("credential_process is empty");
  const std::string program = "credential_process " + in_quotes(words->front());
  const ProcessOutput output = output_of(*words, options.process_timeout);
  if (!output.why.empty()) return ProviderResult::failed(program + " " + output.why);
  ProviderResult result = credentials_of_json(output.text, std::move(source), true);
  if (!result.credentials) result.why = program + ": " + result.why;
  return result;
}

/// Finds the credentials of a profile, and of the profiles that its roles name.
class ProfileChain {
 public:
  explicit ProfileChain(const CredentialsOptions& options) : options_(options), files_(profile_files(options)) {}

  [[nodiscard]] const ProfileFiles& files() const noexcept { return files_; }

  /// Returns the credentials of `profile`. Ignores its role if `role_is_used`, because a role may name its own profile
  /// as its source. `depth` counts the roles so far.
  [[nodiscard]] ProviderResult of(const std::string& profile, bool role_is_used = false, int depth = 0) const {
    const std::string section = "profile " + profile;
    const std::string source = "profile " + escaped(profile);
    const auto value = [&](const char* key) { return files_.value(section, key); };
    if (files_.sections.find(section) == files_.sections.end())
      return ProviderResult::none("no such profile in " + files_.where);
    if (!role_is_used && !value("role_arn").empty()) return of_role(profile, source, depth);
    if (const std::string key = value("aws_access_key_id"); !key.empty()) {
      if (value("aws_secret_access_key").empty())
        return ProviderResult::failed("it has aws_access_key_id, but no aws_secret_access_key");
      return ProviderResult::of({.access_key_id = key,
                                 .secret_access_key = value("aws_secret_access_key"),
                                 .session_token = value("aws_session_token"),
                                 .source = source});
    }
    for (const char* const key : {"sso_session", "sso_start_url", "sso_account_id"})
      if (!value(key).empty())
        return ProviderResult::failed(
            "it uses SSO, which is not supported; use a profile with credential_process = aws configure "
            "export-credentials --profile NAME");
    if (const std::string command = value("credential_process"); !command.empty())
      return process_credentials(options_, command, source);
    return ProviderResult::none("it has no credentials (" + files_.where + ")");
  }

 private:
  [[nodiscard]] ProviderResult of_role(const std::string& profile, const std::string& source, int depth) const {
    constexpr int depth_limit = 5;
    const auto value = [&](const char* key) { return files_.value("profile " + profile, key); };
    const AssumedRole role{.arn = value("role_arn"),
                           .session_name = value("role_session_name"),
                           .external_id = value("external_id"),
                           .duration_seconds = value("duration_seconds")};
    if (const std::string path = value("web_identity_token_file"); !path.empty())
      return assumed_role_with_token(options_, files_, profile, role, path, source);
    if (!value("mfa_serial").empty())
      return ProviderResult::failed("its role needs a code (mfa_serial), which is not supported");
    if (depth >= depth_limit) return ProviderResult::failed("its source_profile leads through too many roles");

    const std::string from = value("source_profile");
    const std::string kind = value("credential_source");
    if (from.empty() == kind.empty())
      return ProviderResult::failed("its role_arn needs either source_profile or credential_source");
    ProviderResult signer;
    if (!from.empty())
      signer = of(from, from == profile, depth + 1);
    else if (kind == "Environment")
      signer = environment_credentials(options_);
    else if (kind == "EcsContainer")
      signer = container_credentials(options_);
    else if (kind == "Ec2InstanceMetadata")
      signer = instance_credentials(options_);
    else
      return ProviderResult::failed("there is no credential_source " + in_quotes(kind));
    if (!signer.credentials)
      return ProviderResult::failed((from.empty() ? "credential_source " + kind : "source_profile " + escaped(from)) +
                                    ": " + signer.why);
    return assumed_role(options_, files_, profile, role, signer.credentials, source);
  }

  const CredentialsOptions& options_;
  ProfileFiles files_;
};

/// Returns the credentials of the profile in the options or AWS_PROFILE, else of "default".
inline ProviderResult profile_credentials(const CredentialsOptions& options) {
  const ProfileChain chain(options);
  ProviderResult result = chain.of(profile_name(options));
  const bool is_named = !options.profile.empty() || !variable(options, "AWS_PROFILE").empty();
  const bool is_there = chain.files().sections.contains("profile " + profile_name(options));
  result.is_final = result.is_final || (is_named && !is_there);
  return result;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
