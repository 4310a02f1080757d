// The bodies of rule.hpp.
#pragma once

#include <algorithm>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/internal/save_request.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Finding> Rule::operator()(const StepView& step) {
  std::vector<Finding> findings = judge_(step);
  for (Finding& finding : findings) {
    if (finding.rule.empty()) finding.rule = name_;
    finding.step = step.step();
  }
  return findings;
}

TENSORTAP_INLINE std::vector<Collection> required_by(const std::vector<Rule>& rules) {
  std::vector<Collection> out;
  for (const Rule& rule : rules)
    for (const Collection& collection : rule.required()) {
      const auto same =
          std::find_if(out.begin(), out.end(), [&](const Collection& other) { return other.name == collection.name; });
      if (same == out.end())
        out.push_back(collection);
      else
        detail::unite(*same, collection);
    }
  return out;
}

TENSORTAP_END_NAMESPACE
