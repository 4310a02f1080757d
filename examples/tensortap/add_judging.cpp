#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <tensortap/rules/finding.hpp>
#include <vector>

#include "command_line.hpp"
#include "commands.hpp"
#include "options.hpp"
#include "shard.hpp"

namespace tensortap_command {

namespace {

void add_judge(CommandLine& line) {
  struct Given {
    std::string run, severity = "advice";
    std::vector<std::string> parts;
    Judge how;
  };
  const auto given = std::make_shared<Given>();
  Judge& how = given->how;
  CLI::App* judge =
      line.add("judge",
               "Applies rules to a run and prints a line for each tensor with findings. Exits with 1 if there are "
               "some, with 2 if nothing could be judged.",
               "  tensortap judge runs/42\n"
               "  tensortap judge runs/42 --rule VanishingGradient --set VanishingGradient.threshold=1e-9\n"
               "  tensortap judge s3://bucket/runs/42 --follow --stop-file stop\n"
               "  tensortap judge runs/42 --json --shard 0/2 > part.0   # beside --shard 1/2 > part.1\n"
               "  tensortap judge --merge part.0 part.1                 # as judge runs/42 --json");
  judge->add_option("RUN", given->run, "directory of the run, or s3://BUCKET/PREFIX");
  judge->add_option("--rule", how.rules, "names of rules with commas between them, or all")
      ->check(is_name())
      ->capture_default_str();
  judge->add_option("--set", how.settings, "a parameter of a rule: RULE.PARAMETER=VALUE")
      ->check(is_name())
      ->allow_extra_args(false);
  judge->add_option("--severity", given->severity, "print errors alone, or advice, too")
      ->transform(CLI::IsMember({"error", "advice"}))
      ->capture_default_str();
  judge->add_option("--since", how.since, "print what was found in this global step or later")->check(is_step());
  judge->add_flag("--smdebug", how.smdebug, "the rules of SageMaker Debugger, with the parameters that it documents");
  judge->add_flag("--each", how.each_step, "a finding for each step, not one for all steps");
  judge->add_flag("--json", how.json, "print one JSON object for each finding, and nothing else");
  CLI::Option* follow =
      judge->add_flag("--follow", how.follow, "wait for the run and for its steps until it has ended");
  judge->add_option("--timeout", how.timeout, "seconds to follow at most")->check(is_amount("SECONDS"))->needs(follow);
  judge->add_option("--stop-file", how.stop_file, "create this file at the first finding")->check(is_name());
  judge
      ->add_option(
          "--shard", how.shard,
          "judge a share of the workers and rules, for several processes: I/N, with I from 0 to N - 1; /N, with "
          "I from the launcher; auto, with both; or all. Left out: auto under mpirun, PMI, srun, in Slurm arrays "
          "and in Kubernetes indexed jobs with a variable JOB_COMPLETIONS. Exits with 0 if the share was judged")
      ->check(is_name());
  const CLI::Option* merge =
      judge->add_option("--merge", given->parts, "join what all shards have printed with --json");

  line.on(judge, [given, judge, merge](std::ostream& out) {
    if (merge->count() > 0) {
      for (const CLI::Option* other : judge->get_options())
        if (other->count() > 0 && other != merge && other->get_group() != "S3" && other->get_name() != "--json")
          refuse("judge: --merge joins what was printed, and takes no " + other->get_name());
      return tensortap_command::merge(given->parts, out);
    }
    if (given->run.empty()) refuse("judge: RUN is required; see tensortap judge --help");
    if (given->severity == "error") given->how.severity = tensortap::Severity::error;
    return tensortap_command::judge(given->run, given->how, out);
  });
}

void add_watch(CommandLine& line) {
  struct Given {
    std::string run;
    Watch how;
  };
  const auto given = std::make_shared<Given>();
  Watch& how = given->how;
  CLI::App* watch =
      line.add("watch",
               "Shows how a run gets on until it has ended: its state, its speed, its losses and metrics, and what "
               "rules find. Without a terminal it prints lines. Exits with 1 if there are findings.",
               "  tensortap watch runs/42\n"
               "  tensortap watch s3://bucket/runs/42 --interval 30 --total 10000\n"
               "  tensortap watch runs/42 --tensor 'loss|grad$' --rule none\n"
               "  tensortap watch runs/42 --once --json | jq .steps_per_second");
  CommandLine::add_run(watch, given->run);
  watch->add_option("--interval", how.interval, "seconds between two frames or lines; left out: 1, for s3:// 5")
      ->check(is_amount("SECONDS"));
  watch
      ->add_option("--tensor", how.tensors,
                   "show tensors whose names this pattern finds; left out: the losses and metrics")
      ->check(is_name());
  watch
      ->add_option("--total", how.total,
                   "number of steps of the training; left out: the fact max_steps, total_steps, num_steps or steps")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  watch->add_option("--rule", how.rules, "names of rules with commas between them, all, or none")
      ->check(is_name())
      ->capture_default_str();
  watch->add_option("--set", how.settings, "a parameter of a rule: RULE.PARAMETER=VALUE")
      ->check(is_name())
      ->allow_extra_args(false);
  watch->add_flag("--once", how.once, "show the run as it is now, and end");
  watch->add_flag("--json", how.json, "print one JSON object for each update");

  line.on(watch, [given](std::ostream& out) { return tensortap_command::watch(given->run, given->how, out); });
}

void add_report(CommandLine& line) {
  struct Given {
    std::vector<std::string> runs;
    Report how;
  };
  const auto given = std::make_shared<Given>();
  Report& how = given->how;
  CLI::App* report = line.add(
      "report",
      "Writes a page that shows runs: what became of them, what the rules find, their curves, norms and histograms. "
      "One file that needs no network.",
      "  tensortap report runs/42 -o report.html\n"
      "  tensortap report runs/41 runs/42 -o both.html    # curves drawn over each other\n"
      "  tensortap report jobs/mnist -o report.html       # the run of a job, with its savings\n"
      "  tensortap report runs/42 --json | jq '.findings[].finding'\n"
      "  tensortap report runs/xgboost --xgboost          # what SageMaker Debugger's report on XGBoost shows");
  report->add_option("RUN", given->runs, "directories of runs or of jobs, or s3://BUCKET/PREFIX")->required();
  report->add_option("-o,--output", how.file, "the file; - is the standard output")->check(is_name());
  report->add_flag("--json", how.json, "the same facts, one JSON object for each run");
  report->add_flag("--xgboost", how.xgboost, "the report on a training with XGBoost, as JSON");
  report->add_option("--around", how.around, "how many steps to show before and after a finding")
      ->check(CLI::Range(std::size_t{0}, std::size_t{50}))
      ->capture_default_str();

  line.on(report, [given](std::ostream& out) { return tensortap_command::report(given->runs, given->how, out); });
}

void add_serve(CommandLine& line) {
  struct Given {
    std::string place;
    Serve where;
  };
  const auto given = std::make_shared<Given>();
  Serve& where = given->where;
  CLI::App* serve = line.add("serve",
                             "Serves the page of a run, or of the runs in a directory, to browsers of this machine; a "
                             "page follows its run. Ends with Ctrl-C.",
                             "  tensortap serve runs                      # then open http://127.0.0.1:8080/\n"
                             "  tensortap serve s3://bucket/runs/42 --port 0");
  serve->add_option("PLACE", given->place, "directory of a run or of runs, or s3://BUCKET/PREFIX")
      ->required()
      ->check(is_name());
  serve->add_option("--port", where.port, "the port; 0: a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  serve
      ->add_option("--host", where.host,
                   "the address to listen on; others than the default can be reached from other machines")
      ->check(is_name())
      ->capture_default_str();
  serve->add_option("--name", where.names, "a name of this machine that browsers use, besides --host and localhost")
      ->check(is_name())
      ->allow_extra_args(false);

  line.on(serve, [given](std::ostream& out) { return tensortap_command::serve(given->place, given->where, out); });
}

void add_trace(CommandLine& line) {
  struct Given {
    std::string place;
    Trace what;
  };
  const auto given = std::make_shared<Given>();
  Trace& what = given->what;
  CLI::App* trace = line.add(
      "trace", "Shows where the time of a training went, from the files of a Tracer or of smdebug's profiler.",
      "  tensortap trace runs/42                           # its folder profiler, or the directory of a trace\n"
      "  tensortap trace runs/42/profiler --rules          # what keeps it from being faster\n"
      "  tensortap trace runs/42/profiler -o merged.json   # for Perfetto and chrome://trace");
  trace->add_option("DIR", given->place, "directory of the trace, or s3://BUCKET/PREFIX")->required()->check(is_name());
  CLI::Option* const merged =
      trace
          ->add_option("-o,--output", what.file,
                       "write one trace of all processes and machines; - is the standard output")
          ->check(is_name());
  trace->add_flag("--rules", what.rules, "print what the rules of SageMaker's profiler find; exits with 1 if they do")
      ->excludes(merged);
  trace->add_flag("--json", what.json, "print JSON; of findings, an object a line")->excludes(merged);

  line.on(trace, [given](std::ostream& out) { return tensortap_command::trace(given->place, given->what, out); });
}

void add_rules(CommandLine& line) {
  struct Given {
    std::string rule;
    bool smdebug = false, json = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* rules = line.add("rules", "Lists the built-in rules: when they fire, what they need, and their parameters.",
                             "  tensortap rules\n"
                             "  tensortap rules VanishingGradient");
  rules->add_option("RULE", given->rule, "name of a rule; left out: all")->check(is_name());
  rules->add_flag("--smdebug", given->smdebug,
                  "the rules of SageMaker Debugger, with the parameters that it documents");
  rules->add_flag("--json", given->json, "print one JSON object for each rule");

  line.on(rules, [given](std::ostream& out) {
    return tensortap_command::rules(given->rule, given->smdebug, given->json, out);
  });
}

}  // namespace

void add_judging(CommandLine& line) {
  add_judge(line);
  add_watch(line);
  add_report(line);
  add_serve(line);
  add_trace(line);
  add_rules(line);
}

}  // namespace tensortap_command
