#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tensortap/job.hpp>
#include <tensortap/report.hpp>
#include <vector>

#include "commands.hpp"
#include "output_file.hpp"
#include "runs.hpp"
#include "words.hpp"

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

/// Returns the facts of a run, or of the run of a job.
tt::RunReport read_report(const std::string& address, const Report& how) {
  tt::ReportOptions options = {.around = how.around};
  std::string run = address;
  std::optional<tt::JobRecord> job;
  if (const std::string folder = job_of(address); !folder.empty()) {
    options.trace = tt::open_store(folder);
    job = job_record_at(folder);
  } else if (!address.starts_with("s3://") && std::filesystem::is_regular_file(address + "/job.json")) {
    job = job_record_at(address);
    if (job) run = job->run;
    options.trace = tt::open_store(address);
  }
  if (job) {
    options.name = job->job_name;
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

}  // namespace

int report(const std::vector<std::string>& addresses, const Report& how, std::ostream& out) {
  if (how.xgboost) {
    if (addresses.size() > 1 || !how.file.empty())
      throw std::runtime_error("report: --xgboost prints the report of one run; leave out --output and other runs");
    out << tt::xgboost_report(open_run("report", addresses.front())) << std::endl;
    return 0;
  }
  if (how.file.empty() && !how.json)
    throw std::runtime_error("report: where does the page go? name a file with --output, or ask for --json");
  std::vector<tt::RunReport> runs;
  runs.reserve(addresses.size());
  for (const std::string& address : addresses) runs.push_back(read_report(address, how));

  const auto write = [&](std::ostream& to) {
    if (!how.json) return tt::write_page(runs, to);
    for (const tt::RunReport& run : runs) to << tt::to_json(run) << '\n';
  };
  if (how.file.empty() || how.file == "-") {
    write(out);
  } else {
    OutputFile file(how.file, "report");
    write(file.stream());
    file.publish();
    out << tt::escaped(how.file) << ":";
    for (const tt::RunReport& run : runs)
      out << (&run == runs.data() ? " " : "; ") << tt::escaped(run.name) << ", " << plural(run.steps, "step") << ", "
          << plural(run.findings.size(), "finding");
    out << '\n';
  }
  bool is_damaged = false;
  for (const tt::RunReport& run : runs)
    for (const tt::Damage& damage : run.damage) {
      std::cerr << "damaged: " << damage.where << ": " << damage.cause << '\n';
      is_damaged = true;
    }
  return is_damaged ? 1 : 0;
}

}  // namespace tensortap_command
