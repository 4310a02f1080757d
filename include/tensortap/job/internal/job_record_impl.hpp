// The bodies of job_record.hpp.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/job_layout.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

using OrderedJson = nlohmann::ordered_json;

template <class T>
void write_if(OrderedJson& to, const char* key, const std::optional<T>& value) {
  if (value) to[key] = *value;
}
inline void write_if(OrderedJson& to, const char* key, const std::string& value) {
  if (!value.empty()) to[key] = value;
}

/// Returns the member `key`, or `otherwise` if there is none. Throws: it is of another kind.
template <class T>
T member(const OrderedJson& of, const char* key, T otherwise = {}) {
  const auto found = of.find(key);
  return found == of.end() || found->is_null() ? std::move(otherwise) : found->get<T>();
}
template <class T>
std::optional<T> optional_member(const OrderedJson& of, const char* key) {
  const auto found = of.find(key);
  return found == of.end() || found->is_null() ? std::nullopt : std::optional<T>(found->get<T>());
}

inline OrderedJson json_of(const JobAttempt& attempt) {
  OrderedJson out = {{"Number", attempt.number},
                     {"Machine", attempt.machine},
                     {"StartTime", attempt.begin},
                     {"LastSeenTime", attempt.last_seen}};
  write_if(out, "EndTime", attempt.end);
  write_if(out, "Cause", attempt.cause);
  write_if(out, "Details", attempt.details);
  write_if(out, "ExitCode", attempt.exit_code);
  write_if(out, "Commit", attempt.commit);
  out["Committed"] = attempt.committed;
  return out;
}

inline JobAttempt attempt_of(const OrderedJson& from) {
  return {.number = from.at("Number").get<std::int64_t>(),
          .machine = member<std::string>(from, "Machine"),
          .begin = from.at("StartTime").get<double>(),
          .last_seen = member<double>(from, "LastSeenTime"),
          .end = optional_member<double>(from, "EndTime"),
          .cause = member<std::string>(from, "Cause"),
          .details = member<std::string>(from, "Details"),
          .exit_code = optional_member<int>(from, "ExitCode"),
          .commit = optional_member<std::int64_t>(from, "Commit"),
          .committed = member<bool>(from, "Committed")};
}

inline RuleStatus rule_status_of(std::string_view name) {
  for (const RuleStatus status :
       {RuleStatus::in_progress, RuleStatus::no_issues_found, RuleStatus::issues_found, RuleStatus::error})
    if (name == to_string(status)) return status;
  return RuleStatus::stopped;
}

inline JobStatus job_status_of(const std::string& name) {
  for (const JobStatus status :
       {JobStatus::in_progress, JobStatus::completed, JobStatus::failed, JobStatus::stopping, JobStatus::stopped})
    if (name == to_string(status)) return status;
  throw std::runtime_error("TrainingJobStatus is " + in_quotes(name));
}

inline OrderedJson rules_of(const JobRecord& record) {
  OrderedJson out = OrderedJson::array();
  for (const RuleResult& rule : record.rules) {
    OrderedJson one = {{"RuleConfigurationName", rule.rule},
                       {"RuleEvaluationStatus", to_string(rule.status)},
                       {"Tensors", rule.tensors},
                       {"Steps", rule.steps}};
    write_if(one, "StatusDetails", rule.reason);
    out.push_back(std::move(one));
  }
  return out;
}

inline void read_lists(const OrderedJson& from, JobRecord& to) {
  for (const auto& one : member<OrderedJson>(from, "SecondaryStatusTransitions", OrderedJson::array()))
    to.transitions.push_back({.status = one.at("Status").get<std::string>(),
                              .begin = one.at("StartTime").get<double>(),
                              .end = optional_member<double>(one, "EndTime"),
                              .message = member<std::string>(one, "StatusMessage")});
  for (const auto& one : member<OrderedJson>(from, "Attempts", OrderedJson::array()))
    to.attempts.push_back(attempt_of(one));
  for (const auto& one : member<OrderedJson>(from, "DebugRuleEvaluationStatuses", OrderedJson::array()))
    to.rules.push_back({.rule = one.at("RuleConfigurationName").get<std::string>(),
                        .status = rule_status_of(one.at("RuleEvaluationStatus").get<std::string>()),
                        .tensors = member<std::int64_t>(one, "Tensors"),
                        .steps = member<std::int64_t>(one, "Steps"),
                        .reason = member<std::string>(one, "StatusDetails")});
  for (const auto& one : member<OrderedJson>(from, "Findings", OrderedJson::array())) to.findings.push_back(one.dump());
}

}  // namespace detail

