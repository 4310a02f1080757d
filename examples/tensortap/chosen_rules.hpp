// The rules that a command line chooses: names with commas between them, and their parameters.
#pragma once

#include <string>
#include <tensortap/rules/rule.hpp>
#include <vector>

namespace tensortap_command {

/// Returns the rules called `names`, which are separated by commas, or all, with the `settings` RULE.PARAMETER=VALUE.
/// With `smdebug` they are those of SageMaker Debugger. Throws, in the name of the command `verb`: no such rule or
/// parameter.
std::vector<tensortap::Rule> chosen_rules(const std::string& verb, const std::string& names,
                                          const std::vector<std::string>& settings, bool smdebug);

}  // namespace tensortap_command
