// A problem that a rule has found in a run.
//
//   const auto verdict = tensortap::evaluate(trial, {tensortap::VanishingGradient{}});
//   for (const tensortap::Finding& finding : verdict.findings) std::cerr << finding << '\n';
#pragma once

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// How serious a finding is. An error makes the training worthless or much worse; an advice may.
enum class Severity : std::uint8_t { error, advice };

/// Returns "error" or "advice".
constexpr std::string_view to_string(Severity severity) noexcept {
  return severity == Severity::error ? "error" : "advice";
}

/// One finding: what a rule has found in one tensor, or in the run. A rule fills in what describes the step at hand;
/// the caller of the rule sets `rule` if it is empty, `worker` and `step`, and unites the findings of all steps:
/// `step`, `value`, `threshold` and `message` are those of the first.
struct Finding {
  std::string rule = {};                                        ///< the name of the rule
  Severity severity = Severity::error;                          ///< how serious it is
  std::string tensor = {};                                      ///< the tensor, if the finding is about one
  std::string worker = {};                                      ///< the process that saved it
  Step step = {};                                               ///< the first step
  double value = 0;                                             ///< the number that caused it
  double threshold = std::numeric_limits<double>::quiet_NaN();  ///< its limit; NaN: the rule has none
  std::string message = {};                                     ///< what is wrong, and what to try next
  std::int64_t last_step = 0;                                   ///< the last global step
  std::int64_t count = 1;                                       ///< in how many steps the rule found it
  bool failed = false;  ///< true: not a finding, but a failure of the rule or of an action

  /// Compares all fields; NaN values are equal.
  friend bool operator==(const Finding& a, const Finding& b);
};

/// Returns whether `a` comes before `b` in a verdict. Findings are in the order of their first steps, then of workers,
/// rules and tensors, with numbers in names as numbers; an error comes before an advice. Only findings with the same
/// JSON are equal in this order, so that the order can be found again from JSON lines.
bool comes_before(const Finding& a, const Finding& b);

/// Returns the shortest decimal form of `number` that reads back as the same number.
std::string shortest(double number);

/// Writes one line without its end. It is safe to print, whatever names and messages hold, and independent of locales.
std::ostream& operator<<(std::ostream& out, const Finding& finding);

/// Returns the finding as one line of JSON without its end. Numbers that JSON lacks are null; text that is not UTF-8 is
/// escaped as it is printed.
std::string to_json(const Finding& finding);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/finding_impl.hpp>
#endif
