// A problem that a rule has found in a step.
//
//   const auto findings = tensortap::evaluate(trial, {tensortap::VanishingGradient{}});
//   for (const tensortap::Finding& finding : findings) std::cerr << finding << '\n';
#pragma once

#include <iosfwd>
#include <string>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// One finding. The caller of a rule sets `step` and, if it is empty, `rule`.
struct Finding {
  std::string rule = {};     ///< the name of the rule
  std::string tensor = {};   ///< the tensor, if the finding is about one
  Step step = {};            ///< the step
  double value = 0;          ///< the number that caused it
  std::string message = {};  ///< what is wrong, in words
  bool failed = false;       ///< true: not a finding, but a failure of the rule or of an action

  /// Compares all fields; NaN values are equal.
  friend bool operator==(const Finding& a, const Finding& b);
};

/// Returns the shortest decimal form of `number` that reads back as the same number.
std::string shortest(double number);

/// Writes one line without its end. It is safe to print, whatever names and messages hold, and independent of locales.
std::ostream& operator<<(std::ostream& out, const Finding& finding);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/finding_impl.hpp>
#endif
