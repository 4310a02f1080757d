// The command line: checks of values, and mistakes in the words of the tool.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tensortap/error.hpp>
#include <tensortap/trial/trial_options.hpp>
#include <vector>

#include "step_ranges.hpp"
#include "words.hpp"

namespace tensortap_command {

/// Returns whether all of `text` is a number, which it writes to `value`.
template <class T>
bool reads_as(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// A check of an option that takes a name: an empty one means nothing.
inline CLI::Validator is_name() {
  return {[](const std::string& text) { return text.empty() ? std::string("the name is empty") : std::string(); },
          "NAME"};
}

/// A check of an option that takes a step.
inline CLI::Validator is_step() {
  return {[](const std::string& text) {
            std::int64_t value = 0;
            return reads_as(text, value) && value >= 0
                       ? std::string()
                       : tensortap::in_quotes(text) + " is no step; write a whole number from 0 to 2^63 - 1";
          },
          "STEP"};
}

/// A check of an option that takes the name of a mode, in any case.
inline CLI::Validator is_mode() { return CLI::IsMember({"TRAIN", "EVAL", "PREDICT", "GLOBAL"}, CLI::ignore_case); }

/// Reads "A:B", the steps from A to before B; either may be left out, and "A" is one step. Throws: it is something
/// else.
inline tensortap::StepRange steps_in(const std::string& text) {
  tensortap::StepRange out;
  const std::size_t colon = text.find(':');
  const std::string first = text.substr(0, colon);
  const std::string last = colon == std::string::npos ? "" : text.substr(colon + 1);
  std::int64_t end = 0;
  const bool reads = (first.empty() || (reads_as(first, out.begin) && out.begin >= 0)) &&
                     (last.empty() || (reads_as(last, end) && end > out.begin));
  if (!reads || text.empty() || text == ":")
    throw std::runtime_error(tensortap::in_quotes(text) + " are no steps; write A:B, A: or :B, with A below B, or A");
  if (!last.empty()) out.end = end;
  return colon == std::string::npos ? only_step(out.begin) : out;
}

/// A check of an option that takes a number which is finite and not negative.
inline CLI::Validator is_amount(const std::string& type) {
  return {[](const std::string& text) {
            double value = 0;
            return reads_as(text, value) && std::isfinite(value) && !std::signbit(value)
                       ? std::string()
                       : tensortap::in_quotes(text) + " is not a finite number from 0 on";
          },
          type};
}

/// Returns what is wrong with the command line that `app` has refused.
inline std::string mistake_in(const CLI::App& app, const CLI::ParseError& e) {
  std::vector<std::string> commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    commands.push_back(sub->get_name());
  const std::vector<std::string> rest = app.remaining(true);
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  const auto is_option = [](const std::string& word) { return word.starts_with('-') && word != "-" && word != "--"; };
  std::vector<std::string> options;
  for (const CLI::App* of : {&app, parsed.empty() ? &app : static_cast<const CLI::App*>(parsed.back())})
    for (const CLI::Option* option : of->get_options())
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);

  const bool is_wrong_value = e.get_name() == "ValidationError" || e.get_name() == "ConversionError";
  for (const std::string& word : is_wrong_value ? std::vector<std::string>() : rest) {
    if (is_option(word))
      return "no option is called " + tensortap::in_quotes(word) + suggestion(word.substr(0, word.find('=')), options);
    if (parsed.empty())
      return "no command is called " + tensortap::in_quotes(word) + suggestion(word, commands) + " (there are " +
             listed(commands) + ")";
    return "one argument too many: " + tensortap::in_quotes(word);
  }
  if (parsed.empty() && e.get_name() == "RequiredError") return "name a command: " + listed(commands);
  return tensortap::escaped(e.what());
}

}  // namespace tensortap_command
