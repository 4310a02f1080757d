// Scripts that complete command lines. They hold all that they complete, so that no key press starts a program.
#include <sstream>
#include <stdexcept>
#include <string>
#include <tensortap/error.hpp>
#include <vector>

#include "tool_text.hpp"

namespace tensortap_command {

namespace {

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

/// Returns `text` with a backslash before each of `special`.
std::string guarded(const std::string& text, const std::string& special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string::npos) out += '\\';
    out += c;
  }
  return out;
}

/// Returns `text` in single quotes of bash and zsh.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}

std::vector<std::string> names_of(const CommandText& command) {
  std::vector<std::string> out;
  for (const OptionText& option : command.options) out.insert(out.end(), option.names.begin(), option.names.end());
  return out;
}

std::vector<std::string> names_of(const std::vector<CommandText>& commands) {
  std::vector<std::string> out;
  for (const CommandText& command : commands) out.push_back(command.name);
  return out;
}

/// Calls `visit(name of the command or "", command)` for the tool and its commands.
template <class Visit>
void for_each_command(const ToolText& tool, const Visit& visit) {
  visit(std::string(), tool.tool);
  for (const CommandText& command : tool.commands) visit(command.name, command);
}

std::string bash(const ToolText& tool) {
  std::ostringstream out;
  out << R"(_tensortap() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= words= i
  COMPREPLY=()
  if [[ $current == = ]]; then  # bash takes --mode=EVAL for three words
    current=
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == -- ]] && return
    [[ -n $command ]] && continue
    case ${COMP_WORDS[i]} in
      )"
      << joined(names_of(tool.commands), "|") << R"() command=${COMP_WORDS[i]} ;;
    esac
  done
  case $command:$before in
)";
  for_each_command(tool, [&](const std::string& name, const CommandText& command) {
    std::vector<std::string> others;
    for (const OptionText& option : command.options)
      for (const std::string& one : option.names) {
        if (option.value.empty()) continue;
        if (option.choices.empty())
          others.push_back(name + ":" + one);
        else
          out << "    " << name << ":" << one << ") words=" << quoted(joined(option.choices, " ")) << " ;;\n";
      }
    if (!others.empty()) out << "    " << joined(others, "|") << ") return ;;\n";
  });
  out << R"(  esac
  if [[ -n $words ]]; then
    :
  elif [[ $current == -* ]]; then
    case $command in
)";
  for_each_command(tool, [&](const std::string& name, const CommandText& command) {
    out << "      " << quoted(name) << ") words=" << quoted(joined(names_of(command), " ")) << " ;;\n";
  });
  out << "    esac\n  else\n    case $command in\n      '') words=" << quoted(joined(names_of(tool.commands), " "))
      << " ;;\n";
  for (const CommandText& command : tool.commands)
    for (const OptionText& option : command.options)
      if (option.names.empty() && !option.choices.empty())
        out << "      " << command.name << ") words=" << quoted(joined(option.choices, " ")) << " ;;\n";
  out << R"(      *) return ;;
    esac
  fi
  local IFS=$'\n'
  COMPREPLY=($(IFS=$' \n'; compgen -W "$words" -- "$current"))
}
complete -o bashdefault -o default -F _tensortap tensortap
)";
  return out.str();
}

/// Returns the specifications of _arguments for the options and arguments of a command.
std::vector<std::string> specifications(const CommandText& command) {
  std::vector<std::string> out;
  std::size_t place = 0;
  for (const OptionText& option : command.options) {
    const std::string action =
        option.choices.empty() ? "_files" : "(" + guarded(joined(option.choices, " "), ":") + ")";
    if (option.names.empty()) {
      const std::string which = option.repeated ? "*" : std::to_string(++place);
      out.push_back(quoted(which + (option.required ? ":" : "::") + option.value + ":" + action));
    }
    for (const std::string& name : option.names)
      out.push_back(quoted((option.repeated ? "*" : "") + name +
                           (option.value.empty() || !name.starts_with("--") ? "" : "=") + "[" +
                           guarded(option.description, "[]\\:") + "]" +
                           (option.value.empty() ? "" : ":" + option.value + ":" + action)));
  }
  return out;
}

std::string zsh(const ToolText& tool) {
  std::ostringstream out;
  out << "_tensortap() {\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n  _arguments -C \\\n";
  for (const std::string& one : specifications(tool.tool)) out << "    " << one << " \\\n";
  out << "    '1:command:->command' '*::argument:->argument' && return\n"
         "  case $state in\n    command)\n      local -a commands=(\n";
  for (const CommandText& command : tool.commands)
    out << "        " << quoted(command.name + ":" + guarded(summary_of(command.description), ":\\")) << '\n';
  out << "      )\n      _describe -t commands command commands ;;\n    argument)\n      case $line[1] in\n";
  for (const CommandText& command : tool.commands) {
    out << "        " << command.name << ")\n          _arguments";
    for (const std::string& one : specifications(command)) out << " \\\n            " << one;
    out << " ;;\n";
  }
  out << "      esac ;;\n  esac\n}\nif [[ $funcstack[1] == _tensortap ]]; then _tensortap \"$@\"; else compdef "
         "_tensortap "
         "tensortap; fi\n";
  return out.str();
}

/// Returns `text` in single quotes of fish.
std::string quoted_for_fish(const std::string& text) { return "'" + guarded(text, "'\\") + "'"; }

std::string fish(const ToolText& tool) {
  std::ostringstream out;
  const std::string commands = joined(names_of(tool.commands), " ");
  for (const CommandText& command : tool.commands)
    out << "complete -c tensortap -f -n " << quoted_for_fish("not __fish_seen_subcommand_from " + commands) << " -a "
        << command.name << " -d " << quoted_for_fish(summary_of(command.description)) << '\n';
  for_each_command(tool, [&](const std::string& name, const CommandText& command) {
    const std::string when =
        name.empty() ? "not __fish_seen_subcommand_from " + commands : "__fish_seen_subcommand_from " + name;
    for (const OptionText& option : command.options) {
      if (option.names.empty() && option.choices.empty()) continue;
      out << "complete -c tensortap -n " << quoted_for_fish(when);
      for (const std::string& one : option.names)
        out << (one.starts_with("--") ? " -l " : " -s ") << one.substr(one.find_first_not_of('-'));
      if (!option.names.empty() && !option.value.empty()) out << (option.choices.empty() ? " -r" : " -x");
      if (option.names.empty()) out << " -f";
      if (!option.choices.empty()) out << " -a " << quoted_for_fish(joined(option.choices, " "));
      out << " -d " << quoted_for_fish(option.description) << '\n';
    }
  });
  return out.str();
}

}  // namespace

std::string completion_for(const std::string& shell, const ToolText& tool) {
  const std::string from =
      "# Completes the command lines of tensortap. Written by: tensortap completion " + shell + "\n";
  if (shell == "bash") return from + bash(tool);
  if (shell == "zsh") return "#compdef tensortap\n" + from + zsh(tool);
  if (shell == "fish") return from + fish(tool);
  throw std::runtime_error("completion: " + tensortap::in_quotes(shell) +
                           ": no such shell is known; name bash, zsh or fish");
}

}  // namespace tensortap_command
