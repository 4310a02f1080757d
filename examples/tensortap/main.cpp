// The command-line tool: shows, checks and judges runs of tensortap and smdebug, runs jobs, copies files to S3 and
// back.
#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/version.hpp>

#include "command_line.hpp"
#include "options.hpp"
#include "output.hpp"
#include "reading_progress.hpp"
#include "standard_streams.hpp"
#include "tool_text.hpp"

namespace {

namespace command = tensortap_command;

/// Adds the two commands that write what packages install, which no list shows.
void add_hidden(CLI::App& app, command::CommandLine& line) {
  struct Given {
    std::string shell, page, pages;
  };
  const auto given = std::make_shared<Given>();
  CLI::App* completion = app.add_subcommand("completion", "Prints a script that completes command lines.")->group("");
  completion->add_option("SHELL", given->shell, "bash, zsh or fish")->required();
  CLI::App* man = app.add_subcommand("man", "Prints a page of the manual.")->group("");
  man->add_option("COMMAND", given->page, "the command; left out: the tool");
  man->add_option("--into", given->pages, "write all pages into this directory");

  line.on(completion, [given, &app](std::ostream& out) {
    out << command::completion_for(given->shell, command::text_of(app));
    return 0;
  });
  line.on(man, [given, &app](std::ostream& out) {
    if (given->pages.empty())
      out << command::manual_page(command::text_of(app), given->page);
    else
      command::write_manual(command::text_of(app), given->pages);
    return 0;
  });
}

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
  command::CommandLine line(app);
  command::add_reading(line);
  command::add_judging(line);
  command::add_changing(line);
  command::add_copying(line);
  command::add_jobs(line);
  add_hidden(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e, out, std::cerr);  // --help, --version
    const auto parsed = app.get_subcommands();
    const std::string name = parsed.empty() ? "" : parsed.back()->get_name();
    throw std::runtime_error((name.empty() ? "" : name + ": ") + command::mistake_in(app, e) + "; see tensortap " +
                             (name.empty() ? "" : name + " ") + "--help");
  }
  return line.run(out);
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
