// The commands of the tool, one function each. They print to `out` and return the exit code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

namespace tensortap_command {

/// Which part of a tensor `show` prints.
struct Show {
  std::string tensor;
  std::optional<std::int64_t> step;
  std::string mode = "GLOBAL";
  std::string worker;
  bool all = false;
};

/// With what a run is judged, and how long.
struct Judge {
  std::string rule = "vanishing_gradient";
  double threshold = 1e-7;
  bool follow = false;
  std::optional<double> timeout;  // seconds; left out: for ever, if it is followed
  std::string stop_file;
};

/// "1 step", "2 steps".
inline std::string plural(std::size_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

/// Everything in a run as one JSON document; elements as SHA-256 of their bytes.
int dump(const std::string& run, std::ostream& out);

/// The run, its collections and its tensors, one line each.
int list(const std::string& run, std::ostream& out);

/// A tensor over its steps, or its elements in one step.
int show(const std::string& run, const Show& what, std::ostream& out);

/// Reads every record; 0 if all are sound, 1 if not.
int check(const std::string& run, std::ostream& out);

/// Prints what a rule finds, as it comes, and a verdict; 0 if it found nothing, 1 if it did, 2 if something failed.
int judge(const std::string& run, const Judge& how, std::ostream& out);

}  // namespace tensortap_command
