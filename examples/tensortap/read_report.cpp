#include "read_report.hpp"

#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <tensortap/job.hpp>
#include <tensortap/report.hpp>
#include <utility>

#include "runs.hpp"

namespace tensortap_command {

namespace tt = tensortap;

namespace {

/// Returns the record of the job whose folder is `address`; nullopt if there is none, or it cannot be read.
std::optional<tt::JobRecord> job_record_at(const std::string& address) {
  try {
    return tt::read_job(address);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

/// Returns the folder that holds the run at `address`, if the run has the name that jobs give theirs; else "".
std::string job_of(std::string address) {
  while (address.ends_with('/')) address.pop_back();
  constexpr std::string_view run = "/debug-output";
  if (!address.ends_with(run)) return {};
  return address.substr(0, address.size() - run.size());
}

}  // namespace

tt::RunReport read_report(const std::string& address, tt::ReportOptions options) {
  std::string run = address;
  std::optional<tt::JobRecord> job;
  if (const std::string folder = job_of(address); !folder.empty()) {
    options.trace = tt::open_store(folder);
    job = job_record_at(folder);
  } else if (!address.starts_with("s3://") && std::filesystem::is_regular_file(address + "/job.json") &&
             !is_run(tt::outline_of(*tt::open_store(address)))) {
    job = job_record_at(address);
    if (job) run = job->run;
    options.trace = tt::open_store(address);
  }
  if (job) {
    if (options.name.empty()) options.name = job->job_name;
    options.job = {.name = job->job_name,
                   .status = std::string(to_string(job->status)),
                   .training_seconds = job->training_seconds,
                   .billable_seconds = job->billable_seconds,
                   .savings = job->savings(),
                   .attempts = job->attempts.size()};
  }
  try {
    return tt::report_of(tt::open_store(run), options);
  } catch (const tt::Error& e) {
    if (e.code() == tt::Errc::not_found || std::filesystem::is_regular_file(run))
      (void)open_run("report", run);  // says what is wrong with the address, and names the runs in it
    throw;
  }
}

}  // namespace tensortap_command
