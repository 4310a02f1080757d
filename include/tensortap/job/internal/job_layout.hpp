// Where the parts of a job lie: the keys in its folder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The keys of a job's folder.
struct JobLayout {
  static constexpr std::string_view record = "job.json";
  static constexpr std::string_view claim = "manager.claim";
  static constexpr std::string_view stop_request = "stop";
  static constexpr std::string_view run = "debug-output";
  static constexpr std::string_view checkpoints = "checkpoints";
  static constexpr std::string_view model = "output/model.tar.gz";
  static constexpr std::string_view output = "output/output.tar.gz";
  static constexpr std::string_view logs = "logs/";
  static constexpr std::string_view merged_log = "logs/output.log";

  /// What the manager of a host tells the others.
  static std::string word_of(const std::string& host) { return "managers/" + host + ".json"; }
  static std::string claim_of(const std::string& host) { return "managers/" + host + ".claim"; }
  /// The output of a host that has a manager of its own.
  static std::string output_of(const std::string& host) { return "output/output-" + host + ".tar.gz"; }

  static std::string attempt_log(std::int64_t attempt, const std::string& host) {
    constexpr std::size_t digits = 4;
    std::string number = std::to_string(attempt);
    if (number.size() < digits) number.insert(0, digits - number.size(), '0');
    return std::string(logs) + "attempt-" + number + "/" + host + ".log";
  }

  /// The keys of job.json that hold the options.
  static const std::vector<std::string>& configuration_keys() {
    static const std::vector<std::string> keys = {"Program",
                                                  "HyperParameters",
                                                  "InputDataConfig",
                                                  "ResourceConfig",
                                                  "OutputDataConfig",
                                                  "CheckpointConfig",
                                                  "EnableManagedSpotTraining",
                                                  "StoppingCondition",
                                                  "DebugRuleConfigurations"};
    return keys;
  }
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
