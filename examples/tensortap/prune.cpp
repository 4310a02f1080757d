#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int prune(const std::string& run, const tt::PruneOptions& options, std::ostream& out) {
  if (!options.keep.has_limit() && !options.superseded && !options.snapshots)
    throw std::runtime_error("prune: nothing is to be removed; name --steps, --bytes, --superseded or --snapshots");
  const auto store = tt::open_store(run);
  if (const tt::RunOutline outline = tt::outline_of(*store);
      !outline.ended && outline.attempts == 0 && outline.workers.empty())
    throw std::runtime_error("prune: " + tt::in_quotes(run) + ": it is no run; name the directory or address of one");
  const tt::Pruned done = tt::prune(*store, options);
  out << (options.dry_run ? "would remove: " : "removed: ") << plural(done.steps, "step") << ", "
      << plural(done.objects, "object") << ", " << done.bytes << " bytes\n"
      << "left: " << plural(done.steps_left, "step") << ", " << done.bytes_left << " bytes\n";
  return 0;
}

}  // namespace tensortap_command