TENSORTAP_INLINE std::string JobRecord::to_json() const {
  using detail::write_if;
  detail::OrderedJson out = {{"TrainingJobName", job_name},
                             {"JobId", job_id},
                             {"TrainingJobStatus", to_string(status)},
                             {"SecondaryStatus", secondary_status}};
  write_if(out, "FailureReason", failure_reason);
  write_if(out, "StopReason", stop_reason);
  write_if(out, "ExitCode", exit_code);
  out["CreationTime"] = created;
  out["LastModifiedTime"] = modified;
  write_if(out, "TrainingStartTime", training_start);
  write_if(out, "TrainingEndTime", training_end);
  out["TrainingTimeInSeconds"] = training_seconds;
  out["BillableTimeInSeconds"] = billable_seconds;
  write_if(out, "RestartTime", restarted);
  if (restarted) out["SecondsBeforeRestart"] = seconds_before_restart;
  out["Failures"] = failures;
  out["AttemptsWithoutCommit"] = attempts_without_commit;
  write_if(out, "Commit", commit);
  out["Run"] = run;
  out["Checkpoints"] = checkpoints;
  if (!model.empty()) out["ModelArtifacts"] = {{"S3ModelArtifacts", model}};
  const auto options = nlohmann::ordered_json::parse(configuration.empty() ? "{}" : configuration, nullptr, false);
  for (const auto& [key, value] : options.items()) out[key] = value;
  out["SecondaryStatusTransitions"] = detail::OrderedJson::array();
  for (const JobTransition& one : transitions) {
    detail::OrderedJson to = {{"Status", one.status}, {"StartTime", one.begin}};
    write_if(to, "EndTime", one.end);
    write_if(to, "StatusMessage", one.message);
    out["SecondaryStatusTransitions"].push_back(std::move(to));
  }
  out["Attempts"] = detail::OrderedJson::array();
  for (const JobAttempt& attempt : attempts) out["Attempts"].push_back(detail::json_of(attempt));
  out["DebugRuleEvaluationStatuses"] = detail::rules_of(*this);
  out["Findings"] = detail::OrderedJson::array();
  for (const std::string& finding : findings)
    out["Findings"].push_back(detail::OrderedJson::parse(finding, nullptr, false));
  return out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

TENSORTAP_INLINE JobRecord JobRecord::from_json(std::string_view text, std::string_view place) {
  try {
    const detail::OrderedJson from = detail::OrderedJson::parse(text);
    JobRecord out{.job_name = from.at("TrainingJobName").get<std::string>(),
                  .job_id = from.at("JobId").get<std::string>(),
                  .status = detail::job_status_of(from.at("TrainingJobStatus").get<std::string>()),
                  .secondary_status = from.at("SecondaryStatus").get<std::string>(),
                  .failure_reason = detail::member<std::string>(from, "FailureReason"),
                  .stop_reason = detail::member<std::string>(from, "StopReason"),
                  .exit_code = detail::optional_member<int>(from, "ExitCode"),
                  .created = from.at("CreationTime").get<double>(),
                  .modified = detail::member<double>(from, "LastModifiedTime"),
                  .training_start = detail::optional_member<double>(from, "TrainingStartTime"),
                  .training_end = detail::optional_member<double>(from, "TrainingEndTime"),
                  .training_seconds = detail::member<double>(from, "TrainingTimeInSeconds"),
                  .billable_seconds = detail::member<double>(from, "BillableTimeInSeconds"),
                  .restarted = detail::optional_member<double>(from, "RestartTime"),
                  .seconds_before_restart = detail::member<double>(from, "SecondsBeforeRestart"),
                  .failures = detail::member<int>(from, "Failures"),
                  .attempts_without_commit = detail::member<int>(from, "AttemptsWithoutCommit"),
                  .commit = detail::optional_member<std::int64_t>(from, "Commit"),
                  .run = detail::member<std::string>(from, "Run"),
                  .checkpoints = detail::member<std::string>(from, "Checkpoints")};
    if (const auto model = from.find("ModelArtifacts"); model != from.end())
      out.model = detail::member<std::string>(*model, "S3ModelArtifacts");
    detail::OrderedJson options = detail::OrderedJson::object();
    for (const std::string& key : detail::JobLayout::configuration_keys())
      if (from.contains(key)) options[key] = from[key];
    out.configuration = options.dump();
    detail::read_lists(from, out);
    return out;
  } catch (const std::exception& e) {
    throw Error::damaged("job", place,
                         "it is no record of a job (" + escaped(e.what()) + "); remove it, or choose another job name");
  }
}

TENSORTAP_INLINE JobRecord read_job(std::string_view address) {
  const auto store = open_store(address);
  const auto bytes = store->get(detail::JobLayout::record);
  if (!bytes) throw Error::no_such_job(address);
  return JobRecord::from_json(text_of(*bytes), detail::JobLayout::record);
}

TENSORTAP_INLINE bool request_job_stop(std::string_view address) {
  if (has_ended(read_job(address).status)) return false;
  open_store(address)->put(detail::JobLayout::stop_request, "stop\n", Sync::yes);
  return true;
}

TENSORTAP_END_NAMESPACE
