#include <string>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/job/internal/hyperparameters.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>

#include "catch.hpp"

namespace tt = tensortap;
using tt::detail::Hyperparameters;
using tt::detail::JobNames;

namespace {

tt::JobOptions valid() { return {.job_name = "a", .program = {"true"}}; }

std::string refusal(const tt::JobOptions& options) {
  try {
    options.validate();
  } catch (const tt::Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a rule is read from a text", "[job][options]") {
  CHECK(tt::JobRule::parse("A") == tt::JobRule{.name = "A"});
  CHECK(tt::JobRule::parse("A:x=1,y=b=c,z=") ==
        tt::JobRule{.name = "A", .parameters = {{"x", "1"}, {"y", "b=c"}, {"z", ""}}});
  CHECK(tt::JobRule::parse("A:action=stop").stops_training);
  CHECK(tt::JobRule::parse("A:x=1,action=StopTraining").stops_training);
  CHECK_FALSE(tt::JobRule::parse("A:action=none").stops_training);
  for (const char* const text : {"", ":x=1", "A:", "A:x", "A:=1", "A:x=1,", "A:action=run"})
    CHECK_THROWS_AS(tt::JobRule::parse(text), tt::Error);
}

TEST_CASE("options that contradict each other are refused, and say which", "[job][options]") {
  CHECK(refusal(valid()).empty());
  tt::JobOptions job = valid();
  job.spot = true;
  job.max_wait = tt::Seconds(86400);
  CHECK(refusal(job).empty());
  job.max_wait = tt::Seconds(86399);
  CHECK(refusal(job) ==
        "job: option max_wait: it is shorter than max_run (86399 s, 86400 s); make it at least as long");
  job = valid();
  job.max_run = tt::Seconds(-1);
  CHECK(refusal(job).find("option max_run") != std::string::npos);
  job = valid();
  job.managers = 2;
  job.rank = 1;
  CHECK(refusal(job).empty());
  job.rank = 2;
  CHECK(refusal(job).find("option rank: it is not from 0 to managers - 1 (2 of 2)") != std::string::npos);
  job.rank = 0;
  job.workers = 2;
  CHECK(refusal(job).find("option workers: each of several managers runs one program") != std::string::npos);
  job = valid();
  job.spot_discount = 101;
  CHECK(refusal(job).find("option spot_discount") != std::string::npos);
  job = valid();
  job.channels = {{"a-b", "x"}, {"A.B", "x"}};
  CHECK(refusal(job).find("SM_CHANNEL_A_B is that of \"a-b\", too") != std::string::npos);
  job = valid();
  job.program = {std::string("a\0b", 3)};
  CHECK(refusal(job).find("option program") != std::string::npos);
  job = valid();
  job.hyperparameters = {{"a b", "1"}};
  CHECK(refusal(job).find("option hyperparameter") != std::string::npos);
  job.hyperparameters = {{"a", "1"}, {"a", "2"}};
  CHECK(refusal(job).find("it comes twice") != std::string::npos);
}

TEST_CASE("no name of a job or channel leads out of a directory", "[job][options]") {
  for (const char* const name : {"a", "A-1", "job-2026", "0"}) CHECK(JobNames::is_job_name(name));
  for (const char* const name : {"", ".", "..", "a/b", "a.b", "-a", "a-", "a b", "a\n", "\xc3\xa4"})
    CHECK_FALSE(JobNames::is_job_name(name));
  CHECK_FALSE(JobNames::is_job_name(std::string(64, 'a')));
  for (const char* const name : {"training", "test.set", "a_b", "-"}) CHECK(JobNames::is_channel(name));
  for (const char* const name : {"", ".", "..", "a/b", "../a", "a b"}) CHECK_FALSE(JobNames::is_channel(name));
}

TEST_CASE("hyperparameters have SageMaker's forms", "[job][options]") {
  const Hyperparameters all({{"lr", "1e-3"},
                             {"batch-size", "64"},
                             {"n", "true"},
                             {"text", "\"a b\""},
                             {"list", "[1, {\"a\": 2}]"},
                             {"sagemaker_program", "x.py"}});
  CHECK(all.arguments() == std::vector<std::string>{"--batch-size", "64", "--list", "[1,{\"a\":2}]", "--lr", "1e-3",
                                                    "-n", "true", "--text", "a b"});
  CHECK(all.variables() == std::vector<std::string>{"SM_HP_BATCH-SIZE=64", "SM_HP_BATCH_SIZE=64",
                                                    "SM_HP_LIST=[1,{\"a\":2}]", "SM_HP_LR=1e-3", "SM_HP_N=true",
                                                    "SM_HP_SAGEMAKER_PROGRAM=x.py", "SM_HP_TEXT=a b"});
  CHECK(all.file()["text"] == "\"a b\"");
  CHECK(all.values()["text"] == "a b");
  CHECK(all.values()["n"] == true);
}

TEST_CASE("a job file takes keys in both spellings", "[job][options]") {
  const tt::JobOptions job = tt::JobOptions::from_json(
      R"({"job-name": "a", "max_wait": 7.5, "program": ["p", "q"], "stall": null, "channels": {"x": "y"},
          "rules": [{"name": "R", "parameters": {"t": 1e-9}, "action": "stop"}], "hyperparameters": {"k": [1]}})");
  CHECK(job.job_name == "a");
  CHECK(job.max_wait == tt::Seconds(7.5));
  CHECK(job.program == std::vector<std::string>{"p", "q"});
  CHECK_FALSE(job.stall);
  CHECK(job.channels == std::vector<tt::JobSetting>{{"x", "y"}});
  CHECK(job.rules == std::vector<tt::JobRule>{{"R", {{"t", "1e-09"}}, true}});
  CHECK(job.hyperparameters == std::vector<tt::JobSetting>{{"k", "[1]"}});
}
