// The processes that a killed manager of a job has left behind on this machine.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The variable that marks the processes of a job.
inline constexpr const char* job_variable = "TENSORTAP_JOB_ID";

/// Returns whether an environment, "NAME=value" with a NUL after each, holds `one`.
inline bool has_variable(const std::string& environment, const std::string& one) {
  return environment.starts_with(one + '\0') || environment.find('\0' + one + '\0') != std::string::npos;
}

/// Kills the processes of this user whose environment names the job, and the host unless that is empty, once. Returns
/// their number.
inline int kill_those_of(const std::string& job_id, const std::string& host) {
  namespace fs = std::filesystem;
  const std::string mark = std::string(job_variable) + "=" + job_id;
  int count = 0;
  std::error_code error;
  for (fs::directory_iterator one("/proc", error), end; !error && one != end; one.increment(error)) {
    const std::string name = one->path().filename().string();
    pid_t pid = 0;
    const auto [rest, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failure != std::errc() || rest != name.data() + name.size() || pid == ::getpid()) continue;
    std::ifstream file(one->path() / "environ", std::ios::binary);
    const std::string environment((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (has_variable(environment, mark) && (host.empty() || has_variable(environment, "SM_CURRENT_HOST=" + host)))
      count += ::kill(pid, SIGKILL) == 0 ? 1 : 0;
  }
  return count;
}

/// Kills them, and waits for their end: until then they hold what their successors need. Returns their number.
inline int kill_leftovers(const std::string& job_id, const std::string& host) {
  constexpr auto longest = std::chrono::seconds(10);
  const auto deadline = std::chrono::steady_clock::now() + longest;
  const int out = kill_those_of(job_id, host);
  for (int left = out; left > 0 && std::chrono::steady_clock::now() < deadline; left = kill_those_of(job_id, host))
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
