#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <tensortap/step.hpp>

#include "command_line.hpp"
#include "commands.hpp"
#include "options.hpp"

namespace tensortap_command {

namespace {

void add_show(CommandLine& line) {
  struct Given {
    std::string run, mode, steps;
    std::int64_t step = 0;
    Show what;
  };
  const auto given = std::make_shared<Given>();
  Show& what = given->what;
  CLI::App* show =
      line.add("show", "Shows a run, all tensors of a step, a tensor over its steps, or a tensor in one step.",
               "  tensortap show runs/42                    # the run, its collections and its tensors\n"
               "  tensortap show runs/42 --step 500         # all tensors of a global step, in a few numbers each\n"
               "  tensortap show runs/42 loss --mode EVAL   # what was saved of a tensor in each EVAL step\n"
               "  tensortap show runs/42 --tensor 'grad$' --steps 0:100 --json | jq .abs_max\n"
               "  tensortap show runs/42 conv1.weight --step 500 --all");
  CommandLine::add_run(show, given->run);
  show->add_option("TENSOR", what.tensor, "name of a tensor; left out: the run, its collections and its tensors")
      ->check(is_name());
  const CLI::Option* step =
      show->add_option("--step", given->step, "show what was saved in this step; a global step, unless --mode is given")
          ->check(is_step());
  show->add_option("--mode", given->mode, "count the steps of this mode")->transform(is_mode());
  show->add_option("--worker", what.worker, "show what this worker saved")->check(is_name());
  show->add_flag("--all", what.all, "show all elements of the tensor in the step, not only the first 100");
  show->add_option("--tensor", what.query.include_regex, "show tensors whose names this pattern finds")
      ->check(is_name());
  show->add_option("--collection", what.query.collection, "show tensors of this collection")->check(is_name());
  const CLI::Option* steps = show->add_option(
      "--steps", given->steps, "A:B, show the steps from A to before B; global steps, unless --mode is given");
  show->add_flag("--json", what.json,
                 "print one JSON object for the run, or one for each tensor, step and worker, as export --jsonl");

  line.on(show, [given, step, steps](std::ostream& out) {
    Show& wanted = given->what;
    const bool by_query = !wanted.query.include_regex.empty() || !wanted.query.collection.empty();
    if (step->count() > 0) wanted.step = given->step;
    if (!given->mode.empty()) wanted.mode = *tensortap::parse_mode(given->mode);
    if (wanted.all && (wanted.tensor.empty() || !wanted.step))
      refuse("show: --all shows the elements of a tensor in one step; name both");
    if (wanted.all && wanted.json) refuse("show: --json has no elements; tensortap export --npz writes them");
    if (step->count() > 0 && steps->count() > 0)
      refuse("show: --step is one step, --steps are several; name one of them");
    if (by_query && !wanted.tensor.empty())
      refuse("show: TENSOR is the name of one, --tensor and --collection find several; leave one out");
    if (steps->count() > 0) wanted.steps = steps_in(given->steps);
    if (by_query || !wanted.tensor.empty() || wanted.step || steps->count() > 0)
      return tensortap_command::show(given->run, wanted, out);
    if (!wanted.worker.empty()) refuse("show: --worker needs tensors or steps; name some");
    return list(given->run, given->mode.empty() ? std::nullopt : std::optional(wanted.mode), wanted.json, out);
  });
}

void add_ls(CommandLine& line) {
  struct Given {
    std::string place;
    bool json = false, recursive = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* ls =
      line.add("ls", "Lists the collections and tensors of a run, the runs of a directory, or the objects of a bucket.",
               "  tensortap ls runs                         # the runs in a directory\n"
               "  tensortap ls runs/42                      # the run, its collections and its tensors\n"
               "  tensortap ls s3://bucket/runs/            # folders and objects, as awscli lists them\n"
               "  tensortap ls s3://bucket/runs/ --recursive");
  ls->add_option("PLACE", given->place, "directory of a run or of runs, or s3://BUCKET/PREFIX for the objects there")
      ->required();
  CommandLine::add_json(ls, given->json, "print one JSON object for the run, for each run, or for each object");
  ls->add_flag("--recursive", given->recursive, "list the objects of all folders of a bucket");

  line.on(ls, [given](std::ostream& out) {
    if (given->place.starts_with("s3://")) return list_objects(given->place, given->recursive, given->json, out);
    if (given->recursive) refuse("ls: --recursive is for the objects of a bucket; a run has no folders to list");
    return list(given->place, std::nullopt, given->json, out);
  });
}

void add_check(CommandLine& line) {
  struct Given {
    std::string run;
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* check =
      line.add("check", "Reads every record and verifies every checksum. Exits with 1 if the run is damaged.",
               "  tensortap check runs/42 && echo sound\n"
               "  tensortap check s3://bucket/runs/42");
  CommandLine::add_run(check, given->run);
  CommandLine::add_json(check, given->json, "print one JSON object");

  line.on(check, [given](std::ostream& out) { return tensortap_command::check(given->run, given->json, out); });
}

void add_dump(CommandLine& line) {
  const auto run = std::make_shared<std::string>();
  CLI::App* dump = line.add("dump", "Prints a whole run as JSON. Elements appear as the SHA-256 of their bytes.",
                            "  tensortap dump runs/42 | python3 -m json.tool\n"
                            "  tensortap dump s3://bucket/runs/42 > run.json");
  CommandLine::add_run(dump, *run);

  line.on(dump, [run](std::ostream& out) { return tensortap_command::dump(*run, out); });
}

void add_diff(CommandLine& line) {
  struct Given {
    std::string first, second, mode;
    Diff how;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* diff = line.add("diff",
                            "Says where two runs differ: facts, collections, curves, and the first value that differs "
                            "by more than round-off. Exits with 1 if values differ.",
                            "  tensortap diff runs/41 runs/42\n"
                            "  tensortap diff runs/41 runs/42 --tensor 'weight$' --mode TRAIN --json");
  diff->add_option("RUN1", given->first, "directory of a run, or s3://BUCKET/PREFIX")->required();
  diff->add_option("RUN2", given->second, "the other run")->required();
  diff->add_option("--tensor", given->how.tensors, "compare tensors whose names this pattern finds")->check(is_name());
  diff->add_option("--mode", given->mode, "compare the steps of this mode")->transform(is_mode());
  diff->add_option("--round-offs", given->how.round_offs,
                   "how many units of round-off of a tensor, at its largest magnitude, are no difference")
      ->check(is_amount("N"))
      ->capture_default_str();
  diff->add_flag("--json", given->how.json, "print one JSON object");

  line.on(diff, [given](std::ostream& out) {
    if (!given->mode.empty()) given->how.mode = tensortap::parse_mode(given->mode);
    return tensortap_command::diff(given->first, given->second, given->how, out);
  });
}

}  // namespace

void add_reading(CommandLine& line) {
  add_show(line);
  add_ls(line);
  add_check(line);
  add_dump(line);
  add_diff(line);
}

}  // namespace tensortap_command
