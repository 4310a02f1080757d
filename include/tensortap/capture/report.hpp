// The report of a hook: what it saved of each collection, or would save without dry_run, and which patterns matched no
// tensor.
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
};

/// The numbers of all collections of a hook.
struct Report {
  std::vector<CollectionReport> collections;
  bool dry_run = false;
};

/// Prints a table, then a line for each pattern that matched no tensor.
std::ostream& operator<<(std::ostream& out, const Report& report);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/capture/internal/report_impl.hpp>
#endif
