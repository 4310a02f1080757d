// Pages of the manual, in the language of man(7).
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tensortap/error.hpp>
#include <tensortap/version.hpp>
#include <vector>

#include "tool_text.hpp"

namespace tensortap_command {

namespace {

/// Returns `text` so that it stands on the page as it is. A line of it never begins with a request.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '`')
      out += "\\(ga";
    else if (c == '^')
      out += "\\(ha";
    else if (c == '~')
      out += "\\(ti";
    else
      out += c;
  }
  return out;
}

std::string in_bold(std::string_view text) { return "\\fB" + plain(text) + "\\fR"; }
std::string slanted(std::string_view text) { return "\\fI" + plain(text) + "\\fR"; }

std::string in_capitals(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// Writes each sentence on a line of its own, as formatters want it.
void write_sentences(std::ostream& out, const std::string& text) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find(". ", begin);
    out << plain(text.substr(begin, end == std::string::npos ? end : end + 1 - begin)) << '\n';
    begin = end == std::string::npos ? text.size() : end + 2;
  }
}

void write_options(std::ostream& out, const CommandText& command, const char* heading, bool arguments, bool of_s3) {
  bool any = false;
  for (const OptionText& option : command.options) {
    if (option.names.empty() != arguments || option.of_s3 != of_s3) continue;
    if (!any) out << ".SH " << heading << '\n';
    any = true;
    out << ".TP\n";
    for (std::size_t i = 0; i < option.names.size(); ++i) out << (i > 0 ? ", " : "") << in_bold(option.names[i]);
    if (!option.value.empty()) out << (arguments ? "" : " ") << slanted(option.value);
    out << (option.repeated ? " ...\n" : "\n");
    write_sentences(out, option.description.empty() ? option.value : option.description);
    if (!option.choices.empty()) {
      out << ".br\nOne of:";
      for (std::size_t i = 0; i < option.choices.size(); ++i) out << (i > 0 ? ",\n" : "\n") << plain(option.choices[i]);
      out << ".\n";
    }
  }
}

void write_synopsis(std::ostream& out, const std::string& words, const CommandText& command) {
  out << ".SH SYNOPSIS\n" << in_bold(words) << "\n[" << slanted("OPTIONS") << "]\n";
  for (const OptionText& option : command.options) {
    if (!option.names.empty()) continue;
    const std::string name = slanted(option.value) + (option.repeated ? " ..." : "");
    out << (option.required ? name : "[" + name + "]") << '\n';
  }
}

bool is_exit_codes(const SectionText& section) { return section.heading.find("xit codes") != std::string::npos; }

void write_section(std::ostream& out, const SectionText& section) {
  out << ".SH " << (is_exit_codes(section) ? "EXIT STATUS" : plain(in_capitals(section.heading))) << "\n.nf\n";
  for (const std::string& line : section.lines) out << plain(line) << '\n';
  out << ".fi\n";
}

/// Writes the head of a page, with its name.
void write_head(std::ostream& out, const std::string& name, const std::string& description) {
  std::string summary = summary_of(description);
  if (!summary.empty()) summary[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(summary[0])));
  out << ".\\\" Written by: tensortap man\n.TH " << plain(in_capitals(name)) << " 1 \"\" \"tensortap "
      << tensortap::version << "\"\n.SH NAME\n"
      << plain(name) << " \\- " << plain(summary) << '\n';
}

std::string page_of(const ToolText& tool, const CommandText& command) {
  std::ostringstream out;
  write_head(out, "tensortap-" + command.name, command.description);
  write_synopsis(out, "tensortap " + command.name, command);
  out << ".SH DESCRIPTION\n";
  write_sentences(out, command.description);
  write_options(out, command, "ARGUMENTS", true, false);
  write_options(out, command, "OPTIONS", false, false);
  write_options(out, command, "OPTIONS OF S3", false, true);
  std::vector<SectionText> sections = command.sections;
  if (std::none_of(sections.begin(), sections.end(), is_exit_codes))
    std::copy_if(tool.tool.sections.begin(), tool.tool.sections.end(), std::back_inserter(sections), is_exit_codes);
  for (const SectionText& section : sections) write_section(out, section);
  out << ".SH SEE ALSO\n.BR tensortap (1)\n";
  return out.str();
}

std::string page_of(const ToolText& tool) {
  std::ostringstream out;
  write_head(out, "tensortap", tool.tool.description);
  out << ".SH SYNOPSIS\n" << in_bold("tensortap") << '\n' << slanted("COMMAND") << "\n[" << slanted("OPTIONS") << "]\n";
  out << ".SH DESCRIPTION\n";
  write_sentences(out, tool.tool.description);
  out << ".SH COMMANDS\n";
  for (const CommandText& command : tool.commands) {
    out << ".TP\n.BR " << plain("tensortap-" + command.name) << " (1)\n";
    write_sentences(out, command.description);
  }
  write_options(out, tool.tool, "OPTIONS", false, false);
  write_options(out, tool.tool, "OPTIONS OF S3", false, true);
  for (const SectionText& section : tool.tool.sections) write_section(out, section);
  return out.str();
}

}  // namespace

std::string manual_page(const ToolText& tool, const std::string& command) {
  if (command.empty()) return page_of(tool);
  for (const CommandText& one : tool.commands)
    if (one.name == command) return page_of(tool, one);
  throw std::runtime_error("man: no command is called " + tensortap::in_quotes(command));
}

void write_manual(const ToolText& tool, const std::string& directory) {
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);  // the first file tells
  const auto write = [&](const std::string& name, const std::string& page) {
    const std::filesystem::path path = std::filesystem::path(directory) / (name + ".1");
    std::ofstream file(path, std::ios::binary);
    file << page;
    file.close();
    if (!file) throw std::runtime_error("man: " + tensortap::in_quotes(path.string()) + ": cannot write it");
  };
  write("tensortap", page_of(tool));
  for (const CommandText& command : tool.commands) write("tensortap-" + command.name, page_of(tool, command));
}

}  // namespace tensortap_command
