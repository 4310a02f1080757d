// The command line as data, for pages and completions that are written from it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tensortap_command {

/// An option or an argument of a command.
struct OptionText {
  std::vector<std::string> names = {};    // "--output", "-o"; none: an argument, known by its place
  std::string value = {};                 // the name of its value; empty: it has none
  std::vector<std::string> choices = {};  // the values that it takes; none: any
  std::string description = {};
  bool required = false;
  bool repeated = false;
  bool of_s3 = false;
};

/// A part of the text below the options of a command: "Examples", "Exit codes".
struct SectionText {
  std::string heading = {};
  std::vector<std::string> lines = {};
};

/// A command, or the tool.
struct CommandText {
  std::string name = {};
  std::string description = {};
  std::vector<OptionText> options = {};
  std::vector<SectionText> sections = {};
};

/// The tool: its own text, and its commands but for hidden ones.
struct ToolText {
  CommandText tool;
  std::vector<CommandText> commands;
};

ToolText text_of(const CLI::App& app);

/// Returns the first sentence of a description without its end: "Shows a run".
std::string summary_of(const std::string& description);

/// Returns a script that completes command lines, for "bash", "zsh" or "fish".
std::string completion_for(const std::string& shell, const ToolText& tool);

/// Returns the page tensortap(1) in the language of man(7) or, with the name of a command, that of the command. Throws:
/// there is no such command.
std::string manual_page(const ToolText& tool, const std::string& command);

/// Writes all pages into a directory, which is made: tensortap.1, tensortap-show.1 … Throws: it cannot.
void write_manual(const ToolText& tool, const std::string& directory);

}  // namespace tensortap_command
