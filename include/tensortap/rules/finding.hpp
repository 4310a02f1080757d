// What a rule found in a step.
//
//   const auto findings = tensortap::evaluate(trial, {tensortap::VanishingGradient{}});
//   for (const tensortap::Finding& finding : findings) std::cerr << finding << '\n';
#pragma once

#include <charconv>
#include <cmath>
#include <ostream>
#include <string>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One finding. `rule`, if it is empty, and `step` are filled in by whoever runs the rule.
struct Finding {
  std::string rule = {};     ///< which rule
  std::string tensor = {};   ///< about which tensor, if it is about one
  Step step = {};            ///< in which step
  double value = 0;          ///< the number that gave rise to it
  std::string message = {};  ///< what is wrong, for people
  bool failed = false;       ///< nothing was found: the rule, or what was to be done about a finding, has failed

  friend bool operator==(const Finding& a, const Finding& b) {
    const bool same_value = a.value == b.value || (std::isnan(a.value) && std::isnan(b.value));
    return a.rule == b.rule && a.tensor == b.tensor && a.step == b.step && same_value && a.message == b.message &&
           a.failed == b.failed;
  }
};

/// `number` in its shortest form that reads back the same.
inline std::string shortest(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

/// One line without its end, safe to print whatever names and messages hold, and the same in every locale.
inline std::ostream& operator<<(std::ostream& out, const Finding& finding) {
  out << escaped(finding.rule) << ": step " << std::to_string(finding.step.global_step);
  if (finding.step.mode != Mode::global)
    out << " (" << to_string(finding.step.mode) << ' ' << std::to_string(finding.step.mode_step) << ')';
  if (!finding.tensor.empty()) out << ": " << in_quotes(finding.tensor);
  if (finding.failed) out << ": failed";
  return out << ": " << (finding.message.empty() ? shortest(finding.value) : escaped(finding.message));
}

TENSORTAP_END_NAMESPACE
