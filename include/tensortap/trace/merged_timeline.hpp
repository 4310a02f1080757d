// Writes a timeline as one trace for chrome://tracing, Perfetto and smdebug's notebooks.
//
//   std::ofstream file("merged.json");
//   tensortap::write_merged_timeline(tensortap::read_timeline(*tensortap::open_store("trace")), file);
#pragma once

#include <iosfwd>

#include <tensortap/internal/config.hpp>
#include <tensortap/trace/timeline.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Writes `timeline` to `out` in Chrome's trace format, one event a line: each kind of phase in the range of process
/// numbers that smdebug's MergedTimeline gives it, metrics as counters, and a marker at each time at which a GPU is
/// used by less than 85 %. Threads are numbered from 1 on. Units: microseconds since 1970. Writes UTF-8; the caller
/// checks the stream.
void write_merged_timeline(const Timeline& timeline, std::ostream& out);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/trace/internal/merged_timeline_impl.hpp>
#endif
