// The bodies of finding.hpp.
#pragma once

#include <charconv>
#include <cmath>
#include <compare>
#include <ostream>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>
#include <tensortap/rules/internal/json_text.hpp>
#include <tensortap/rules/internal/tensor_names.hpp>

TENSORTAP_BEGIN_NAMESPACE

namespace detail {

inline bool same_number(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// Compares names as JSON spells them: numbers in them as numbers, then byte by byte.
inline std::strong_ordering compare_names(const std::string& a, const std::string& b) {
  if (a == b) return std::strong_ordering::equal;
  if (!is_utf8(a) || !is_utf8(b)) {
    const auto spelled = [](const std::string& text) { return is_utf8(text) ? text : escaped(text); };
    const std::string x = spelled(a);
    const std::string y = spelled(b);
    return x == y ? std::strong_ordering::equal : compare_names(x, y);
  }
  if (natural_less(a, b)) return std::strong_ordering::less;
  if (natural_less(b, a)) return std::strong_ordering::greater;
  return a.compare(b) <=> 0;
}

}  // namespace detail

TENSORTAP_INLINE bool comes_before(const Finding& a, const Finding& b) {
  std::strong_ordering order = a.step.global_step <=> b.step.global_step;
  if (std::is_eq(order)) order = detail::compare_names(a.worker, b.worker);
  if (std::is_eq(order)) order = detail::compare_names(a.rule, b.rule);
  if (std::is_eq(order)) order = detail::compare_names(a.tensor, b.tensor);
  if (std::is_eq(order)) order = a.severity <=> b.severity;
  if (std::is_eq(order)) order = a.failed <=> b.failed;
  return std::is_eq(order) ? to_json(a) < to_json(b) : std::is_lt(order);
}

TENSORTAP_INLINE bool operator==(const Finding& a, const Finding& b) {
  return a.rule == b.rule && a.severity == b.severity && a.tensor == b.tensor && a.worker == b.worker &&
         a.step == b.step && detail::same_number(a.value, b.value) && detail::same_number(a.threshold, b.threshold) &&
         a.message == b.message && a.last_step == b.last_step && a.count == b.count && a.failed == b.failed;
}

TENSORTAP_INLINE std::string shortest(double number) {
  if (std::isnan(number)) return "nan";  // its sign and bits say nothing
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

TENSORTAP_INLINE std::ostream& operator<<(std::ostream& out, const Finding& finding) {
  out << escaped(finding.rule);
  if (finding.severity == Severity::advice) out << " (advice)";
  out << ": step " << std::to_string(finding.step.global_step);
  if (finding.step.mode != Mode::global)
    out << " (" << to_string(finding.step.mode) << ' ' << std::to_string(finding.step.mode_step) << ')';
  if (!finding.tensor.empty()) out << ": " << in_quotes(finding.tensor);
  if (finding.failed) out << ": failed";
  out << ": " << (finding.message.empty() ? shortest(finding.value) : escaped(finding.message));
  if (finding.count == 1) return out;
  return out << "; in " << std::to_string(finding.count) << " steps, the last is step "
             << std::to_string(finding.last_step);
}

TENSORTAP_INLINE std::string to_json(const Finding& finding) {
  std::string out = R"({"rule": )";
  detail::append_json_text(out, finding.rule);
  out.append(R"(, "severity": ")").append(to_string(finding.severity));
  out.append(R"(", "step": )").append(std::to_string(finding.step.global_step));
  out.append(R"(, "mode": ")").append(to_string(finding.step.mode));
  out.append(R"(", "mode_step": )").append(std::to_string(finding.step.mode_step));
  out += R"(, "tensor": )";
  detail::append_json_text(out, finding.tensor);
  out += R"(, "worker": )";
  detail::append_json_text(out, finding.worker);
  out += R"(, "value": )";
  detail::append_json_number(out, finding.value);
  out += R"(, "threshold": )";
  detail::append_json_number(out, finding.threshold);
  out.append(R"(, "first_step": )").append(std::to_string(finding.step.global_step));
  out.append(R"(, "last_step": )").append(std::to_string(finding.last_step));
  out.append(R"(, "count": )").append(std::to_string(finding.count));
  if (finding.failed) out += R"(, "failed": true)";
  out += R"(, "message": )";
  detail::append_json_text(out, finding.message);
  return out + "}";
}

TENSORTAP_END_NAMESPACE
