// Which process of a distributed training this one is, as its launcher says.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include <tensortap/error.hpp>
#include <tensortap/internal/config.hpp>

TENSORTAP_BEGIN_NAMESPACE
namespace detail {

/// The place of a process among `count`.
struct PlaceOfProcess {
  std::int64_t rank = 0;
  std::int64_t count = 1;
};

/// Returns a variable that is an integer of at least 0; nullopt if it is not set or something else.
inline std::optional<std::int64_t> natural_variable(const std::function<const char*(const char*)>& variable,
                                                    const char* name) {
  const char* const value = variable(name);
  if (value == nullptr) return std::nullopt;
  const std::string_view text(value);
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || out < 0) return std::nullopt;
  return out;
}

/// Returns the place of this host among those of a SageMaker job.
inline std::optional<PlaceOfProcess> place_of_host(const std::function<const char*(const char*)>& variable) {
  const char* const hosts = variable("SM_HOSTS");
  const char* const current = variable("SM_CURRENT_HOST");
  if (hosts == nullptr || current == nullptr || std::string_view(hosts).size() > 1 << 20) return std::nullopt;
  const nlohmann::json list = nlohmann::json::parse(hosts, nullptr, false);
  if (!list.is_array()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& name : list)
    if (name.is_string()) names.push_back(name.get<std::string>());
  std::sort(names.begin(), names.end());
  const auto found = std::find(names.begin(), names.end(), current);
  if (found == names.end()) return std::nullopt;
  return PlaceOfProcess{found - names.begin(), static_cast<std::int64_t>(names.size())};
}

/// Returns the place that the launcher nearest to the process tells: Open MPI, PMI, torchrun, Slurm, then the hosts of
/// SageMaker. nullopt: none does. A place that cannot be is left out, with a line in `warnings`.
inline std::optional<PlaceOfProcess> worker_of_environment(const std::function<const char*(const char*)>& variable,
                                                           std::vector<std::string>& warnings) {
  struct Launcher {
    const char* rank;
    const char* count;
  };
  static constexpr std::array<Launcher, 4> launchers = {{{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                                         {"PMI_RANK", "PMI_SIZE"},
                                                         {"RANK", "WORLD_SIZE"},
                                                         // A batch script has SLURM_NTASKS, too; it is one process.
                                                         {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}}};
  for (const Launcher& launcher : launchers) {
    const char* const rank_text = variable(launcher.rank);
    const char* const count_text = variable(launcher.count);
    if (rank_text == nullptr || count_text == nullptr) continue;
    const auto rank = natural_variable(variable, launcher.rank);
    const auto count = natural_variable(variable, launcher.count);
    if (rank && count && *rank < *count) return PlaceOfProcess{*rank, *count};
    warnings.push_back(std::string(launcher.rank) + " = " + in_quotes(rank_text) + " and " + launcher.count + " = " +
                       in_quotes(count_text) + " are no place among the processes; they are not used");
  }
  return place_of_host(variable);
}

}  // namespace detail
TENSORTAP_END_NAMESPACE
