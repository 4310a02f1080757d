// The bodies of prune.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/retained_steps.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/internal/claim_run.hpp>
#include <tensortap/trial/outline.hpp>
#include <tensortap/trial/prune.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Removes all objects below `prefix`, and counts them.
inline void prune_all(Store& run, std::string_view prefix, bool dry_run, Pruned& out) {
  std::vector<std::string> keys;
  for (ObjectInfo& object : run.list(prefix)) {
    out.bytes += object.size;
    keys.push_back(std::move(object.key));
  }
  out.objects += keys.size();
  if (!dry_run && !keys.empty()) run.remove_all(keys);
}

}  // namespace detail

TENSORTAP_INLINE Pruned prune(Store& run, const PruneOptions& options) {
  if ((options.keep.steps && *options.keep.steps < 1) || options.keep.bytes == 0)
    throw Error::bad_option("keep", "it keeps nothing; give it 1 or more, or leave it out");
  const auto claims = options.dry_run ? std::vector<std::unique_ptr<Claim>>() : detail::claim_all_workers(run, "prune");
  Pruned out;
  std::vector<detail::RetainedSteps> of_workers;
  std::int64_t last = options.last_commit.value_or(std::numeric_limits<std::int64_t>::max());
  for (const std::string& worker : outline_of(run).workers) {
    detail::RetainedSteps& steps = of_workers.emplace_back(worker);
    steps.learn(run);
    if (steps.steps() > 0) last = std::min(last, steps.last());
  }
  for (detail::RetainedSteps& steps : of_workers) {
    const auto surplus = steps.take_surplus(options.keep, last);
    for (const detail::StepGroup& group : surplus) {
      out.steps += static_cast<std::uint64_t>(group.steps);
      out.objects += group.indexes.size() + group.events.size();
      out.bytes += group.bytes;
    }
    out.steps_left += static_cast<std::uint64_t>(steps.steps());
    out.bytes_left += steps.bytes();
    if (!options.dry_run && !surplus.empty()) detail::remove_groups(run, surplus, true);
  }
  if (options.superseded) detail::prune_all(run, layout::superseded_prefix, options.dry_run, out);
  if (options.snapshots) detail::prune_all(run, layout::snapshots_prefix, options.dry_run, out);
  return out;
}

TENSORTAP_END_NAMESPACE
