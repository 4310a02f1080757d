// The processes that a killed manager of a job has left behind on this machine.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The variable that marks the processes of a job.
inline constexpr const char* job_variable = "TENSORTAP_JOB_ID";

/// Kills the processes of this user whose environment names the job. Returns their number.
inline int kill_leftovers(const std::string& job_id) {
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
    if (environment.starts_with(mark + '\0') || environment.find('\0' + mark + '\0') != std::string::npos)
      count += ::kill(pid, SIGKILL) == 0 ? 1 : 0;
  }
  return count;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
