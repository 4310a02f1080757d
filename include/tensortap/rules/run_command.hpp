// Runs a program for each finding, without a shell.
//
//   tensortap::Background page(tensortap::RunCommand{{"/usr/bin/systemd-cat", "-t", "training"}});
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/rules/finding.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// Starts a program with the finding as one line of JSON on its standard input, and waits for its end: put it in a
/// `Background`. The program is looked up in PATH if its name has no slash, and inherits the environment.
struct RunCommand {
  std::vector<std::string> command;                             ///< the program and its arguments
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);  ///< then it is killed, with all that it has started

  /// Throws: it cannot be started, was killed, or has ended with another code than 0.
  void operator()(const Finding& finding) const;
};

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/rules/internal/run_command_impl.hpp>
#endif
