// The outline of a run, from its object names alone: its steps, workers and attempts. It costs a few listings, however
// long the run is. No object is read, except for the lists of steps in the segments of a packed run.
//
//   const auto outline = tensortap::outline_of(*tensortap::open_store("runs/42"));
//   std::cout << outline.steps.size() << " steps of " << outline.workers.size() << " workers\n";
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE

class Store;

/// The outline of a run.
struct RunOutline {
  std::vector<std::int64_t> steps = {};  ///< global steps that at least one worker has saved; ascending
  std::set<std::string> workers = {};
  std::size_t attempts = 0;  ///< of all workers; 0 if smdebug wrote the run
  bool ended = false;        ///< the end marker exists
};

/// Returns the outline of the run in `store`. While a new attempt archives the steps of its predecessor, the outline
/// still holds those that are left; a Trial reads the index and leaves them out. Throws: the store failed.
RunOutline outline_of(const Store& store);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trial/internal/outline_impl.hpp>
#endif
