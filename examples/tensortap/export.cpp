#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <ostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tensortap/report.hpp>

#include "commands.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

int export_table(const std::string& run, const Export& how, std::ostream& out) {
  (void)open_run("export", run);  // says what is wrong with the address, and names the runs in it
  const auto store = tt::open_store(run);
  tt::Exported done;
  if (how.file == "-") {
    done = tt::export_run(store, how.format, out, how.options);
  } else {
    // A file that is there stays as it is until the new one is whole.
    const std::string unfinished = how.file + ".unfinished";
    std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
    if (!file)
      throw std::runtime_error("export: " + tt::in_quotes(how.file) +
                               ": it cannot be written: " + std::generic_category().message(errno));
    try {
      done = tt::export_run(store, how.format, file, how.options);
      file.close();
      if (!file)
        throw std::runtime_error("export: " + tt::in_quotes(how.file) + ": it cannot be written; is the disk full?");
      std::filesystem::rename(unfinished, how.file);
    } catch (...) {
      std::remove(unfinished.c_str());
      throw;
    }
    const bool is_npz = how.format == tt::ExportFormat::npz;
    out << tt::escaped(how.file) << ": " << plural(done.rows, is_npz ? "value" : "row");
    if (done.left_out > 0)
      out << "; left out: " << plural(done.left_out, "value") << " that numpy has no type for, or without elements";
    out << '\n';
  }
  for (const tt::Damage& damage : done.damage) std::cerr << "damaged: " << damage.where << ": " << damage.cause << '\n';
  return done.damage.empty() ? 0 : 1;
}

}  // namespace tensortap_command
