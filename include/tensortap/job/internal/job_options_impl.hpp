// The bodies of job_options.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/internal/nearest.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/record/internal/placed_json.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The keys of a job file.
inline const std::vector<std::string>& job_keys() {
  static const std::vector<std::string> keys = {"job_name",
                                                "program",
                                                "hyperparameters",
                                                "channels",
                                                "workers",
                                                "managers",
                                                "rank",
                                                "output",
                                                "base_dir",
                                                "rules",
                                                "spot",
                                                "spot_discount",
                                                "hook_config",
                                                "max_run",
                                                "max_wait",
                                                "max_pending",
                                                "max_silence",
                                                "stop_window",
                                                "stall",
                                                "restart_on_exit",
                                                "restart",
                                                "one_attempt",
                                                "max_failures",
                                                "checkpoint_local_path",
                                                "checkpoint_uri",
                                                "first_delay",
                                                "longest_delay",
                                                "max_attempts_without_commit"};
  return keys;
}

/// Returns the seconds of a value. Throws: it is no number, or negative.
inline Seconds seconds_of(const PlacedJson::Value& value) {
  if (!value.json().is_number()) throw value.wrong("it must be a number of seconds");
  const double out = value.json().get<double>();
  if (!(out >= 0) || !std::isfinite(out)) throw value.wrong("it must be a finite number from 0 on");
  return Seconds(out);
}

/// Returns a number from `least` to `most`.
inline int small_integer(const PlacedJson::Value& value, int least, int most) {
  if (!value.json().is_number_integer()) throw value.wrong("it must be a whole number");
  const std::int64_t out = value.integer();
  if (out < least || out > most)
    throw value.wrong("it must be from " + std::to_string(least) + " to " + std::to_string(most));
  return static_cast<int>(out);
}

/// Returns the members of an object as texts: a text as it is, other values as JSON.
inline std::vector<JobSetting> settings_of(const PlacedJson::Value& value) {
  std::vector<JobSetting> out;
  for (const auto& [name, one] : value.members())
    out.push_back({name, one.json().is_string() ? one.text() : one.json().dump()});
  return out;
}

/// Returns a rule: "NAME:parameter=value", or an object with its name, parameters and action.
inline JobRule rule_of(const PlacedJson::Value& value) {
  try {
    if (value.json().is_string()) return JobRule::parse(value.text());
    const auto name = value.find("name");
    if (!name) throw value.wrong("it has no key \"name\"; write \"NAME:parameter=value\", or an object with a name");
    JobRule out{.name = name->text()};
    if (const auto parameters = value.find("parameters")) out.parameters = settings_of(*parameters);
    if (const auto action = value.find("action"))
      out.stops_training = JobRule::parse(out.name + ":action=" + action->text()).stops_training;
    return out;
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with("job file")) throw;
    throw value.wrong(e.what());
  }
}

/// Takes the value of one key of a job file.
inline void take_job_key(JobOptions& out, const std::string& key, const PlacedJson::Value& value) {
  constexpr int most_workers = 1024;
  constexpr int most_failures = 1'000'000;
  if (value.is_null()) return;
  if (key == "job_name") out.job_name = value.text();
  if (key == "program") {
    out.program.clear();
    for (const auto& word : value.elements()) out.program.push_back(word.text());
  }
  if (key == "hyperparameters") out.hyperparameters = settings_of(value);
  if (key == "channels")
    for (const auto& [name, place] : value.members()) out.channels.push_back({name, place.text()});
  if (key == "workers") out.workers = small_integer(value, 1, most_workers);
  if (key == "managers") out.managers = small_integer(value, 1, most_workers);
  if (key == "rank") out.rank = small_integer(value, 0, most_workers - 1);
  if (key == "output") out.output = value.text();
  if (key == "base_dir") out.base_dir = value.text();
  if (key == "checkpoint_local_path") out.checkpoint_local_path = value.text();
  if (key == "checkpoint_uri") out.checkpoint_uri = value.text();
  if (key == "rules")
    for (const auto& one : value.elements()) out.rules.push_back(rule_of(one));
  if (key == "hook_config") out.hook_config = value.json().is_object() ? value.json().dump() : value.text();
  if (key == "spot") out.spot = value.flag();
  if (key == "spot_discount") out.spot_discount = seconds_of(value).count();
  if (key == "max_run") out.max_run = seconds_of(value);
  if (key == "max_wait") out.max_wait = seconds_of(value);
  if (key == "max_pending") out.max_pending = seconds_of(value);
  if (key == "max_silence") out.max_silence = seconds_of(value);
  if (key == "stop_window") out.stop_window = seconds_of(value);
  if (key == "stall") out.stall = seconds_of(value);
  if (key == "first_delay") out.first_delay = seconds_of(value);
  if (key == "longest_delay") out.longest_delay = seconds_of(value);
  if (key == "max_attempts_without_commit") out.max_attempts_without_commit = small_integer(value, 1, most_failures);
  if (key == "one_attempt") out.one_attempt = value.flag();
  if (key == "restart") out.restart = value.flag();
  if (key == "max_failures") out.max_failures = small_integer(value, 0, most_failures);
  if (key == "restart_on_exit") {
    out.restart_on_exit.clear();
    for (const auto& code : value.elements()) out.restart_on_exit.push_back(small_integer(code, 1, 255));
  }
}

