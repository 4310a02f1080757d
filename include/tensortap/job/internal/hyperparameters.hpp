// Hyperparameters, as SageMaker's containers pass them to a program: in a file, as variables, as arguments.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/internal/config.hpp>
#include <tensortap/job/internal/job_names.hpp>
#include <tensortap/job/job_options.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The hyperparameters of a job, sorted by name.
class Hyperparameters {
 public:
  explicit Hyperparameters(std::vector<JobSetting> settings) : settings_(std::move(settings)) {
    std::sort(settings_.begin(), settings_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  /// Returns hyperparameters.json: every value is a text.
  [[nodiscard]] nlohmann::json file() const {
    nlohmann::json out = nlohmann::json::object();
    for (const JobSetting& one : settings_) out[one.name] = one.value;
    return out;
  }

  /// Returns the values as JSON where they are, else as text: SM_HPS.
  [[nodiscard]] nlohmann::json values() const {
    nlohmann::json out = nlohmann::json::object();
    for (const JobSetting& one : settings_) out[one.name] = value_of(one);
    return out;
  }

  /// Returns "--name value" for each, "-n value" for names of one letter; those of SageMaker are left out.
  [[nodiscard]] std::vector<std::string> arguments() const {
    std::vector<std::string> out;
    for (const JobSetting& one : settings_) {
      if (one.name.starts_with("sagemaker_")) continue;
      out.push_back((one.name.size() == 1 ? "-" : "--") + one.name);
      out.push_back(text_of_value(one));
    }
    return out;
  }

  /// Returns "SM_HP_NAME=value" for each, in both spellings of a name with dashes.
  [[nodiscard]] std::vector<std::string> variables() const {
    std::vector<std::string> out;
    for (const JobSetting& one : settings_) {
      const std::string name = JobNames::upper(one.name);
      std::string with_underscores = name;
      std::replace(with_underscores.begin(), with_underscores.end(), '-', '_');
      out.push_back("SM_HP_" + name + "=" + text_of_value(one));
      if (with_underscores != name) out.push_back("SM_HP_" + with_underscores + "=" + text_of_value(one));
    }
    return out;
  }

 private:
  static nlohmann::json value_of(const JobSetting& one) {
    nlohmann::json value = nlohmann::json::parse(one.value, nullptr, false);
    return value.is_discarded() ? nlohmann::json(one.value) : value;
  }

  /// Returns a text unchanged, a number with its own digits, other JSON without blanks.
  static std::string text_of_value(const JobSetting& one) {
    const nlohmann::json value = value_of(one);
    if (value.is_string()) return value.get<std::string>();
    return value.is_structured() ? value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) : one.value;
  }

  std::vector<JobSetting> settings_;
};

}  // namespace detail
TENSORTAP_END_NAMESPACE
