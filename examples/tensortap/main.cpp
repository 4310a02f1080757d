// tensortap: looks into runs, ours and smdebug's; copies files to S3 and back.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <string>
#include <tensortap/version.hpp>
#include <vector>

#include "commands.hpp"

int main(int argc, char** argv) {
  namespace command = tensortap_command;
  CLI::App app("Looks into runs written by tensortap or smdebug; a run is a directory or s3://BUCKET/PREFIX.",
               "tensortap");
  app.set_version_flag("--version", std::string("tensortap ") + tensortap::version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tensortap ls runs/42                        what is in it\n"
      "  tensortap show runs/42 loss                 a tensor over its steps\n"
      "  tensortap show runs/42 conv1.weight --step 500\n"
      "  tensortap check runs/42 && echo sound       reads every record, verifies every checksum\n"
      "  tensortap judge runs/42 --follow            do gradients vanish? says so while it trains\n"
      "  tensortap dump runs/42 | python3 -m json.tool\n"
      "  tensortap show s3://bucket/runs/42          wherever a run is named\n"
      "  tensortap ls s3://bucket/runs/              objects, as awscli lists them\n"
      "  tensortap sync checkpoints s3://bucket/42   what differs\n"
      "  tensortap cp s3://bucket/42/metadata.json - to standard output");

  // As awscli spells them; what opens a bucket finds them in the environment, where they win over what is there.
  const auto add_setting = [&](const char* option, const char* description, const char* variable,
                               std::initializer_list<const char*> beaten) {
    const auto set = [variable, beaten = std::vector<const char*>(beaten)](const std::string& value) {
      for (const char* const other : beaten) ::unsetenv(other);
      ::setenv(variable, value.c_str(), 1);
    };
    app.add_option_function<std::string>(option, set, description)->group("S3");
  };
  add_setting("--endpoint-url", "of an S3 server other than AWS", "AWS_ENDPOINT_URL_S3",
              {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"});
  add_setting("--region", "where the bucket is", "AWS_REGION", {});
  add_setting("--profile", "whose credentials, of the files in ~/.aws", "AWS_PROFILE",
              {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"});
  add_setting("--ca-bundle", "whom to trust, a file", "AWS_CA_BUNDLE", {});
  app.fallthrough();

  std::string run;
  command::Show what;
  command::Judge how;
  std::int64_t step = 0;
  const auto add = [&](const char* name, const char* description) {
    CLI::App* sub = app.add_subcommand(name, description);
    sub->add_option("RUN", run, "directory of the run, or s3://BUCKET/PREFIX")->required();
    return sub;
  };
  std::string from, to;
  command::Copy copying;
  const auto add_copy = [&](const char* name, const char* description, const char* which) {
    CLI::App* sub = app.add_subcommand(name, description);
    sub->add_option("FROM", from, which)->required();
    sub->add_option("TO", to, which)->required();
    for (const bool wanted : {false, true})
      sub->add_option_function<std::string>(
             wanted ? "--include" : "--exclude",
             [&copying, wanted](const std::string& pattern) {
               copying.filters.push_back({pattern, wanted});
             },
             wanted ? "but do copy these" : "leave out what this pattern matches; the last that does decides")
          ->trigger_on_parse()
          ->take_last();
    sub->add_flag("--dryrun", copying.dry_run, "only say what would be done");
    sub->add_flag("--quiet", copying.quiet, "say nothing but what went wrong");
    sub->add_option("--connections", copying.connections, "how many at once")->check(CLI::Range(1, 256));
    return sub;
  };
  const CLI::App* dump = add("dump", "Everything in a run as JSON; elements as SHA-256 of their bytes.");
  CLI::App* ls = app.add_subcommand("ls", "The run, its collections and its tensors; objects of a bucket.");
  ls->add_option("PLACE", run, "directory of a run, or s3://BUCKET/PREFIX for the objects there")->required();
  bool recursive = false;
  ls->add_flag("--recursive", recursive, "the objects of all folders");
  CLI::App* cp = add_copy("cp", "A file to S3, or an object from there.", "a path, - or s3://BUCKET/KEY");
  cp->add_flag("--recursive", copying.recursive, "all below a directory or a prefix");
  CLI::App* sync = add_copy("sync", "Makes a directory and a prefix alike: copies what differs in size or time.",
                            "a directory or s3://BUCKET/PREFIX");
  sync->add_flag("--delete", copying.remove, "remove what is not at the source");
  CLI::App* show = add("show", "A tensor over its steps, or its elements in one step.");
  show->add_option("TENSOR", what.tensor, "name of the tensor; left out: the run, its collections and its tensors");
  const CLI::Option* at = show->add_option("--step", step, "only this step: its reductions and elements");
  show->add_option("--mode", what.mode, "count steps of this mode")
      ->check(CLI::IsMember({"TRAIN", "EVAL", "PREDICT", "GLOBAL"}, CLI::ignore_case));
  show->add_option("--worker", what.worker, "what this worker saved");
  show->add_flag("--all", what.all, "all elements, however many");
  const CLI::App* check =
      add("check", "Reads every record and verifies every checksum; exit code 1 if something is damaged.");
  CLI::App* judge = add("judge", "What a rule finds in the run; exit code 1 if it finds anything.");
  judge->add_option("--rule", how.rule, "which rule")
      ->check(CLI::IsMember({"vanishing_gradient"}))
      ->capture_default_str();
  judge->add_option("--threshold", how.threshold, "mean magnitude below which a gradient has vanished")
      ->capture_default_str();
  judge->add_flag("--follow", how.follow, "go on until the run has ended; it need not be there yet");
  judge->add_option("--timeout", how.timeout, "but no longer than this many seconds")->check(CLI::NonNegativeNumber);
  judge->add_option("--stop-file", how.stop_file, "create this file at the first finding");
  CLI11_PARSE(app, argc, argv);

  try {
    if (dump->parsed()) return command::dump(run, std::cout);
    if (ls->parsed() && run.starts_with("s3://")) return command::list_objects(run, recursive, std::cout);
    if (ls->parsed()) return command::list(run, std::cout);
    if (cp->parsed()) return command::copy(from, to, copying, std::cout);
    if (sync->parsed()) return command::sync(from, to, copying, std::cout);
    if (check->parsed()) return command::check(run, std::cout);
    if (judge->parsed()) return command::judge(run, how, std::cout);
    if (show->parsed() && what.tensor.empty()) return command::list(run, std::cout);
    if (at->count() > 0) what.step = step;
    return show->parsed() ? command::show(run, what, std::cout) : 2;
  } catch (const std::exception& e) {
    std::cerr << "tensortap: " << e.what() << '\n';
    return 2;
  }
}