/// Throws: `name` is not one of a channel or of a hyperparameter, or comes twice.
inline void check_settings(const std::vector<JobSetting>& settings, const char* option,
                           bool (*is_valid)(std::string_view), const char* form) {
  std::vector<std::string> seen;
  for (const JobSetting& one : settings) {
    if (!is_valid(one.name)) throw Error::bad_job_option(option, in_quotes(one.name) + ": " + form);
    if (std::find(seen.begin(), seen.end(), one.name) != seen.end())
      throw Error::bad_job_option(option, in_quotes(one.name) + ": it comes twice; give it once");
    if (one.value.find('\0') != std::string::npos)
      throw Error::bad_job_option(option, in_quotes(one.name) + ": its value holds a NUL; leave that out");
    seen.push_back(one.name);
  }
}

/// Throws: two channels have the same variable.
inline void check_channel_variables(const std::vector<JobSetting>& channels) {
  for (auto one = channels.begin(); one != channels.end(); ++one)
    for (auto other = channels.begin(); other != one; ++other)
      if (JobNames::variable(one->name) == JobNames::variable(other->name))
        throw Error::bad_job_option("channel", in_quotes(one->name) + ": its variable SM_CHANNEL_" +
                                                   JobNames::variable(one->name) + " is that of " +
                                                   in_quotes(other->name) + ", too; rename one of them");
}

inline std::string in_seconds(Seconds time) { return JobNames::number(time.count()) + " s"; }

/// Throws: the managers of the job cannot be these.
inline void check_managers(const JobOptions& job) {
  if (job.managers < 1)
    throw Error::bad_job_option("managers", "it is less than 1 (" + std::to_string(job.managers) + "); give 1");
  if (job.rank < 0 || job.rank >= job.managers)
    throw Error::bad_job_option("rank", "it is not from 0 to managers - 1 (" + std::to_string(job.rank) + " of " +
                                            std::to_string(job.managers) + "); give each manager a rank of its own");
  if (job.managers > 1 && job.workers > 1)
    throw Error::bad_job_option("workers", "each of several managers runs one program (" + std::to_string(job.workers) +
                                               ", managers " + std::to_string(job.managers) +
                                               "); start one manager for each worker");
}

/// Throws: the limits contradict each other.
inline void check_limits(const JobOptions& job) {
  const auto require_positive = [](const char* option, Seconds value) {
    if (!(value.count() > 0) || !std::isfinite(value.count()))
      throw Error::bad_job_option(option, "it is not positive (" + in_seconds(value) + "); give a time above 0");
  };
  require_positive("max_run", job.max_run);
  require_positive("max_silence", job.max_silence);
  if (job.stall) require_positive("stall", *job.stall);
  for (const auto& [option, value] :
       {std::pair("stop_window", job.stop_window), std::pair("max_pending", job.max_pending),
        std::pair("first_delay", job.first_delay)})
    if (!(value.count() >= 0) || !std::isfinite(value.count()))
      throw Error::bad_job_option(option, "it is negative (" + in_seconds(value) + "); give a time from 0 on");
  if (job.max_wait && !job.spot)
    throw Error::bad_job_option("max_wait", "it is for jobs on spot machines; set spot, or leave it out");
  if (job.max_wait && *job.max_wait < job.max_run)
    throw Error::bad_job_option("max_wait", "it is shorter than max_run (" + in_seconds(*job.max_wait) + ", " +
                                                in_seconds(job.max_run) + "); make it at least as long");
  if (!(job.spot_discount >= 0 && job.spot_discount <= 100))
    throw Error::bad_job_option("spot_discount", "it is not from 0 to 100 percent; leave it out if it is unknown");
}

}  // namespace detail

