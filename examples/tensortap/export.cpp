#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tensortap/report.hpp>
#include <vector>

#include "commands.hpp"
#include "json_text.hpp"
#include "output_file.hpp"
#include "reading_progress.hpp"
#include "runs.hpp"
#include "words.hpp"

namespace tensortap_command {

namespace tt = tensortap;

namespace {

/// Returns why nothing was written. Throws: no tensor has a name of the options.
std::runtime_error nothing_found(const std::shared_ptr<const tt::Store>& store, const Export& how,
                                 std::uint64_t left_out) {
  require_tensors("export", tt::Trial(store), how.options.query.include_regex);
  if (left_out > 0)
    return std::runtime_error(
        "export: the tensors of the options have no elements that numpy has a type for; --jsonl has what was saved of "
        "them");
  return std::runtime_error(
      "export: nothing was saved of the tensors, steps, mode and worker of the options; leave some out");
}

int result_of(const std::vector<tt::Damage>& damages) {
  ProgressLine::clear();
  for (const tt::Damage& damage : damages) std::cerr << "damaged: " << damage.where << ": " << damage.cause << '\n';
  return damages.empty() ? 0 : 1;
}

int export_for_tensorboard(const std::shared_ptr<const tt::Store>& run, const Export& how, std::ostream& out) {
  if (how.file == "-") throw std::runtime_error("export: --tensorboard writes a directory; name one with --output");
  const tt::ExportedToTensorBoard done = tt::export_tensorboard(run, how.file, how.options);
  if (how.json) {
    print_json({{"directory", how.file},
                {"files", done.files},
                {"scalars", done.scalars},
                {"histograms", done.histograms},
                {"without_elements", done.without_elements},
                {"left_out", done.left_out},
                {"damage", json_of(done.damage)}},
               out);
    return done.damage.empty() ? 0 : 1;
  }
  out << tt::escaped(how.file) << ": " << plural(done.files, "event file") << ", " << plural(done.scalars, "point")
      << " of curves, " << plural(done.histograms, "histogram");
  if (done.without_elements > 0)
    out << "; " << plural(done.without_elements, "tensor") << " without elements, of which there are curves alone";
  if (done.left_out > 0) out << "; left out: " << plural(done.left_out, "value") << " of strings or complex numbers";
  out << '\n';
  return result_of(done.damage);
}

int export_table(const std::shared_ptr<const tt::Store>& store, tt::ExportFormat format, const Export& how,
                 std::ostream& out) {
  tt::Exported done;
  if (how.file == "-") {
    if (how.json) throw std::runtime_error("export: --json tells what a file holds; name one with --output");
    done = tt::export_run(store, format, out, how.options);
    if (done.rows == 0 && done.damage.empty()) throw nothing_found(store, how, done.left_out);
  } else {
    OutputFile file(how.file);
    done = tt::export_run(store, format, file.stream(), how.options);
    if (done.rows == 0 && done.damage.empty()) throw nothing_found(store, how, done.left_out);
    file.publish();
    if (how.json) {
      print_json({{"file", how.file},
                  {"format", tt::to_string(format)},
                  {"rows", done.rows},
                  {"left_out", done.left_out},
                  {"damage", json_of(done.damage)}},
                 out);
      return done.damage.empty() ? 0 : 1;
    }
    const bool is_npz = format == tt::ExportFormat::npz;
    out << tt::escaped(how.file) << ": " << plural(done.rows, is_npz ? "value" : "row");
    if (done.left_out > 0)
      out << "; left out: " << plural(done.left_out, "value") << " that numpy has no type for, or without elements";
    out << '\n';
  }
  return result_of(done.damage);
}

}  // namespace

int export_run(const std::string& run, const Export& how, std::ostream& out) {
  try {
    const auto store = open_to_read(run);
    return how.format ? export_table(store, *how.format, how, out) : export_for_tensorboard(store, how, out);
  } catch (const tt::Error& e) {
    if (e.code() == tt::Errc::not_found || std::filesystem::is_regular_file(run))
      (void)open_run("export", run);  // says what is wrong with the address, and names the runs in it
    throw;
  }
}

}  // namespace tensortap_command
