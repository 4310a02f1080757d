#include <cstdint>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"
#include "json_text.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

namespace {

/// Returns the step of the last commit in a directory of checkpoints. Throws: there is none.
std::int64_t last_commit_in(const std::string& checkpoints) {
  const auto states = tt::read_states(*tt::open_store(checkpoints));
  if (states.empty())
    throw std::runtime_error("prune: " + tt::in_quotes(checkpoints) +
                             ": it holds no commit; name the checkpoint_dir of the run");
  return states.back().last_seen;
}

}  // namespace

int prune(const std::string& run, tt::PruneOptions options, const std::string& checkpoints, bool json,
          std::ostream& out) {
  if (!options.keep.has_limit() && !options.superseded && !options.snapshots)
    throw std::runtime_error("prune: nothing is to be removed; name --steps, --bytes, --superseded or --snapshots");
  const auto [store, outline] = open_to_change("prune", run);
  const bool is_open = options.keep.has_limit() && !outline.ended;
  if (!checkpoints.empty()) options.last_commit = last_commit_in(checkpoints);
  const tt::Pruned done = tt::prune(*store, options);
  if (json) {
    print_json({{"dry_run", options.dry_run},
                {"steps", done.steps},
                {"objects", done.objects},
                {"bytes", done.bytes},
                {"steps_left", done.steps_left},
                {"bytes_left", done.bytes_left}},
               out);
    return 0;
  }
  out << (options.dry_run ? "would remove: " : "removed: ") << plural(done.steps, "step") << ", "
      << plural(done.objects, "object") << ", " << done.bytes << " bytes\n"
      << (is_open && checkpoints.empty()
              ? "the run has not ended; before it is continued, name its --checkpoints: steps after the last commit "
                "then stay, and do not count\n"
              : "")
      << "left: " << plural(done.steps_left, "step") << ", " << done.bytes_left << " bytes\n";
  return 0;
}

}  // namespace tensortap_command
