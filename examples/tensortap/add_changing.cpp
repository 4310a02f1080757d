#include <cstdint>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <tensortap/report/export.hpp>
#include <tensortap/step.hpp>
#include <tensortap/trial/prune.hpp>

#include "command_line.hpp"
#include "commands.hpp"
#include "options.hpp"

namespace tensortap_command {

namespace {

void add_export(CommandLine& line) {
  struct Given {
    std::string run, steps, mode;
    Export what;
  };
  const auto given = std::make_shared<Given>();
  Export& what = given->what;
  CLI::App* exporting =
      line.add("export",
               "Writes a run as a table: a row for each tensor, step and worker. NPZ has the elements. For "
               "TensorBoard it is a directory.",
               "  tensortap export runs/42 --csv -o run.csv\n"
               "  tensortap export runs/42 --parquet -o run.parquet   # for DuckDB, Polars, pandas\n"
               "  tensortap export runs/42 --jsonl --tensor loss --mode EVAL -o - | jq .value\n"
               "  tensortap export runs/42 --npz --tensor 'weight$' --steps 0:1000 -o weights.npz\n"
               "  tensortap export runs/42 --tensorboard -o board/42   # then tensorboard --logdir board");
  CommandLine::add_run(exporting, given->run);
  CLI::Option_group* const formats = exporting->add_option_group("format");
  const auto as = [&what](tensortap::ExportFormat format) { return [&what, format] { what.format = format; }; };
  formats->add_flag_callback("--csv", as(tensortap::ExportFormat::csv), "for spreadsheets");
  formats->add_flag_callback("--jsonl", as(tensortap::ExportFormat::json_lines), "one JSON object a line");
  formats->add_flag_callback("--npz", as(tensortap::ExportFormat::npz), "for numpy");
  formats->add_flag_callback("--parquet", as(tensortap::ExportFormat::parquet), "for DuckDB and others");
  formats->add_flag_callback(
      "--tensorboard", [&what] { what.format.reset(); }, "curves, histograms and hyperparameters");
  formats->require_option(1);
  exporting->add_option("-o,--output", what.file, "the file, for TensorBoard a new directory; - is the standard output")
      ->required()
      ->check(is_name());
  exporting->add_option("--tensor", what.options.query.include_regex, "tensors whose names this pattern finds")
      ->check(is_name());
  exporting->add_option("--collection", what.options.query.collection, "tensors of this collection")->check(is_name());
  exporting->add_option("--steps", given->steps,
                        "A:B, the steps from A to before B; of the mode, if one is given, else global ones");
  exporting->add_option("--mode", given->mode, "the steps of this mode")->transform(is_mode());
  exporting->add_option("--worker", what.options.worker, "what this worker saved")->check(is_name());
  exporting->add_flag("--json", what.json, "print what was written as one JSON object");

  line.on(exporting, [given](std::ostream& out) {
    tensortap::ExportOptions& options = given->what.options;
    if (!given->steps.empty()) options.steps = steps_in(given->steps);
    if (!given->mode.empty()) options.query.mode = tensortap::parse_mode(given->mode);
    return export_run(given->run, given->what, out);
  });
}

void add_unpack(CommandLine& line) {
  struct Given {
    std::string run, to;
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* unpack =
      line.add("unpack",
               "Puts the files of a packed run in their places, byte for byte, so that SageMaker Debugger's readers "
               "see them. Goes on where an unpacking has ended early. Exits with 1 if some files are damaged.",
               "  tensortap unpack runs/42                  # in place\n"
               "  tensortap unpack s3://bucket/runs/42 copy # a copy in a directory; the run stays as it is");
  CommandLine::add_run(unpack, given->run);
  unpack->add_option("TO", given->to, "directory or s3://BUCKET/PREFIX for an unpacked copy; left out: in place")
      ->check(is_name());
  CommandLine::add_json(unpack, given->json, "print one JSON object");

  line.on(unpack,
          [given](std::ostream& out) { return tensortap_command::unpack(given->run, given->to, given->json, out); });
}

void add_prune(CommandLine& line) {
  struct Given {
    std::string run, checkpoints;
    tensortap::PruneOptions options;
    bool json = false;
  };
  const auto given = std::make_shared<Given>();
  tensortap::PruneOptions& options = given->options;
  CLI::App* prune = line.add("prune", "Removes the oldest steps of a run, so that it fits a budget.",
                             "  tensortap prune runs/42 --steps 1000 --dry-run\n"
                             "  tensortap prune runs/42 --bytes 10000000000 --superseded");
  CommandLine::add_run(prune, given->run);
  prune->add_option("--steps", options.keep.steps, "keep so many steps of each worker")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()));
  prune->add_option("--bytes", options.keep.bytes, "keep so many bytes of steps of each worker")
      ->check(CLI::Range(std::uint64_t{1}, std::numeric_limits<std::uint64_t>::max()));
  prune
      ->add_option("--checkpoints", given->checkpoints,
                   "checkpoint_dir of a run that will be continued: what is after its last commit stays")
      ->check(is_name());
  prune->add_flag("--superseded", options.superseded, "remove the steps that interrupted attempts have left");
  prune->add_flag("--snapshots", options.snapshots, "remove the snapshots of findings");
  prune->add_flag("--dry-run", options.dry_run, "say what would be removed, and remove nothing");
  CommandLine::add_json(prune, given->json, "print one JSON object");

  line.on(prune, [given](std::ostream& out) {
    return tensortap_command::prune(given->run, given->options, given->checkpoints, given->json, out);
  });
}

}  // namespace

void add_changing(CommandLine& line) {
  add_export(line);
  add_unpack(line);
  add_prune(line);
}

}  // namespace tensortap_command
