// The command-line tool: shows, checks and judges runs of tensortap and smdebug; copies files to S3 and back.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <tensortap/step.hpp>
#include <tensortap/version.hpp>
#include <vector>

#include "commands.hpp"
#include "job_arguments.hpp"
#include "options.hpp"
#include "output.hpp"
#include "reading_progress.hpp"
#include "shard.hpp"
#include "standard_streams.hpp"
#include "tool_text.hpp"

namespace {

namespace command = tensortap_command;

/// Runs the command line and returns its exit code. Throws: it could not.
int run_tool(int argc, char** argv, std::ostream& out) {
  CLI::App app("Shows runs of tensortap and smdebug. A run is a directory or s3://BUCKET/PREFIX.", "tensortap");
  app.set_version_flag("--version", std::string("tensortap ") + tensortap::version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tensortap show runs/42                    # the run, its collections and its tensors\n"
      "  tensortap judge runs/42 --follow          # reports what is wrong while the training runs\n"
      "  tensortap SUBCOMMAND --help               # options and examples of a subcommand\n"
      "\n"
      "Exit codes of all subcommands:\n"
      "  0  done\n"
      "  1  found something: findings, damage\n"
      "  2  could not: a mistake in the command line, nothing to show or to judge, a failed read or write\n"
      "train has more of them; tensortap train --help lists these");

  // The options have awscli's names. Each one sets an environment variable, which the S3 client reads, and removes
  // those that would take precedence over it.
  const auto add_settings = [](CLI::App& to) {
    const auto add_setting = [&to](const char* option, const char* description, const char* variable,
                                   std::initializer_list<const char*> overridden) {
      const auto set = [variable, overridden = std::vector<const char*>(overridden)](const std::string& value) {
        for (const char* const other : overridden) ::unsetenv(other);
        ::setenv(variable, value.c_str(), 1);
      };
      to.add_option_function<std::string>(option, set, description)->group("S3");
    };
    add_setting("--endpoint-url", "URL of the S3 server; left out: that of AWS", "AWS_ENDPOINT_URL_S3",
                {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"});
    add_setting("--region", "region of the bucket", "AWS_REGION", {});
    add_setting("--profile", "profile in ~/.aws whose credentials are used", "AWS_PROFILE",
                {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"});
    add_setting("--ca-bundle", "file with the trusted certificates", "AWS_CA_BUNDLE", {});
  };
  add_settings(app);

  std::string run;
  command::Show what;
  command::Judge how;
  std::int64_t step = 0;
  const auto add = [&](const char* name, const char* description, const char* examples) {
    CLI::App* sub = app.add_subcommand(name, description);
    sub->footer(std::string("Examples:\n") + examples);
    add_settings(*sub);
    return sub;
  };
  const auto add_for_run = [&](const char* name, const char* description, const char* examples) {
    CLI::App* sub = add(name, description, examples);
    sub->add_option("RUN", run, "directory of the run, or s3://BUCKET/PREFIX")->required();
    return sub;
  };
  std::string from, to;
  command::Copy copying;
  const auto add_copy = [&](const char* name, const char* description, const char* which, const char* examples) {
    CLI::App* sub = add(name, description, examples);
    sub->add_option("FROM", from, which)->required();
    sub->add_option("TO", to, which)->required();
    for (const bool wanted : {false, true})
      sub->add_option_function<std::string>(
             wanted ? "--include" : "--exclude",
             [&copying, wanted](const std::string& pattern) {
               copying.filters.push_back({pattern, wanted});
             },
             wanted ? "copy files that match this pattern"
                    : "skip files that match this pattern; of several patterns that match, the last one decides")
          ->trigger_on_parse()
          ->take_last();
    sub->add_flag_callback(
        "--no-follow-symlinks", [&copying] { copying.links = command::Links::pass_over; },
        "pass over symbolic links; else their targets are sent");
    sub->add_flag("--dryrun", copying.dry_run, "print what would be done, and do nothing");
    sub->add_flag("--quiet", copying.quiet, "print errors only");
    sub->add_option("--connections", copying.connections, "largest number of connections")->check(CLI::Range(1, 256));
    return sub;
  };
  const CLI::App* dump =
      add_for_run("dump", "Prints a whole run as JSON. Elements appear as the SHA-256 of their bytes.",
                  "  tensortap dump runs/42 | python3 -m json.tool\n"
                  "  tensortap dump s3://bucket/runs/42 > run.json");
  CLI::App* ls =
      add("ls", "Lists the collections and tensors of a run, the runs of a directory, or the objects of a bucket.",
          "  tensortap ls runs                         # the runs in a directory\n"
          "  tensortap ls runs/42                      # the run, its collections and its tensors\n"
          "  tensortap ls s3://bucket/runs/            # folders and objects, as awscli lists them\n"
          "  tensortap ls s3://bucket/runs/ --recursive");
  ls->add_option("PLACE", run, "directory of a run or of runs, or s3://BUCKET/PREFIX for the objects there")
      ->required();
  bool json = false;  // of those commands that print one object a line, or one at all
  const auto add_json = [&json](CLI::App* to, const char* description) { to->add_flag("--json", json, description); };
  add_json(ls, "print one JSON object for the run, for each run, or for each object");
  bool recursive = false;
  ls->add_flag("--recursive", recursive, "list the objects of all folders of a bucket");
  CLI::App* cp = add_copy("cp", "Copies a file to S3 or an object from S3.",
                          "path, s3://BUCKET/KEY, or - for standard input or output",
                          "  tensortap cp model.bin s3://bucket/models/\n"
                          "  tensortap cp s3://bucket/42/metadata.json -  # to standard output\n"
                          "  tensortap cp --recursive checkpoints s3://bucket/42 --exclude '*.tmp'");
  cp->add_flag("--recursive", copying.recursive, "copy everything below a directory or a prefix");
  CLI::App* sync = add_copy("sync", "Copies the files that differ in size or time between a directory and a prefix.",
                            "directory or s3://BUCKET/PREFIX",
                            "  tensortap sync checkpoints s3://bucket/42\n"
                            "  tensortap sync s3://bucket/42 checkpoints --delete --dryrun");
  sync->add_flag("--delete", copying.remove, "remove files that the source does not have");
  CLI::App* uploads = add("uploads", "Lists the unfinished multipart uploads of a bucket, which killed programs leave.",
                          "  tensortap uploads s3://bucket/runs/\n"
                          "  tensortap uploads s3://bucket --drop --older-than 24");
  uploads->add_option("PLACE", run, "s3://BUCKET/PREFIX")->required();
  add_json(uploads, "print one JSON object for each upload");
  bool drop = false;
  double older_than = 0;
  uploads->add_flag("--drop", drop, "drop them; one that is still being sent then fails");
  uploads->add_option("--older-than", older_than, "only those begun more than this many hours ago")
      ->check(command::is_amount("HOURS"));
  CLI::App* show =
      add_for_run("show", "Shows a run, all tensors of a step, a tensor over its steps, or a tensor in one step.",
                  "  tensortap show runs/42                    # the run, its collections and its tensors\n"
                  "  tensortap show runs/42 --step 500         # all tensors of a global step, in a few numbers each\n"
                  "  tensortap show runs/42 loss --mode EVAL   # what was saved of a tensor in each EVAL step\n"
                  "  tensortap show runs/42 --tensor 'grad$' --steps 0:100 --json | jq .abs_max\n"
                  "  tensortap show runs/42 conv1.weight --step 500 --all");
  show->add_option("TENSOR", what.tensor, "name of a tensor; left out: the run, its collections and its tensors")
      ->check(command::is_name());
  const CLI::Option* at =
      show->add_option("--step", step, "show what was saved in this step; a global step, unless --mode is given")
          ->check(command::is_step());
  std::string mode = "GLOBAL";
  const CLI::Option* in_mode = show->add_option("--mode", mode, "count the steps of this mode")
                                   ->transform(CLI::IsMember({"TRAIN", "EVAL", "PREDICT", "GLOBAL"}, CLI::ignore_case));
  const CLI::Option* by =
      show->add_option("--worker", what.worker, "show what this worker saved")->check(command::is_name());
  show->add_flag("--all", what.all, "show all elements of the tensor in the step, not only the first 100");
  show->add_option("--tensor", what.query.include_regex, "show tensors whose names this pattern finds")
      ->check(command::is_name());
  show->add_option("--collection", what.query.collection, "show tensors of this collection")->check(command::is_name());
  std::string steps_to_show;
  const CLI::Option* in_steps = show->add_option(
      "--steps", steps_to_show, "A:B, show the steps from A to before B; global steps, unless --mode is given");
  show->add_flag("--json", what.json,
                 "print one JSON object for the run, or one for each tensor, step and worker, as export --jsonl");
  CLI::App* check =
      add_for_run("check", "Reads every record and verifies every checksum. Exits with 1 if the run is damaged.",
                  "  tensortap check runs/42 && echo sound\n"
                  "  tensortap check s3://bucket/runs/42");
  add_json(check, "print one JSON object");
  CLI::App* unpack =
      add_for_run("unpack",
                  "Puts the files of a packed run in their places, byte for byte, so that SageMaker Debugger's readers "
                  "see them. Goes on where an unpacking has ended early. Exits with 1 if some files are damaged.",
                  "  tensortap unpack runs/42                  # in place\n"
                  "  tensortap unpack s3://bucket/runs/42 copy # a copy in a directory; the run stays as it is");
  unpack->add_option("TO", to, "directory or s3://BUCKET/PREFIX for an unpacked copy; left out: in place")
      ->check(command::is_name());
  add_json(unpack, "print one JSON object");
  CLI::App* diff = add("diff",
                       "Says where two runs differ: facts, collections, curves, and the first value that differs by "
                       "more than round-off. Exits with 1 if values differ.",
                       "  tensortap diff runs/41 runs/42\n"
                       "  tensortap diff runs/41 runs/42 --tensor 'weight$' --mode TRAIN --json");
  command::Diff differing;
  diff->add_option("RUN1", run, "directory of a run, or s3://BUCKET/PREFIX")->required();
  diff->add_option("RUN2", to, "the other run")->required();
  diff->add_option("--tensor", differing.tensors, "compare tensors whose names this pattern finds")
      ->check(command::is_name());
  std::string mode_of_diff;
  diff->add_option("--mode", mode_of_diff, "compare the steps of this mode")
      ->transform(CLI::IsMember({"TRAIN", "EVAL", "PREDICT", "GLOBAL"}, CLI::ignore_case));
  diff->add_option("--round-offs", differing.round_offs,
                   "how many units of round-off of a tensor, at its largest magnitude, are no difference")
      ->check(command::is_amount("N"))
      ->capture_default_str();
  diff->add_flag("--json", differing.json, "print one JSON object");
  CLI::App* exporting =
      add_for_run("export",
                  "Writes a run as a table: a row for each tensor, step and worker. NPZ has the elements. For "
                  "TensorBoard it is a directory.",
                  "  tensortap export runs/42 --csv -o run.csv\n"
                  "  tensortap export runs/42 --parquet -o run.parquet   # for DuckDB, Polars, pandas\n"
                  "  tensortap export runs/42 --jsonl --tensor loss --mode EVAL -o - | jq .value\n"
                  "  tensortap export runs/42 --npz --tensor 'weight$' --steps 0:1000 -o weights.npz\n"
                  "  tensortap export runs/42 --tensorboard -o board/42   # then tensorboard --logdir board");
  command::Export what_to_export;
  CLI::Option_group* const formats = exporting->add_option_group("format");
  const auto as = [&what_to_export](tensortap::ExportFormat format) {
    return [&what_to_export, format] { what_to_export.format = format; };
  };
  formats->add_flag_callback("--csv", as(tensortap::ExportFormat::csv), "for spreadsheets");
  formats->add_flag_callback("--jsonl", as(tensortap::ExportFormat::json_lines), "one JSON object a line");
  formats->add_flag_callback("--npz", as(tensortap::ExportFormat::npz), "for numpy");
  formats->add_flag_callback("--parquet", as(tensortap::ExportFormat::parquet), "for DuckDB and others");
  formats->add_flag_callback(
      "--tensorboard", [&what_to_export] { what_to_export.format.reset(); }, "curves, histograms and hyperparameters");
  formats->require_option(1);
  exporting
      ->add_option("-o,--output", what_to_export.file,
                   "the file, for TensorBoard a new directory; - is the standard output")
      ->required()
      ->check(command::is_name());
  exporting
      ->add_option("--tensor", what_to_export.options.query.include_regex, "tensors whose names this pattern finds")
      ->check(command::is_name());
  exporting->add_option("--collection", what_to_export.options.query.collection, "tensors of this collection")
      ->check(command::is_name());
  std::string steps_to_export, mode_to_export;
  exporting->add_option("--steps", steps_to_export,
                        "A:B, the steps from A to before B; of the mode, if one is given, else global ones");
  exporting->add_option("--mode", mode_to_export, "the steps of this mode")
      ->transform(CLI::IsMember({"TRAIN", "EVAL", "PREDICT", "GLOBAL"}, CLI::ignore_case));
  exporting->add_option("--worker", what_to_export.options.worker, "what this worker saved")->check(command::is_name());
  exporting->add_flag("--json", what_to_export.json, "print what was written as one JSON object");
  CLI::App* prune = add_for_run("prune", "Removes the oldest steps of a run, so that it fits a budget.",
                                "  tensortap prune runs/42 --steps 1000 --dry-run\n"
                                "  tensortap prune runs/42 --bytes 10000000000 --superseded");
  tensortap::PruneOptions pruning;
  prune->add_option("--steps", pruning.keep.steps, "keep so many steps of each worker")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  prune->add_option("--bytes", pruning.keep.bytes, "keep so many bytes of steps of each worker")
      ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()));
  std::string checkpoints;
  prune
      ->add_option("--checkpoints", checkpoints,
                   "checkpoint_dir of a run that will be continued: what is after its last commit stays")
      ->check(command::is_name());
  prune->add_flag("--superseded", pruning.superseded, "remove the steps that interrupted attempts have left");
  prune->add_flag("--snapshots", pruning.snapshots, "remove the snapshots of findings");
  prune->add_flag("--dry-run", pruning.dry_run, "say what would be removed, and remove nothing");
  add_json(prune, "print one JSON object");
  CLI::App* trace =
      add("trace", "Shows where the time of a training went, from the files of a Tracer or of smdebug's profiler.",
          "  tensortap trace runs/42/profiler\n"
          "  tensortap trace runs/42/profiler --rules          # what keeps it from being faster\n"
          "  tensortap trace runs/42/profiler -o merged.json   # for Perfetto and chrome://trace");
  command::Trace how_to_trace;
  trace->add_option("DIR", run, "directory of the trace, or s3://BUCKET/PREFIX")->required()->check(command::is_name());
  CLI::Option* const merged_trace =
      trace
          ->add_option("-o,--output", how_to_trace.file,
                       "write one trace of all processes and machines; - is the standard output")
          ->check(command::is_name());
  trace
      ->add_flag("--rules", how_to_trace.rules,
                 "print what the rules of SageMaker's profiler find; exits with 1 if they do")
      ->excludes(merged_trace);
  trace->add_flag("--json", how_to_trace.json, "print JSON; of findings, an object a line")->excludes(merged_trace);
  CLI::App* judge = add("judge",
                        "Applies rules to a run and prints a line for each tensor with findings. Exits with 1 "
                        "if there are some, with 2 if nothing could be judged.",
                        "  tensortap judge runs/42\n"
                        "  tensortap judge runs/42 --rule VanishingGradient --set VanishingGradient.threshold=1e-9\n"
                        "  tensortap judge s3://bucket/runs/42 --follow --stop-file stop\n"
                        "  tensortap judge runs/42 --json --shard 0/2 > part.0   # beside --shard 1/2 > part.1\n"
                        "  tensortap judge --merge part.0 part.1                 # as judge runs/42 --json");
  const CLI::Option* judged_run = judge->add_option("RUN", run, "directory of the run, or s3://BUCKET/PREFIX");
  judge->add_option("--rule", how.rules, "names of rules with commas between them, or all")
      ->check(command::is_name())
      ->capture_default_str();
  judge->add_option("--set", how.settings, "a parameter of a rule: RULE.PARAMETER=VALUE")
      ->check(command::is_name())
      ->allow_extra_args(false);
  std::string severity = "advice";
  judge->add_option("--severity", severity, "print errors alone, or advice, too")
      ->transform(CLI::IsMember({"error", "advice"}))
      ->capture_default_str();
  judge->add_option("--since", how.since, "print what was found in this global step or later")
      ->check(command::is_step());
  judge->add_flag("--smdebug", how.smdebug, "the rules of SageMaker Debugger, with the parameters that it documents");
  judge->add_flag("--each", how.each_step, "a finding for each step, not one for all steps");
  judge->add_flag("--json", how.json, "print one JSON object for each finding, and nothing else");
  CLI::Option* follow =
      judge->add_flag("--follow", how.follow, "wait for the run and for its steps until it has ended");
  judge->add_option("--timeout", how.timeout, "seconds to follow at most")
      ->check(command::is_amount("SECONDS"))
      ->needs(follow);
  judge->add_option("--stop-file", how.stop_file, "create this file at the first finding")->check(command::is_name());
  judge
      ->add_option(
          "--shard", how.shard,
          "judge a share of the workers and rules, for several processes: I/N, with I from 0 to N - 1; /N, with "
          "I from the launcher; auto, with both; or all. Left out: auto under mpirun, PMI, srun, in Slurm arrays "
          "and in Kubernetes indexed jobs with a variable JOB_COMPLETIONS. Exits with 0 if the share was judged")
      ->check(command::is_name());
  std::vector<std::string> parts;
  const CLI::Option* merge = judge->add_option("--merge", parts, "join what all shards have printed with --json");
  CLI::App* watch =
      add_for_run("watch",
                  "Shows how a run gets on until it has ended: its state, its speed, its losses and metrics, and what "
                  "rules find. Without a terminal it prints lines. Exits with 1 if there are findings.",
                  "  tensortap watch runs/42\n"
                  "  tensortap watch s3://bucket/runs/42 --interval 30 --total 10000\n"
                  "  tensortap watch runs/42 --tensor 'loss|grad$' --rule none\n"
                  "  tensortap watch runs/42 --once --json | jq .steps_per_second");
  command::Watch watching;
  watch->add_option("--interval", watching.interval, "seconds between two frames or lines; left out: 1, for s3:// 5")
      ->check(command::is_amount("SECONDS"));
  watch
      ->add_option("--tensor", watching.tensors,
                   "show tensors whose names this pattern finds; left out: the losses and metrics")
      ->check(command::is_name());
  watch
      ->add_option("--total", watching.total,
                   "number of steps of the training; left out: the fact max_steps, total_steps, num_steps or steps")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  watch->add_option("--rule", watching.rules, "names of rules with commas between them, all, or none")
      ->check(command::is_name())
      ->capture_default_str();
  watch->add_option("--set", watching.settings, "a parameter of a rule: RULE.PARAMETER=VALUE")
      ->check(command::is_name())
      ->allow_extra_args(false);
  watch->add_flag("--once", watching.once, "show the run as it is now, and end");
  watch->add_flag("--json", watching.json, "print one JSON object for each update");
  CLI::App* report = add(
      "report",
      "Writes a page that shows runs: what became of them, what the rules find, their curves, norms and histograms. "
      "One file that needs no network.",
      "  tensortap report runs/42 -o report.html\n"
      "  tensortap report runs/41 runs/42 -o both.html    # curves drawn over each other\n"
      "  tensortap report jobs/mnist -o report.html       # the run of a job, with its savings\n"
      "  tensortap report runs/42 --json | jq '.findings[].finding'\n"
      "  tensortap report runs/xgboost --xgboost          # what SageMaker Debugger's report on XGBoost shows");
  std::vector<std::string> reported;
  command::Report reporting;
  report->add_option("RUN", reported, "directories of runs or of jobs, or s3://BUCKET/PREFIX")->required();
  report->add_option("-o,--output", reporting.file, "the file; - is the standard output")->check(command::is_name());
  report->add_flag("--json", reporting.json, "the same facts, one JSON object for each run");
  report->add_flag("--xgboost", reporting.xgboost, "the report on a training with XGBoost, as JSON");
  report->add_option("--around", reporting.around, "how many steps to show before and after a finding")
      ->check(CLI::Range(std::size_t{0}, std::size_t{50}))
      ->capture_default_str();
  CLI::App* serve = add("serve",
                        "Serves the page of a run, or of the runs in a directory, to browsers of this machine; a page "
                        "follows its run. Ends with Ctrl-C.",
                        "  tensortap serve runs                      # then open http://127.0.0.1:8080/\n"
                        "  tensortap serve s3://bucket/runs/42 --port 0");
  command::Serve where_to_serve;
  serve->add_option("PLACE", run, "directory of a run or of runs, or s3://BUCKET/PREFIX")
      ->required()
      ->check(command::is_name());
  serve->add_option("--port", where_to_serve.port, "the port; 0: a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  serve
      ->add_option("--host", where_to_serve.host,
                   "the address to listen on; others than the default can be reached from other machines")
      ->check(command::is_name())
      ->capture_default_str();
  serve
      ->add_option("--name", where_to_serve.names,
                   "a name of this machine that browsers use, besides --host and localhost")
      ->check(command::is_name())
      ->allow_extra_args(false);
  CLI::App* rules = add("rules", "Lists the built-in rules: when they fire, what they need, and their parameters.",
                        "  tensortap rules\n"
                        "  tensortap rules VanishingGradient");
  std::string rule;
  bool rules_as_json = false;
  rules->add_option("RULE", rule, "name of a rule; left out: all")->check(command::is_name());
  bool rules_of_smdebug = false;
  rules->add_flag("--smdebug", rules_of_smdebug,
                  "the rules of SageMaker Debugger, with the parameters that it documents");
  rules->add_flag("--json", rules_as_json, "print one JSON object for each rule");
  CLI::App* config = add("config", "Shows what a hook does with a configuration in the form of SageMaker Debugger.",
                         "  tensortap config debughookconfig.json\n"
                         "  tensortap config debughookconfig.json --json");
  std::string configuration;
  bool config_as_json = false;
  config->add_option("FILE", configuration, "file with the configuration")->required()->check(command::is_name());
  config->add_flag("--json", config_as_json, "print one JSON object");

  CLI::App* train =
      add("train", "Runs a program to its end across interruptions, with its checkpoints and rules.",
          "  tensortap train --job-name mnist --spot --max-run 3600 --max-wait 7200 -- ./train\n"
          "  tensortap train --job-name mnist --rule VanishingGradient:action=stop -- ./train --fast\n"
          "  tensortap train --job-name mnist --output s3://bucket/jobs --channel training=data -- ./train");
  command::JobArguments job_arguments;
  job_arguments.add_to(*train);
  train->footer(train->get_footer() + "\n\n" + command::JobArguments::exit_codes());
  CLI::App* jobs = add("jobs", "Lists the jobs of a directory or bucket.",
                       "  tensortap jobs                            # those in jobs/\n"
                       "  tensortap jobs s3://bucket/jobs");
  std::string job = "jobs";
  jobs->add_option("PLACE", job, "directory of jobs, or s3://BUCKET/PREFIX")->capture_default_str();
  add_json(jobs, "print one JSON object for each job, with the keys of DescribeTrainingJob");
  CLI::App* describe = add("describe", "Shows a job, while it runs and afterwards.",
                           "  tensortap describe mnist                  # the job in jobs/mnist\n"
                           "  tensortap describe s3://bucket/jobs/mnist --json");
  bool job_as_json = false;
  describe->add_option("JOB", job, "directory of the job, its name in jobs/, or s3://BUCKET/PREFIX/JOB")->required();
  describe->add_flag("--json", job_as_json, "print its record, with the keys of DescribeTrainingJob");
  CLI::App* stop = add("stop", "Stops a job, wherever its manager runs.", "  tensortap stop mnist");
  stop->add_option("JOB", job, "directory of the job, its name in jobs/, or s3://BUCKET/PREFIX/JOB")->required();

  // What packages install is written by these two, which no list shows.
  std::string shell, page, pages;
  CLI::App* completion = app.add_subcommand("completion", "Prints a script that completes command lines.")->group("");
  completion->add_option("SHELL", shell, "bash, zsh or fish")->required();
  CLI::App* man = app.add_subcommand("man", "Prints a page of the manual.")->group("");
  man->add_option("COMMAND", page, "the command; left out: the tool");
  man->add_option("--into", pages, "write all pages into this directory");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e, out, std::cerr);  // --help, --version
    const auto parsed = app.get_subcommands();
    const std::string name = parsed.empty() ? "" : parsed.back()->get_name();
    throw std::runtime_error((name.empty() ? "" : name + ": ") + command::mistake_in(app, e) + "; see tensortap " +
                             (name.empty() ? "" : name + " ") + "--help");
  }
  const auto refuse = [](const std::string& text) { throw std::runtime_error(text); };

  if (completion->parsed()) {
    out << command::completion_for(shell, command::text_of(app));
    return 0;
  }
  if (man->parsed() && !pages.empty()) {
    command::write_manual(command::text_of(app), pages);
    return 0;
  }
  if (man->parsed()) {
    out << command::manual_page(command::text_of(app), page);
    return 0;
  }
  if (dump->parsed()) return command::dump(run, out);
  if (ls->parsed() && run.starts_with("s3://")) return command::list_objects(run, recursive, json, out);
  if (ls->parsed() && recursive) refuse("ls: --recursive is for the objects of a bucket; a run has no folders to list");
  if (ls->parsed()) return command::list(run, std::nullopt, json, out);
  if (cp->parsed()) return command::copy(from, to, copying, out);
  if (uploads->parsed()) return command::uploads(run, drop, older_than, json, out);
  if (sync->parsed()) return command::sync(from, to, copying, out);
  if (check->parsed()) return command::check(run, json, out);
  if (unpack->parsed()) return command::unpack(run, to, json, out);
  if (!steps_to_export.empty()) what_to_export.options.steps = command::steps_in(steps_to_export);
  if (!mode_to_export.empty()) what_to_export.options.query.mode = tensortap::parse_mode(mode_to_export);
  if (trace->parsed()) return command::trace(run, how_to_trace, out);
  if (exporting->parsed()) return command::export_run(run, what_to_export, out);
  if (prune->parsed()) return command::prune(run, pruning, checkpoints, json, out);
  if (!mode_of_diff.empty()) differing.mode = tensortap::parse_mode(mode_of_diff);
  if (diff->parsed()) return command::diff(run, to, differing, out);
  if (severity == "error") how.severity = tensortap::Severity::error;
  if (judge->parsed() && merge->count() > 0) {
    for (const CLI::Option* other : judge->get_options())
      if (other->count() > 0 && other != merge && other->get_group() != "S3" && other->get_name() != "--json")
        refuse("judge: --merge joins what was printed, and takes no " + other->get_name());
    return command::merge(parts, out);
  }
  if (judge->parsed() && judged_run->count() == 0) refuse("judge: RUN is required; see tensortap judge --help");
  if (judge->parsed()) return command::judge(run, how, out);
  if (watch->parsed()) return command::watch(run, watching, out);
  if (config->parsed()) return command::config(configuration, config_as_json, out);
  if (train->parsed()) return command::train(job_arguments.options(), out);
  if (jobs->parsed()) return command::jobs(job, json, out);
  if (describe->parsed()) return command::describe(job, job_as_json, out);
  if (stop->parsed()) return command::stop(job, out);
  if (report->parsed()) return command::report(reported, reporting, out);
  if (serve->parsed()) return command::serve(run, where_to_serve, out);
  if (rules->parsed()) return command::rules(rule, rules_of_smdebug, rules_as_json, out);

  if (at->count() > 0) what.step = step;
  if (in_mode->count() > 0) what.mode = *tensortap::parse_mode(mode);
  if (what.all && (what.tensor.empty() || !what.step))
    refuse("show: --all shows the elements of a tensor in one step; name both");
  if (what.all && what.json) refuse("show: --json has no elements; tensortap export --npz writes them");
  if (at->count() > 0 && in_steps->count() > 0)
    refuse("show: --step is one step, --steps are several; name one of them");
  const bool by_query = !what.query.include_regex.empty() || !what.query.collection.empty();
  if (by_query && !what.tensor.empty())
    refuse("show: TENSOR is the name of one, --tensor and --collection find several; leave one out");
  if (in_steps->count() > 0) what.steps = command::steps_in(steps_to_show);
  if (by_query || !what.tensor.empty() || what.step || in_steps->count() > 0) return command::show(run, what, out);
  if (by->count() > 0) refuse("show: --worker needs tensors or steps; name some");
  return command::list(run, what.mode, what.json, out);
}

}  // namespace

int main(int argc, char** argv) {
  command::open_closed_streams();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is a failed write
  try {
    command::Output out;
    const int code = run_tool(argc, argv, out);
    out.flush();
    return code;
  } catch (const std::exception& e) {
    command::ProgressLine::clear();
    std::cerr << "tensortap: " << e.what() << '\n';
    return 2;
  }
}
