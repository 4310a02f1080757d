// The facts of a run for `report` and `serve`.
#pragma once

#include <string>
#include <tensortap/report.hpp>

namespace tensortap_command {

/// Returns the facts of the run at `address`, or of the job there, with what a job that has the run tells of it, and
/// with the trace of either. Without a name in `options` the run has that of its job. Throws: there is no run.
tensortap::RunReport read_report(const std::string& address, tensortap::ReportOptions options = {});

}  // namespace tensortap_command
