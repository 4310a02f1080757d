// The bodies of finding.hpp.
#pragma once

#include <charconv>
#include <cmath>
#include <ostream>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE bool operator==(const Finding& a, const Finding& b) {
  const bool same_value = a.value == b.value || (std::isnan(a.value) && std::isnan(b.value));
  return a.rule == b.rule && a.tensor == b.tensor && a.step == b.step && same_value && a.message == b.message &&
         a.failed == b.failed;
}

TENSORTAP_INLINE std::string shortest(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

TENSORTAP_INLINE std::ostream& operator<<(std::ostream& out, const Finding& finding) {
  out << escaped(finding.rule) << ": step " << std::to_string(finding.step.global_step);
  if (finding.step.mode != Mode::global)
    out << " (" << to_string(finding.step.mode) << ' ' << std::to_string(finding.step.mode_step) << ')';
  if (!finding.tensor.empty()) out << ": " << in_quotes(finding.tensor);
  if (finding.failed) out << ": failed";
  return out << ": " << (finding.message.empty() ? shortest(finding.value) : escaped(finding.message));
}

TENSORTAP_END_NAMESPACE
