// The subcommands of the tool, one function for each. They print to `out` and return the exit code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace tensortap_command {

/// The part of a tensor that `show` prints.
struct Show {
  std::string tensor;
  std::optional<std::int64_t> step;
  std::string mode = "GLOBAL";
  std::string worker;
  bool all = false;
};

/// How `judge` evaluates a run.
struct Judge {
  std::string rule = "vanishing_gradient";
  double threshold = 1e-7;
  bool follow = false;
  std::optional<double> timeout;  // seconds; left out: none
  std::string stop_file;
};

/// How `cp` and `sync` copy.
struct Copy {
  /// A shell pattern, and whether to copy the files that match. The last filter that matches decides.
  struct Filter {
    std::string pattern;
    bool wanted = false;
  };

  bool recursive = false;
  bool remove = false;  // removes files that the source does not have
  bool dry_run = false;
  bool quiet = false;
  std::optional<std::size_t> connections;
  std::vector<Filter> filters;
};

/// Returns "1 step", "2 steps".
inline std::string plural(std::size_t n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

/// Prints a whole run as one JSON document; elements as the SHA-256 of their bytes.
int dump(const std::string& run, std::ostream& out);

/// Prints the run, its collections and its tensors, one line for each.
int list(const std::string& run, std::ostream& out);

/// Prints a tensor over its steps, or its elements in one step. Returns 1 if the step has none.
int show(const std::string& run, const Show& what, std::ostream& out);

/// Reads every record. Returns 0 if all are sound, 1 if not.
int check(const std::string& run, std::ostream& out);

/// Prints the findings of a rule as they come, and a verdict. Returns 0 if there are none, 1 if there are some, 2 if a
/// rule or an action failed.
int judge(const std::string& run, const Judge& how, std::ostream& out);

/// Prints the objects below an s3:// address as `aws s3 ls` does. Returns 1 if there are none.
int list_objects(const std::string& address, bool recursive, std::ostream& out);

/// Copies a file to S3 or an object from S3; with `recursive`, everything below a directory or a prefix. "-" is
/// standard input or output. Returns 1 if something was skipped, 2 if something failed.
int copy(const std::string& from, const std::string& to, const Copy& how, std::ostream& out);

/// Copies the files that differ in size or time; with `remove`, removes those that the source does not have. Returns as
/// copy() does.
int sync(const std::string& from, const std::string& to, const Copy& how, std::ostream& out);

}  // namespace tensortap_command
