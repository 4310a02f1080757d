// The hosts of a job: one for each of its processes, which share a machine or have a manager each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/job_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the number of the job's processes, over all machines.
inline int processes_of(const JobOptions& options) noexcept { return std::max(options.workers, options.managers); }

/// Returns "algo-1" and so on, sorted as texts: the first one is the chief.
inline std::vector<std::string> hosts_of(const JobOptions& options) {
  std::vector<std::string> out;
  for (int i = 1; i <= processes_of(options); ++i) out.push_back("algo-" + std::to_string(i));
  std::sort(out.begin(), out.end());
  return out;
}

/// Returns the hosts whose programs this manager runs.
inline std::vector<std::string> own_hosts_of(const JobOptions& options) {
  std::vector<std::string> all = hosts_of(options);
  if (options.managers == 1) return all;
  return {all[static_cast<std::size_t>(options.rank)]};
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
