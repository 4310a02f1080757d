// The body of outline.hpp.
#pragma once

#include <algorithm>
#include <memory>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/outline.hpp>
#include <tensortap/trial/packed_run.hpp>

TENSORTAP_BEGIN_NAMESPACE

TENSORTAP_INLINE RunOutline outline_of(const Store& store) {
  RunOutline outline;
  outline.ended = store.size(layout::end_marker).has_value();
  for (const ObjectInfo& object : store.list(layout::collections_prefix))
    if (auto worker = layout::parse_collections_key(object.key)) outline.workers.insert(*worker);
  const PackedRun run(std::shared_ptr<const Store>(std::shared_ptr<const Store>(), &store));  // does not own it
  for (const ObjectInfo& object : run.list(layout::index_prefix))
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
