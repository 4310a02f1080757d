#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tensortap/job.hpp>
#include <vector>

#include "commands.hpp"
#include "job_console.hpp"
#include "json_text.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;
namespace fs = std::filesystem;

bool is_remote(const std::string& address) { return address.find("://") != std::string::npos; }

/// Returns the address of a job: the given one, or that of this name below "jobs".
std::string job_at(const std::string& given) {
  std::error_code error;
  if (is_remote(given) || given.find('/') != std::string::npos || fs::exists(fs::path(given) / "job.json", error))
    return given;
  const fs::path below = fs::path("jobs") / given;
  return fs::exists(below / "job.json", error) ? below.string() : given;
}

/// Returns the addresses of the folders below `place` that may be jobs.
std::vector<std::string> folders_below(const std::string& place) {
  if (is_remote(place)) return folders_in(place);
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator one(place, error), end; !error && one != end; one.increment(error))
    if (fs::exists(one->path() / "job.json", error)) out.push_back(one->path().string());
  if (error)
    throw std::runtime_error("jobs: " + tt::in_quotes(place) + ": " + error.message() + "; name a directory of jobs");
  std::sort(out.begin(), out.end());
  return out;
}

std::string attempt_text(const tt::JobAttempt& attempt) {
  std::string out = "  " + std::to_string(attempt.number) + "  " + time_text(attempt.begin) + "  " +
                    duration_text(attempt.end.value_or(attempt.last_seen) - attempt.begin) + " on " +
                    tt::escaped(attempt.machine) + ": " + (attempt.end ? tt::escaped(attempt.cause) : "runs");
  if (!attempt.details.empty() && attempt.cause != "completed") out += " (" + tt::escaped(attempt.details) + ")";
  if (attempt.commit)
    out += "; committed step " + std::to_string(*attempt.commit) + (attempt.committed ? "" : ", not new");
  return out;
}

void print_configuration(const tt::JobRecord& record, std::ostream& out) {
  const auto options = nlohmann::ordered_json::parse(record.configuration, nullptr, false);
  for (const auto& [key, value] : options.items())
    if (!value.empty()) out << "  " << tt::escaped(key) << ": " << tt::escaped(value.dump(-1, ' ', true)) << '\n';
}

/// Returns the record of a job as JSON, and for how long its manager has not written, if that is long.
Json record_as_json(const tt::JobRecord& record) {
  auto object = Json::parse(record.to_json());
  if (const auto silence = silence_of(record)) object["ManagerSilentSeconds"] = *silence;
  return object;
}

}  // namespace

int jobs(const std::string& place, bool json, std::ostream& out) {
  bool failed = false;
  std::size_t count = 0;
  for (const std::string& address : folders_below(place)) {
    try {
      const tt::JobRecord record = tt::read_job(address);
      ++count;
      if (json) {
        print_json(record_as_json(record), out);
        continue;
      }
      out << tt::escaped(record.job_name) << "  " << status_text(record) << "  " << time_text(record.created) << "  "
          << plural(record.attempts.size(), "attempt") << "  " << duration_text(record.training_seconds) << '\n';
    } catch (const tt::Error& e) {
      if (e.code() == tt::Errc::not_found) continue;  // another folder
      std::cerr << "tensortap: " << e.what() << '\n';
      failed = true;
    }
  }
  if (count == 0 && !failed && !json) out << "no jobs\n";
  return failed ? 2 : 0;
}

int describe(const std::string& job, bool json, std::ostream& out) {
  const std::string address = job_at(job);
  const tt::JobRecord record = tt::read_job(address);
  if (json) {
    out << record_as_json(record).dump(1) << '\n';
    return 0;
  }
  out << tt::escaped(record.job_name) << ": " << status_text(record) << '\n';
  if (!record.failure_reason.empty()) out << "failure: " << tt::escaped(record.failure_reason) << '\n';
  if (!record.stop_reason.empty()) out << "stopped: " << tt::escaped(record.stop_reason) << '\n';
  if (record.exit_code) out << "exit code: " << *record.exit_code << '\n';
  out << "run: " << tt::escaped(record.run) << '\n' << "checkpoints: " << tt::escaped(record.checkpoints) << '\n';
  if (!record.model.empty()) out << "model: " << tt::escaped(record.model) << '\n';
  out << "configuration:\n";
  print_configuration(record, out);
  out << "statuses:\n";
  for (const tt::JobTransition& one : record.transitions)
    out << "  " << time_text(one.begin) << ' ' << tt::escaped(one.status) << " - " << tt::escaped(one.message) << '\n';
  out << "attempts:\n";
  for (const tt::JobAttempt& attempt : record.attempts) out << attempt_text(attempt) << '\n';
  if (!record.rules.empty()) out << "rules:\n";
  for (const tt::RuleResult& rule : record.rules) {
    out << "  " << tt::escaped(rule.rule) << ": " << to_string(rule.status);
    out << (rule.reason.empty() ? "" : " (" + tt::escaped(rule.reason) + ")") << '\n';
  }
  if (!record.findings.empty()) out << "findings:\n";
  for (const std::string& finding : record.findings)
    out << "  " << tt::escaped(nlohmann::ordered_json::parse(finding).dump(-1, ' ', true)) << '\n';
  const auto options = nlohmann::json::parse(record.configuration, nullptr, false);
  const bool is_spot = options.is_object() && options.value("EnableManagedSpotTraining", nlohmann::json()) == true;
  out << seconds_text(record, is_spot) << '\n';
  return 0;
}

int stop(const std::string& job, std::ostream& out) {
  const std::string address = job_at(job);
  if (tt::request_job_stop(address)) {
    if (const auto silence = silence_of(tt::read_job(address))) {
      out << "its manager has not written for " << *silence << " s: if it is gone, the job stops at its next start\n";
      return 0;
    }
    out << "the job stops; tensortap describe " << tt::escaped(job) << " tells when it has\n";
    return 0;
  }
  out << "the job has ended before\n";
  return 0;
}

}  // namespace tensortap_command
