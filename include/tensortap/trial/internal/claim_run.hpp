// Claims a run for a tool that changes it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/record/layout.hpp>
#include <tensortap/store/store.hpp>
#include <tensortap/trial/outline.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Claims the parts of all workers for `owner`, for as long as the result lives, and removes what a killed process has
/// not finished. Throws: a living process writes the run.
inline std::vector<std::unique_ptr<Claim>> claim_all_workers(Store& run, std::string_view owner) {
  std::set<std::string> keys{layout::claim_key(1, "")};
  for (const std::string& worker : outline_of(run).workers) keys.insert(layout::claim_key(2, worker));
  std::vector<std::unique_ptr<Claim>> out;
  for (const std::string& key : keys) {
    out.push_back(run.claim(key, owner));
    if (!out.back()) throw Error::run_is_claimed(run.location(), run.claim_holder(key));
  }
  run.remove_unfinished([](std::string_view) { return true; });
  return out;
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
