#include <ostream>
#include <string>
#include <tensortap/tensortap.hpp>

#include "commands.hpp"
#include "json_text.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int unpack(const std::string& run, const std::string& to, bool json, std::ostream& out) {
  const auto store = open_to_change("unpack", run).first;
  const tt::Unpacked done = to.empty() ? tt::unpack(store) : tt::unpack(store, tt::open_store(to));
  if (json) {
    print_json({{"segments", done.segments},
                {"steps", done.steps},
                {"files", done.files},
                {"bytes", done.bytes},
                {"copied", done.copied},
                {"damage", json_of(done.damage)}},
               out);
    return done.damage.empty() ? 0 : 1;
  }
  for (const tt::Damage& one : done.damage) out << "damaged: " << one.where << ": " << one.cause << '\n';
  if (!to.empty()) {
    out << "copied: " << plural(done.steps, "step") << ", " << plural(done.files, "file") << " of steps and "
        << plural(done.copied, "other object") << '\n';
  } else if (done.segments == 0 && done.damage.empty()) {
    out << "nothing is packed\n";
  } else {
    out << "unpacked: " << plural(done.segments, "segment") << ", " << plural(done.steps, "step") << ", "
        << plural(done.files, "file") << ", " << done.bytes << " bytes\n";
  }
  return done.damage.empty() ? 0 : 1;
}

}  // namespace tensortap_command
