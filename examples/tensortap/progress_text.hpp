// The progress of a run as a frame of a terminal, as a line, and as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <tensortap/rules/finding.hpp>
#include <vector>

#include "run_progress.hpp"

namespace tensortap_command {

/// What the rules have found so far.
struct SeenFindings {
  std::vector<tensortap::Finding> list = {};     // in the order in which they appeared
  std::optional<std::int64_t> last_judged = {};  // the last global step that the rules have seen
  std::size_t rules = 0;                         // how many judge the run
};

/// How a frame looks.
struct FrameStyle {
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool colors = false;
  bool keys = false;  // says which keys there are
};

/// Returns the lines of a frame, none of them wider than the style's columns and no more than its rows. Without a
/// `progress` there is no run yet.
std::vector<std::string> frame_of(const std::string& run, const std::optional<RunProgress>& progress,
                                  const SeenFindings& findings, const FrameStyle& style);

/// Returns one line: the last step, its speed, the time that is left, the last values.
std::string line_of(const RunProgress& progress);

/// Returns one line of JSON. Its "new_findings" are those from number `first_new` on.
std::string json_of(const std::string& run, const RunProgress& progress, const SeenFindings& findings,
                    std::size_t first_new);

}  // namespace tensortap_command
