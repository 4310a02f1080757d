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
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/internal/record_reader.hpp>
#include <tensortap/job/job_record.hpp>
#include <tensortap/store/open.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

template <class T>
void write_if(OrderedJson& to, const char* key, const std::optional<T>& value) {
  if (value) to[key] = *value;
}
inline void write_if(OrderedJson& to, const char* key, const std::string& value) {
  if (!value.empty()) to[key] = value;
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

inline JobAttempt attempt_of(const RecordReader& from) {
  return {.number = from.required<std::int64_t>("Number"),
          .machine = from.value<std::string>("Machine"),
          .begin = from.required<double>("StartTime"),
          .last_seen = from.value<double>("LastSeenTime"),
          .end = from.optional<double>("EndTime"),
          .cause = from.value<std::string>("Cause"),
          .details = from.value<std::string>("Details"),
          .exit_code = from.optional<int>("ExitCode"),
          .commit = from.optional<std::int64_t>("Commit"),
          .committed = from.value<bool>("Committed")};
}

inline RuleStatus rule_status_of(std::string_view name) {
  for (const RuleStatus status :
       {RuleStatus::in_progress, RuleStatus::no_issues_found, RuleStatus::issues_found, RuleStatus::error})
    if (name == to_string(status)) return status;
  return RuleStatus::stopped;
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

inline void read_lists(const RecordReader& from, JobRecord& to) {
  from.each("SecondaryStatusTransitions", [&](const OrderedJson& json, const std::string& place) {
    const RecordReader one(json, place);
    to.transitions.push_back({.status = one.required<std::string>("Status"),
                              .begin = one.required<double>("StartTime"),
                              .end = one.optional<double>("EndTime"),
                              .message = one.value<std::string>("StatusMessage")});
  });
  from.each("Attempts", [&](const OrderedJson& json, const std::string& place) {
    to.attempts.push_back(attempt_of(RecordReader(json, place)));
  });
  from.each("DebugRuleEvaluationStatuses", [&](const OrderedJson& json, const std::string& place) {
    const RecordReader one(json, place);
    to.rules.push_back({.rule = one.required<std::string>("RuleConfigurationName"),
                        .status = rule_status_of(one.required<std::string>("RuleEvaluationStatus")),
                        .tensors = one.value<std::int64_t>("Tensors"),
                        .steps = one.value<std::int64_t>("Steps"),
                        .reason = one.value<std::string>("StatusDetails")});
  });
  from.each("Findings", [&](const OrderedJson& json, const std::string&) { to.findings.push_back(json.dump()); });
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
    const detail::OrderedJson json = detail::OrderedJson::parse(text);
    const detail::RecordReader from(json);
    JobRecord out{.job_name = from.required<std::string>("TrainingJobName"),
                  .job_id = from.required<std::string>("JobId"),
                  .status = from.job_status("TrainingJobStatus"),
                  .secondary_status = from.required<std::string>("SecondaryStatus"),
                  .failure_reason = from.value<std::string>("FailureReason"),
                  .stop_reason = from.value<std::string>("StopReason"),
                  .exit_code = from.optional<int>("ExitCode"),
                  .created = from.required<double>("CreationTime"),
                  .modified = from.value<double>("LastModifiedTime"),
                  .training_start = from.optional<double>("TrainingStartTime"),
                  .training_end = from.optional<double>("TrainingEndTime"),
                  .training_seconds = from.value<double>("TrainingTimeInSeconds"),
                  .billable_seconds = from.value<double>("BillableTimeInSeconds"),
                  .restarted = from.optional<double>("RestartTime"),
                  .seconds_before_restart = from.value<double>("SecondsBeforeRestart"),
                  .failures = from.value<int>("Failures"),
                  .attempts_without_commit = from.value<int>("AttemptsWithoutCommit"),
                  .commit = from.optional<std::int64_t>("Commit"),
                  .run = from.value<std::string>("Run"),
                  .checkpoints = from.value<std::string>("Checkpoints")};
    if (const auto model = from.object("ModelArtifacts")) out.model = model->value<std::string>("S3ModelArtifacts");
    detail::OrderedJson options = detail::OrderedJson::object();
    for (const std::string& key : detail::JobLayout::configuration_keys())
      if (json.contains(key)) options[key] = json[key];
    out.configuration = options.dump();
    detail::read_lists(from, out);
    return out;
  } catch (const std::exception& e) {
    throw Error::damaged("job", place,
                         "it is no record of a job (" + escaped(detail::cause_in(e.what())) +
                             "); choose another job name, or move the whole folder of the job away");
  }
}

TENSORTAP_INLINE JobRecord read_job(std::string_view address) {
  const auto store = open_store(address);
  const auto bytes = store->get(detail::JobLayout::record);
  if (!bytes) throw Error::no_such_job(address);
  return JobRecord::from_json(text_of(*bytes),
                              detail::JobNames::below(std::string(address), detail::JobLayout::record));
}

TENSORTAP_INLINE bool request_job_stop(std::string_view address) {
  if (has_ended(read_job(address).status)) return false;
  open_store(address)->put(detail::JobLayout::stop_request, "stop\n", Sync::yes);
  return true;
}

TENSORTAP_END_NAMESPACE
