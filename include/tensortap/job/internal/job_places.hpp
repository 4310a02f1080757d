// The places of a job: its folder in the output, its base directory on this machine, its run and its checkpoints.
#pragma once

#include <string>

#include <tensortap/capture/hook_configuration.hpp>
#include <tensortap/internal/absolute_path.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/job_hosts.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Addresses: absolute paths, or s3://BUCKET/PREFIX.
struct JobPlaces {
  JobPlaces(const JobOptions& options, const HookConfiguration& hook)
      : folder(JobNames::below(resolved(options.output), options.job_name)),
        is_remote(JobNames::is_remote(folder)),
        checkpoints(options.checkpoint_uri.empty() ? JobNames::below(folder, JobLayout::checkpoints)
                                                   : resolved(options.checkpoint_uri)),
        run(hook.out_dir.empty() || hook.out_dir == HookConfiguration().out_dir
                ? JobNames::below(folder, JobLayout::run)
                : resolved(hook.out_dir)) {
    if (!options.base_dir.empty())
      base = absolute_path(options.base_dir);
    else
      base = JobNames::below(is_remote ? absolute_path("jobs/" + options.job_name) : folder, "ml");
    if (options.managers > 1) base = JobNames::below(base, own_hosts_of(options)[0]);
  }

  static std::string resolved(const std::string& address) {
    return JobNames::is_remote(address) ? address : absolute_path(address);
  }

  std::string folder;       ///< of the record, the logs and the artifacts
  bool is_remote;           ///< whether the folder is in a bucket
  std::string checkpoints;  ///< where they are copied to
  std::string run;          ///< of the tensors
  std::string base = {};    ///< a directory: SageMaker's /opt/ml
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
