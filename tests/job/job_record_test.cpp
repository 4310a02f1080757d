#include <signal.h>

#include <string>

#include <tensortap/error.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/job_record.hpp>

#include "catch.hpp"

namespace tt = tensortap;
using tt::detail::AttemptEnd;
using tt::detail::outcome_of;
using tt::detail::StopCause;

TEST_CASE("a record is read back unchanged", "[job][record]") {
  tt::JobRecord record{
      .job_name = "a",
      .job_id = "1",
      .status = tt::JobStatus::stopped,
      .secondary_status = "MaxRuntimeExceeded",
      .stop_reason = "MaxRuntimeExceeded",
      .exit_code = 90,
      .created = 1.5,
      .training_seconds = 10,
      .billable_seconds = 4,
      .commit = 7,
      .configuration = R"({"Program":["p"],"EnableManagedSpotTraining":true})",
      .transitions = {{.status = "Starting", .begin = 1.5, .end = 2, .message = "m"}},
      .attempts = {{.number = 0, .machine = "h", .begin = 2, .last_seen = 3, .end = 3, .cause = "lost"}},
      .rules = {{.rule = "R", .status = tt::RuleStatus::issues_found, .tensors = 2, .steps = 3}},
      .findings = {R"({"rule":"R"})"}};
  const std::string text = record.to_json();
  const tt::JobRecord again = tt::JobRecord::from_json(text, "job.json");
  CHECK(again.to_json() == text);
  CHECK(again.attempts.at(0).cause == "lost");
  CHECK(again.rules == record.rules);
  CHECK(again.savings() == 60);
  CHECK(tt::has_ended(again.status));
}

TEST_CASE("damage of a record is an error that names it", "[job][record]") {
  const std::string text = tt::JobRecord{.job_name = "a", .job_id = "1"}.to_json();
  for (const std::string& damaged : {std::string(), std::string("[]"), std::string("{}"),
                                     text.substr(0, text.size() / 2), std::string(R"({"TrainingJobName": 1})")}) {
    CHECK_THROWS_AS(tt::JobRecord::from_json(damaged, "job.json"), tt::Error);
  }
}

TEST_CASE("the end of a program has a meaning", "[job][outcome]") {
  const tt::JobOptions options{.restart_on_exit = {17}};
  const auto meaning = [&](int code, int signal = 0, StopCause cause = StopCause::none, bool run_has_ended = false) {
    return outcome_of(AttemptEnd{.cause = cause, .host = "algo-1", .program = {code, signal}}, run_has_ended, "",
                      options);
  };
  CHECK(meaning(0).cause == "completed");
  CHECK(meaning(3).cause == "failed");
  CHECK(meaning(128 + SIGSEGV, SIGSEGV).cause == "failed");
  CHECK(meaning(128 + SIGABRT, SIGABRT).cause == "failed");
  for (const int signal : {SIGTERM, SIGKILL, SIGINT, SIGHUP, SIGUSR1, SIGUSR2})
    CHECK(meaning(128 + signal, signal).cause == "interrupted");
  for (const int code : {17, 75, 137, 143}) CHECK(meaning(code).cause == "interrupted");
  CHECK(meaning(0, 0, StopCause::notice).leaves);
  CHECK(meaning(0, 0, StopCause::notice, true).cause == "completed");
  CHECK(meaning(1, 0, StopCause::notice, true).leaves);
  CHECK(meaning(0, 0, StopCause::notice).exit_code == tt::job_exit::interrupted);
  CHECK(meaning(0, 0, StopCause::rule).exit_code == tt::job_exit::rule);
  CHECK(meaning(143, SIGTERM, StopCause::max_run).exit_code == tt::job_exit::max_run);
  CHECK(meaning(143, SIGTERM, StopCause::max_wait).exit_code == tt::job_exit::max_wait);
  CHECK(meaning(143, SIGTERM, StopCause::user).exit_code == tt::job_exit::stopped);
  CHECK(meaning(137, SIGKILL, StopCause::stall).cause == "stalled");
}
