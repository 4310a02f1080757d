// Opens runs, in the words of the tool.
#pragma once

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <tensortap/tensortap.hpp>

namespace tensortap_command {

/// Opens the run at `address` for the command `verb`. Throws: there is no run; the message names those in the
/// directory.
tensortap::Trial open_run(const std::string& verb, const std::string& address, tensortap::TrialOptions options = {});

/// Returns whether these are the objects of a run.
bool is_run(const tensortap::RunOutline& outline);

/// Returns the store of the run at `address`, for a command that changes it, and what its object names tell. Throws:
/// there is no run.
std::pair<std::shared_ptr<tensortap::Store>, tensortap::RunOutline> open_to_change(const std::string& verb,
                                                                                   const std::string& address);

/// Returns the addresses of the runs in the directory or prefix `address`, sorted.
std::vector<std::string> runs_in(const std::string& address);

/// Returns the number of attempts of a run; 0 if it is unknown.
std::size_t attempts_of(const tensortap::Trial& trial);

/// Throws, in the name of the command `verb`: `pattern` finds none of the names of the tensors; the message names the
/// one that was probably meant. An empty pattern finds all.
void require_tensors(const std::string& verb, const tensortap::Trial& trial, const std::string& pattern);

/// Prints a line for each of `runs`, with `json` an object. Returns 2 if one cannot be read.
int list_runs(const std::vector<std::string>& runs, bool json, std::ostream& out);

/// Prints a line for each damage that `trial` has met, and what its writers lost. Returns the exit code: 1 for either.
int report_damage(const tensortap::Trial& trial, std::ostream& out);

}  // namespace tensortap_command
