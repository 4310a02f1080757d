// A page that shows runs: one HTML file that holds everything and asks no network for anything.
//
//   std::ofstream file("report.html", std::ios::binary);
//   tensortap::write_page({tensortap::report_of(tensortap::open_store("runs/42"))}, file);
#pragma once

#include <iosfwd>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/report/run_report.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Writes a page of `runs`, whose curves are drawn over each other. The same runs give the same bytes. Its policy
/// (Content-Security-Policy) allows its own script and style and nothing else; names of runs and tensors are text.
/// Empty: a page that says so. Throws: `out` cannot be written.
void write_page(const std::vector<RunReport>& runs, std::ostream& out);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/report/internal/report_page_impl.hpp>
#endif
