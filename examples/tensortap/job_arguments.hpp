// The command line of `train`, as the options of a job.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <tensortap/job.hpp>

namespace tensortap_command {

/// The options of `train`, those of a file included.
class JobArguments {
 public:
  /// Adds the options to `sub`. Lifetime: this object outlives the parsing.
  void add_to(CLI::App& sub);

  /// Returns the options: those of the file, and over them those of the command line. Throws: a mistake in either.
  [[nodiscard]] tensortap::JobOptions options() const;

  /// Returns the exit codes, as a table for the help.
  static std::string exit_codes();

 private:
  const CLI::App* sub_ = nullptr;
  std::string file_, restart_on_exit_;
  std::vector<std::string> channels_, hyperparameters_, rules_;
  double max_run_ = 0, max_wait_ = 0, max_pending_ = 0, stop_window_ = 0, stall_ = 0, max_silence_ = 0;
  tensortap::JobOptions given_;
};

}  // namespace tensortap_command
