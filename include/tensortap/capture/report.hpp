// The report of a hook: what it saved of each collection, or would save without dry_run, which patterns matched no
// tensor, and what was left out.
//
//   std::cout << hook.report();
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The numbers of one collection. A tensor in several collections counts in each.
struct CollectionReport {
  std::string name;
  std::uint64_t tensors = 0;           ///< tensors with at least one saved record
  std::uint64_t steps = 0;             ///< steps with at least one saved record
  std::uint64_t records = 0;           ///< elements, reductions and shapes
  std::uint64_t bytes = 0;             ///< of elements, before framing
  std::vector<std::string> unmatched;  ///< patterns and names that matched no tensor
  std::uint64_t withheld = 0;          ///< tensors shown in EVAL and PREDICT steps and left out: see `Collection`
};

/// The numbers of all collections of a hook.
struct Report {
  std::vector<CollectionReport> collections;
  bool dry_run = false;
};

/// Returns the line that says why tensors of `collection` were left out in EVAL and PREDICT steps; empty if none were.
std::string withheld_note(const CollectionReport& collection);

/// Prints a table, then a line for each pattern that matched no tensor, and for tensors that were left out.
std::ostream& operator<<(std::ostream& out, const Report& report);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/report_impl.hpp>
#endif
