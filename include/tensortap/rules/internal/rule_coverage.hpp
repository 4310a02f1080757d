// What a rule could judge: the tensors that it asked for and got an answer of. A rule that gets no answer finds
// nothing, which must not look like a healthy run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/rule_state.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Numbers of tensors and steps that a rule got answers of.
struct RuleCoverage {
  std::int64_t tensors = 0;
  std::int64_t steps = 0;

  /// Notes that the rule knows something of tensor `id` in step `step`, a running number.
  void note(std::size_t id, std::uint64_t step) {
    if (id >= seen.size()) seen.resize(id + 1);
    if (seen[id] == 0) ++tensors;
    seen[id] = 1;
    if (last_step != step) ++steps;
    last_step = step;
  }

  void exchange(RuleState& state) { state(tensors)(steps)(seen)(last_step); }

  std::vector<std::uint8_t> seen = {};  // by id
  std::uint64_t last_step = 0;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
