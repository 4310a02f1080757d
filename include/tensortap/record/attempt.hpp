// An attempt: one process that writes a run, from its start to its end or interruption. Each attempt leaves an object
// that names the step after which it continues. Together with the attempt numbers in index files, these objects decide
// which steps count: a step counts unless a later attempt continues before it. So the late writes of a suspended
// process that has a successor change nothing for readers.
//
//   const tensortap::Attempt attempt{.number = 1, .worker = "worker_0", .resumed_at = 40};
//   store.put(tensortap::layout::attempt_key(1, "worker_0"), to_json(attempt));
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>
#include <tensortap/record/hook_cost.hpp>
#include <tensortap/record/loss.hpp>
#include <tensortap/record/thinning.hpp>

TENSORTAP_BEGIN_NAMESPACE

/// The content of an attempt's object.
struct Attempt {
  std::int64_t number = 0;             ///< 0 for the first attempt of a worker, and growing
  std::string worker;                  ///< the worker's name
  std::int64_t resumed_at = -1;        ///< the last global step of earlier attempts that counts; -1: none
  bool ended = false;                  ///< whether the run was closed by this attempt
  bool left = false;                   ///< whether the run continues without this worker
  std::string run_id = {};             ///< the same in all attempts of a run; empty if it is unknown
  std::vector<Loss> losses = {};       ///< what this attempt could not save
  std::string error = {};              ///< its first failed write
  std::vector<Thinning> thinned = {};  ///< what it left out to keep to its budget
  HookCost cost = {};                  ///< what its hook has cost training
  /// Facts about its process and its configuration: "host", "command", "seed" …
  std::map<std::string, std::string> facts = {};
};

/// Returns the text of the attempt's object.
std::string to_json(const Attempt& attempt);

/// Returns the attempt in `text`. Messages name `place`, its key.
/// Throws: text that is not JSON, a key that is missing or of the wrong kind.
Attempt parse_attempt(std::string_view text, std::string_view place);

TENSORTAP_END_NAMESPACE

#if TENSORTAP_WITH_BODIES
#include <tensortap/record/internal/attempt_impl.hpp>
#endif
