// The configuration of the hook in a job's program: that of the user, and what the rules need.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/capture/hook_configuration.hpp>
#include <tensortap/internal/config.hpp>
#include <tensortap/job/job_options.hpp>
#include <tensortap/rules/rule.hpp>
#include <tensortap/select/collection.hpp>
#include <tensortap/select/internal/save_request.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// Returns the user's configuration, or an empty one. Throws: it is damaged.
inline HookConfiguration hook_of_user(const JobOptions& options) {
  return HookConfiguration::from_json(options.hook_config.empty() ? "{}" : options.hook_config);
}

/// Returns debughookconfig.json: `from` with the tensors at `run`, and the collections that `rules` read.
inline nlohmann::json hook_of_job(HookConfiguration from, const std::string& run, const std::vector<Rule>& rules,
                                  int workers) {
  from.out_dir = run;
  if (workers > 1) from.include_workers = IncludeWorkers::all;
  for (Collection& needed : required_by(rules)) {
    auto& collections = from.options.collections;
    const auto found = std::find_if(collections.begin(), collections.end(),
                                    [&](const Collection& one) { return one.name == needed.name; });
    if (found == collections.end())
      collections.push_back(std::move(needed));
    else
      unite(*found, needed);
  }
  return nlohmann::json::parse(from.to_json());
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
