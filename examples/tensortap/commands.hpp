// The commands of the tool, one function each. They print to `out` and return the exit code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace tensortap_command {

/// Which part of a tensor `show` prints; all tensors if none is named.
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

/// How files and objects are copied.
struct Copy {
  /// Which of them: a pattern as in a shell, and whether what matches is wanted; the last that matches decides.
  struct Filter {
    std::string pattern;
    bool wanted = false;
  };

  bool recursive = false;
  bool remove = false;  // what is not at the source
  bool dry_run = false;
  bool quiet = false;
  std::optional<std::size_t> connections;
  std::vector<Filter> filters;
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

/// What lies at an s3:// address, as `aws s3 ls` prints it; 1 if there is nothing.
int list_objects(const std::string& address, bool recursive, std::ostream& out);

/// A file or an object, or with `recursive` all below a directory or a prefix, from one side to the other; "-" is
/// standard input or output. 1 if something was passed over, 2 if something failed.
int copy(const std::string& from, const std::string& to, const Copy& how, std::ostream& out);

/// Copies what differs in size or time, and with `remove` removes what the source does not have; returns as copy()
/// does.
int sync(const std::string& from, const std::string& to, const Copy& how, std::ostream& out);

}  // namespace tensortap_command
