// The segment of a batch of steps: their files in one object, the indexes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <tensortap/bytes/bytes.hpp>
#include <tensortap/capture/internal/step_files.hpp>
#include <tensortap/capture/internal/step_records.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/internal/segment.hpp>
#include <tensortap/record/layout.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns a segment with the files of `steps`, which `files` has encoded. Lifetime: both outlive it unchanged.
inline SegmentWriter make_segment(const StepFiles& files, std::span<const StepRecords* const> steps,
                                  std::string_view worker, std::int64_t attempt) {
  SegmentWriter out({.worker = layout::worker_in_file_name(worker),
                     .attempt = attempt,
                     .first = steps.front()->step().global_step,
                     .last = steps.back()->step().global_step});
  for (std::size_t i = 0; i < steps.size(); ++i) out.add(files.step(i).index_key(), bytes_of(files.step(i).index()));
  for (const StepFiles::Events& events : files.events())
    if (!events.key.empty()) out.add(events.key, events.pieces);
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
