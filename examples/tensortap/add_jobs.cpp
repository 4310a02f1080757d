#include <memory>
#include <ostream>
#include <string>

#include "command_line.hpp"
#include "commands.hpp"
#include "job_arguments.hpp"
#include "options.hpp"

namespace tensortap_command {

namespace {

void add_train(CommandLine& line) {
  const auto given = std::make_shared<JobArguments>();
  CLI::App* train =
      line.add("train", "Runs a program to its end across interruptions, with its checkpoints and rules.",
               "  tensortap train --job-name mnist --spot --max-run 3600 --max-wait 7200 -- ./train\n"
               "  tensortap train --job-name mnist --rule VanishingGradient:action=stop -- ./train --fast\n"
               "  tensortap train --job-name mnist --output s3://bucket/jobs --channel training=data -- ./train\n\n" +
                   JobArguments::exit_codes());
  given->add_to(*train);

  line.on(train, [given](std::ostream& out) { return tensortap_command::train(given->options(), out); });
}

void add_list_of_jobs(CommandLine& line) {
  struct Given {
    std::string place = "jobs";
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* jobs = line.add("jobs", "Lists the jobs of a directory or bucket.",
                            "  tensortap jobs                            # those in jobs/\n"
                            "  tensortap jobs s3://bucket/jobs");
  jobs->add_option("PLACE", given->place, "directory of jobs, or s3://BUCKET/PREFIX")->capture_default_str();
  CommandLine::add_json(jobs, given->json, "print one JSON object for each job, with the keys of DescribeTrainingJob");

  line.on(jobs, [given](std::ostream& out) { return tensortap_command::jobs(given->place, given->json, out); });
}

constexpr const char* which_job = "directory of the job, its name in jobs/, or s3://BUCKET/PREFIX/JOB";

void add_describe(CommandLine& line) {
  struct Given {
    std::string job;
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* describe = line.add("describe", "Shows a job, while it runs and afterwards.",
                                "  tensortap describe mnist                  # the job in jobs/mnist\n"
                                "  tensortap describe s3://bucket/jobs/mnist --json");
  describe->add_option("JOB", given->job, which_job)->required();
  describe->add_flag("--json", given->json, "print its record, with the keys of DescribeTrainingJob");

  line.on(describe, [given](std::ostream& out) { return tensortap_command::describe(given->job, given->json, out); });
}

void add_stop(CommandLine& line) {
  const auto job = std::make_shared<std::string>();
  CLI::App* stop = line.add("stop", "Stops a job, wherever its manager runs.", "  tensortap stop mnist");
  stop->add_option("JOB", *job, which_job)->required();

  line.on(stop, [job](std::ostream& out) { return tensortap_command::stop(*job, out); });
}

void add_config(CommandLine& line) {
  struct Given {
    std::string file;
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* config =
      line.add("config", "Shows what a hook does with a configuration in the form of SageMaker Debugger.",
               "  tensortap config debughookconfig.json\n"
               "  tensortap config debughookconfig.json --json");
  config->add_option("FILE", given->file, "file with the configuration")->required()->check(is_name());
  config->add_flag("--json", given->json, "print one JSON object");

  line.on(config, [given](std::ostream& out) { return tensortap_command::config(given->file, given->json, out); });
}

}  // namespace

void add_jobs(CommandLine& line) {
  add_train(line);
  add_list_of_jobs(line);
  add_describe(line);
  add_stop(line);
  add_config(line);
}

}  // namespace tensortap_command
