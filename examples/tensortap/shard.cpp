#include "shard.hpp"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <tensortap/error.hpp>

namespace tensortap_command {

namespace {

namespace tt = tensortap;

constexpr std::int64_t most_shards = 1'000'000;

std::runtime_error mistake(const std::string& what) {
  return std::runtime_error("judge: " + what + "; write --shard I/N, I from 0 to N - 1, or --shard all");
}

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

/// What the variables of launchers tell.
class Launcher {
 public:
  explicit Launcher(const Variable& variable) : variable_(variable) {}

  /// Returns the share of this process. Of several launchers, as of mpirun in a job of an array, the innermost counts
  /// that has started more than one process.
  [[nodiscard]] std::optional<FoundShard> find() const {
    std::optional<FoundShard> out;
    // A batch script of Slurm has SLURM_PROCID and SLURM_NTASKS, too: only srun sets the size of a step.
    static constexpr std::array<std::array<const char*, 3>, 3> ranks = {{
        {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "mpirun"},
        {"PMI_RANK", "PMI_SIZE", "PMI"},
        {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "srun"},
    }};
    for (const auto& [index, count, name] : ranks) {
      const auto i = number(index);
      const auto n = number(count);
      if (i && n) take(out, {{*i, *n}, name}, {index, count});
    }
    if (const auto array = in_array()) take(out, *array, {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"});
    const auto i = number("JOB_COMPLETION_INDEX");
    const auto n = number("JOB_COMPLETIONS");
    if (i && n) take(out, {{*i, *n}, "Kubernetes"}, {"JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"});
    return out;
  }

  /// Returns the number of this process alone, for a count that the user knows.
  [[nodiscard]] std::optional<std::int64_t> index() const {
    if (const auto found = find()) return found->shard.index;
    return number("JOB_COMPLETION_INDEX");
  }

 private:
  static void take(std::optional<FoundShard>& out, const FoundShard& found, const std::array<const char*, 2>& from) {
    const auto& [index, count] = found.shard;
    if (index < 0 || index >= count || count > most_shards)
      throw mistake(std::string(from[0]) + " and " + from[1] + " are " + std::to_string(index) + " and " +
                    std::to_string(count));
    if (!out || (out->shard.count == 1 && count > 1)) out = found;
  }

  [[nodiscard]] std::optional<FoundShard> in_array() const {
    const auto id = number("SLURM_ARRAY_TASK_ID");
    const auto least = number("SLURM_ARRAY_TASK_MIN");
    const auto most = number("SLURM_ARRAY_TASK_MAX");
    const auto count = number("SLURM_ARRAY_TASK_COUNT");
    if (!id || !least || !most || !count) return std::nullopt;
    // The tasks of an array are numbered as the user likes; only evenly spaced numbers tell the place of one.
    const std::int64_t gaps = *count - 1;
    const std::int64_t step = gaps > 0 ? (*most - *least) / gaps : 1;
    const bool is_even = *count > 0 && step > 0 && *most - *least == step * gaps && (*id - *least) % step == 0;
    if (!is_even)
      throw mistake("the " + std::to_string(*count) + " tasks of the Slurm array, " + std::to_string(*least) + " to " +
                    std::to_string(*most) + ", are not evenly spaced");
    return FoundShard{{(*id - *least) / step, *count}, "the Slurm array"};
  }

  [[nodiscard]] std::optional<std::int64_t> number(const char* name) const {
    const auto text = variable_(name);
    if (!text || text->empty()) return std::nullopt;
    const auto out = number_in(*text);
    if (!out) throw mistake(std::string(name) + " is " + tt::in_quotes(*text) + ", no number");
    return out;
  }

  const Variable& variable_;
};

}  // namespace

std::optional<FoundShard> find_shard(const std::optional<std::string>& text, const Variable& variable) {
  if (!text) return Launcher(variable).find();
  if (*text == "all") return std::nullopt;
  if (*text == "auto") {
    auto found = Launcher(variable).find();
    if (!found)
      throw mistake(
          "--shard auto: no variable of mpirun, PMI, srun, a Slurm array or a Kubernetes indexed job tells both "
          "the number of this process and how many there are");
    return found;
  }
  const auto refuse = [&] { return mistake("--shard " + tt::in_quotes(*text) + ": there is no such shard"); };
  const std::size_t slash = text->find('/');
  if (slash == std::string::npos) throw refuse();
  const auto count = number_in(std::string_view(*text).substr(slash + 1));
  std::optional<std::int64_t> index;
  if (slash > 0) {
    index = number_in(std::string_view(*text).substr(0, slash));
  } else {
    index = Launcher(variable).index();
    if (!index) throw mistake("--shard " + tt::in_quotes(*text) + ": no launcher tells the number of this process");
  }
  if (!index || !count || *index < 0 || *index >= *count || *count > most_shards) throw refuse();
  return FoundShard{{*index, *count}, "--shard"};
}

std::string to_json(const PartEnd& end) {
  nlohmann::ordered_json shard = {{"index", end.shard.index}, {"count", end.shard.count}, {"run", end.run},
                                  {"settings", end.settings}, {"steps", end.steps},       {"last_step", end.last_step},
                                  {"findings", end.findings}, {"complete", end.complete}, {"damaged", end.damaged}};
  shard["rules"] = nlohmann::ordered_json::array();
  for (const tt::RuleResult& rule : end.rules)
    shard["rules"].push_back(
        {{"rule", rule.rule}, {"status", to_string(rule.status)}, {"tensors", rule.tensors}, {"steps", rule.steps}});
  return nlohmann::ordered_json{{"shard", std::move(shard)}}.dump();
}

}  // namespace tensortap_command
