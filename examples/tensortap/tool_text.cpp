#include "tool_text.hpp"

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <tensortap/tensortap.hpp>
#include <utility>

namespace tensortap_command {

namespace {

std::vector<std::string> names_of_rules() {
  std::vector<std::string> out;
  for (const tensortap::Rule& rule : tensortap::all_rules()) out.push_back(rule.name());
  return out;
}

/// Returns "A" and "B" of "{A,B}"; nothing of another text.
std::vector<std::string> choices_in(const std::string& type) {
  const std::size_t begin = type.find('{'), end = type.find('}');
  std::vector<std::string> out;
  if (begin == std::string::npos || end == std::string::npos) return out;
  std::istringstream list(type.substr(begin + 1, end - begin - 1));
  for (std::string one; std::getline(list, one, ',');) out.push_back(one);
  return out;
}

/// Returns the name of a value: "STEP" of "INT:STEP", "INT" of "INT:INT in [1 - 256]".
std::string value_of(const std::string& type, const std::vector<std::string>& choices) {
  if (!choices.empty()) return "VALUE";
  std::string out = type.substr(type.rfind(':') + 1);
  out.resize(std::min(out.find_first_of(" ["), out.size()));
  return out.empty() ? "VALUE" : out;
}

OptionText text_of(const CLI::Option& option) {
  OptionText out{.description = option.get_description(),
                 .required = option.get_required(),
                 .repeated = option.get_items_expected_max() > 1,
                 .of_s3 = option.get_group() == "S3"};
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  if (option.get_items_expected_max() > 0) {
    out.choices = choices_in(option.get_type_name());
    out.value = out.names.empty() ? option.get_name(true) : value_of(option.get_type_name(), out.choices);
  }
  const std::string name = out.names.empty() ? out.value : out.names[0];
  if (name == "--rule" || name == "RULE") out.choices = names_of_rules();
  return out;
}

/// Returns the parts of a footer: a heading stands at the beginning of a line and ends with a colon.
std::vector<SectionText> sections_in(const std::string& footer) {
  std::vector<SectionText> out;
  std::istringstream lines(footer);
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(':') && !line.starts_with(' ')) {
      out.push_back({.heading = line.substr(0, line.size() - 1)});
    } else if (!out.empty() && !line.empty()) {
      out.back().lines.push_back(line);
    }
  }
  return out;
}

CommandText text_of_command(const CLI::App& app) {
  CommandText out{
      .name = app.get_name(), .description = app.get_description(), .sections = sections_in(app.get_footer())};
  for (const CLI::Option* option : app.get_options()) out.options.push_back(text_of(*option));
  for (const CLI::App* group : app.get_subcommands([](const CLI::App* one) { return one->get_name().empty(); }))
    for (const CLI::Option* option : group->get_options()) out.options.push_back(text_of(*option));
  return out;
}

}  // namespace

std::string summary_of(const std::string& description) {
  std::string out = description.substr(0, description.find(". "));
  if (out.ends_with('.')) out.pop_back();
  return out;
}

ToolText text_of(const CLI::App& app) {
  ToolText out{.tool = text_of_command(app), .commands = {}};
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App* one) { return !one->get_group().empty(); }))
    if (!sub->get_name().empty()) out.commands.push_back(text_of_command(*sub));
  return out;
}

}  // namespace tensortap_command
