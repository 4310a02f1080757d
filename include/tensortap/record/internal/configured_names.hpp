// What collections files and configurations have in common: the names of reductions, and one clause for several.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>

#include <tensortap/internal/config.hpp>
#include <tensortap/reduction.hpp>
#include <tensortap/select/save_config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the name of `r` in configurations, as smdebug spells it: norms are "l1_norm", "abs_l2_norm".
inline std::string configured_name(Reduction r) { return std::string(to_string(r)) + (is_norm(r) ? "_norm" : ""); }

/// Returns the reduction of such a name, with or without "_norm".
inline std::optional<Reduction> parse_configured_name(std::string_view text) {
  constexpr std::string_view norm = "_norm";
  if (text.ends_with(norm)) text.remove_suffix(norm.size());
  return parse_reduction(text);
}

/// Returns one clause that includes at least the steps of all `clauses`.
inline SaveClause approximation(const SaveConfig::Clauses& clauses) {
  SaveClause out = clauses.front();
  for (std::size_t i = 1; i < clauses.size(); ++i) {
    const SaveClause& clause = clauses[i];
    out.steps.insert(out.steps.end(), clause.steps.begin(), clause.steps.end());
    if (clause.interval <= 0) continue;
    const bool is_first = out.interval <= 0;
    out.interval = is_first ? clause.interval : std::gcd(out.interval, clause.interval);
    out.start = is_first ? clause.start : std::min(out.start, clause.start);
    out.end = is_first ? clause.end : out.end && clause.end ? std::max(out.end, clause.end) : std::nullopt;
  }
  if (clauses.size() > 1) std::sort(out.steps.begin(), out.steps.end());
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
