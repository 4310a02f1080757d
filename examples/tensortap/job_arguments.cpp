#include "job_arguments.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tensortap/job.hpp>
#include <utility>
#include <vector>

#include "options.hpp"

namespace tensortap_command {

namespace {

namespace tt = tensortap;

/// Returns the parts of NAME=VALUE. Throws: it has another form.
tt::JobSetting setting_of(const std::string& option, const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw std::runtime_error("train: " + option + " " + tt::in_quotes(text) + ": it is not NAME=VALUE; write that");
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// Replaces the settings in `to` that have the same name, and appends the others.
void merge(std::vector<tt::JobSetting>& to, const std::string& option, const std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    tt::JobSetting one = setting_of(option, texts[i]);
    for (std::size_t j = 0; j < i; ++j)
      if (setting_of(option, texts[j]).name == one.name)
        throw std::runtime_error("train: " + option + " " + tt::in_quotes(one.name) + ": it comes twice; give it once");
    const auto same = [&](const tt::JobSetting& other) { return other.name == one.name; };
    const auto found = std::find_if(to.begin(), to.end(), same);
    if (found == to.end())
      to.push_back(std::move(one));
    else
      found->value = std::move(one.value);
  }
}

/// Takes the number and the rank of this manager from its launcher, where they are not given.
void take_place(tt::JobOptions& to, bool has_count, bool has_rank) {
  if (has_count && (to.managers == 1 || has_rank)) return;
  const auto place = tt::WorkerPlace::from_environment([](const char* name) {
    return std::string_view(name).starts_with("SM_") ? nullptr : std::getenv(name);  // those of an outer job
  });
  if (!has_count) {
    if (place) to.managers = static_cast<int>(place->count);
    if (place && !has_rank) to.rank = static_cast<int>(place->rank);
    for (const char* const name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"})
      to.one_attempt = to.one_attempt || (to.managers > 1 && std::getenv(name) != nullptr);
    return;
  }
  const char* const index = std::getenv("JOB_COMPLETION_INDEX");  // of Kubernetes, which does not tell the count
  if (place && place->count == to.managers)
    to.rank = static_cast<int>(place->rank);
  else if (index == nullptr || !reads_as(std::string(index), to.rank))
    throw std::runtime_error("train: --managers " + std::to_string(to.managers) +
                             ": no launcher tells which of them this is; give --rank, from 0");
}

std::vector<int> codes_of(const std::string& text) {
  std::vector<int> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    int code = 0;
    if (!reads_as(text.substr(begin, end - begin), code) || code < 1 || code > 255)
      throw std::runtime_error("train: --restart-on-exit " + tt::in_quotes(text) +
                               ": it is not a list of exit codes from 1 to 255 with commas between them; write 3,17");
    out.push_back(code);
    begin = end + 1;
  }
  return out;
}

}  // namespace

std::string JobArguments::exit_codes() {
  return "Exit codes:\n"
         "  0      completed\n"
         "  1-255  failed: that of the program, 128 + N if signal N ended it\n"
         "  2      could not: a mistake in the options, a folder or store that cannot be used\n"
         "  75     interrupted: start the same command again, here or on another machine\n"
         "  90     stopped: the training took longer than --max-run\n"
         "  91     stopped: the job took longer than --max-wait\n"
         "  92     stopped by a rule\n"
         "  93     failed: three attempts in a row ended without a new commit; do not start again\n"
         "  94     stopped by a user: Ctrl-C, or tensortap stop\n"
         "  95     another process manages the job, for longer than --max-pending\n"
         "  130    killed at once: Ctrl-C twice";
}

void JobArguments::add_to(CLI::App& sub) {
  sub_ = &sub;
  sub.add_option("--job-name", given_.job_name,
                 "name of the job: letters, digits and hyphens; a job of this name goes on");
  sub.add_flag("--spot", given_.spot, "expect interruptions, and print the savings");
  sub.add_option("--spot-discount", given_.spot_discount,
                 "by how many percent a spot machine is cheaper, for the savings");
  sub.add_option("--max-run", max_run_, "longest training, over all attempts [86400]")->check(is_amount("SECONDS"));
  sub.add_option("--max-wait", max_wait_, "longest time to the end of the job, with --spot")
      ->check(is_amount("SECONDS"));
  sub.add_option("--max-pending", max_pending_,
                 "longest wait for another process that manages the job, and for the other managers [60]")
      ->check(is_amount("SECONDS"));
  sub.add_option("--checkpoint-local-path", given_.checkpoint_local_path,
                 "directory in which the program writes checkpoints");
  sub.add_option("--checkpoint-uri", given_.checkpoint_uri, "where checkpoints are copied to");
  sub.add_option("--output", given_.output, "directory or s3://BUCKET/PREFIX of the jobs")->capture_default_str();
  sub.add_option("--base-dir", given_.base_dir, "directory that stands for SageMaker's /opt/ml");
  sub.add_option("--channel", channels_, "input data: NAME=PLACE, a directory, a file or s3://BUCKET/PREFIX")
      ->allow_extra_args(false);
  sub.add_option("--hyperparameter", hyperparameters_, "NAME=VALUE for the program")->allow_extra_args(false);
  sub.add_option("--rule", rules_,
                 "a rule beside the program: NAME[:parameter=value,...], with action=stop to stop the job")
      ->allow_extra_args(false);
  sub.add_option("--hook-config", given_.hook_config, "file with the configuration of the hook");
  sub.add_option("--workers", given_.workers, "number of processes [1]")->check(CLI::Range(1, 1024));
  sub.add_option("--managers", given_.managers,
                 "number of processes 'train' that run this job, one on each machine [as the launcher says]")
      ->check(CLI::Range(1, 1024));
  sub.add_option("--rank", given_.rank, "which of them this is, from 0 [as the launcher says]")
      ->check(CLI::Range(0, 1023));
  sub.add_option("--max-silence", max_silence_, "time after which a manager that is not heard of is lost [60]")
      ->check(is_amount("SECONDS"));
  sub.add_option("--stop-window", stop_window_, "time between SIGTERM and SIGKILL [120]")->check(is_amount("SECONDS"));
  sub.add_option("--stall", stall_, "end an attempt without output, steps and checkpoints for so long")
      ->check(is_amount("SECONDS"));
  sub.add_option("--restart-on-exit", restart_on_exit_, "exit codes that are interruptions, with commas between them");
  sub.add_option("--max-failures", given_.max_failures,
                 "failures of the program that are followed by another attempt [0]")
      ->check(CLI::Range(0, 1'000'000));
  sub.add_flag("--one-attempt", given_.one_attempt,
               "leave an interrupted job to the next start [for several managers that MPI has started]");
  sub.add_flag("--restart", given_.restart, "continue a job that has failed or was stopped");
  sub.add_option("--file", file_, "file with these options, in JSON; those of the command line count before it")
      ->check(is_name());
  sub.add_option("PROGRAM", given_.program, "the program and its arguments, after --; its standard input is empty");
}

tt::JobOptions JobArguments::options() const {
  tt::JobOptions out = file_.empty() ? tt::JobOptions() : tt::JobOptions::from_json(file_);
  const auto given = [&](const char* option) { return sub_->get_option(option)->count() > 0; };
  if (given("--job-name")) out.job_name = given_.job_name;
  if (given("--spot")) out.spot = given_.spot;
  if (given("--spot-discount")) out.spot_discount = given_.spot_discount;
  if (given("--max-run")) out.max_run = tt::Seconds(max_run_);
  if (given("--max-wait")) out.max_wait = tt::Seconds(max_wait_);
  if (given("--max-pending")) out.max_pending = tt::Seconds(max_pending_);
  if (given("--stop-window")) out.stop_window = tt::Seconds(stop_window_);
  if (given("--stall")) out.stall = tt::Seconds(stall_);
  if (given("--checkpoint-local-path")) out.checkpoint_local_path = given_.checkpoint_local_path;
  if (given("--checkpoint-uri")) out.checkpoint_uri = given_.checkpoint_uri;
  if (given("--output")) out.output = given_.output;
  if (given("--base-dir")) out.base_dir = given_.base_dir;
  if (given("--hook-config")) out.hook_config = given_.hook_config;
  if (given("--workers")) out.workers = given_.workers;
  if (given("--max-silence")) out.max_silence = tt::Seconds(max_silence_);
  if (given("--managers")) out.managers = given_.managers;
  if (given("--rank")) out.rank = given_.rank;
  take_place(out, given("--managers") || out.managers > 1, given("--rank") || out.rank > 0);
  if (given("--max-failures")) out.max_failures = given_.max_failures;
  if (given("--restart-on-exit")) out.restart_on_exit = codes_of(restart_on_exit_);
  if (given("--one-attempt")) out.one_attempt = true;
  if (given("--restart")) out.restart = given_.restart;
  merge(out.channels, "--channel", channels_);
  merge(out.hyperparameters, "--hyperparameter", hyperparameters_);
  for (const std::string& rule : rules_) out.rules.push_back(tt::JobRule::parse(rule));
  if (given("PROGRAM")) out.program = given_.program;
  return out;
}

}  // namespace tensortap_command
