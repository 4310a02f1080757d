// The bodies of rule.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/save_config.hpp>
#include <tensortap/step.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE std::vector<Finding> Rule::operator()(const StepView& step) {
  std::vector<Finding> findings = judge_(step);
  for (Finding& finding : findings) {
    if (finding.rule.empty()) finding.rule = name_;
    finding.step = step.step();
  }
  return findings;
}

namespace detail {

/// Whenever one of the two saves.
inline ModeSaveConfig united(const ModeSaveConfig& a, const ModeSaveConfig& b) {
  ModeSaveConfig out;
  const bool none = a.interval() == 0 && b.interval() == 0;
  if (!none) {
    out.save_interval = std::gcd(a.interval(), b.interval());
    if (a.interval() == 0 || b.interval() == 0) {
      out.start_step = a.interval() == 0 ? b.start_step : a.start_step;
      out.end_step = a.interval() == 0 ? b.end_step : a.end_step;
    } else {
      if (a.start_step && b.start_step) out.start_step = std::min(*a.start_step, *b.start_step);
      if (a.end_step && b.end_step) out.end_step = std::max(*a.end_step, *b.end_step);
    }
  }
  std::set_union(a.save_steps.begin(), a.save_steps.end(), b.save_steps.begin(), b.save_steps.end(),
                 std::back_inserter(out.save_steps));
  return out;
}

inline SaveConfig united(const SaveConfig& a, const SaveConfig& b) {
  if (a == b) return a;
  if (a.is_custom() || b.is_custom())
    return SaveConfig::when([a, b](const Step& step) { return a.includes(step) || b.includes(step); });
  SaveConfig out = a;
  for (const Mode mode : all_modes) {
    if (!out[mode])
      out[mode] = b[mode];
    else if (b[mode])
      out[mode] = united(*a[mode], *b[mode]);
  }
  return out;
}

/// Adds to `to` what `other`, of the same name, asks for.
inline void unite(Collection& to, const Collection& other) {
  const bool raw = to.saves_raw() || other.saves_raw();
  for (const Reduction r : other.reductions) to.reductions.insert(r);
  to.save_raw_tensor = raw;
  to.save_shape = to.save_shape || other.save_shape;
  to.save_histogram = to.save_histogram || other.save_histogram;
  for (const std::string& name : other.tensor_names)
    if (std::find(to.tensor_names.begin(), to.tensor_names.end(), name) == to.tensor_names.end())
      to.tensor_names.push_back(name);
  if (to.include_regex.given() || other.include_regex.given()) {
    const auto patterns_of = [](const Collection& collection) {
      if (collection.include_regex.given() || !collection.tensor_names.empty()) return collection.include_regex.list();
      const auto builtin = builtin_pattern(collection.name);
      return builtin ? std::vector<std::string>{std::string(*builtin)} : std::vector<std::string>{};
    };
    auto patterns = patterns_of(to);
    for (const std::string& pattern : patterns_of(other))
      if (std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) patterns.push_back(pattern);
    to.include_regex = std::move(patterns);
  }
  if (!to.save)
    to.save = other.save;
  else if (other.save)
    to.save = united(*to.save, *other.save);
}

}  // namespace detail

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
