// The command line of the tool: its subcommands with their options, examples, and what they do.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

namespace tensortap_command {

/// The subcommands. Each one is added with its options, whose values an action keeps that runs if it was called:
///
///   struct Given { std::string run; };
///   const auto given = std::make_shared<Given>();
///   CLI::App* dump = line.add("dump", "Prints a whole run as JSON.", "  tensortap dump runs/42");
///   line.add_run(dump, given->run);
///   line.on(dump, [given](std::ostream& out) { return command_of(given->run, out); });
class CommandLine {
 public:
  /// What a subcommand does: prints to `out` and returns the exit code. Throws: it could not.
  using Action = std::function<int(std::ostream& out)>;

  /// Adds subcommands to `app`. Lifetime: `app` outlives the result.
  explicit CommandLine(CLI::App& app);

  /// Adds a subcommand with the options that all have; the first sentence of the description is its line in lists.
  CLI::App* add(const char* name, const char* description, const std::string& examples);

  /// Adds the argument RUN, which is required.
  static CLI::Option* add_run(CLI::App* to, std::string& run);

  /// Adds --json.
  static void add_json(CLI::App* to, bool& json, const char* description);

  /// Names what a subcommand does.
  void on(const CLI::App* command, Action action);

  /// Does what the subcommand that was called does.
  int run(std::ostream& out) const;

 private:
  struct Named {
    const CLI::App* command;
    Action action;
  };

  CLI::App& app_;
  std::vector<Named> actions_;
};

/// Throws a mistake that only the options of a command together are.
[[noreturn]] void refuse(const std::string& text);

void add_reading(CommandLine& line);   ///< show, ls, check, dump, diff
void add_judging(CommandLine& line);   ///< judge, watch, report, serve, trace, rules
void add_changing(CommandLine& line);  ///< export, unpack, prune
void add_copying(CommandLine& line);   ///< cp, sync, uploads
void add_jobs(CommandLine& line);      ///< train, jobs, describe, stop, config

}  // namespace tensortap_command
