#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/job.hpp>

#include "catch.hpp"
#include "store/temporary_directory.hpp"

namespace tt = tensortap;

namespace {

struct Seen {
  std::vector<std::string> statuses, lines, notes;

  tt::JobEvents events() {
    return {.on_status = [this](const tt::JobTransition& to) { statuses.push_back(to.status); },
            .on_output = [this](std::string_view line) { lines.emplace_back(line); },
            .on_note = [this](std::string_view note) { notes.emplace_back(note); }};
  }
};

tt::JobOptions shell(const TemporaryDirectory& directory, const std::string& script) {
  tt::JobOptions out{.job_name = "job", .program = {"sh", "-c", script}, .output = (directory / "jobs").string()};
  out.stop_window = tt::Seconds(5);
  out.first_delay = tt::Seconds(0.01);
  return out;
}

}  // namespace

TEST_CASE("a job tells what it does, and its record tells it afterwards", "[job][training_job]") {
  const TemporaryDirectory directory;
  Seen seen;
  const auto options = shell(directory, "echo one; echo two >&2; printf three; echo four > $SM_MODEL_DIR/m");
  const tt::JobRecord record = tt::TrainingJob(options, seen.events()).run();
  CHECK(record.status == tt::JobStatus::completed);
  CHECK(record.exit_code == 0);
  CHECK(seen.statuses == std::vector<std::string>{"Starting", "Downloading", "Training", "Uploading", "Completed"});
  CHECK(seen.lines == std::vector<std::string>{"one", "two", "three"});
  CHECK(record.model == (directory / "jobs/job/output/model.tar.gz").string());
  CHECK(std::filesystem::exists(record.model));
  CHECK(tt::read_job((directory / "jobs/job").string()).to_json() == record.to_json());
  CHECK_FALSE(tt::request_job_stop((directory / "jobs/job").string()));
}

TEST_CASE("a job that is interrupted delays longer and longer, and gives up without progress", "[job][training_job]") {
  const TemporaryDirectory directory;
  Seen seen;
  tt::JobOptions options = shell(directory, "exit 75");
  options.max_attempts_without_commit = 4;
  const tt::JobRecord record = tt::TrainingJob(options, seen.events()).run();
  CHECK(record.exit_code == tt::job_exit::no_progress);
  REQUIRE(record.attempts.size() == 4);
  for (const tt::JobAttempt& attempt : record.attempts) CHECK(attempt.cause == "interrupted");
}

TEST_CASE("files that change are progress of a program that commits nothing", "[job][training_job]") {
  const TemporaryDirectory directory;
  const std::string script =
      "d=$SAGEMAKER_BASE_DIR/checkpoints; echo x >> $d/$TENSORTAP_JOB_ATTEMPT; [ $TENSORTAP_JOB_ATTEMPT = 5 ] || exit "
      "75";
  const tt::JobRecord record = tt::TrainingJob(shell(directory, script)).run();
  CHECK(record.exit_code == 0);
  CHECK(record.attempts.size() == 6);
  CHECK(std::filesystem::exists(directory / "jobs/job/checkpoints/5"));
}

TEST_CASE("a caller stops a job, or tells it that the machine goes", "[job][training_job]") {
  const TemporaryDirectory directory;
  Seen seen;
  tt::JobOptions options = shell(directory, "trap 'exit 3' TERM; echo ready; while :; do sleep 0.02; done");
  tt::JobEvents events = seen.events();
  SECTION("by a user") {
    events.on_output = [&](std::string_view) { options.stop.request(tt::StopReason::user); };
    const tt::JobRecord record = tt::TrainingJob(options, events).run();
    CHECK(record.exit_code == tt::job_exit::stopped);
    CHECK(record.status == tt::JobStatus::stopped);
    CHECK_THROWS_AS(tt::TrainingJob(options).run(), tt::Error);
  }
  SECTION("by a notice") {
    events.on_output = [&](std::string_view) { options.stop.request(tt::StopReason::notice); };
    const tt::JobRecord record = tt::TrainingJob(options, events).run();
    CHECK(record.exit_code == tt::job_exit::interrupted);
    CHECK(record.status == tt::JobStatus::in_progress);
    CHECK(record.attempts.at(0).cause == "interrupted");
  }
  SECTION("by a notice whose deadline is nearer than the stop window") {
    options = shell(directory, "trap '' TERM; echo ready; while :; do sleep 0.02; done");
    options.stop_window = std::chrono::minutes(5);
    const auto begin = std::chrono::steady_clock::now();
    events.on_output = [&](std::string_view) {
      options.stop.request(tt::StopReason::notice, std::chrono::steady_clock::now() + std::chrono::milliseconds(300));
    };
    const tt::JobRecord record = tt::TrainingJob(options, events).run();
    CHECK(record.exit_code == tt::job_exit::interrupted);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::minutes(1));
  }
}