TENSORTAP_INLINE JobRule JobRule::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  JobRule out{.name = std::string(text.substr(0, colon))};
  if (out.name.empty())
    throw Error::bad_job_option("rules", in_quotes(text) + ": it names no rule; write NAME:parameter=value");
  if (colon == std::string_view::npos) return out;
  for (std::size_t begin = colon + 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view one = text.substr(begin, end - begin);
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || equals == 0)
      throw Error::bad_job_option("rules", in_quotes(text) + ": " + in_quotes(one) +
                                               " is no parameter; write NAME:parameter=value,parameter=value");
    const std::string_view name = one.substr(0, equals);
    const std::string_view value = one.substr(equals + 1);
    if (name != "action") {
      out.parameters.push_back({std::string(name), std::string(value)});
    } else if (value == "stop" || value == "StopTraining") {
      out.stops_training = true;
    } else if (value != "none") {
      throw Error::bad_job_option(
          "rules", in_quotes(text) + ": there is no action " + in_quotes(value) + "; choose stop or none");
    }
    begin = end + 1;
  }
  return out;
}

TENSORTAP_INLINE JobOptions JobOptions::from_json(std::string_view path_or_text) {
  const auto [text, file] = detail::text_or_file(path_or_text, "job file");
  const detail::PlacedJson document(text, "job file", file);
  for (const auto& [key, line] : document.repeated())
    throw Error::bad_configuration("job file", file, line, key, "the key comes twice; give it once");
  JobOptions out;
  std::vector<std::string> known;
  for (const auto& [name, value] : document.root().members()) {
    std::string key = name;
    std::replace(key.begin(), key.end(), '-', '_');
    if (detail::is_among(known, key))
      throw Error::bad_configuration("job file", file, value.line(), name, "the key comes twice; give it once");
    known.push_back(key);
    if (!detail::is_among(detail::job_keys(), key)) {
      const std::string meant = detail::nearest(key, detail::job_keys());
      throw Error::bad_configuration(
          "job file", file, value.line(), name,
          "there is no such key" +
              (meant.empty() ? "; the page of the job lists them" : "; did you mean " + in_quotes(meant) + "?"));
    }
    detail::take_job_key(out, key, value);
  }
  return out;
}

TENSORTAP_INLINE void JobOptions::validate() const {
  if (!detail::JobNames::is_job_name(job_name))
    throw Error::bad_job_option("job_name", in_quotes(job_name) +
                                                ": it is not 1 to 63 letters, digits and hyphens that begins and ends "
                                                "with a letter or digit; choose such a name");
  if (program.empty() || program[0].empty())
    throw Error::bad_job_option("program", "it names no program; give one, after -- on a command line");
  for (const std::string& word : program)
    if (word.find('\0') != std::string::npos)
      throw Error::bad_job_option("program", in_quotes(word) + ": it holds a NUL; leave that out");
  detail::check_settings(channels, "channel", detail::JobNames::is_channel,
                         "it is not 1 to 64 letters, digits, '.', '-' and '_'; choose such a name");
  detail::check_settings(hyperparameters, "hyperparameter", detail::JobNames::is_hyperparameter,
                         "it is not 1 to 256 printable characters without '=' and blanks; choose such a name");
  detail::check_channel_variables(channels);
  for (const JobSetting& channel : channels)
    if (channel.value.empty())
      throw Error::bad_job_option("channel", in_quotes(channel.name) + ": it has no place; give NAME=DIRECTORY");
  if (workers < 1)
    throw Error::bad_job_option("workers", "it is less than 1 (" + std::to_string(workers) + "); give 1");
  detail::check_managers(*this);
  if (output.empty()) throw Error::bad_job_option("output", "it is empty; give a directory or s3://BUCKET/PREFIX");
  if (max_failures < 0) throw Error::bad_job_option("max_failures", "it is negative; give 0 for none");
  if (max_attempts_without_commit < 1)
    throw Error::bad_job_option("max_attempts_without_commit", "it is less than 1; give 3");
  if (!checkpoint_local_path.empty() && checkpoint_local_path.find("://") != std::string::npos)
    throw Error::bad_job_option("checkpoint_local_path",
                                in_quotes(checkpoint_local_path) + ": it is no directory; give that to checkpoint_uri");
  detail::check_limits(*this);
}

TENSORTAP_END_NAMESPACE
