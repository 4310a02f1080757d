#include <signal.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <tensortap/error.hpp>
#include <tensortap/job/internal/job_ledger.hpp>
#include <tensortap/job/internal/job_outcome.hpp>
#include <tensortap/job/job_record.hpp>

#include "capture/forwarding_store.hpp"
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

TEST_CASE("a record that is damaged names the key and its place", "[job][record]") {
  using Catch::Matchers::Contains;
  const tt::JobRecord whole{.job_name = "a",
                            .job_id = "1",
                            .attempts = {{.number = 0, .begin = 2, .exit_code = 7}, {.number = 1, .begin = 3}}};
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = whole.to_json();
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  CHECK_THROWS_WITH(tt::JobRecord::from_json(with("\"ExitCode\": 7", "\"ExitCode\": 2147483648"), "x/job.json"),
                    Contains("x/job.json") && Contains("Attempts[0].ExitCode must be an integer from -2147483648 to "
                                                       "2147483647, not 2147483648"));
  CHECK_THROWS_WITH(tt::JobRecord::from_json(with("\"StartTime\": 3.0", "\"StartTime\": 1e13"), "x"),
                    Contains("Attempts[1].StartTime must be a number of seconds"));
  CHECK_THROWS_WITH(tt::JobRecord::from_json(with("\"JobId\": \"1\",", ""), "x"), Contains("JobId is missing"));
  CHECK_THROWS_WITH(tt::JobRecord::from_json("{\n \"a\" 1}", "x"), Contains("line 2") && !Contains("json.exception"));
}

namespace {

/// A disk that is full: it takes no record.
class FullStore : public ForwardingStore {
 public:
  using ForwardingStore::put;
  int calls = 0;
  bool is_full = true;

  bool put(std::string_view key, std::span<const tt::Bytes> pieces, tt::Sync sync, tt::IfExists if_exists) override {
    ++calls;
    if (is_full) throw tt::Error::io("put", "job.json", "No space left on device");
    return ForwardingStore::put(key, pieces, sync, if_exists);
  }
};

}  // namespace

TEST_CASE("a full disk is waited for once", "[job][record]") {
  const auto store = std::make_shared<FullStore>();
  tt::detail::JobLedger ledger(store);
  REQUIRE(ledger.claim());
  ledger.begin("a");
  CHECK_THROWS_AS(ledger.write_at_last(std::chrono::nanoseconds(1)), tt::Error);
  CHECK(store->calls == 12);
  CHECK_THROWS_AS(ledger.write_at_last(std::chrono::hours(1)), tt::Error);
  CHECK(store->calls == 13);
  store->is_full = false;
  ledger.write_at_last(std::chrono::hours(1));
  CHECK(store->size("job.json"));
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
