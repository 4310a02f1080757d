// What the names of a run's objects say: a few calls to the store however long the run is, for none of them is read.
//
//   const auto outline = tensortap::outline_of(*tensortap::open_store("runs/42"));
//   std::cout << outline.steps.size() << " steps of " << outline.workers.size() << " workers\n";
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>

TENSORTAP_BEGIN_NAMESPACE

struct RunOutline {
  std::vector<std::int64_t> steps = {};  ///< global steps that any worker has saved; ascending
  std::set<std::string> workers = {};
  std::size_t attempts = 0;  ///< that were begun, of all workers; 0 in a run of smdebug
  bool ended = false;        ///< its end marker is there
};

/// The outline of the run in `store`. While an attempt goes back to its last commit, what it has not set aside yet is in
/// it; a Trial reads the index and tells that apart. Throws: the store failed.
inline RunOutline outline_of(const Store& store) {
  RunOutline outline;
  outline.ended = store.size(layout::end_marker).has_value();
  for (const ObjectInfo& object : store.list(layout::collections_prefix))
    if (auto worker = layout::parse_collections_key(object.key)) outline.workers.insert(*worker);
  for (const ObjectInfo& object : store.list(layout::index_prefix))
    if (const auto name = layout::parse_index_key(object.key)) {
      outline.workers.insert(name->worker);
      outline.steps.push_back(name->global_step);
    }
  std::sort(outline.steps.begin(), outline.steps.end());
  outline.steps.erase(std::unique(outline.steps.begin(), outline.steps.end()), outline.steps.end());
  outline.attempts = store.list(layout::attempts_prefix).size();
  return outline;
}

TENSORTAP_END_NAMESPACE
