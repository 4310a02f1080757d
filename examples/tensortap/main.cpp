// tensortap: looks into runs, ours and smdebug's.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>
#include <tensortap/version.hpp>

#include "commands.hpp"

int main(int argc, char** argv) {
  namespace command = tensortap_command;
  CLI::App app("Looks into runs written by tensortap or smdebug.", "tensortap");
  app.set_version_flag("--version", std::string("tensortap ") + tensortap::version);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tensortap ls runs/42                        what is in it\n"
      "  tensortap show runs/42 loss                 a tensor over its steps\n"
      "  tensortap show runs/42 conv1.weight --step 500\n"
      "  tensortap check runs/42 && echo sound       reads every record, verifies every checksum\n"
      "  tensortap judge runs/42 --follow            do gradients vanish? says so while it trains\n"
      "  tensortap dump runs/42 | python3 -m json.tool");

  std::string run;
  command::Show what;
  command::Judge how;
  std::int64_t step = 0;
  const auto add = [&](const char* name, const char* description) {
    CLI::App* sub = app.add_subcommand(name, description);
    sub->add_option("RUN", run, "directory of the run")->required();
    return sub;
  };
  const CLI::App* dump = add("dump", "Everything in a run as JSON; elements as SHA-256 of their bytes.");
  const CLI::App* ls = add("ls", "The run, its collections and its tensors.");
  CLI::App* show = add("show", "A tensor over its steps, or its elements in one step.");
  show->add_option("TENSOR", what.tensor, "name of the tensor")->required();
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
    if (ls->parsed()) return command::list(run, std::cout);
    if (check->parsed()) return command::check(run, std::cout);
    if (judge->parsed()) return command::judge(run, how, std::cout);
    if (at->count() > 0) what.step = step;
    return show->parsed() ? command::show(run, what, std::cout) : 2;
  } catch (const std::exception& e) {
    std::cerr << "tensortap: " << e.what() << '\n';
    return 2;
  }
}
