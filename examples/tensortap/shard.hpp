// Several processes that judge one run: which share this one has, and the line that ends what it prints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <tensortap/rules/evaluate.hpp>
#include <tensortap/rules/verdict.hpp>
#include <vector>

namespace tensortap_command {

/// A share, and who named it.
struct FoundShard {
  tensortap::Shard shard;
  std::string from;  // "--shard", "mpirun" …
};

/// Returns the value of an environment variable; nullopt if there is none.
using Variable = std::function<std::optional<std::string>(const char* name)>;

/// Returns the share of this process. `text`, of --shard: I/N; /N, with I from the launcher; auto, with both from the
/// launcher; all. Left out: as auto, or all if no launcher tells. Throws: it is none of these, the launcher does not
/// tell, or what it tells makes no sense.
std::optional<FoundShard> find_shard(const std::optional<std::string>& text, const Variable& variable);

/// What a process says of its share, in the last line that it prints.
struct PartEnd {
  tensortap::Shard shard;
  std::string run;       // what tells the run from others
  std::string settings;  // what tells the rules, their parameters and the options from others
  std::int64_t steps = 0;
  std::int64_t last_step = -1;
  std::size_t findings = 0;  // how many lines it has printed
  bool complete = true;      // whether it has judged all steps of the run, as far as the run had come
  bool damaged = false;
  std::vector<tensortap::RuleResult> rules;
};

/// Returns the line, without its end.
std::string to_json(const PartEnd& end);

/// Joins what the processes of all shards have printed with --json, in any order, and prints what one process had
/// printed without shards. Returns the exit code that it had returned. Throws: a file cannot be read or is no such
/// output, a part is missing, incomplete or there twice, or the parts are not of one judgement.
int merge(const std::vector<std::string>& files, std::ostream& out);

}  // namespace tensortap_command
