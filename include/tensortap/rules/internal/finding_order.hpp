// The order of the findings of a verdict.
#pragma once

#include <algorithm>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Puts findings in the order of a verdict.
inline void sort_findings(std::vector<Finding>& findings) {
  std::stable_sort(findings.begin(), findings.end(), comes_before);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
